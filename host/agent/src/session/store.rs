//! The sessions of a host: who owns them, what they were granted, what they hold, when they end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alknet_call::{CallError, CallScope, Caller, Composition, OpName, SessionContext, SessionLayer};
use alknet_core::IdentityId;
use alknet_sandbox::{Sandbox, Seed};
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};

use super::error::{limit_exceeded, no_session};
use super::profile::Profile;

/// One agent's span of work.
pub(super) struct Session {
    pub(super) id: Arc<str>,
    pub(super) owner: IdentityId,
    pub(super) label: Option<String>,
    pub(super) profile: Arc<Profile>,
    pub(super) composition: Composition,
    /// Shared out among the sessions, whatever each of them does.
    pub(super) sandbox: Sandbox,
    pub(super) determinism: Option<Determinism>,
    pub(super) opened_at: u64,
    pub(super) expires_at: u64,
    /// Microseconds since the Unix epoch.
    used_at: AtomicU64,
    layer: Mutex<Arc<SessionLayer>>,
    versions: Mutex<HashMap<OpName, u32>>,
    /// Held while an operation is registered or removed, so that versions and layer move together.
    pub(super) changing: AsyncMutex<()>,
    calls: Arc<Semaphore>,
}

/// What makes the calls of a session do the same again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Determinism {
    /// What random numbers and bytes are derived from.
    pub(super) seed: Seed,
    /// Where the clock stands, in milliseconds since the Unix epoch.
    pub(super) now_millis: u64,
}

/// What a session is opened with.
pub(super) struct Opening {
    pub(super) owner: IdentityId,
    pub(super) label: Option<String>,
    pub(super) profile: Arc<Profile>,
    pub(super) composition: Composition,
    pub(super) id: Arc<str>,
    pub(super) now: u64,
    pub(super) ttl: Duration,
    pub(super) sandbox: Sandbox,
    pub(super) determinism: Option<Determinism>,
}

/// Why a session ended without its owner closing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Expired,
    HostStopped,
}

pub(super) struct SessionStore {
    sessions: Mutex<HashMap<Arc<str>, Arc<Session>>>,
    per_owner_max: usize,
    total_max: usize,
}

impl Session {
    fn new(opening: Opening) -> Self {
        let Opening { owner, label, profile, composition, id, now, ttl, sandbox, determinism } = opening;
        Self {
            id,
            owner,
            label,
            composition,
            opened_at: now,
            expires_at: now.saturating_add(micros(ttl)),
            used_at: AtomicU64::new(now),
            layer: Mutex::default(),
            versions: Mutex::default(),
            changing: AsyncMutex::new(()),
            calls: Arc::new(Semaphore::new(profile.limits.calls_in_flight_max)),
            sandbox,
            determinism,
            profile,
        }
    }

    pub(super) fn layer(&self) -> Arc<SessionLayer> {
        Arc::clone(&lock(&self.layer))
    }

    pub(super) fn replace_layer(&self, layer: SessionLayer) {
        *lock(&self.layer) = Arc::new(layer);
    }

    /// The session as a composer enters it, with this layer.
    pub(super) fn context(&self, layer: Arc<SessionLayer>) -> SessionContext {
        SessionContext { id: Arc::clone(&self.id), layer, composition: self.composition.clone() }
    }

    pub(super) fn version(&self, name: &OpName) -> u32 {
        lock(&self.versions).get(name).copied().unwrap_or(0)
    }

    /// Notes a version. Versions only grow: a removed operation that returns is a new version.
    pub(super) fn set_version(&self, name: &OpName, version: u32) {
        lock(&self.versions).insert(name.clone(), version);
    }

    /// A place among the session's running calls.
    pub(super) fn enter(&self) -> Result<OwnedSemaphorePermit, CallError> {
        let max = self.profile.limits.calls_in_flight_max;
        Arc::clone(&self.calls).try_acquire_owned().map_err(|_| {
            let limit = u64::try_from(max).unwrap_or(u64::MAX);
            let message = format!("more than {max} calls of the session run at once");
            limit_exceeded("calls_in_flight", limit, message).retryable(true)
        })
    }

    fn is_over(&self, now: u64) -> bool {
        let idle = now.saturating_sub(self.used_at.load(Ordering::Relaxed));
        now >= self.expires_at || idle >= micros(self.profile.limits.idle_max)
    }
}

impl SessionStore {
    pub(super) fn new(per_owner_max: usize, total_max: usize) -> Self {
        Self { sessions: Mutex::default(), per_owner_max, total_max }
    }

    /// Whether one more session of this owner fits.
    pub(super) fn has_room(&self, owner: &IdentityId) -> Result<(), CallError> {
        let sessions = lock(&self.sessions);
        let own = sessions.values().filter(|session| session.owner == *owner).count();
        let (limit, max) = if own >= self.per_owner_max {
            ("sessions_per_identity", self.per_owner_max)
        } else if sessions.len() >= self.total_max {
            ("sessions", self.total_max)
        } else {
            return Ok(());
        };
        let max64 = u64::try_from(max).unwrap_or(u64::MAX);
        Err(limit_exceeded(limit, max64, format!("there are {max} open sessions already")))
    }

    pub(super) fn open(&self, opening: Opening) -> Arc<Session> {
        let session = Arc::new(Session::new(opening));
        lock(&self.sessions).insert(Arc::clone(&session.id), Arc::clone(&session));
        session
    }

    /// The caller's session with this id.
    pub(super) fn find(&self, scope: &CallScope, id: &str) -> Result<Arc<Session>, CallError> {
        let owner = owner(scope).ok_or_else(no_session)?;
        let now = scope.clock().unix_micros();
        let session = lock(&self.sessions).get(id).cloned().ok_or_else(no_session)?;
        if session.owner != owner || session.is_over(now) {
            return Err(no_session());
        }
        session.used_at.store(now, Ordering::Relaxed);
        Ok(session)
    }

    pub(super) fn owned_by(&self, owner: &IdentityId, now: u64) -> Vec<Arc<Session>> {
        let sessions = lock(&self.sessions);
        let own = sessions.values().filter(|session| session.owner == *owner && !session.is_over(now));
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by(|a, b| (a.opened_at, &a.id).cmp(&(b.opened_at, &b.id)));
        own
    }

    pub(super) fn remove(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.sessions).remove(id)
    }

    /// Takes out the sessions that are over.
    pub(super) fn sweep(&self, now: u64) -> Vec<Arc<Session>> {
        let mut sessions = lock(&self.sessions);
        let over: Vec<Arc<str>> =
            sessions.values().filter(|s| s.is_over(now)).map(|s| Arc::clone(&s.id)).collect();
        over.iter().filter_map(|id| sessions.remove(id)).collect()
    }

    pub(super) fn drain(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).drain().map(|(_, session)| session).collect()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.sessions).len()
    }
}

/// Sessions belong to identities of peers; an operation that composes owns none.
pub(super) fn owner(scope: &CallScope) -> Option<IdentityId> {
    match scope.caller() {
        Caller::Peer(Some(identity)) => Some(identity.id().clone()),
        Caller::Peer(None) | Caller::Operation(_) => None,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
