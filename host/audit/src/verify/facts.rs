//! What records must say about each other.

use std::collections::{BTreeMap, HashSet};

use super::VerifyError;
use crate::call_record::{CallHex, CallKind, CallRecord};
use crate::event::Event;
use crate::merkle::Hash;
use crate::record::Record;

/// What the records so far have said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) admitted: u64,
    pub(super) refused: u64,
    pub(super) finished: u64,
    pub(super) times: Option<(u64, u64)>,
    /// Registered sources, each with the first record that names it.
    pub(super) sources: BTreeMap<Hash, u64>,
    /// The index below which records may be pruned, as the log itself says.
    pub(super) pruned: u64,
    /// Whether records at the beginning are not known.
    pub(super) blind: bool,
    running: HashSet<CallHex>,
    /// Calls that were running when the host was killed or stopped.
    lost: u64,
    sessions: HashSet<String>,
}

impl Facts {
    /// Adds a record.
    pub(super) fn note(&mut self, index: u64, record: &Record<'_>) -> Result<(), VerifyError> {
        let time = match record {
            Record::Call(call) => call.time,
            Record::Event(..) => record.facets().time,
        };
        let (first, last) = self.times.unwrap_or((time, time));
        if time < last {
            return Err(VerifyError::TimeWentBack { index });
        }
        self.times = Some((first, time));
        match record {
            Record::Call(call) => self.note_call(index, call),
            Record::Event(event, _) => self.note_event(index, event),
        }
    }

    /// Adds what a record that the checkpoint covers says of pruned records.
    pub(super) fn note_pruning(&mut self, record: &Record<'_>) {
        if let Record::Event(Event::AuditPruned(pruned), _) = record {
            self.pruned = self.pruned.max(pruned.first_kept);
        }
    }

    /// Admitted calls whose end was not recorded.
    pub(super) fn unfinished(&self) -> u64 {
        self.lost + super::count(self.running.len())
    }

    fn note_call(&mut self, index: u64, call: &CallRecord<'_>) -> Result<(), VerifyError> {
        match call.kind {
            CallKind::Admitted => {
                self.admitted += 1;
                let new = self.running.insert(call.call);
                if new { Ok(()) } else { Err(VerifyError::AdmittedTwice { index }) }
            }
            CallKind::Refused => {
                self.refused += 1;
                Ok(())
            }
            CallKind::Finished => {
                self.finished += 1;
                let ran = self.running.remove(&call.call) || self.blind;
                if ran { Ok(()) } else { Err(VerifyError::NotAdmitted { index }) }
            }
        }
    }

    fn note_event(&mut self, index: u64, event: &Event) -> Result<(), VerifyError> {
        let session = match event {
            Event::SessionOpened(opened) => {
                self.sessions.insert(opened.session.clone());
                return Ok(());
            }
            Event::HostStopped(_) | Event::HostRecovered(_) => {
                self.lost += super::count(self.running.len());
                self.running.clear();
                return Ok(());
            }
            Event::OperationRegistered(registered) => {
                self.sources.entry(registered.source).or_insert(index);
                &registered.session
            }
            Event::OperationRemoved(removed) => &removed.session,
            Event::SessionClosed(closed) => &closed.session,
            Event::HostStarted(_)
            | Event::AuditPruned(_)
            | Event::ConfigLoaded(_)
            | Event::IdentityChanged(_)
            | Event::KeyChanged(_)
            | Event::CredentialChanged(_)
            | Event::SecretScrubbed(_)
            | Event::CredentialLoaded(_)
            | Event::PeerAttached(_)
            | Event::PeerDetached(_) => return Ok(()),
        };
        if self.blind || self.sessions.contains(session) {
            Ok(())
        } else {
            Err(VerifyError::UnknownSession { index })
        }
    }
}
