use serde_json::{Value, json};

use super::types::{References, Types};
use super::{Declared, declarations, signature};

/// Schemas and the types they become where no name is needed.
fn types() -> Vec<(Value, &'static str)> {
    vec![
        (json!(true), "unknown"),
        (json!(false), "never"),
        (json!({}), "unknown"),
        (json!("text"), "unknown"),
        (json!({"type": "string", "format": "uri"}), "string"),
        (json!({"type": "integer", "minimum": 0}), "number"),
        (json!({"type": ["string", "null"]}), "string | null"),
        (json!({"type": "array"}), "unknown[]"),
        (json!({"type": "array", "items": {"type": ["string", "null"]}}), "(string | null)[]"),
        (json!({"items": {"type": "boolean"}}), "boolean[]"),
        (
            json!({"prefixItems": [{"type": "string"}, {"type": "number"}], "minItems": 2, "maxItems": 2}),
            "[string, number]",
        ),
        (
            json!({"prefixItems": [{"type": ["string", "null"]}], "items": {"type": "number"}}),
            "[(string | null)?, ...number[]]",
        ),
        (json!({"prefixItems": [{"type": "null"}], "items": false, "minItems": 1}), "[null]"),
        (json!({"const": "a\"b\\c\nd"}), r#""a\"b\\c\nd""#),
        (json!({"const": -1.5}), "-1.5"),
        (json!({"const": {"a": 1}}), "unknown"),
        (json!({"enum": ["a", "b", null, 1, "a"]}), r#""a" | "b" | null | 1"#),
        (json!({"enum": []}), "never"),
        (json!({"type": "object"}), "Record<string, unknown>"),
        (json!({"type": "object", "additionalProperties": {"type": "number"}}), "Record<string, number>"),
        (json!({"type": "object", "additionalProperties": false}), "{}"),
        (json!({"patternProperties": {"^a": {"type": "string"}}}), "Record<string, string>"),
        (
            json!({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "c"]}),
            "{ a: string; b?: unknown; c: unknown }",
        ),
        (
            json!({"properties": {"a": {"type": "string"}}, "additionalProperties": true}),
            "{ a?: string; [key: string]: unknown }",
        ),
        (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), "string | null"),
        (json!({"oneOf": [{"type": "string"}, {}]}), "unknown"),
        (json!({"anyOf": [false, {"type": "string"}]}), "string"),
        (
            json!({"allOf": [{"properties": {"a": true}}, {"anyOf": [{"type": "string"}, {"type": "number"}]}]}),
            "{ a?: unknown } & (string | number)",
        ),
        (json!({"type": "object", "oneOf": [{"properties": {"a": {"const": 1}}}]}), "{ a?: 1 }"),
        (json!({"$ref": "https://example.com/schema"}), "unknown"),
        (json!({"$ref": "#/$defs/missing"}), "unknown"),
        (json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}), "string"),
        (json!({"$ref": "#"}), "unknown"),
        (json!({"properties": {"next": {"$ref": "#"}}}), "{ next?: { next?: unknown } }"),
        (json!({"type": "nothing known"}), "unknown"),
        (json!({"not": {"type": "string"}}), "unknown"),
    ]
}

#[test]
fn schemas_become_types() {
    for (schema, expected) in types() {
        let references = References::Inline { open: Vec::new() };
        let written = Types::new(&schema, "", references, 10_000).write(&schema);
        assert_eq!(written.as_deref(), Some(expected), "{schema}");
    }
}

