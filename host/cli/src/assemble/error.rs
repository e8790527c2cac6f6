//! Why a host does not start.

use std::io;
use std::path::PathBuf;

use alknet_agent::SessionsError;
use alknet_agent::builtin::fs::FsRootError;
use alknet_agent::builtin::http::HttpSetupError;
use alknet_agent::builtin::kv::KvOpenError;
use alknet_audit::OpenError;
use alknet_call::{AuditUnavailable, DiscoveryError, RegistrationError, SpecError};
use alknet_core::{DirectoryError, RegistryError};
use alknet_net::EndpointError;
use alknet_sandbox::SandboxError;

use crate::config::{Config, ConfigError, Step};
use crate::credentials::CredentialError;
use crate::failure::{CommandError, chain};
use crate::project::KeyFileError;

/// Why a host does not start, or does not end in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The configuration asks for what this machine does not have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A credential cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The store of credentials and identities cannot be opened.
    #[error(transparent)]
    Store(#[from] alknet_store::OpenError),
    /// The data folder cannot be made.
    #[error("cannot create {}: {source}", dir.display())]
    DataDir {
        /// The folder.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The audit log cannot be opened.
    #[error("the audit log cannot be used: {0}")]
    Log(#[from] OpenError),
    /// The audit log takes no records.
    #[error(transparent)]
    Record(#[from] AuditUnavailable),
    /// The sandbox cannot be made.
    #[error("the sandbox cannot be used: {0}")]
    Sandbox(#[from] SandboxError),
    /// The key-value store cannot be opened.
    #[error("the key-value store cannot be used: {0}")]
    Kv(#[from] KvOpenError),
    /// The file roots cannot be opened.
    #[error("the file roots cannot be used: {0}")]
    Fs(#[from] FsRootError),
    /// The HTTP targets cannot be used.
    #[error("the HTTP targets cannot be used: {0}")]
    Http(#[from] HttpSetupError),
    /// The sessions cannot be set up.
    #[error(transparent)]
    Sessions(#[from] SessionsError),
    /// Identities contradict each other.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Nothing listens.
    #[error("{}", chain(.0))]
    Listen(#[from] EndpointError),
    /// Two operations share a name.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// Discovery cannot be added.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// A built-in specification is not valid.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Two protocols share an ALPN.
    #[error(transparent)]
    Protocol(#[from] RegistryError),
    /// Work on another thread broke off.
    #[error("a part of the host broke off; this is a defect")]
    Broken,
}

/// An error of the endpoint, at the place of the configuration that caused it.
pub(super) fn listen(config: &Config, error: EndpointError) -> StartError {
    match &error {
        EndpointError::InvalidRelay(_) => {
            config.error_at(&[Step::Key("iroh"), Step::Key("relay")], "expected the URL of a relay").into()
        }
        EndpointError::Unsupported { feature } if *feature == "iroh" => {
            config.error_at(&[Step::Key("iroh")], "this build has no iroh support").into()
        }
        _ => StartError::Listen(error),
    }
}

impl From<KeyFileError> for StartError {
    fn from(error: KeyFileError) -> Self {
        Self::Credential(error.into())
    }
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> Self {
        let message = chain(&error);
        match error {
            StartError::Config(_)
            | StartError::Credential(_)
            | StartError::Store(_)
            | StartError::DataDir { .. } => {
                Self::configuration(message)
            }
            StartError::Log(OpenError::Locked { dir }) => {
                let host = dir.parent().unwrap_or(&dir).display();
                Self::configuration(format!("another host is running on {host}"))
                    .hint("stop it first, or serve another folder with `--config`")
            }
            StartError::Listen(error @ EndpointError::BindFailed { .. }) => Self::configuration(chain(
                &error,
            ))
            .hint("is another host running? `listen` under [quic], or `bind` under [iroh], sets the address"),
            StartError::Listen(error @ EndpointError::SocketFailed { .. }) => {
                Self::configuration(chain(&error)).hint(
                    "a socket's path has at most 107 bytes: move `data_dir`, or set `enabled = false` under [socket]",
                )
            }
            StartError::Log(_)
            | StartError::Kv(_)
            | StartError::Fs(_)
            | StartError::Http(_)
            | StartError::Sessions(_)
            | StartError::Directory(_)
            | StartError::Listen(_) => Self::configuration(message),
            StartError::Record(_)
            | StartError::Sandbox(_)
            | StartError::Registration(_)
            | StartError::Discovery(_)
            | StartError::Spec(_)
            | StartError::Protocol(_)
            | StartError::Broken => Self::internal(message),
        }
    }
}
