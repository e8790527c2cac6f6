//! A configuration that cannot be used: where it is wrong, in one line, and no value of it repeated.

use crate::support::Project;

/// A change of the generated configuration, and what is said about it behind `FILE:`: line and column are found by
/// the text they stand at.
struct Case {
    add: &'static str,
    at: &'static str,
    key: &'static str,
    says: &'static str,
}

const fn case(add: &'static str, at: &'static str, key: &'static str, says: &'static str) -> Case {
    Case { add, at, key, says }
}

async fn check(command: &[&str], cases: &[Case]) {
    let project = Project::new().await;
    let generated = project.config();
    for Case { add, at, key, says } in cases {
        let text = format!("{add}\n{generated}");
        project.write("alknet-agent.toml", &text);
        let offset = text.find(at).unwrap();
        let line = text[..offset].matches('\n').count() + 1;
        let column = offset - text[..offset].rfind('\n').map_or(0, |end| end + 1) + 1;
        let file = project.file("alknet-agent.toml");
        let place = if key.is_empty() {
            format!("{}:{line}:{column}: ", file.display())
        } else {
            format!("{}:{line}:{column}: `{key}`: ", file.display())
        };
        let ran = project.run(command.iter().chain(&["--json", "--log", "off"])).await.fails(3);
        assert_eq!(ran.error_code(), "CONFIGURATION");
        let message = ran.error()["message"].as_str().unwrap().to_owned();
        let said = message.strip_prefix(&place).unwrap_or_else(|| panic!("{message}\nis not at {place}"));
        assert!(said.contains(says), "{said:?} does not say {says:?}");
        assert!(!message.contains("canary"), "a value was repeated: {message}");
        let human = project.run(command.iter().chain(&["--log", "off"])).await.fails(3);
        assert!(human.stderr.starts_with(&format!("error: {message}")), "{}", human.stderr);
    }
}

#[tokio::test]
async fn what_is_wrong_in_the_file_itself() {
    let cases = [
        case("x = \n", "\n", "", "not TOML: "),
        case("[nonsense]\n", "nonsense", "nonsense", "unknown key"),
        case("[http]\ntargets = 1\n", "targets", "http.targets", "unknown key"),
        case("[[peer]]\nname = \"canary\"\n", "name", "peer[0].name", "unknown key"),
        case("[[peer]]\nid = 7\n", "7", "peer[0].id", "expected text in quotes"),
        case("[[peer]]\nfingerprints = []\n", "[[peer]]", "peer[0]", "`id` is missing"),
        case(
            "[[peer]]\nid = \"a\"\nfingerprints = [\"ed25519:canary\"]\n",
            "\"ed25519:canary\"",
            "peer[0].fingerprints[0]",
            "64 hexadecimal digits",
        ),
        case("[[peer]]\nid = \"a b canary\"\n", "\"a b canary\"", "peer[0].id", "printable ASCII"),
        case(
            "[[api_key]]\nprefix = \"alk_0123\"\nhash = \"canary\"\n",
            "\"canary\"",
            "api_key[0].hash",
            "sha256:",
        ),
        case(
            "[[peer]]\nid = \"canary\"\n",
            "\"canary\"",
            "peer[0].id",
            "`fingerprints` or `auth_token_hash`",
        ),
        case(
            "[[profile]]\nname = \"p\"\nenv = [\"canary\"]\n",
            "\"canary\"",
            "profile[0].env[0]",
            "two or more segments",
        ),
        case(
            "[[profile]]\nname = \"p\"\nenv = []\nlimits = { cpu = \"canary\" }\n",
            "\"canary\"",
            "profile[0].limits.cpu",
            "500ms",
        ),
        case(
            "[[profile]]\nname = \"p\"\nenv = []\nlimits = { memory_max = \"1 canary\" }\n",
            "\"1 canary\"",
            "profile[0].limits.memory_max",
            "16MiB",
        ),
    ];
    check(&["key", "show"], &cases).await;
}

#[tokio::test]
async fn what_this_machine_does_not_have() {
    let cases = [
        case("[[fs.root]]\nname = \"a/b\"\npath = \"files\"\n", "\"a/b\"", "fs.root[0].name", "characters"),
        case(
            "[[http.target]]\nname = \"x\"\nbase_url = \"ftp://canary\"\n",
            "[[http.target]]",
            "http.target[0]",
            "`base_url` begins with `https://`",
        ),
        case(
            "[[profile]]\nname = \"p\"\nenv = [\"time/now\", \"http/fetch\"]\n",
            "\"http/fetch\"",
            "profile[0].env[1]",
            "no operation `http/fetch`",
        ),
        case(
            "[[fs.root]]\nname = \"gone\"\npath = \"no-such-folder\"\n",
            "\"no-such-folder\"",
            "fs.root[0].path",
            "cannot be opened",
        ),
        case(
            "[[fs.root]]\nname = \"keys\"\npath = \".alknet-agent\"\n",
            "\".alknet-agent\"",
            "fs.root[0].path",
            "would show the host's keys",
        ),
        case(
            "[[fs.root]]\nname = \"keys\"\npath = \".\"\n",
            "\".\"",
            "fs.root[0].path",
            "would show the host's keys",
        ),
    ];
    check(&["serve"], &cases).await;
}

#[tokio::test]
async fn the_generated_file_says_what_the_defaults_are() {
    let project = Project::new().await;
    // Every setting that is commented out as a default can be taken in as it is.
    project.edit(|text| {
        let uncommented = text.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with([' ', '#']) && setting.contains(" = ") => setting,
            _ => line,
        });
        uncommented.collect::<Vec<_>>().join("\n")
    });
    assert!(project.config().contains("\ncall_timeout = \"30s\""));
    project.run(["key", "show"]).await.succeeds();
    let host = project.serve().await;
    let limits = ["call", "session/open", "{}"];
    let opened = project.run(limits).await.succeeds().json();
    assert_eq!(opened["limits"]["cpu_ms"], 5_000);
    host.stop().await;
}
