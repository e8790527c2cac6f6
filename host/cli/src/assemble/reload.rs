//! A new configuration for a running host: who is known, and how often strangers may try.
//!
//! A reload grants and revokes privileges. It is recorded before it is in force, and in force as a whole or not
//! at all; the next call of every live connection is decided on it.

use std::collections::BTreeMap;
use std::path::Path;

use alknet_audit::Hash;
use alknet_audit::event::{Change, ConfigLoaded, ConfigOutcome, Event, IdentityChanged};
use alknet_call::AuditUnavailable;
use alknet_core::{ApiKeyEntry, AuthPolicy, Directory, DirectoryError, PeerEntry};

use super::Host;
use crate::config::{Config, ConfigError};

/// What a reload changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reloaded {
    /// Identities that are new, different or gone.
    pub(crate) identities_changed: usize,
    /// Whether something changed that only a restart brings into force.
    pub(crate) restart_needed: bool,
}

/// Why a reload was refused; the host goes on with what it had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The new configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Identities contradict each other.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The change cannot be recorded.
    #[error(transparent)]
    Record(#[from] AuditUnavailable),
}

impl Host {
    /// Takes over the identities and rate limits of a new text of the configuration.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub(crate) async fn reload(&self, file: &Path, text: String) -> Result<Reloaded, ReloadError> {
        let hash = Hash::of(text.as_bytes());
        let parsed = Config::parse(file, text).map_err(ReloadError::from);
        let checked = parsed.and_then(|config| Ok((Directory::new(config.access.policy.clone())?, config)));
        match checked {
            Ok((directory, config)) => self.take_over(hash, directory, config).await,
            Err(error) => {
                self.record_config(hash, ConfigOutcome::Refused).await?;
                Err(error)
            }
        }
    }

    async fn take_over(
        &self,
        hash: Hash,
        directory: Directory,
        config: Config,
    ) -> Result<Reloaded, ReloadError> {
        let (changes, restart_needed) = {
            let current = self.config();
            (changes(&current.access.policy, &config.access.policy), !current.same_settings(&config))
        };
        self.record_config(hash, ConfigOutcome::Accepted).await?;
        for (identity, change) in &changes {
            let event = IdentityChanged { identity: identity.clone(), change: *change };
            self.log.append_async(&Event::IdentityChanged(event)).await?;
        }
        self.identities.replace(directory);
        self.rates.set(config.access.rates);
        // The settings stay what the host runs with, so that the next reload still says what needs a restart.
        self.config().access = config.access;
        Ok(Reloaded { identities_changed: changes.len(), restart_needed })
    }

    async fn record_config(&self, config: Hash, outcome: ConfigOutcome) -> Result<(), AuditUnavailable> {
        self.log.append_async(&Event::ConfigLoaded(ConfigLoaded { config, outcome })).await
    }
}

/// What differs between two policies, by identity.
fn changes(old: &AuthPolicy, new: &AuthPolicy) -> BTreeMap<String, Change> {
    let (old, new) = (by_identity(old), by_identity(new));
    let mut changes = BTreeMap::new();
    for (identity, entries) in &new {
        match old.get(identity) {
            None => changes.insert((*identity).to_owned(), Change::Added),
            Some(before) if before != entries => changes.insert((*identity).to_owned(), Change::Changed),
            Some(_) => None,
        };
    }
    let gone = old.keys().filter(|identity| !new.contains_key(*identity));
    changes.extend(gone.map(|identity| ((*identity).to_owned(), Change::Removed)));
    changes
}

/// Everything that makes an identity, under its id; several API keys may share one.
fn by_identity(policy: &AuthPolicy) -> BTreeMap<&str, Vec<Entry<'_>>> {
    let mut entries: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    for peer in &policy.peers {
        entries.entry(peer.peer_id.as_str()).or_default().push(Entry::Peer(peer));
    }
    for key in &policy.api_keys {
        entries.entry(&key.prefix).or_default().push(Entry::ApiKey(key));
    }
    entries
}

/// An entry that compares by what it grants to whom; notes for people do not count.
enum Entry<'a> {
    Peer(&'a PeerEntry),
    ApiKey(&'a ApiKeyEntry),
}

impl PartialEq for Entry<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Peer(a), Self::Peer(b)) => {
                (&a.fingerprints, a.auth_token_hash, &a.grants, a.enabled)
                    == (&b.fingerprints, b.auth_token_hash, &b.grants, b.enabled)
            }
            (Self::ApiKey(a), Self::ApiKey(b)) => {
                (a.hash, &a.grants, a.expires_at) == (b.hash, &b.grants, b.expires_at)
            }
            (Self::Peer(_), Self::ApiKey(_)) | (Self::ApiKey(_), Self::Peer(_)) => false,
        }
    }
}
