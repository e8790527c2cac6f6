use std::fs;
use std::path::{Path, PathBuf};

use alknet_audit::{AuditReader, Filter, Page, VerifyOptions, log_key, verify};
use alknet_call::{CallError, CallOptions, Client, Limits};
use alknet_core::{ALPN_CALL, IdentityProvider as _};
use alknet_net::Dialer;
use serde_json::{Value, json};

use alknet_core::Ed25519SecretKey;

use super::reload::Reloaded;
use super::*;
use crate::config::{FILE_NAME, PeerLine, Template, operator_scopes};
use crate::failure::CommandError;

/// A folder with a configuration that suits it, and the keys of host and operator.
struct Bench {
    dir: tempfile::TempDir,
    key: Ed25519SecretKey,
    operator: Ed25519SecretKey,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("files")).unwrap();
        fs::write(dir.path().join("files/a.txt"), "hello").unwrap();
        let key = || Ed25519SecretKey::generate().unwrap();
        Self { dir, key: key(), operator: key() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(FILE_NAME)
    }

    fn text(&self) -> String {
        let scopes = operator_scopes();
        let fingerprint = Fingerprint::from(&self.operator.public());
        let peers = [PeerLine { id: "operator", fingerprint, scopes: &scopes, display_name: "" }];
        Template { data_dir: None, listen: "127.0.0.1:0".parse().ok(), root: "files", peers: &peers }.render()
    }

    fn config(&self, text: String) -> Config {
        Config::parse(&self.file(), text).unwrap()
    }

    async fn start(&self, text: String) -> Result<Host, StartError> {
        Host::start(&self.config(text), HostKeys::of_key(self.key.clone()), Lifetime::Kept).await
    }

    /// Why a host does not start with this configuration.
    async fn refused(&self, text: String) -> String {
        CommandError::from(self.start(text).await.unwrap_err()).to_text()
    }

    fn log(&self) -> PathBuf {
        Layout::new(self.config(self.text()).settings.data_dir).audit_dir()
    }
}

const TARGET: &str = "[[http.target]]\nname = \"t\"\nbase_url = \"https://example.org\"\n";

async fn call(
    host: &Host,
    key: Option<&Ed25519SecretKey>,
    name: &str,
    input: Value,
) -> Result<Value, CallError> {
    let dialer = Dialer::new(key.cloned());
    let connection =
        dialer.dial_quic(host.quic_addr().unwrap(), &host.fingerprint(), ALPN_CALL).await.unwrap();
    let client = Client::new(connection, Limits::default());
    let answer = client.call_with(name, &input, &CallOptions::default()).await;
    client.close().await;
    dialer.close().await;
    answer
}

/// The kinds of the records of the host itself, in order.
fn events(log: &Path) -> Vec<String> {
    let reader = AuditReader::open(log).unwrap();
    let page = Page { limit: 1000, ..Page::default() };
    let found = reader.query(&Filter::default(), &page).unwrap();
    let kinds = found.entries.iter().map(|entry| entry.record["kind"].as_str().unwrap().to_owned());
    kinds.filter(|kind| !kind.starts_with("call.")).collect()
}

