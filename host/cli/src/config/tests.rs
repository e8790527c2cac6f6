use std::path::Path;

use super::*;

const HASH: &str = "sha256:00000000000000000000000000000000000000000000000000000000deadbeef";
const KEY_A: &str = "ed25519:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/srv/a/alknet-agent.toml"), text.to_owned())
}

/// The message begins with `at` (line, column and key), goes on with a part of `expected`, and shows none of
/// the values of the file that could be secret.
fn refused(text: &str, at: &str, expected: &str) {
    let text = text.replace("$HASH", HASH).replace("$KEY_A", KEY_A);
    let shown = parse(&text).expect_err(&text).to_string();
    let prefix = format!("/srv/a/alknet-agent.toml:{at}: ");
    assert!(shown.starts_with(&prefix), "{shown}\nnot at {at} in\n{text}");
    assert!(shown.contains(expected), "{shown}\nnot about {expected}");
    for secret in ["deadbeef", "s3cret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn generated() -> String {
    let scopes = operator_scopes();
    let fingerprint = KEY_A.parse().unwrap();
    let peers = [PeerLine { id: "operator", fingerprint, scopes: &scopes, display_name: "The operator" }];
    Template { data_dir: None, listen: None, root: ".", peers: &peers }.render()
}

#[test]
fn bad_shapes_are_refused_with_their_place() {
    refused("[quic]\nlisten = ", "2:10", "expected");
    refused("[quic]\nlisten = \"a\"\nlisten = \"b\"", "3:1", "not TOML: duplicate key");
    refused(
        "[quic]\n  lisen = \"s3cret\"",
        "2:3: `quic.lisen`",
        "unknown key; the keys here are `enabled`, `listen`",
    );
    refused("tokens = \"s3cret\"", "1:1: `tokens`", "unknown key; the keys here are `host`");
    refused("[host]\n\n[hots]\nx = 1", "3:2: `hots`", "unknown key");
    refused("[quic]\nlisten = 7443", "2:10: `quic.listen`", "expected text in quotes");
    refused("[quic]\nenabled = \"s3cret, expected\"", "2:11: `quic.enabled`", "expected true or false");
    refused("[limits]\ndepth_max = 0", "2:13: `limits.depth_max`", "a whole number from 1 to 4294967295");
    refused("[limits]\ndepth_max = -1", "2:13: `limits.depth_max`", "a whole number from 1");
    refused("[limits]\ndepth_max = 99999999999", "2:13: `limits.depth_max`", "a whole number from 1");
    refused("[[peer]]\nscopes = []", "1:1: `peer[0]`", "the key `id` is missing");
    refused(
        "[host]\n[[peer]]\nid = \"a\"\nfingerprints = \"$KEY_A\"",
        "4:16: `peer[0].fingerprints`",
        "a list in brackets",
    );
    refused("[[peer]]\nid = \"a\"\nauth_token_hash = 5", "3:19: `peer[0].auth_token_hash`", "text in quotes");
    refused("peer = 3", "1:8: `peer`", "a list in brackets");
    refused(
        "[[api_key]]\nprefix = \"alk_s3cret\"\nhash = \"$HASH\"\nexpires_at = 5",
        "4:14: `api_key[0].expires_at`",
        "2030-01-31",
    );
}

#[test]
fn bad_settings_are_refused_with_their_place() {
    refused(
        "[host]\ndrain_timeout = \"2 s3cret\"",
        "2:17: `host.drain_timeout`",
        "expected a duration above 0 like",
    );
    refused("[host]\ndrain_timeout = \"0s\"", "2:17: `host.drain_timeout`", "a duration above 0");
    refused("[limits]\ncall_timeout = \"99999999d\"", "2:16: `limits.call_timeout`", "at most 36500d");
    refused("[limits]\nframe_max = \"1TB\"", "2:13: `limits.frame_max`", "a size above 0 like");
    refused("[limits]\nframe_max = \"65MiB\"", "2:13: `limits.frame_max`", "at most 64MiB");
    refused("[host]\nlog = \"loud=s3cret\"", "2:7: `host.log`", "`info`");
    refused("[host]\ndata_dir = \"\"", "2:12: `host.data_dir`", "expected a path");
    refused("[quic]\nlisten = \"localhost:1\"", "2:10: `quic.listen`", "an IP address and a port");
    refused("[iroh]\nbind = \"127.0.0.1\"", "2:8: `iroh.bind`", "an IP address and a port");
    refused("[iroh]\nrelay = \"relay.example.org\"", "2:9: `iroh.relay`", "`https://…`");
    refused("[quic]\nenabled = false", "2:11: `quic.enabled`", "at least one of QUIC and iroh");
    refused("[audit]\ndurability = \"tape\"", "2:14: `audit.durability`", "expected `os` or `disk`");
}

#[test]
fn bad_identities_are_refused_with_their_place() {
    let id = "[[peer]]\nid = \"a\"\n";
    refused("[[peer]]\nid = \"a b\"\nfingerprints = [\"$KEY_A\"]", "2:6: `peer[0].id`", "without spaces");
    refused(id, "2:6: `peer[0].id`", "a peer needs `fingerprints` or `auth_token_hash`");
    refused(
        &format!("{id}fingerprints = [\"$KEY_A\", \"ed25519:12\"]"),
        "3:93: `peer[0].fingerprints[1]`",
        "64 hexadecimal digits",
    );
    refused(
        &format!("{id}auth_token_hash = \"s3cret\""),
        "3:19: `peer[0].auth_token_hash`",
        "starts with `sha256:`",
    );
    refused(
        &format!("{id}auth_token_hash = \"$HASH00\""),
        "3:19: `peer[0].auth_token_hash`",
        "64 hexadecimal digits",
    );
    refused(
        &format!("{id}fingerprints = [\"$KEY_A\"]\nscopes = [\"ok\", \"not ok\"]"),
        "4:17: `peer[0].scopes[1]`",
        "a scope must be",
    );
    let peer = format!("{id}fingerprints = [\"$KEY_A\"]\n");
    refused(&format!("{peer}\n{peer}"), "6:6: `peer[1].id`", "configured twice");
    let other = peer.replace("\"a\"", "\"b\"");
    refused(&format!("{peer}\n{other}"), "7:17: `peer[1].fingerprints[0]`", "belongs to two peers");
    refused(&peer.replace("\"a\"", "\"local\""), "2:6: `peer[0].id`", "reserved");
    let token = format!("{id}auth_token_hash = \"$HASH\"\n");
    refused(&format!("{token}\n{}", token.replace("\"a\"", "\"b\"")), "6:6: `peer[1].id`", "used twice");
    refused(
        "[[api_key]]\nprefix = \"alk_s3cretxxxxxx\"\nhash = \"$HASH\"",
        "2:10: `api_key[0].prefix`",
        "four more ASCII characters",
    );
    refused(
        "[[api_key]]\nprefix = \"alk_1234\"\nhash = \"alk_s3cret\"",
        "3:8: `api_key[0].hash`",
        "starts with `sha256:`",
    );
    refused(
        "[[api_key]]\nprefix = \"alk_1234\"\nhash = \"$HASH\"\nexpires_at = 2030-01-01",
        "4:14: `api_key[0].expires_at`",
        "2030-01-31",
    );
}

#[test]
fn bad_services_are_refused_with_their_place() {
    let root = "[[fs.root]]\nname = \"a\"\npath = \".\"\n";
    refused(&format!("{root}{root}"), "5:8: `fs.root[1].name`", "given twice");
    refused("[[fs.root]]\nname = \"a\"", "1:1: `fs.root[0]`", "the key `path` is missing");
    refused(&format!("{root}mode = \"rw\""), "4:1: `fs.root[0].mode`", "unknown key");
    let target = "[[http.target]]\nname = \"a\"\nbase_url = \"https://a\"\n";
    refused(
        &format!("{target}methods = [\"GET\", \"get\"]"),
        "4:19: `http.target[0].methods[1]`",
        "one of `GET`",
    );
    refused(&format!("{target}token = \"s3cret\""), "4:1: `http.target[0].token`", "unknown key");
    refused(&format!("{target}timeout = \"never\""), "4:11: `http.target[0].timeout`", "a duration above 0");
    refused(&format!("{target}{target}"), "5:8: `http.target[1].name`", "given twice");
    let profile = "[[profile]]\nname = \"p\"\nenv = [\"fs/read\"]\n";
    refused(&profile.replace("fs/read", "fs"), "3:8: `profile[0].env[0]`", "an operation name is");
    refused(&format!("{profile}{profile}"), "5:8: `profile[1].name`", "given twice");
    refused(
        &format!("{profile}languages = [\"cobol\"]"),
        "4:14: `profile[0].languages[0]`",
        "expected one of `typescript`, `javascript`, `wat`, `component`",
    );
    refused(&format!("{profile}requires = \"a b\""), "4:12: `profile[0].requires`", "a scope must be");
    refused(
        &format!("{profile}[profile.limits]\ncpu_ms = 5"),
        "5:1: `profile[0].limits.cpu_ms`",
        "unknown key",
    );
    refused(
        &format!("{profile}[profile.limits]\nttl_default = \"48h\""),
        "5:15: `profile[0].limits.ttl_default`",
        "longer than `ttl_max`",
    );
}

#[test]
fn relative_paths_start_from_the_file() {
    let text = "[host]\ndata_dir = \"data\"\n[[fs.root]]\nname = \"r\"\npath = \"sub\"\n[[fs.root]]\nname = \"s\"\npath = \"/abs\"";
    let settings = parse(text).unwrap().settings;
    assert_eq!(settings.data_dir, Path::new("/srv/a/data"));
    assert_eq!(settings.kv_path, Path::new("/srv/a/data/kv.sqlite"));
    let paths: Vec<_> = settings.fs_roots.iter().map(|root| root.path.clone()).collect();
    assert_eq!(paths, [Path::new("/srv/a/sub"), Path::new("/abs")]);
    assert_eq!(parse("").unwrap().settings.data_dir, Path::new("/srv/a/.alknet-agent"));
}

#[test]
fn points_in_time_are_unix_seconds() {
    let expires = |at: &str| {
        let text = format!("[[api_key]]\nprefix = \"alk_1234\"\nhash = \"{HASH}\"\nexpires_at = {at}");
        parse(&text).unwrap().access.policy.api_keys[0].expires_at
    };
    assert_eq!(expires("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(expires("2000-02-29T00:00:00Z"), Some(951_782_400));
    assert_eq!(expires("2024-12-31T23:59:59Z"), Some(1_735_689_599));
    assert_eq!(expires("2025-01-01T01:59:59+02:00"), Some(1_735_689_599));
}

#[test]
fn points_in_time_are_shown_as_they_are_read() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_799, "2000-02-29T23:59:59Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
    ] {
        assert_eq!(Utc(seconds).to_string(), text);
        assert_eq!(units::unix_seconds(&text.parse().unwrap()), Some(seconds));
    }
}

#[test]
fn a_reload_knows_what_it_cannot_change() {
    let base = parse("[limits]\ndepth_max = 3\nconnections_per_ip_max = 5").unwrap();
    let peer = format!("[[peer]]\nid = \"a\"\nfingerprints = [\"{KEY_A}\"]");
    for (text, same) in [
        ("# a comment\n[limits]\nconnections_per_ip_max = 6\ndepth_max = 3".to_owned(), true),
        (format!("{peer}\n[limits]\ndepth_max = 3"), true),
        ("[limits]\ndepth_max = 4".to_owned(), false),
        ("[limits]\ndepth_max = 3\n[quic]\nlisten = \"127.0.0.1:1\"".to_owned(), false),
    ] {
        assert_eq!(base.same_settings(&parse(&text).unwrap()), same, "{text}");
    }
}

#[test]
fn how_fast_an_identity_may_call_is_bounded_by_default() {
    assert_eq!(parse("").unwrap().access.calls_per_second, 10_000);
    let set = parse("[limits]\ncalls_per_second_max = 7").unwrap();
    assert_eq!(set.access.calls_per_second, 7);
    assert!(parse("").unwrap().same_settings(&set), "a reload changes it");
    refused(
        "[limits]\ncalls_per_second_max = 0",
        "2:24: `limits.calls_per_second_max`",
        "from 1 to 4294967295",
    );
}

#[test]
fn places_that_are_found_later_are_named_too() {
    let config = parse("[[profile]]\nname = \"p\"\nenv = [\n  \"a/b\",\n  \"c/d\",\n]").unwrap();
    let path = [Step::Key("profile"), Step::Index(0), Step::Key("env"), Step::Index(1)];
    let shown = config.error_at(&path, "no such operation").to_string();
    assert_eq!(shown, "/srv/a/alknet-agent.toml:5:3: `profile[0].env[1]`: no such operation");
}

#[test]
fn documented_defaults_are_the_defaults() {
    let plain = generated();
    let is_setting =
        |line: &&str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase());
    let settings = plain.lines().filter(is_setting).count();
    let spelled: Vec<&str> =
        plain.lines().map(|line| if is_setting(&line) { &line[1..] } else { line }).collect();
    let spelled = spelled.join("\n");
    let (plain, spelled) = (parse(&plain).unwrap(), parse(&spelled).expect(&spelled));
    assert!(settings > 40, "{settings}");
    assert_eq!(format!("{:#?}", plain.settings), format!("{:#?}", spelled.settings));
    assert_eq!(format!("{:#?}", plain.access), format!("{:#?}", spelled.access));
}

