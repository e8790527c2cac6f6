//! Frames and sources that are almost right: thousands of small changes, always the same ones. The host answers
//! or ends the stream, and goes on.

use serde_json::{Value, json};

use crate::support::{Project, Wire, repository, requested};

/// A sequence of numbers that looks random and is the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Replaces, removes, repeats or inserts a few bytes, one to three times.
fn mutate(bytes: &mut Vec<u8>, pieces: &[&str], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        let end = (at + 1 + numbers.below(12)).min(bytes.len());
        match numbers.below(5) {
            0 => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let repeated = bytes[at..end].repeat(1 + numbers.below(4));
                bytes.splice(at..at, repeated).for_each(drop);
            }
            3 => {
                let other = numbers.below(bytes.len());
                bytes.swap(at, other);
            }
            _ => bytes.splice(at..at, numbers.pick(pieces).bytes()).for_each(drop),
        }
        if bytes.is_empty() {
            bytes.push(b' ');
        }
    }
}

#[tokio::test]
async fn frames_that_are_almost_right() {
    let project = Project::new().await;
    // Every token here is a guess.
    project.edit(|text| text.replace("#auth_attempts_max = 5", "auth_attempts_max = 1000000"));
    let host = project.serve().await;
    let (_dialer, connection) = host.dial(Some(project.operator_key())).await.unwrap();
    let pieces = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        "null",
        "\\u0000",
        "\\ud800",
        "1e999",
        "-0",
        "\"id\":\"1\",",
        "\"type\":\"call.error\",",
        "\"payload\":{},",
        "\"operationId\":\"/host/status\",",
        "\0\0\0\u{1}",
    ];
    let request =
        requested("1", "fs/list", &json!({ "path": ".", "limit": 3 }), &json!({ "auth_token": "alk_x" }));
    let whole = [&u32::try_from(request.len()).unwrap().to_be_bytes(), request.as_bytes()].concat();
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for _ in 0..600 {
        let mut bytes = whole.clone();
        mutate(&mut bytes, &pieces, &mut numbers);
        let mut wire = Wire::open(&connection).await;
        wire.write(&bytes).await;
        wire.finish().await;
        while let Some(answer) = wire.next().await {
            assert_ne!(
                answer["payload"]["code"],
                "INTERNAL",
                "{answer} to {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    let operator = host.client(Some(project.operator_key())).await;
    assert_eq!(operator.code("fs/list", json!({})).await, "OK");
    let ended = host.stop().await;
    assert!(!ended.log.contains("ERROR"), "{}", ended.log);
}

#[tokio::test]
async fn sources_that_are_almost_right() {
    let project = Project::new().await;
    project.edit(|text| {
        text.replace("#cpu = \"5s\"", "cpu = \"200ms\"").replace("#wall = \"30s\"", "wall = \"2s\"")
    });
    let host = project.serve().await;
    let operator = host.client(Some(project.operator_key())).await;
    let session = operator.open_session().await;
    let source = std::fs::read(repository().join("examples/agent-tools/tree_report.ts")).unwrap();
    let pieces = [
        "`${",
        "}",
        "(",
        ")",
        "<",
        ">",
        "=>",
        "async ",
        "await ",
        "yield ",
        "class A {",
        "enum E { a }",
        "import 'x';",
        "export ",
        "/*",
        "//",
        "/",
        "as any",
        "!",
        "?.",
        "...",
        "@d ",
        "namespace N {",
        "declare ",
        "\u{2028}",
        "#x",
        "import.meta",
        "new.target",
        "for(;;);",
        "throw 1;",
        "eval('1');",
        "0n",
        "<T,>",
        "satisfies ",
        "using x = ",
    ];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..400 {
        let mut bytes = source.clone();
        mutate(&mut bytes, &pieces, &mut numbers);
        let text = String::from_utf8_lossy(&bytes);
        let script = json!({
            "session": session, "language": "typescript", "source": text, "input": { "files": [] }, "env": ["fs/list"],
        });
        if let Err(error) = operator.call("session/run", script).await {
            let defect = error.code().as_str() == "INTERNAL" && !error.message().starts_with("uncaught ");
            assert!(!defect, "{error} of:\n{text}");
        }
    }
    let good: Value = operator.run(&session, "export default () => 'fine'").await.unwrap();
    assert_eq!(good, "fine");
    let ended = host.stop().await;
    assert!(!ended.log.contains("ERROR"), "{}", ended.log);
}
