use std::fs;
use std::path::{Path, PathBuf};

use alknet_audit::{VerifyOptions, verify};
use alknet_call::{CallError, CallOptions, Client, Limits};
use alknet_core::{ALPN_CALL, IdentityProvider as _};
use alknet_net::Dialer;
use serde_json::{Value, json};

use super::*;
use crate::config::{FILE_NAME, PeerLine, Template, operator_scopes};

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
        Host::start(&self.config(text), self.key.clone(), Lifetime::Kept).await
    }

    /// Why a host does not start with this configuration.
    async fn refused(&self, text: String) -> String {
        CommandError::from(self.start(text).await.unwrap_err()).to_text()
    }

    fn log(&self) -> PathBuf {
        Layout::new(self.config(self.text()).settings.data_dir).audit_dir()
    }
}

async fn call(host: &Host, key: Option<&Ed25519SecretKey>, name: &str, input: Value) -> Result<Value, CallError> {
    let dialer = Dialer::new(key.cloned());
    let connection = dialer.dial_quic(host.quic_addr().unwrap(), &host.fingerprint(), ALPN_CALL).await.unwrap();
    let client = Client::new(connection, Limits::default());
    let answer = client.call_with(name, &input, &CallOptions::default()).await;
    client.close().await;
    dialer.close().await;
    answer
}

/// The kinds of the records of the host itself, in order.
fn events(dir: &Path) -> Vec<String> {
    let mut kinds = Vec::new();
    let log = AuditReaderOf(dir);
    log.each(|record| {
        let kind = record["kind"].as_str().unwrap_or_default();
        if !kind.starts_with("call.") {
            kinds.push(kind.to_owned());
        }
    });
    kinds
}
