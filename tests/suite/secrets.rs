//! Secrets stay where they are put, however much is logged.

use std::path::Path;

use alknet_core::NewApiKey;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Project, files_below, soon};

const CREDENTIAL: &str = "canary-credential-51f0";
const VALUE: &str = "canary-value-93ab";

/// A server that answers every request with the request itself, credential and all.
async fn mirror() -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = JoinSet::new();
    server.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                request.extend(byte);
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", request.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&request).await.unwrap();
        }
    });
    (port, server)
}

#[tokio::test]
async fn no_secret_is_logged_recorded_or_printed() {
    let project = Project::new().await;
    let (good, unknown) = (NewApiKey::generate().unwrap(), NewApiKey::generate().unwrap());
    let (port, _server) = mirror().await;
    let scopes = ["kv:read", "kv:write", "http:fetch", "session"];
    project.write_private("credential", CREDENTIAL);
    project.add(&format!(
        "[[api_key]]\nprefix = {:?}\nhash = \"{}\"\nscopes = {scopes:?}\n\
         [[http.target]]\nname = \"mirror\"\nbase_url = \"http://127.0.0.1:{port}\"\nmethods = [\"GET\"]\n\
         credential_file = \"credential\"\nallow_private = true\n",
        good.prefix, good.hash
    ));
    for (name, key) in [("good", &good), ("unknown", &unknown)] {
        project.write_private(name, &key.token);
    }
    let host = project.serve_with(&["--log", "trace"]).await;
    let mut printed = Vec::new();
    let put = json!({ "key": "k", "value": VALUE }).to_string();
    let wrong = json!({ "key": "k", "value": VALUE, "if_version": VALUE }).to_string();
    let fetch = json!({ "target": "mirror", "method": "GET", "path": "/" }).to_string();
    let script = project
        .write("script.ts", "export default async (i: { secret: string }) => { throw new Error('no'); };\n");
    let script = script.to_str().unwrap();
    let input = json!({ "secret": VALUE }).to_string();
    let commands: [(&[&str], i32); 9] = [
        (&["call", "kv/put", &put, "--token-file", "good"], 0),
        (&["call", "kv/put", &wrong, "--token-file", "good"], 1),
        (&["call", "kv/put", &put, "--token-file", "unknown"], 0),
        (&["call", "http/fetch", &fetch, "--token-file", "good"], 0),
        (&["call", "no/such", &put], 1),
        (&["session", "open"], 0),
        (&["session", "run", script, &input], 1),
        (&["key", "show"], 0),
        (&["audit", "show"], 0),
    ];
    for (args, code) in commands {
        let ran = project.run(args.iter().chain(&["--json", "--log", "trace"])).await;
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr.lines().last().unwrap_or_default());
        if args[1] == "http/fetch" {
            assert!(ran.stdout.contains("[REDACTED]"), "the credential was sent: {}", ran.stdout);
        }
        printed.push((args.join(" "), ran.stdout + &ran.stderr));
    }
    let ended = soon("the host stops", host.stop()).await;
    assert!(ended.log.contains("TRACE"), "everything was logged");
    printed.push(("serve".to_owned(), ended.stdout + &ended.log));

    let private = |name: &str| std::fs::read_to_string(project.data(name)).unwrap().trim().to_owned();
    let secrets = [
        private("host.key"),
        private("operator.key"),
        good.token.to_string(),
        unknown.token.to_string(),
        // Without the part that is public.
        good.token[good.prefix.len()..].to_owned(),
        CREDENTIAL.to_owned(),
        VALUE.to_owned(),
    ];
    for (index, secret) in secrets.iter().enumerate() {
        for (what, text) in &printed {
            assert!(!text.contains(secret), "secret {index} is in the output of {what}");
        }
        for file in recorded(&project) {
            assert!(!holds(&file, secret), "secret {index} is in {}", file.display());
        }
    }
    assert!(holds(&project.data("kv.sqlite"), VALUE), "the search finds what is there");
}

/// What the host writes, but for the keys and the store that holds what it was given.
fn recorded(project: &Project) -> Vec<std::path::PathBuf> {
    let mut files = files_below(&project.data("audit"));
    files.extend(files_below(&project.data("cache")));
    files.extend(files_below(&project.temporary()));
    files.push(project.data("cli-session"));
    files
}

fn holds(file: &Path, secret: &str) -> bool {
    let bytes = std::fs::read(file).unwrap();
    let raw = hex::decode(secret).unwrap_or_else(|_| secret.as_bytes().to_vec());
    [secret.as_bytes(), &raw].iter().any(|needle| bytes.windows(needle.len()).any(|part| part == *needle))
}
