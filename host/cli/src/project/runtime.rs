//! What a running host tells local clients: where it listens, and which key it holds.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use alknet_core::Fingerprint;
use serde::{Deserialize, Serialize};

use super::key_file::create_private_file;

/// The file of a running host. It exists from the moment the host listens to its clean end.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeFile(PathBuf);

/// What is in it. Nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuntimeInfo {
    /// The address of direct QUIC.
    pub(crate) quic: Option<SocketAddr>,
    /// iroh, when it is enabled.
    pub(crate) iroh: Option<IrohNode>,
    /// The socket for programs on this machine.
    #[serde(default)]
    pub(crate) socket: Option<PathBuf>,
    /// The fingerprint of the host's key.
    pub(crate) fingerprint: String,
    /// The process. It may be gone: a killed host leaves the file.
    pub(crate) pid: u32,
}

/// How the host is reached over iroh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IrohNode {
    /// The node id.
    pub(crate) node_id: String,
    /// Direct addresses.
    pub(crate) addrs: Vec<SocketAddr>,
    /// The relay.
    pub(crate) relay: Option<String>,
}

impl RuntimeInfo {
    /// The fingerprint, parsed.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint.parse().ok()
    }
}

impl RuntimeFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What a host wrote; `None` when no host runs, or it left nothing readable.
    pub(crate) fn read(&self) -> Option<RuntimeInfo> {
        serde_json::from_slice(&fs::read(&self.0).ok()?).ok()
    }

    /// Replaces the file in one step: a reader sees the old content or the new one.
    pub(crate) fn write(&self, info: &RuntimeInfo) -> io::Result<()> {
        let temporary = self.0.with_extension(format!("json.{}", info.pid));
        let text = serde_json::to_string(info).map_err(io::Error::other)? + "\n";
        // A process that was killed may have had this id.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        create_private_file(&temporary, text.as_bytes())?;
        fs::rename(&temporary, &self.0)
    }

    /// Removes the file, if it is still this process's.
    pub(crate) fn remove(&self, pid: u32) -> io::Result<()> {
        if self.read().is_some_and(|info| info.pid == pid) { fs::remove_file(&self.0) } else { Ok(()) }
    }
}
