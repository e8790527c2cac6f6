//! Where a host's files are: the configuration found upward, the data folder beside it, and the keys in it.

mod key_file;
mod runtime;

use std::path::{Path, PathBuf};

use crate::config::{self, Config, LoadError};
use crate::failure::{CommandError, chain};

pub(crate) use key_file::{
    KeyFileError, check_private_dir, create_key, create_private_dir, create_private_file, read_key,
    read_secret, replace_private_file,
};
pub(crate) use runtime::{IrohNode, RuntimeFile, RuntimeInfo};

/// A configuration and where its host keeps what it has.
#[derive(Debug)]
pub(crate) struct Project {
    /// The configuration.
    pub(crate) config: Config,
    /// The files of the data folder.
    pub(crate) layout: Layout,
}

/// The files of a data folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    data_dir: PathBuf,
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    /// Neither here nor above.
    #[error("there is no {} in {} or any folder above it", config::FILE_NAME, start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// The working directory is gone.
    #[error("cannot tell the working directory: {0}")]
    WorkingDirectory(#[source] std::io::Error),
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] LoadError),
}

impl Project {
    /// Opens the configuration given on the command line, or the nearest one upward from here.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub(crate) fn find(explicit: Option<&Path>) -> Result<Self, ProjectError> {
        let file = match explicit {
            Some(file) => file.to_owned(),
            None => {
                let start = std::env::current_dir().map_err(ProjectError::WorkingDirectory)?;
                search(&start).ok_or(ProjectError::NotFound { start })?
            }
        };
        Self::open(&file)
    }

    /// Opens this configuration.
    ///
    /// # Errors
    /// [`ProjectError::Config`].
    pub(crate) fn open(file: &Path) -> Result<Self, ProjectError> {
        let file = std::path::absolute(file).map_err(ProjectError::WorkingDirectory)?;
        let config = Config::load(&file)?;
        let layout = Layout::new(config.settings.data_dir.clone());
        Ok(Self { config, layout })
    }
}

impl Layout {
    /// The layout of this data folder.
    pub(crate) fn new(data_dir: PathBuf) -> Self {
        Self { data_dir }
    }

    /// The data folder itself.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The host's private key.
    pub(crate) fn host_key(&self) -> PathBuf {
        self.data_dir.join("host.key")
    }

    /// The private key of a host that kept it in a file before it had a vault, sealed.
    pub(crate) fn sealed_key_file(&self) -> PathBuf {
        self.data_dir.join("host.key.sealed")
    }

    /// The mnemonic of a host with a vault, sealed.
    pub(crate) fn seed_file(&self) -> PathBuf {
        self.data_dir.join("seed")
    }

    /// Credentials and identities that commands manage.
    pub(crate) fn store_file(&self) -> PathBuf {
        self.data_dir.join("store.sqlite")
    }

    /// The public keys of a host with a vault.
    pub(crate) fn public_keys_file(&self) -> PathBuf {
        self.data_dir.join("keys.json")
    }

    /// The operator's private key.
    pub(crate) fn operator_key(&self) -> PathBuf {
        self.data_dir.join("operator.key")
    }

    /// The audit log.
    pub(crate) fn audit_dir(&self) -> PathBuf {
        self.data_dir.join("audit")
    }

    /// The socket for programs on this machine.
    pub(crate) fn socket(&self) -> PathBuf {
        self.data_dir.join("alknet.sock")
    }

    /// What can be made again.
    pub(crate) fn cache_dir(&self) -> PathBuf {
        self.data_dir.join("cache")
    }

    /// What a running host tells local clients.
    pub(crate) fn runtime_file(&self) -> RuntimeFile {
        RuntimeFile::new(self.data_dir.join("host.json"))
    }
}

impl From<ProjectError> for CommandError {
    fn from(error: ProjectError) -> Self {
        let failure = Self::configuration(chain(&error));
        match error {
            ProjectError::NotFound { .. } => {
                failure.hint("make one with `alknet-agent init`, or name one with `--config FILE`")
            }
            ProjectError::WorkingDirectory(_) | ProjectError::Config(_) => failure,
        }
    }
}

impl From<KeyFileError> for CommandError {
    fn from(error: KeyFileError) -> Self {
        Self::configuration(chain(&error))
    }
}

fn search(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join(config::FILE_NAME)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests;
