//! One call and the tree it belongs to.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use alknet_core::Identity;
use tokio::time::Instant;

use crate::audit::Due;
use crate::layers::Layers;
use crate::{Link, OnBehalfOf};

/// The host's own id of a call: 64 random bits of this process, then a sequence number. Written as 32
/// hexadecimal digits. Never taken from the wire, never secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId {
    run: u64,
    sequence: u64,
}

impl CallId {
    /// The next id of this process.
    #[must_use]
    pub fn next() -> Self {
        static RUN: OnceLock<u64> = OnceLock::new();
        static SEQUENCE: AtomicU64 = AtomicU64::new(1);
        // Without randomness ids would repeat after a restart; the sequence still tells calls of one run apart.
        let run = *RUN.get_or_init(|| getrandom::u64().unwrap_or_default());
        Self { run, sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed) }
    }

    /// The id as 16 bytes, of which its text form is the hexadecimal.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.run) << 64) | u128::from(self.sequence)).to_be_bytes()
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.run, self.sequence)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no call id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a call id is 32 hexadecimal digits")]
pub struct InvalidCallId;

impl FromStr for CallId {
    type Err = InvalidCallId;

    fn from_str(text: &str) -> Result<Self, InvalidCallId> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidCallId);
        }
        let (run, sequence) = text.split_at(16);
        let parse = |digits| u64::from_str_radix(digits, 16).map_err(|_| InvalidCallId);
        Ok(Self { run: parse(run)?, sequence: parse(sequence)? })
    }
}

/// Where a root call comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// Who makes it; `None` is anonymous.
    pub(crate) identity: Option<Identity>,
    /// On whose behalf, as the caller claims.
    pub(crate) on_behalf_of: Option<OnBehalfOf>,
    /// The link it came in on; `None` for a call from inside of the program.
    pub(crate) link: Option<Link>,
    /// When its records are to be written, if not those of the calls below it.
    pub(crate) due: Due,
}

/// What all calls below one root share.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) id: CallId,
    pub(crate) origin: Origin,
    /// Set once the kind of the root call is known: subscriptions and publications have none.
    deadline: OnceLock<Instant>,
    calls: AtomicU32,
    over: AtomicBool,
}

impl Root {
    pub(crate) fn new(origin: Origin) -> Self {
        let (deadline, calls, over) = (OnceLock::new(), AtomicU32::new(0), AtomicBool::new(false));
        Self { id: CallId::next(), origin, deadline, calls, over }
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.origin.identity.as_ref()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().copied()
    }

    /// Sets the instant at which the whole tree is cut; the first one counts.
    pub(crate) fn expire_at(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Counts one more call; false once there were `max`.
    pub(crate) fn count(&self, max: u32) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) < max
    }

    pub(crate) fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Notes that the root call was answered or cancelled: calls that outlive it may finish, none may begin.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// The surroundings of a call: its root and the layers its names are looked up in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) root: Arc<Root>,
    pub(crate) layers: Layers,
    pub(crate) session: Option<Arc<str>>,
}