#[test]
fn documented_examples_are_valid() {
    let is_example = |line: &&str| line.starts_with("#   ") && !line[4..].starts_with(' ');
    let text = generated();
    let spelled: Vec<&str> =
        text.lines().map(|line| if is_example(&line) { &line[4..] } else { line }).collect();
    let spelled = spelled.join("\n");
    let config = parse(&spelled).expect(&spelled);
    assert_eq!(config.access.policy.peers.len(), 2);
    assert_eq!(config.access.policy.api_keys.len(), 1);
    assert_eq!(config.settings.http_targets.len(), 3);
    assert_eq!(config.settings.profiles.len(), 2);
}

#[test]
fn every_key_is_documented() {
    let text = generated();
    for section in [
        "host",
        "quic",
        "iroh",
        "audit",
        "limits",
        "[peer]",
        "[api_key]",
        "fs",
        "[fs.root]",
        "http",
        "[http.target]",
        "kv",
        "sandbox",
        "[profile]",
        "profile",
    ] {
        let probe = match section {
            "profile" => "[[profile]]\nname = \"a\"\nenv = []\n[profile.limits]\n__ = 1".to_owned(),
            _ => format!("[{section}]\n__ = 1"),
        };
        let error = parse(&probe).unwrap_err().message;
        let keys: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
        assert!(error.starts_with("unknown key") && !keys.is_empty(), "{section}: {error}");
        for key in keys {
            let line = |line: &str| {
                let line = line.trim_start_matches(['#', ' ', '[']);
                line.starts_with(&format!("{key} = "))
                    || line.starts_with(&format!("{key}]"))
                    || line.starts_with(&format!("{}.{key}]", section.trim_matches(['[', ']'])))
            };
            assert!(text.lines().any(line), "{section}.{key} is not documented");
        }
    }
}

#[test]
fn texts_are_quoted_as_toml() {
    for text in ["plain", "a \"b\" \\ c", "line\nbreak\t\u{7f}", "ünï", ""] {
        let table: toml::Table = format!("x = {}", quote(text)).parse().unwrap();
        assert_eq!(table["x"].as_str(), Some(text));
    }
}