fn verified(bench: &Bench) {
    let options = VerifyOptions { key: Some(log_key(&bench.key).public()), ..VerifyOptions::default() };
    let report = verify(&bench.log(), &options).unwrap();
    assert_eq!(report.records, report.covered, "the last checkpoint covers everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_serves_and_ends_in_order() {
    let bench = Bench::new();
    let host = bench.start(bench.text()).await.unwrap();
    assert_eq!(host.fingerprint(), Fingerprint::from(&bench.key.public()));

    let operator = Some(&bench.operator);
    let listed = call(&host, operator, "fs/list", json!({"path": "."})).await.unwrap();
    assert_eq!(listed["entries"][0]["name"], "a.txt");
    let status = call(&host, operator, "host/status", json!({})).await.unwrap();
    assert_eq!(status["fingerprint"], host.fingerprint().to_string());
    assert_eq!(status["guest_digest"].as_str().unwrap().len(), 64);
    assert!(status["audit_records"].as_u64().unwrap() > 2);
    let refused = call(&host, None, "host/status", json!({})).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "FORBIDDEN");

    let second = bench.refused(bench.text()).await;
    assert!(second.contains("another host is running on "), "{second}");
    let data_dir = bench.config(bench.text()).settings.data_dir;
    assert!(second.contains(&data_dir.display().to_string()), "{second}");

    host.shutdown().await.unwrap();
    host.shutdown().await.unwrap();
    drop(host);
    assert_eq!(
        events(&bench.log()),
        ["key.changed", "key.changed", "config.loaded", "host.started", "host.stopped"]
    );
    verified(&bench);
    bench.start(bench.text()).await.unwrap().shutdown().await.unwrap();
    verified(&bench);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_machine_lacks_is_named_with_its_place() {
    let bench = Bench::new();
    let text = bench.text();
    let file = bench.file().display().to_string();
    for (changed, key, expected) in [
        (text.replace("\"files\"", "\"missing\""), "fs.root[0].path", "cannot be opened"),
        (text.replace("\"files\"", "\"files/a.txt\""), "fs.root[0].path", "cannot be opened"),
        (text.replace("\"project\"", "\".project\""), "fs.root[0].name", "the root name"),
        (
            text.replace("\"time/now\"", "\"time/machine\""),
            "profile[0].env[8]",
            "no operation `time/machine`",
        ),
        (text.replace("\"time/now\"", "\"http/fetch\""), "profile[0].env[8]", "no operation `http/fetch`"),
        (format!("{text}{}", TARGET.replace("https", "ftp")), "http.target[0]", "`https://`"),
        (format!("{text}{TARGET}path_prefix = \"..\""), "http.target[0]", "`path_prefix`"),
        (text.replace("\"files\"", "\".\""), "fs.root[0].path", "would show the host's keys"),
        (text.replace("\"files\"", "\"/\""), "fs.root[0].path", "would show the host's keys"),
        (
            text.replace("\"files\"", "\".alknet-agent/kept\""),
            "fs.root[0].path",
            "would show the host's keys",
        ),
        (format!("{text}{TARGET}credential_file = \"files/x\""), "fs.root[0].path", "would show"),
    ] {
        let shown = bench.refused(changed).await;
        assert!(shown.starts_with(&format!("error: {file}:")), "{shown}");
        assert!(
            shown.contains(&format!("`{key}`: ")) && shown.contains(expected),
            "{key} {expected}: {shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_may_see_or_hold_is_not_used() {
    let bench = Bench::new();
    let text = bench.text();
    let exposed = bench.dir.path().join("exposed");
    fs::write(&exposed, "s3cret").unwrap();
    fs::set_permissions(&exposed, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let shown = bench.refused(format!("{text}{TARGET}credential_file = \"exposed\"")).await;
    assert!(shown.contains("chmod 600") && !shown.contains("s3cret"), "{shown}");

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let shown = bench.refused(text.replace("127.0.0.1:0", &addr)).await;
    assert!(
        shown.contains(&format!("cannot listen on {addr}")) && shown.contains("hint: is another host"),
        "{shown}"
    );
    verified(&bench);
}

#[test]
fn links_do_not_hide_what_a_root_shows() {
    let bench = Bench::new();
    let dir = bench.dir.path();
    std::os::unix::fs::symlink(dir, dir.join("files/up")).unwrap();
    let linked = bench.config(bench.text().replace("\"files\"", "\"files/up\""));
    assert!(private::check(&linked).is_err());
    assert!(private::check(&bench.config(bench.text())).is_ok());

    let outside = tempfile::tempdir().unwrap();
    let moved = format!(
        "[host]\ndata_dir = \"{}\"\n[[fs.root]]\nname = \"a\"\npath = \".\"",
        outside.path().display()
    );
    assert!(private::check(&bench.config(moved.clone())).is_ok(), "the configuration holds no secret");
    assert!(private::check(&bench.config(moved + "\nwritable = true")).is_err(), "but nobody may write it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_taken_over_as_a_whole_or_not_at_all() {
    let bench = Bench::new();
    let text = bench.text();
    let host = bench.start(text.clone()).await.unwrap();
    let operator = Fingerprint::from(&bench.operator.public());
    let known = |host: &Host| host.identities.resolve_from_fingerprint(&operator);
    let ci = Fingerprint::from(&Ed25519SecretKey::generate().unwrap().public());
    let peer = |scopes: &str| {
        format!("{text}[[peer]]\nid = \"ci\"\nfingerprints = [\"{ci}\"]\nscopes = [{scopes}]\n")
    };

    let added = host.reload(&bench.file(), peer("")).await.unwrap();
    assert_eq!(added, Reloaded { identities_changed: 1, restart_needed: false });
    assert!(host.identities.resolve_from_fingerprint(&ci).is_some());
    let same = host.reload(&bench.file(), peer("") + "# a comment\n").await.unwrap();
    assert_eq!(same.identities_changed, 0);
    let changed = host.reload(&bench.file(), peer("\"fs:read\"")).await.unwrap();
    assert_eq!(changed.identities_changed, 1);

    for bad in [peer("") + &peer("").replace(&text, ""), peer("") + "[nonsense]\n", "not toml".to_owned()] {
        host.reload(&bench.file(), bad).await.unwrap_err();
        assert!(known(&host).is_some() && host.identities.resolve_from_fingerprint(&ci).is_some());
    }

    let revoked = text
        .replace("\"operator\"", "\"somebody\"")
        .replace("[limits]", "[limits]\nconnections_per_ip_max = 7");
    let revoked = revoked.replace("#depth_max = 16", "depth_max = 5");
    let done = host.reload(&bench.file(), revoked).await.unwrap();
    assert_eq!(done, Reloaded { identities_changed: 3, restart_needed: true });
    assert_eq!(known(&host).unwrap().id().as_str(), "somebody");
    assert_eq!(host.rates.get().connections_per_ip_max, 7);
    host.shutdown().await.unwrap();
    let kinds = events(&bench.log());
    assert_eq!(kinds.iter().filter(|kind| *kind == "config.loaded").count(), 8);
    assert_eq!(kinds.iter().filter(|kind| *kind == "identity.changed").count(), 5);
    verified(&bench);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scope_of_the_operations_is_known_to_the_operator() {
    let bench = Bench::new();
    let scopes = operator_scopes();
    let host = bench.start(bench.text()).await.unwrap();
    let listed = call(&host, Some(&bench.operator), "services/list", json!({})).await.unwrap();
    let names: Vec<&str> =
        listed["operations"].as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap()).collect();
    for name in ["fs/read", "fs/write", "kv/put", "time/now", "host/status", "audit/query", "session/open"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    use alknet_agent::SESSION_SCOPE;
    use alknet_agent::audit_ops::AUDIT_SCOPE;
    use alknet_agent::builtin::{fs, http, kv, time};
    let declared = [
        fs::SCOPES,
        http::SCOPES,
        kv::SCOPES,
        time::SCOPES,
        &[SESSION_SCOPE, AUDIT_SCOPE, status::ADMIN_SCOPE],
    ];
    for scope in declared.into_iter().flatten() {
        assert!(scopes.contains(scope), "{scope}");
    }
    host.shutdown().await.unwrap();
}
