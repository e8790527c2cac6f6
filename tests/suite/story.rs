//! A session by hand, with the tools of `examples/agent-tools`.

use serde_json::json;

use crate::support::{Project, repository};

fn example(name: &str) -> String {
    repository().join("examples/agent-tools").join(name).display().to_string()
}

#[tokio::test]
async fn a_session_by_hand() {
    let project = Project::new().await;
    project.write("files/two.txt", "one two three\n");
    let host = project.serve().await;

    let none = project.run(["session", "invoke", "word_count"]).await.fails(2);
    assert!(none.stderr.contains("session open"), "{}", none.stderr);
    let opened =
        project.run(["session", "open", "--env", "fs/list,fs/read,fs/stat", "--ttl", "1h", "--json"]).await;
    let opened = opened.succeeds().json();
    let env: Vec<&str> =
        opened["env"].as_array().unwrap().iter().map(|op| op["name"].as_str().unwrap()).collect();
    assert_eq!(env, ["fs/list", "fs/read", "fs/stat"]);
    let session = opened["session"].as_str().unwrap();

    // Registered with what the file beside it says; the session is the one opened last.
    let registered = project.run(["session", "register", &example("word_count.ts"), "--json"]).await;
    let registered = registered.succeeds().json();
    assert_eq!(registered["operation"], "session/word_count");
    assert_eq!((&registered["version"], &registered["examples_passed"]), (&json!(1), &json!(1)));
    let taken = project.run(["session", "register", &example("word_count.ts")]).await.fails(1);
    assert!(
        taken.stderr.contains("ALREADY_EXISTS") && taken.stderr.contains("--replace"),
        "{}",
        taken.stderr
    );
    let replaced =
        project.run(["session", "register", &example("word_count.ts"), "--replace", "--json"]).await;
    assert_eq!(replaced.succeeds().json()["version"], 2);

    let readme = std::fs::read_to_string(project.file("files/README.md")).unwrap();
    let words = readme.split_whitespace().count() + 3;
    for name in ["word_count", "session/word_count"] {
        let counted = project.run(["session", "invoke", name, r#"{"dir":"."}"#]).await.succeeds();
        assert_eq!(counted.json(), json!({ "files": 2, "skipped": 0, "words": words }));
    }
    // Running a tool is not calling an operation of the host.
    let called = project.run(["call", "session/word_count", r#"{"dir":"."}"#]).await.fails(1);
    assert!(
        called.stderr.contains("NOT_FOUND") && called.stderr.contains("session invoke"),
        "{}",
        called.stderr
    );

    let ran = project.run(["session", "run", &example("file_kinds.ts"), "--json"]).await.succeeds().json();
    assert_eq!(ran["output"], json!({ "md": 1, "txt": 1 }));
    assert_eq!(ran["calls"].as_array().unwrap().len(), 20);

    let tools = project.run(["session", "list", "--json"]).await.succeeds().json();
    assert_eq!(tools["sessions"][0]["session"], session);
    assert_eq!(tools["sessions"][0]["operations"][0]["name"], "session/word_count");
    accounts(&project, &registered["digest"]).await;

    project.run(["session", "remove", "word_count"]).await.succeeds();
    let gone = project.run(["session", "invoke", "word_count", r#"{"dir":"."}"#, "--json"]).await.fails(1);
    assert_eq!(gone.error_code(), "NOT_FOUND");
    project.run(["session", "close", "--json"]).await.succeeds();
    project.run(["session", "list"]).await.succeeds();
    project.run(["session", "invoke", "word_count"]).await.fails(2);
    let closed = project.run(["session", "list", "--session", session, "--json"]).await.fails(1);
    assert_eq!(closed.error_code(), "NOT_FOUND");
    host.stop().await;
    project.run(["audit", "verify"]).await.succeeds();
}

#[tokio::test]
async fn tools_of_every_kind_by_hand() {
    let project = Project::new().await;
    project.write("files/long.txt", "a long line of text, longer than the other file has\n");
    let host = project.serve().await;
    let opened =
        project.run(["session", "open", "--deterministic=day one", "--json"]).await.succeeds().json();
    assert_eq!(opened["deterministic"]["seed"], "day one");

    let registered = project.run(["session", "register", &example("countdown.ts"), "--json"]).await;
    assert_eq!(registered.succeeds().json()["examples_passed"], 1);
    let items = project.run(["session", "subscribe", "countdown", r#"{"from":2}"#]).await.succeeds();
    assert_eq!(items.stdout, "{\"left\":2}\n{\"left\":1}\n{\"left\":0}\n");

    let (main, table) = (example("report/main.ts"), example("report/lib/table.ts"));
    let alone = project.run(["session", "register", &main, "--name", "report"]).await.fails(1);
    assert!(alone.stderr.contains("main.ts:1:") && alone.stderr.contains("./lib/table"), "{}", alone.stderr);
    let with = ["session", "register", &main, "--with", &table, "--name", "report"];
    project.run(with).await.succeeds();
    let report =
        project.run(["session", "invoke", "report", r#"{"dir":".","top":1}"#]).await.succeeds().json();
    assert!(report["text"].as_str().unwrap().ends_with("README.md"), "{report}");

    project.run(["session", "register", &example("echo.wat")]).await.succeeds();
    assert_eq!(project.run(["session", "invoke", "echo", "[1]"]).await.succeeds().json(), json!([1]));
    project.write("broken.wat", "(module\n  (func (result i32)))\n");
    let broken = project.file("broken.wat").display().to_string();
    let broken = project.run(["session", "register", &broken]).await.fails(1);
    assert!(broken.stderr.contains("broken.wat:2:"), "{}", broken.stderr);
    project.write("none.wasm", "no component");
    let none = project.file("none.wasm").display().to_string();
    let none = project.run(["session", "register", &none]).await.fails(1);
    assert!(none.stderr.contains("this is not WebAssembly"), "{}", none.stderr);

    let account = project.run(["audit", "provenance", "session/report", "--json"]).await.succeeds().json();
    assert!(account.to_string().contains("%alknet-tool-files 1"), "{account}");
    host.stop().await;
    project.run(["audit", "verify"]).await.succeeds();
}

/// The record tells who wrote the tool, from what, and what it did.
async fn accounts(project: &Project, digest: &serde_json::Value) {
    let account =
        project.run(["audit", "provenance", "session/word_count", "--json"]).await.succeeds().json();
    assert_eq!(account["who"], "operator");
    assert_eq!(&account["source"]["digest"], digest);
    let source = std::fs::read_to_string(example("word_count.ts")).unwrap();
    assert_eq!(account["source"]["text"], source, "letter by letter");
    let digest = digest.as_str().unwrap();
    let by_digest =
        project.run(["audit", "provenance", "--digest", digest, "--json"]).await.succeeds().json();
    assert_eq!(by_digest["source"], account["source"]);

    let shown = project.run(["audit", "show", "--operation", "fs/read", "--json"]).await.succeeds().json();
    let read = &shown["entries"][0]["record"];
    assert_eq!(read["caller"], "operator");
    assert!(read["authority"].as_str().unwrap().starts_with("session:"), "{read}");
    let traced = project.run(["audit", "trace", read["call"].as_str().unwrap()]).await.succeeds();
    for part in ["session/invoke", "session/word_count", "fs/read"] {
        assert!(traced.stdout.contains(part), "{}", traced.stdout);
    }
}

#[tokio::test]
async fn mistakes_are_shown_where_they_are() {
    let project = Project::new().await;
    project.write("example.js", "export default async function (input) { return { n: input.n * 3 }; }\n");
    project.write(
        "throws.ts",
        "export default async function () {\n  const a: number = 1;\n  throw new Error('no');\n}\n",
    );
    let _host = project.serve().await;
    project.run(["session", "open"]).await.succeeds();

    let bad = example("bad_types.ts");
    let refused = project.run(["session", "register", &bad]).await.fails(1);
    assert!(refused.stderr.starts_with(&format!("{bad}:6:25: error: ")), "{}", refused.stderr);
    assert!(refused.stderr.contains("6 |   const lines: number = ;"), "{}", refused.stderr);
    let as_json = project.run(["session", "register", &bad, "--json"]).await.fails(1);
    assert_eq!(as_json.error()["details"]["diagnostics"][0]["line"], 6);

    let example = r#"{"input":{"n":2},"output":{"n":4}}"#;
    let failed = project.run(["session", "register", "example.js", "--example", example]).await.fails(1);
    assert!(failed.stderr.contains("EXAMPLE_FAILED"), "{}", failed.stderr);
    for part in [r#"input     {"n":2}"#, r#"expected  {"output":{"n":4}}"#, r#"actual    {"output":{"n":6}}"#]
    {
        assert!(failed.stderr.contains(part), "{}", failed.stderr);
    }
    let thrown = project.run(["session", "run", "throws.ts"]).await.fails(1);
    assert!(thrown.stderr.starts_with("throws.ts:3:"), "{}", thrown.stderr);
    let denied =
        project.run(["session", "register", "example.js", "--env", "fs/write", "--json"]).await.fails(1);
    assert_eq!(denied.error_code(), "ENV_DENIED");
    assert_eq!(denied.error()["details"]["operations"], json!(["fs/write"]));
    let none = project.run(["session", "list", "--json"]).await.succeeds().json();
    assert_eq!(none["sessions"][0]["operations"], json!([]), "nothing refused was kept");
}

#[tokio::test]
async fn every_example_does_what_its_page_says() {
    let project = Project::new().await;
    project.edit(|text| text.replace("#cpu = \"5s\"", "cpu = \"300ms\""));
    project.write("files/a.rs", &format!("// {}: later\n", concat!("TO", "DO")));
    let _host = project.serve().await;
    project.run(["session", "open"]).await.succeeds();
    for (file, passed) in
        [("find_todos.ts", 1), ("tree_report.ts", 2), ("file_kinds.ts", 0), ("runaway.js", 0)]
    {
        let registered =
            project.run(["session", "register", &example(file), "--json"]).await.succeeds().json();
        assert_eq!(registered["examples_passed"], passed, "{file}");
    }
    let invoke =
        |name: &'static str, input: &'static str| project.run(["session", "invoke", name, input, "--json"]);
    let found = invoke("find_todos", "{}").await.succeeds().json();
    assert_eq!(found["files"], json!({ "a.rs": 1 }));
    assert_eq!(found["todos"][0]["line"], 1);
    let report = invoke("tree_report", "{}").await.succeeds().json();
    assert_eq!((&report["files"], &report["directories"]), (&json!(2), &json!(1)));
    let missing = invoke("tree_report", r#"{"path":"nowhere"}"#).await.fails(1);
    assert_eq!(missing.error()["details"], json!({ "path": "nowhere" }));
    assert_eq!(missing.error_code(), "NO_SUCH_FOLDER");
    let ended = invoke("runaway", "{}").await.fails(1);
    assert_eq!(ended.error_code(), "LIMIT_EXCEEDED");
    assert_eq!(ended.error()["details"]["limit"], "cpu_ms");
    assert_eq!(invoke("find_todos", "{}").await.succeeds().json(), found, "the next call works");
}

#[tokio::test]
async fn a_tool_does_not_write_on_the_operators_terminal() {
    let project = Project::new().await;
    let escapes = "'\\u001b[2J\\u001b]0;owned\\u0007 \\r\\u009b31m \\u202e'";
    project.write("throws.js", &format!("export default () => {{ throw new Error({escapes}); }};\n"));
    project.write(
        "says.js",
        &format!("export default () => {{ console.log({escapes}); return {escapes}; }};\n"),
    );
    let _host = project.serve().await;
    project.run(["session", "open", "--label", "\u{1b}[8mhidden\u{202e}"]).await.succeeds();
    let thrown = project.run(["session", "run", "throws.js"]).await.fails(1);
    let said = project.run(["session", "run", "says.js"]).await.succeeds();
    let listed = project.run(["session", "list"]).await.succeeds();
    let shown = project.run(["audit", "show"]).await.succeeds();
    assert!(thrown.stderr.contains("owned") && said.stderr.contains("owned"), "the words are shown");
    // The output of a script is a result, for programs where it does not go to a terminal.
    for written in [thrown.stderr, said.stderr, listed.stdout, shown.stdout] {
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!written.contains(harmful), "{written:?}");
    }
}
