//! The credentials of a running host: read from files and from the store, given to the operations that use them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use alknet_audit::event::Change;
use alknet_core::{
    Capabilities, CapabilitySource, CredentialStore as _, LiveSecrets, SECRET_BYTES_MIN, Secret,
};
use alknet_store::SqliteStore;

use crate::config::{Config, ConfigError, CredentialPlace, Step};
use crate::project::{KeyFileError, read_secret};
use crate::vault::CredentialKeys;

/// Credentials, and where the operations find them.
pub(crate) struct Credentials {
    store: Arc<SqliteStore>,
    keys: Option<Arc<CredentialKeys>>,
    /// Those of files, which are read once.
    fixed: Capabilities,
    /// The names in the store that targets use, with the targets.
    used: BTreeMap<String, Vec<String>>,
    source: CapabilitySource,
    live: LiveSecrets,
    /// What is in force of the store.
    current: Mutex<BTreeMap<String, Secret>>,
}

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    /// A file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The configuration names one that is not there.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A stored one does not open.
    #[error("the credential `{name}` cannot be used: {reason}")]
    Stored {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Credentials {
    /// Reads what the configuration's targets use.
    ///
    /// # Errors
    /// [`CredentialError`] naming the first that is missing or does not open.
    pub(crate) fn read(
        config: &Config,
        store: Arc<SqliteStore>,
        keys: Option<Arc<CredentialKeys>>,
    ) -> Result<Self, CredentialError> {
        let mut fixed = Capabilities::new();
        let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (index, target) in config.settings.http_targets.iter().enumerate() {
            match (&target.credential, &target.target.credential) {
                (Some(CredentialPlace::File(file)), Some(service)) => {
                    let secret = Secret::new(read_secret(file)?.trim_end().to_owned());
                    fixed = fixed.with_http_token(service, secret);
                }
                (Some(CredentialPlace::Store(name)), _) => {
                    if store.get(name).is_none() {
                        let place = [
                            Step::Key("http"),
                            Step::Key("target"),
                            Step::Index(index),
                            Step::Key("credential"),
                        ];
                        let missing = format!(
                            "there is no such credential; `alknet-agent secret set {name}` stores it"
                        );
                        return Err(config.error_at(&place, missing).into());
                    }
                    used.entry(name.clone()).or_default().push(target.target.name.clone());
                }
                (Some(CredentialPlace::File(_)), None) | (None, _) => {}
            }
        }
        let (source, live) = (CapabilitySource::default(), LiveSecrets::default());
        let read = Self { store, keys, fixed, used, source, live, current: Mutex::default() };
        read.load()?;
        Ok(read)
    }

    /// Where operations find them.
    pub(crate) fn source(&self) -> &CapabilitySource {
        &self.source
    }

    /// What must not leave the host.
    pub(crate) fn live(&self) -> &LiveSecrets {
        &self.live
    }

    /// Takes over what the store holds now: all of it, or on an error nothing. Answers what changed.
    ///
    /// # Errors
    /// [`CredentialError::Stored`].
    pub(crate) fn load(&self) -> Result<Vec<(String, Change)>, CredentialError> {
        let mut loaded = BTreeMap::new();
        for name in self.used.keys() {
            if let Some(secret) = self.open(name)? {
                loaded.insert(name.clone(), secret);
            }
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = changes(&current, &loaded);
        // Looked for before it is used.
        self.live.add(self.fixed.iter().chain(loaded.iter().map(|(name, secret)| (name.as_str(), secret))));
        let all = loaded
            .iter()
            .fold(self.fixed.clone(), |all, (name, secret)| all.with_api_key(name, secret.clone()));
        self.source.replace(all);
        *current = loaded;
        Ok(changes)
    }

    fn open(&self, name: &str) -> Result<Option<Secret>, CredentialError> {
        let failed = |reason: String| CredentialError::Stored { name: name.to_owned(), reason };
        let Some(blob) = self.store.get(name) else { return Ok(None) };
        let keys =
            self.keys.as_ref().ok_or_else(|| failed("this host has no vault that opens it".to_owned()))?;
        let text = keys.open(name, &blob).map_err(failed)?;
        check_value(&text).map_err(|expected| failed(expected.to_owned()))?;
        Ok(Some(Secret::new(text.to_string())))
    }
}

fn changes(old: &BTreeMap<String, Secret>, new: &BTreeMap<String, Secret>) -> Vec<(String, Change)> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| match (old.get(name), new.get(name)) {
        (None, Some(_)) => Some(Change::Added),
        (Some(_), None) => Some(Change::Removed),
        (Some(a), Some(b)) if a.expose_secret() != b.expose_secret() => Some(Change::Changed),
        (Some(_), Some(_)) | (None, None) => None,
    };
    names.into_iter().filter_map(|name| Some((name.clone(), change(name)?))).collect()
}

/// What uses each stored credential: the names of the targets.
pub(crate) fn uses<'a>(config: &'a Config, name: &str) -> Vec<&'a str> {
    let targets = config.settings.http_targets.iter();
    let using = targets.filter(|target| target.stored_credential() == Some(name));
    using.map(|target| target.target.name.as_str()).collect()
}

/// The grammar of names.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err("a credential's name is 1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    Ok(())
}

/// What a credential must be. Too short a one would be found in harmless texts, when it is looked for in answers.
pub(crate) fn check_value(value: &str) -> Result<(), &'static str> {
    let printable = value.bytes().all(|b| (b' '..=b'~').contains(&b));
    if value.len() < SECRET_BYTES_MIN || value.len() > VALUE_BYTES_MAX || !printable {
        return Err("a credential is 8 to 4096 printable ASCII characters, on one line");
    }
    Ok(())
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("source", &self.source).finish_non_exhaustive()
    }
}

const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 4096;
