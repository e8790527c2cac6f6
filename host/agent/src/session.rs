//! Sessions: what an agent was granted, the operations it wrote, and the `session/*` operations around them.
//!
//! A session belongs to the identity that opened it; for everybody else it does not exist. What its operations
//! may do was fixed when it was opened: the intersection of what was asked for with a [`Profile`].

mod close;
mod error;
mod invoke;
mod items;
mod journal;
mod list;
mod open;
mod profile;
mod register;
mod remove;
mod run;
mod source;
mod store;
mod subscribe;
mod tool;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use alknet_audit::AuditLog;
use alknet_call::{
    Authority, CallScope, Composition, OpName, OperationSpec, Reach, Registration, Registry, SpecError,
};
use alknet_core::{Clock, Grants, IdentityId, Scope};
use alknet_sandbox::Sandbox;

use journal::Journal;
use store::{Ended, SessionStore};

pub use profile::{Profile, SessionLimits};
pub use source::Language;

/// The scope that identities need to work with sessions.
pub const SESSION_SCOPE: &str = "session";

/// What the sessions of a host are built with.
pub struct SessionsConfig {
    /// What may be granted; names are unique.
    pub profiles: Vec<Profile>,
    /// Open sessions of one identity.
    pub per_identity_max: usize,
    /// Open sessions in all.
    pub total_max: usize,
    /// Runs the tools.
    pub sandbox: Sandbox,
    /// Records what is opened, registered and closed.
    pub log: AuditLog,
    /// Tells when sessions end.
    pub clock: Arc<dyn Clock>,
}

/// The sessions of a host. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    profiles: Vec<Arc<Profile>>,
    store: SessionStore,
    sandbox: Sandbox,
    journal: Journal,
    clock: Arc<dyn Clock>,
}

/// Why the sessions could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionsError {
    /// Two profiles share a name.
    #[error("profile `{0}` is configured twice")]
    DuplicateProfile(String),
    /// A profile grants an operation that the host does not have.
    #[error("profile `{profile}` grants `{operation}`, which this host does not have")]
    UnknownOperation {
        /// The profile.
        profile: String,
        /// The operation.
        operation: OpName,
    },
}

impl Sessions {
    /// Sessions under these profiles.
    ///
    /// # Errors
    /// [`SessionsError::DuplicateProfile`].
    pub fn new(config: SessionsConfig) -> Result<Self, SessionsError> {
        let SessionsConfig { profiles, per_identity_max, total_max, sandbox, log, clock } = config;
        let mut names = BTreeSet::new();
        for profile in &profiles {
            if !names.insert(profile.name.clone()) {
                return Err(SessionsError::DuplicateProfile(profile.name.clone()));
            }
        }
        let profiles = profiles.into_iter().map(Arc::new).collect();
        let store = SessionStore::new(per_identity_max, total_max);
        Ok(Self(Arc::new(Inner { profiles, store, sandbox, journal: Journal::new(log), clock })))
    }

    /// The `session/*` operations.
    ///
    /// # Errors
    /// [`SpecError`] for a defect of this crate.
    pub fn registrations(&self) -> Result<Vec<Registration>, SpecError> {
        Ok(vec![
            open::registration(self)?,
            register::registration(self)?,
            invoke::registration(self)?,
            subscribe::registration(self)?,
            run::registration(self)?,
            list::registration(self)?,
            remove::registration(self)?,
            close::registration(self)?,
        ])
    }

    /// Checks the profiles against the layer the host serves.
    ///
    /// # Errors
    /// [`SessionsError::UnknownOperation`] with the first name that no operation has.
    pub fn check(&self, curated: &Registry) -> Result<(), SessionsError> {
        let granted = self.0.profiles.iter().flat_map(|p| p.env.iter().map(move |name| (p, name)));
        for (profile, operation) in granted {
            if curated.get(operation.as_str()).is_none() {
                let (profile, operation) = (profile.name.clone(), operation.clone());
                return Err(SessionsError::UnknownOperation { profile, operation });
            }
        }
        Ok(())
    }

    /// How many sessions are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.0.store.len()
    }

    /// Ends the sessions whose time is over. Called before every session operation; a host may call it more often.
    pub fn sweep(&self) {
        for session in self.0.store.sweep(self.0.clock.unix_micros()) {
            self.0.journal.ended(&session, Ended::Expired);
        }
    }

    /// Ends all sessions, because the host stops. Calls that run keep what they began with.
    pub fn close_all(&self) {
        for session in self.0.store.drain() {
            self.0.journal.ended(&session, Ended::HostStopped);
        }
    }

    /// What the `session/*` operations compose with: everything that any profile may grant, no more.
    fn composition(&self) -> Result<Composition, SpecError> {
        let label = IdentityId::parse("sessions").map_err(|_| alknet_call::InvalidOpName)?;
        let mut grants = Grants::default();
        for profile in &self.0.profiles {
            grants = union(grants, &profile.grants);
        }
        let names = self.0.profiles.iter().flat_map(|profile| profile.grantable().cloned());
        let reach = Reach::of(names).with_session_operations();
        Ok(Composition::new(Authority::new(label, grants), reach))
    }

    /// A spec that only identities with the session scope may call.
    fn guarded(spec: OperationSpec) -> Result<OperationSpec, SpecError> {
        let scope = Scope::parse(SESSION_SCOPE).map_err(|_| alknet_call::InvalidOpName)?;
        Ok(spec.requires(scope))
    }

    /// The profile with this name, if the caller may know of it.
    fn profile(&self, name: &str, scope: &CallScope) -> Option<Arc<Profile>> {
        let held = scope.caller().grants();
        let visible = |profile: &&Arc<Profile>| {
            let required = profile.requires.as_ref();
            required.is_none_or(|scope| held.is_some_and(|held| held.has_scope(scope.as_str())))
        };
        self.0.profiles.iter().filter(visible).find(|profile| profile.name == name).cloned()
    }
}

fn union(mut all: Grants, more: &Grants) -> Grants {
    for scope in more.scopes() {
        all = all.with_scope(scope.clone());
    }
    for (kind, actions) in more.resources() {
        for action in actions {
            all = all.with_resource(kind, action);
        }
    }
    all
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.open_count()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsConfig").field("profiles", &self.profiles).finish_non_exhaustive()
    }
}
