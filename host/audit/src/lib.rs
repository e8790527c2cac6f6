//! The host's audit log: append-only, tamper-evident, provable to a third party.
//!
//! Every decision on a call, every outcome, every registration and every change of the host is one record. Records
//! are canonical JSON (RFC 8785) and leaves of an RFC 6962 Merkle tree; tiles, entry bundles and signed checkpoints
//! are stored in the C2SP formats (tlog-tiles, tlog-checkpoint, signed-note), so that verifiers written by others
//! can read them.
//!
//! **Goals.** Nothing is acknowledged before it is as durable as promised, and what cannot be recorded must not
//! happen: the log fails closed and heals by itself. After a crash nothing acknowledged is missing and nothing is
//! invented. Anybody with the directory and the host's public key can check everything offline ([`verify()`]), and
//! can ask who wrote what, from which source, under which grant ([`AuditReader`]).
//!
//! **Non-goals.** It keeps no inputs, outputs or secrets, only keyed digests. It does not hide records from who can
//! read the directory. It does not keep a host that holds the signing key from forking the log before a checkpoint
//! has left the machine: checkpoints kept elsewhere do ([`VerifyOptions::checkpoint`]).
//!
//! ```
//! use alknet_audit::event::{ConfigLoaded, ConfigOutcome};
//! use alknet_audit::{AuditLog, Event, Filter, Hash, Options, Page, VerifyOptions, verify};
//! use alknet_core::{Ed25519SecretKey, SystemClock};
//!
//! let dir = tempfile::tempdir()?;
//! let key = Ed25519SecretKey::generate()?;
//! let log = AuditLog::open(dir.path(), Options::new(key.clone(), std::sync::Arc::new(SystemClock)))?;
//! log.append(&Event::ConfigLoaded(ConfigLoaded { config: Hash::of(b"config"), outcome: ConfigOutcome::Accepted }))?;
//! assert_eq!(log.reader().query(&Filter::default(), &Page::default())?.entries.len(), 1);
//! log.close()?;
//!
//! let report = verify(dir.path(), &VerifyOptions { key: Some(key.public()), checkpoint: None })?;
//! assert_eq!((report.records, report.covered), (2, 2)); // the event, and `host.stopped`
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
pub mod attest;
mod call_record;
mod canonical;
mod checkpoint;
mod digest;
pub mod event;
pub mod evidence;
mod hexdigits;
mod index;
mod layout;
mod log;
mod merkle;
mod note;
pub mod proof;
pub mod provenance;
pub mod prune;
mod publish;
mod query;
mod reader;
mod record;
mod recover;
mod schema;
mod shared;
mod sink;
mod sources;
pub mod stats;
mod storage;
mod tail;
mod tail_file;
#[cfg(test)]
mod tests;
mod threads;
mod trace;
mod verify;
mod wait;
mod writer;

pub use checkpoint::Checkpoint;
pub use digest::log_key;
pub use event::Event;
pub use evidence::{Evidence, EvidenceError, EvidenceOptions};
pub use index::reindex;
pub use log::{AuditLog, DigestKey, Options};
pub use merkle::Hash;
pub use provenance::{Provenance, Selector};
pub use prune::{PruneError, Pruned};
pub use query::{Filter, Matches, Order, Page};
pub use reader::{AuditReader, Entry, QueryError};
pub use recover::OpenError;
pub use schema::record_schema;
pub use stats::Stats;
pub use tail::Tail;
pub use trace::Trace;
pub use verify::{SignatureState, VerifyError, VerifyOptions, VerifyReport, verify};
pub use writer::Durability;

/// What the errors of this crate carry.
pub mod fault {
    pub use crate::checkpoint::{CheckpointFault, Which};
    pub use crate::index::IndexFault;
    pub use crate::merkle::InvalidHash;
    pub use crate::note::NoteError;
    pub use crate::record::RecordFault;
}
