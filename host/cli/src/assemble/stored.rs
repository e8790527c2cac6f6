//! What commands change while a host runs: identities and credentials in the store beside the configuration.
//!
//! A change is recorded before it is in force, and in force as a whole or not at all.

use std::sync::{Arc, Mutex, PoisonError};

use alknet_agent::SecretGuard;
use alknet_audit::AuditLog;
use alknet_audit::event::{CredentialChanged, Event};
use alknet_call::IdentityRates;
use alknet_core::{AuthPolicy, Directory, IdentityStore as _, StoreError};
use alknet_store::SqliteStore;

use super::reload::{ReloadError, merged};
use super::{Host, Parts, StartError, blocking};
use crate::config::Config;
use crate::credentials::{CredentialError, Credentials};
use crate::project::Layout;

/// The store, and what of it is in force.
pub(super) struct Stored {
    pub(super) store: Arc<SqliteStore>,
    pub(super) credentials: Arc<Credentials>,
    pub(super) guard: SecretGuard,
    pub(super) log: AuditLog,
    /// How fast each identity may begin calls.
    pub(super) rates: IdentityRates,
    /// Peers and API keys of configuration and store.
    pub(super) in_force: Arc<Mutex<AuthPolicy>>,
}

/// What a host took over from its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refreshed {
    /// Identities that are new, different or gone.
    pub(crate) identities_changed: usize,
    /// Credentials that are new, different or gone.
    pub(crate) credentials_changed: usize,
}

impl Parts<'_> {
    /// Opens the store, and the credentials that the configuration uses.
    pub(super) fn stored(&self, log: &AuditLog) -> Result<Stored, StartError> {
        let file = Layout::new(self.config.settings.data_dir.clone()).store_file();
        let store = Arc::new(SqliteStore::open(&file)?);
        let keys = self.keys.credentials.clone();
        let credentials = Arc::new(Credentials::read(self.config, Arc::clone(&store), keys)?);
        let guard = SecretGuard::new(credentials.live().clone(), log.clone());
        let rates = IdentityRates::new(Some(self.config.access.calls_per_second));
        let in_force = Arc::new(Mutex::new(merged(&self.config.access.policy, &store.policy())));
        Ok(Stored { store, credentials, guard, log: log.clone(), rates, in_force })
    }
}

impl Stored {
    /// The policy in force.
    pub(super) fn policy(&self) -> AuthPolicy {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_policy(&self, policy: AuthPolicy) {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}

impl Host {
    /// Takes over what commands changed in the store; `None` when they changed nothing.
    ///
    /// # Errors
    /// [`ReloadError`] for the part that stays as it was: identities and credentials do not wait for each other.
    pub(crate) async fn refresh(&self) -> Result<Option<Refreshed>, ReloadError> {
        let store = Arc::clone(&self.stored.store);
        let changed = blocking(move || store.refresh()).await.map_err(|_| ReloadError::Broken)??;
        if !changed {
            return Ok(None);
        }
        let identities = self.refresh_identities().await;
        let credentials_changed = self.refresh_credentials().await?;
        Ok(Some(Refreshed { identities_changed: identities?, credentials_changed }))
    }

    async fn refresh_identities(&self) -> Result<usize, ReloadError> {
        let policy = merged(&self.configured_policy(), &self.stored.store.policy());
        let directory = Directory::new(policy.clone())?;
        self.take_over_identities(directory, policy).await
    }

    async fn refresh_credentials(&self) -> Result<usize, ReloadError> {
        let credentials = Arc::clone(&self.stored.credentials);
        let changes = blocking(move || credentials.load()).await.map_err(|_| ReloadError::Broken)??;
        for (credential, change) in &changes {
            let event = CredentialChanged { credential: credential.clone(), change: *change };
            self.log.append_async(&Event::CredentialChanged(event)).await?;
        }
        Ok(changes.len())
    }

    fn configured_policy(&self) -> AuthPolicy {
        let config: &Config = &self.config();
        config.access.policy.clone()
    }
}

impl From<StoreError> for ReloadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CredentialError> for ReloadError {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}