#[test]
fn names_that_are_no_identifiers_are_quoted() {
    for (name, written) in [
        ("plain_1$", "plain_1$"),
        ("__proto__", r#""__proto__""#),
        ("constructor", r#""constructor""#),
        ("a b", r#""a b""#),
        ("1a", r#""1a""#),
        ("", r#""""#),
        ("größe", r#""größe""#),
        ("a*/b", r#""a*/b""#),
        ("a\u{2028}\u{202e}\0", r#""a\u2028\u202e\u0000""#),
        ("\u{e0041}", r#""\udb40\udc41""#),
        ("}; declare const x: 1; //", r#""}; declare const x: 1; //""#),
    ] {
        let schema = json!({"properties": {name: true}});
        let references = References::Inline { open: Vec::new() };
        let text = Types::new(&schema, "", references, 10_000).write(&schema);
        assert_eq!(text, Some(format!("{{ {written}?: unknown }}")));
    }
}

fn declared<'a>(name: &'a str, input: &'a Value, output: &'a Value) -> Declared<'a> {
    Declared { name, description: None, input, output, errors: &[], streams: false }
}

#[test]
fn an_operation_is_declared() {
    let input = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Path below the root."},
            "lines_max": {"type": ["integer", "null"], "format": "uint32", "default": null},
        },
        "required": ["path"],
    });
    let output = json!({
        "type": "array",
        "items": {"$ref": "#/$defs/entry"},
        "$defs": {
            "entry": {
                "description": "One file.",
                "properties": {"name": {"type": "string"}, "within": {"items": {"$ref": "#/$defs/entry"}}},
                "required": ["name"],
            },
        },
    });
    let errors = [("NOT_A_FILE".to_owned(), "the path names\na directory".to_owned())];
    let read = Declared {
        streams: false,
        name: "fs/read",
        description: Some("Reads a file.\n\nAll of it."),
        input: &input,
        output: &output,
        errors: &errors,
    };
    let text = declarations(&[read]);
    let expected = r#"/** What a tool may call: the second parameter of its function. */
interface Env {
  fs: {
    /**
     * Reads a file.
     * All of it.
     * @throws NOT_A_FILE the path names a directory
     */
    read(input: {
      /**
       * @format uint32
       * @default null
       */
      lines_max?: number | null;
      /** Path below the root. */
      path: string;
    }): Promise<Entry[]>;
  };
  /** Calls an operation by its name. */
  invoke(name: "fs/read", ...args: Parameters<Env["fs"]["read"]>): ReturnType<Env["fs"]["read"]>;
  invoke(name: string, input?: unknown): Promise<unknown>;
}

/** One file. */
type Entry = { name: string; within?: Entry[] };
"#;
    let declared = text.strip_suffix(super::GLOBALS);
    // The order of properties is the schema's, which depends on how the values were read.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(declared.map(sorted), Some(sorted(expected)), "{text}");
    assert_eq!(signature(&declared_plain()), "env.time.now(input?: unknown): Promise<unknown>");
}

fn declared_plain() -> Declared<'static> {
    static ANY: Value = Value::Bool(true);
    declared("time/now", &ANY, &ANY)
}

#[test]
fn operations_are_members_of_env_by_their_names() {
    let any = json!({});
    let names = ["b/c", "a-b/c.d/e", "b", "b/__proto__", "invoke/x", "b/c", "b/new"];
    let operations: Vec<_> = names.iter().map(|name| declared(name, &any, &any)).collect();
    let text = declarations(&operations);
    let expected = r#"interface Env {
  "a-b": {
    "c.d": {
      e(input?: unknown): Promise<unknown>;
    };
  };
  b: {
    (input?: unknown): Promise<unknown>;
    "__proto__"(input?: unknown): Promise<unknown>;
    c(input?: unknown): Promise<unknown>;
    "new"(input?: unknown): Promise<unknown>;
  };
  /** Calls an operation by its name. */
  invoke(name: "a-b/c.d/e", ...args: Parameters<Env["a-b"]["c.d"]["e"]>): ReturnType<Env["a-b"]["c.d"]["e"]>;
  invoke(name: "b", ...args: Parameters<Env["b"]>): ReturnType<Env["b"]>;
  invoke(name: "b/__proto__", ...args: Parameters<Env["b"]["__proto__"]>): ReturnType<Env["b"]["__proto__"]>;
  invoke(name: "b/c", ...args: Parameters<Env["b"]["c"]>): ReturnType<Env["b"]["c"]>;
  invoke(name: "b/new", ...args: Parameters<Env["b"]["new"]>): ReturnType<Env["b"]["new"]>;
  invoke(name: "invoke/x", input?: unknown): Promise<unknown>;
  invoke(name: string, input?: unknown): Promise<unknown>;
}
"#;
    assert!(text.contains(expected), "{text}");
    let mut reversed = operations;
    reversed.reverse();
    assert_eq!(declarations(&reversed), text);
    assert_eq!(
        signature(&declared("a-b/c", &any, &any)),
        r#"env["a-b"].c(input?: unknown): Promise<unknown>"#
    );
    assert_eq!(
        signature(&declared("invoke/x", &any, &any)),
        r#"env.invoke("invoke/x", input?: unknown): Promise<unknown>"#
    );
}

#[test]
fn types_with_one_name_are_kept_apart() {
    let text = json!({"$ref": "#/$defs/Entry", "$defs": {"Entry": {"type": "string"}}});
    let number = json!({"$ref": "#/$defs/Entry", "$defs": {"Entry": {"type": "number"}}});
    let promise = json!({"$ref": "#/$defs/Promise", "$defs": {"Promise": {"type": "number"}}});
    let list = json!({"type": "array", "items": {"$ref": "#"}});
    let written = declarations(&[
        declared("a/one", &text, &text),
        declared("a/two", &number, &text),
        declared("a/three", &promise, &list),
    ]);
    for line in [
        "    one(input: Entry): Promise<Entry>;\n",
        "    two(input: ATwoEntry): Promise<Entry>;\n",
        "    three(input: AThreePromise): Promise<AThreeOutput[]>;\n",
        "\ntype Entry = string;\n",
        "\ntype ATwoEntry = number;\n",
        "\ntype AThreePromise = number;\n",
        "\ntype AThreeOutput = AThreeOutput[];\n",
    ] {
        assert!(written.contains(line), "no {line} in\n{written}");
    }
}

#[test]
fn descriptions_stay_comments() {
    let any = json!({});
    for description in [
        "*/ declare const evil: 1; /*",
        "**/",
        "*\u{200b}/",
        "*\n/",
        "line\n*/\nline",
        "\u{2028}*/\u{2029}",
        "*\0/",
        "/",
        "*",
    ] {
        let input = json!({"properties": {"a": {"description": description, "default": description}}});
        let errors = [(description.to_owned(), description.to_owned())];
        let operation = Declared {
            streams: false,
            name: "a/b",
            description: Some(description),
            input: &input,
            output: &any,
            errors: &errors,
        };
        let text = declarations(&[operation]);
        let mut outside = String::new();
        let mut rest = text.as_str();
        while let Some((before, comment)) = rest.split_once("/*") {
            outside.push_str(before);
            rest = comment.split_once("*/").expect("every comment ends").1;
        }
        assert!(!(outside + rest).contains("evil"), "{text}");
        assert!(!text.contains(['\0', '\u{200b}', '\u{2028}']), "{text}");
    }
}

#[test]
fn whatever_the_schemas_the_output_is_bounded() {
    let mut deep = json!({"type": "string"});
    for _ in 0..100 {
        deep = json!({"properties": {"a": deep}});
    }
    let wide: Value = json!({"properties": (0..5000).map(|n| (format!("p{n}"), json!({"description": "x".repeat(90)})))
        .collect::<serde_json::Map<_, _>>()});
    let chain: serde_json::Map<String, Value> = (0..500)
        .map(|n| (format!("d{n}"), json!({"properties": {"n": {"$ref": format!("#/$defs/d{}", n + 1)}}})))
        .collect();
    let chain = json!({"$ref": "#/$defs/d0", "$defs": chain});
    let doubling: serde_json::Map<String, Value> = (0..64)
        .map(|n| {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            (format!("d{n}"), json!({"properties": {"a": next, "b": next}}))
        })
        .collect();
    let doubling = json!({"$ref": "#/$defs/d0", "$defs": doubling});
    let schemas = [&deep, &wide, &chain, &doubling];
    for schema in schemas {
        assert!(signature(&declared("a/b", schema, schema)).len() < 4096);
    }

    let long = "a/".repeat(127) + "b";
    let names: Vec<String> = (0..1500)
        .map(|n| if n % 50 == 0 { format!("{long}{n}") } else { format!("n{}/o{n}", n % 7) })
        .collect();
    let operations: Vec<_> = (0..)
        .zip(&names)
        .map(|(n, name)| {
            declared(name, schemas[n % schemas.len()], schemas[n / schemas.len() % schemas.len()])
        })
        .collect();
    let text = declarations(&operations);
    assert!(text.len() <= super::OUTPUT_BYTES_MAX, "{} bytes", text.len());
    assert!(text.contains("more operations are not listed"), "{} bytes", text.len());
    assert!(text.ends_with(super::GLOBALS));
}
