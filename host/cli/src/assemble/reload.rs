//! A new configuration for a running host: who is known, and how often strangers may try.
//!
//! A reload grants and revokes privileges. It is recorded before it is in force, and in force as a whole or not
//! at all; the next call of every live connection is decided on it.

use std::collections::BTreeMap;
use std::path::Path;

use alknet_audit::Hash;
use alknet_audit::event::{Change, ConfigLoaded, ConfigOutcome, Event, IdentityChanged};
use alknet_call::AuditUnavailable;
use alknet_core::{
    ApiKeyEntry, AuthPolicy, Directory, DirectoryError, IdentityStore as _, PeerEntry, StoreError,
};

use super::Host;
use crate::config::{Config, ConfigError};
use crate::credentials::CredentialError;

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
    /// The store cannot be read.
    #[error(transparent)]
    Store(StoreError),
    /// A stored credential does not open.
    #[error(transparent)]
    Credential(CredentialError),
    /// Work on another thread broke off.
    #[error("a part of the host broke off; this is a defect")]
    Broken,
}

impl Host {
    /// Takes over the identities and rate limits of a new text of the configuration.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub(crate) async fn reload(&self, file: &Path, text: String) -> Result<Reloaded, ReloadError> {
        let hash = Hash::of(text.as_bytes());
        let parsed = Config::parse(file, text).map_err(ReloadError::from);
        let checked = parsed.and_then(|config| {
            let policy = merged(&config.access.policy, &self.stored.store.policy());
            Ok((Directory::new(policy.clone())?, policy, config))
        });
        match checked {
            Ok((directory, policy, config)) => {
                let restart_needed = !self.config().same_settings(&config);
                self.record_config(hash, ConfigOutcome::Accepted).await?;
                let identities_changed = self.take_over_identities(directory, policy).await?;
                self.rates.set(config.access.rates);
                self.stored.rates.set(Some(config.access.calls_per_second));
                // The settings stay what the host runs with, so that the next reload still says what needs a restart.
                self.config().access = config.access;
                Ok(Reloaded { identities_changed, restart_needed })
            }
            Err(error) => {
                self.record_config(hash, ConfigOutcome::Refused).await?;
                Err(error)
            }
        }
    }

    /// Records how the policy differs from the one in force, and replaces it. Answers how many identities differ.
    pub(super) async fn take_over_identities(
        &self,
        directory: Directory,
        policy: AuthPolicy,
    ) -> Result<usize, ReloadError> {
        let changes = changes(&self.stored.policy(), &policy);
        for (identity, change) in &changes {
            let event = IdentityChanged { identity: identity.clone(), change: *change };
            self.log.append_async(&Event::IdentityChanged(event)).await?;
        }
        self.identities.replace(directory);
        self.stored.set_policy(policy);
        Ok(changes.len())
    }

    async fn record_config(&self, config: Hash, outcome: ConfigOutcome) -> Result<(), AuditUnavailable> {
        self.log.append_async(&Event::ConfigLoaded(ConfigLoaded { config, outcome })).await
    }
}

/// The entries of configuration and store; whether they fit together is for [`Directory::new`] to say.
pub(crate) fn merged(configured: &AuthPolicy, stored: &AuthPolicy) -> AuthPolicy {
    let mut all = configured.clone();
    all.peers.extend(stored.peers.iter().cloned());
    all.api_keys.extend(stored.api_keys.iter().cloned());
    all
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
