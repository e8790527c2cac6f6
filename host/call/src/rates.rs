//! How often an identity may begin a root call: what is composed below it counts for the tree's own limits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alknet_core::{Identity, IdentityId};
use tokio::time::Instant;

/// Root calls a second and identity, which may change while the host runs. Cheap to clone; every clone is the same.
///
/// The rate is an average: what was not used in the second before may come at once. Callers without an identity
/// share one rate.
#[derive(Debug, Clone, Default)]
pub struct IdentityRates(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// 0 is no limit.
    per_second: AtomicU32,
    /// When the next call would be due, if every call came at its turn.
    due: Mutex<HashMap<Option<IdentityId>, Instant>>,
}

impl IdentityRates {
    /// A rate; `None` is no limit.
    #[must_use]
    pub fn new(per_second: Option<u32>) -> Self {
        let rates = Self::default();
        rates.set(per_second);
        rates
    }

    /// Replaces the rate.
    pub fn set(&self, per_second: Option<u32>) {
        self.0.per_second.store(per_second.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Whether a call of this identity may begin now; it counts then.
    pub(crate) fn admits(&self, identity: Option<&Identity>) -> bool {
        let per_second = self.0.per_second.load(Ordering::Relaxed);
        if per_second == 0 {
            return true;
        }
        let now = Instant::now();
        let mut due = self.0.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.len() >= KNOWN_MAX {
            due.retain(|_, due| *due > now);
        }
        let next = due.entry(identity.map(|identity| identity.id().clone())).or_insert(now);
        let start = (*next).max(now);
        let interval = SECOND / per_second;
        // One whole second ahead is as many calls as one second allows.
        if start + interval > now + SECOND {
            return false;
        }
        *next = start + interval;
        true
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// Identities that are remembered before those that are not busy are forgotten.
const KNOWN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use alknet_core::Grants;

    use super::*;

    fn who(id: &str) -> Identity {
        Identity::new(IdentityId::parse(id).unwrap(), Grants::default())
    }

    #[tokio::test(start_paused = true)]
    async fn every_identity_has_its_own_rate() {
        let rates = IdentityRates::new(Some(10));
        let (alice, bob) = (who("alice"), who("bob"));
        let burst = |identity| (0..20).filter(|_| rates.admits(identity)).count();
        assert_eq!(burst(Some(&alice)), 10);
        assert_eq!((burst(Some(&bob)), burst(None)), (10, 10));
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!((burst(Some(&alice)), burst(None)), (3, 3));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(burst(Some(&alice)), 10, "what is not used does not pile up");
        rates.set(None);
        assert_eq!(burst(Some(&alice)), 20);
        assert!(IdentityRates::default().admits(None));
    }

    #[tokio::test(start_paused = true)]
    async fn identities_that_are_not_busy_are_forgotten() {
        let rates = IdentityRates::new(Some(1));
        for index in 0..KNOWN_MAX {
            assert!(rates.admits(Some(&who(&format!("i{index}")))));
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(rates.admits(None));
        assert_eq!(rates.0.due.lock().unwrap().len(), 1);
    }
}
