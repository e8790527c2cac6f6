//! Where the story takes place: a host with its data in a temporary folder, and the keys of those who take part.

use std::path::Path;

use alknet_core::{Ed25519SecretKey, Fingerprint, PublicKey};
use serde_json::json;
use tempfile::TempDir;

use super::story::{Did, Told};
use crate::assemble::{Host, Lifetime};
use crate::config::{Config, PeerLine, Template};
use crate::connect::RemoteHost;
use crate::failure::{CommandError, CommandResult};
use crate::project::Layout;
use crate::vault::HostKeys;

/// A running host, and who may connect to it.
pub(super) struct Stage {
    host: Host,
    layout: Layout,
    folder: TempDir,
    /// Writes tools and runs them.
    pub(super) agent: Ed25519SecretKey,
    /// Another agent, with sessions of its own.
    pub(super) intruder: Ed25519SecretKey,
    /// Reads the record.
    pub(super) auditor: Ed25519SecretKey,
}

/// What a stopped host leaves, until it is dropped.
pub(super) struct Remains {
    pub(super) layout: Layout,
    /// The log's key.
    pub(super) key: PublicKey,
    folder: TempDir,
}

/// The profile sessions of the demo are opened with: files may be read, and a loop ends soon.
const PROFILE: &str = r#"
[[profile]]
name = "demo"
env = ["fs/list", "fs/read", "fs/search", "fs/stat", "time/now"]
scopes = ["fs:read"]

[profile.limits]
cpu = "500ms"
"#;

impl Stage {
    /// Starts the host, with `dir` as its only files.
    pub(super) async fn set(dir: &Path) -> Did<Self> {
        let folder = tempfile::Builder::new().prefix("alknet-agent-demo-").tempdir();
        let folder = folder
            .map_err(|error| CommandError::internal(format!("cannot make a temporary folder: {error}")))?;
        let (key, agent, intruder, auditor) = (generate()?, generate()?, generate()?, generate()?);
        let data_dir = folder.path().join("data");
        let text = configuration(dir, &data_dir, [&agent, &intruder, &auditor])?;
        let config = Config::parse(&folder.path().join("alknet-agent.toml"), text)
            .map_err(|error| CommandError::internal(format!("the demo's configuration: {error}")))?;
        let host = Box::pin(Host::start(&config, HostKeys::of_key(key), Lifetime::Ephemeral)).await?;
        let stage = Self { host, layout: Layout::new(data_dir), folder, agent, intruder, auditor };
        let (addr, fingerprint) = (stage.host.quic_addr(), stage.host.fingerprint());
        let says = vec![format!(
            "QUIC on {}, key {}…; agents are known by their keys",
            addr.map(|addr| addr.to_string()).unwrap_or_default(),
            shortened(&fingerprint)
        )];
        let detail = json!({ "quic": addr, "fingerprint": fingerprint.to_string() });
        Ok(Told { value: stage, says, detail })
    }

    /// A connection of somebody, over QUIC.
    pub(super) async fn connect(&self, key: &Ed25519SecretKey) -> CommandResult<RemoteHost> {
        let addr = self.host.quic_addr().ok_or_else(|| CommandError::internal("the host does not listen"))?;
        RemoteHost::connect_quic(addr, self.host.fingerprint(), key.clone()).await
    }

    /// Ends the host in order; what it recorded stays until the remains are dropped.
    pub(super) async fn stop(self) -> CommandResult<Remains> {
        let key = self.host.log().public_key();
        let stopped = self.host.shutdown().await;
        let remains = Remains { layout: self.layout, key, folder: self.folder };
        stopped?;
        Ok(remains)
    }

    /// Ends the host early and removes everything.
    pub(super) async fn strike(self) {
        match self.stop().await.and_then(Remains::remove) {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "the demo was not cleaned up in order"),
        }
    }
}

impl Remains {
    /// Removes the temporary folder.
    pub(super) fn remove(self) -> CommandResult {
        let path = self.folder.path().to_owned();
        let removed = self.folder.close();
        removed.map_err(|error| CommandError::internal(format!("cannot remove {}: {error}", path.display())))
    }
}

fn configuration(dir: &Path, data_dir: &Path, keys: [&Ed25519SecretKey; 3]) -> CommandResult<String> {
    let [agent, intruder, auditor] = keys.map(|key| Fingerprint::from(&key.public()));
    let peers = [
        PeerLine {
            id: "agent",
            fingerprint: agent,
            scopes: &["session", "fs:read"],
            display_name: "The agent",
        },
        PeerLine {
            id: "intruder",
            fingerprint: intruder,
            scopes: &["session"],
            display_name: "Another agent",
        },
        PeerLine {
            id: "auditor",
            fingerprint: auditor,
            scopes: &["audit:read"],
            display_name: "The auditor",
        },
    ];
    let template = Template {
        data_dir: Some(as_text(data_dir)?),
        listen: Some((std::net::Ipv4Addr::LOCALHOST, 0).into()),
        root: as_text(dir)?,
        peers: &peers,
    };
    Ok(template.render() + PROFILE)
}

fn as_text(path: &Path) -> CommandResult<&str> {
    path.to_str().ok_or_else(|| CommandError::usage(format!("the path {} is not UTF-8 text", path.display())))
}

fn generate() -> CommandResult<Ed25519SecretKey> {
    Ed25519SecretKey::generate()
        .map_err(|error| CommandError::internal(format!("cannot make a key: {error}")))
}

fn shortened(fingerprint: &Fingerprint) -> String {
    fingerprint.to_string().chars().take("ed25519:".len() + 12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_valid() {
        let keys = [generate().unwrap(), generate().unwrap(), generate().unwrap()];
        let dir = tempfile::tempdir().unwrap();
        let text =
            configuration(dir.path(), &dir.path().join("data"), [&keys[0], &keys[1], &keys[2]]).unwrap();
        let config = Config::parse(&dir.path().join("alknet-agent.toml"), text).unwrap();
        assert!(config.settings.profiles.iter().any(|profile| profile.name == "demo"));
        assert_eq!(config.settings.data_dir, dir.path().join("data"));
    }
}
