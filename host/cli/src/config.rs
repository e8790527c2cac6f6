//! The configuration file `alknet-agent.toml`: raw text to checked [`Config`].
//!
//! Parsing touches no file but the one it reads: [`Config::parse`] is pure. What must be true of the machine
//! (folders that exist, credential files that are private) is checked when a host starts with it.

mod access;
mod check;
mod error;
mod http_auth;
mod raw;
mod remotes;
mod services;
mod template;
mod units;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alknet_agent::Profile;
use alknet_agent::builtin::fs::FsRoot;
use alknet_agent::builtin::http;
use alknet_audit::{Durability, Hash};
use alknet_core::{AuthPolicy, RateLimits};
use alknet_net::NetLimits;
use alknet_sandbox::SandboxConfig;

pub(crate) use error::{ConfigError, Step};
pub(crate) use remotes::{Remote, RemoteRoute};
pub(crate) use template::{PeerLine, Template, operator_scopes, quote};
pub(crate) use units::{Utc, duration, moment};

/// The name of the configuration file in a project's folder.
pub(crate) const FILE_NAME: &str = "alknet-agent.toml";
/// The name of the data folder, where the configuration names no other.
pub(crate) const DATA_DIR: &str = ".alknet-agent";

/// A checked configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What a running host keeps until it is restarted.
    pub(crate) settings: Settings,
    /// What a reload replaces.
    pub(crate) access: Access,
    file: PathBuf,
    text: String,
}

/// What is read once, when a host starts. Paths are absolute or relative to the working directory.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Keys, audit log, cache and databases.
    pub(crate) data_dir: PathBuf,
    /// How long calls may take to finish once a shutdown begins.
    pub(crate) drain_timeout: Duration,
    /// What is logged: a level, or directives of `tracing-subscriber`.
    pub(crate) log: String,
    /// Where to listen for direct QUIC.
    pub(crate) quic: Option<SocketAddr>,
    /// Where to listen for iroh.
    pub(crate) iroh: Option<IrohSettings>,
    /// Whether to listen on a socket in the data folder.
    pub(crate) socket: bool,
    /// Other hosts whose operations this one uses.
    pub(crate) remotes: Vec<Remote>,
    /// When an audit record counts as kept.
    pub(crate) durability: Durability,
    /// Bounds of the call path.
    pub(crate) call_limits: alknet_call::Limits,
    /// Bounds of the network.
    pub(crate) net_limits: NetLimits,
    /// Folders the `fs/*` operations see.
    pub(crate) fs_roots: Vec<FsRoot>,
    /// Servers `http/fetch` reaches.
    pub(crate) http_targets: Vec<HttpTarget>,
    /// The database of the `kv/*` operations.
    pub(crate) kv_path: PathBuf,
    /// The sandbox of all tools.
    pub(crate) sandbox: SandboxConfig,
    /// Sessions that may be open in all.
    pub(crate) sessions_max: usize,
    /// Sessions that one identity may have open.
    pub(crate) sessions_per_identity_max: usize,
    /// What sessions may be granted.
    pub(crate) profiles: Vec<Profile>,
}

/// Who is known, and how often strangers may try. Replaced as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Peers and API keys; known to be free of conflicts.
    pub(crate) policy: AuthPolicy,
    /// Limits at the door.
    pub(crate) rates: RateLimits,
    /// Root calls a second that one identity may begin.
    pub(crate) calls_per_second: u32,
}

/// Where to listen for iroh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IrohSettings {
    /// The UDP address.
    pub(crate) bind: SocketAddr,
    /// The URL of a relay.
    pub(crate) relay: Option<String>,
}

/// A server `http/fetch` reaches.
#[derive(Debug, Clone)]
pub(crate) struct HttpTarget {
    /// The target.
    pub(crate) target: http::HttpTarget,
    /// Where its credential comes from.
    pub(crate) credential: Option<CredentialPlace>,
}

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CredentialPlace {
    /// A file, readable by the owner only.
    File(PathBuf),
    /// The store of credentials, by name.
    Store(String),
}

impl HttpTarget {
    /// The file with the credential.
    pub(crate) fn credential_file(&self) -> Option<&Path> {
        match &self.credential {
            Some(CredentialPlace::File(file)) => Some(file),
            Some(CredentialPlace::Store(_)) | None => None,
        }
    }

    /// The name of the credential in the store.
    pub(crate) fn stored_credential(&self) -> Option<&str> {
        match &self.credential {
            Some(CredentialPlace::Store(name)) => Some(name),
            Some(CredentialPlace::File(_)) | None => None,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`LoadError`] naming the file, and for a bad content also line, column and key.
    pub(crate) fn load(file: &Path) -> Result<Self, LoadError> {
        Ok(Self::parse(file, Self::read(file)?)?)
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// [`LoadError`], but not [`LoadError::Content`].
    pub(crate) fn read(file: &Path) -> Result<String, LoadError> {
        let failed = |source| LoadError::Read { file: file.to_owned(), source };
        let size = std::fs::metadata(file).map_err(failed)?.len();
        if size > FILE_BYTES_MAX {
            return Err(LoadError::TooLarge { file: file.to_owned() });
        }
        let bytes = std::fs::read(file).map_err(failed)?;
        String::from_utf8(bytes).map_err(|_| LoadError::NotText { file: file.to_owned() })
    }

    /// Checks the text of a configuration; relative paths in it are relative to the folder of `file`.
    ///
    /// # Errors
    /// The first [`ConfigError`].
    pub(crate) fn parse(file: &Path, text: String) -> Result<Self, ConfigError> {
        let base = file.parent().unwrap_or(Path::new(""));
        match check::check(&text, base) {
            Ok((settings, access)) => Ok(Self { settings, access, file: file.to_owned(), text }),
            Err(problem) => Err(problem.locate(file, &text)),
        }
    }

    /// The file this was read from.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What audit records name this configuration by.
    pub(crate) fn digest(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }

    /// An error at a place of this configuration, for what is found out only when a host starts with it.
    pub(crate) fn error_at(&self, path: &[Step<'_>], message: impl Into<String>) -> ConfigError {
        error::Problem::new(error::place(&self.text, path), message).locate(&self.file, &self.text)
    }

    /// Whether everything a reload leaves as it was is the same in both.
    pub(crate) fn same_settings(&self, other: &Self) -> bool {
        fixed_part(&self.text) == fixed_part(&other.text)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is no configuration.
    #[error("{} is larger than a configuration can be ({} MiB)", file.display(), FILE_BYTES_MAX >> 20)]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The file is no text.
    #[error("{} is not UTF-8 text", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
    },
    /// The content is not valid.
    #[error(transparent)]
    Content(#[from] ConfigError),
}

/// The configuration without what [`Access`] is made of.
fn fixed_part(text: &str) -> Option<toml::Table> {
    let mut table: toml::Table = text.parse().ok()?;
    table.remove("peer");
    table.remove("api_key");
    let limits = table.remove("limits");
    if let Some(toml::Value::Table(mut limits)) = limits {
        limits.remove("connections_per_ip_max");
        limits.remove("calls_per_second_max");
        if !limits.is_empty() {
            table.insert("limits".to_owned(), toml::Value::Table(limits));
        }
    }
    Some(table)
}

const FILE_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests;
