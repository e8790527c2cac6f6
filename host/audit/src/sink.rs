//! The records of calls, as the dispatcher hands them over.

use alknet_call::{
    Answered, AuditSink, AuditUnavailable, CallFacts, CallId, Decision, Due, Outcome, PeerChange, Recorded,
};
use alknet_core::IdentityId;

use crate::call_record::{CODE_OK, CallHex, CallKind, CallRecord, Text, VERSION};
use crate::canonical::INTEGER_MAX;
use crate::event::{Event, PeerAttached, PeerDetached};
use crate::log::AuditLog;
use crate::shared::Appended;

impl AuditSink for AuditLog {
    fn decided(&self, call: &CallFacts<'_>, decision: &Decision<'_>) -> Recorded {
        let record = match decision {
            Decision::Admitted { input } => {
                CallRecord { input: Some(self.digest(input)), ..facts(call, CallKind::Admitted) }
            }
            Decision::Refused { reason, code } => CallRecord {
                reason: Some(Text::from(*reason)),
                code: Some(Text::from(code.as_str())),
                ..facts(call, CallKind::Refused)
            },
        };
        self.record(call.due, record)
    }

    fn finished(&self, call: &CallFacts<'_>, outcome: &Outcome<'_>) -> Recorded {
        let micros = u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX).min(INTEGER_MAX);
        let (code, output, items) = match outcome.result {
            Ok(Answered::Value(output)) => (CODE_OK, Some(self.digest(output)), None),
            Ok(Answered::Items(items)) => (CODE_OK, None, Some(items.min(INTEGER_MAX))),
            Err(code) => (code.as_str(), None, None),
        };
        let (code, micros, facts) = (Some(Text::from(code)), Some(micros), facts(call, CallKind::Finished));
        self.record(call.due, CallRecord { code, micros, output, items, ..facts })
    }

    fn peer_changed(&self, peer: &IdentityId, change: &PeerChange<'_>) -> Recorded {
        let mut events = peer_events(peer, change);
        recorded_as(events.try_fold(Appended::Written, |_, event| self.append_event(&event)))
    }

    fn flush(&self, through: u64) -> Result<(), AuditUnavailable> {
        self.shared().flush(through)
    }
}

/// The records of a change: as many as it takes, since a record has an end.
fn peer_events<'a>(peer: &'a IdentityId, change: &PeerChange<'a>) -> impl Iterator<Item = Event> {
    let (names, replaces): (&[&str], bool) = match change {
        PeerChange::Offered(names) => (names, false),
        PeerChange::Replaced(names) => (names, true),
        PeerChange::Left => (&[], false),
    };
    let peer = peer.as_str();
    let left = matches!(change, PeerChange::Left);
    let detached = left.then(|| Event::PeerDetached(PeerDetached { peer: peer.to_owned() }));
    let chunks = if left { 0 } else { names.len().div_ceil(NAMES_MAX).max(1) };
    let attached = (0..chunks).map(move |chunk| {
        let operations = names.iter().skip(chunk * NAMES_MAX).take(NAMES_MAX).map(|name| (*name).to_owned());
        let (peer, operations) = (peer.to_owned(), operations.collect());
        Event::PeerAttached(PeerAttached { peer, operations, replaces: replaces && chunk == 0 })
    });
    detached.into_iter().chain(attached)
}

/// Names of at most 256 bytes in one record of at most 65,535.
const NAMES_MAX: usize = 64;

pub(crate) fn recorded_as(appended: Result<Appended, AuditUnavailable>) -> Recorded {
    match appended {
        Ok(Appended::Written) => Recorded::Done,
        Ok(Appended::Gathered { through }) => Recorded::Gathered { through },
        Ok(Appended::Committing(ticket)) => {
            Recorded::Pending(Box::pin(async { ticket.await.unwrap_or(Err(AuditUnavailable)) }))
        }
        Err(error) => Recorded::Failed(error),
    }
}

impl AuditLog {
    fn record(&self, due: Due, mut record: CallRecord<'_>) -> Recorded {
        let appended = self.shared().append(due, |time, out| {
            record.time = time;
            record.write(out);
        });
        recorded_as(appended)
    }
}

fn facts<'a>(call: &CallFacts<'a>, kind: CallKind) -> CallRecord<'a> {
    // Mostly one of the ids is another one again.
    let id = hex(call.id);
    let root = if call.root == call.id { id } else { hex(call.root) };
    let parent = call.parent.map(|parent| if parent == call.root { root } else { hex(parent) });
    CallRecord {
        authority: call.authority.map(|authority| Text::from(authority.as_str())),
        call: id,
        caller: call.caller.map(|caller| Text::from(caller.as_str())),
        code: None,
        input: None,
        items: None,
        kind,
        layer: call.layer.map(|layer| Text::from(layer.as_str())),
        micros: None,
        operation: Text::from(call.operation),
        output: None,
        parent,
        peer: call.peer.map(|peer| Text::from(peer.as_str())),
        provenance: call.provenance.map(|provenance| Text::from(provenance.as_str())),
        reason: None,
        root,
        session: call.session.map(|session| Text::from(&**session)),
        // A digest that is none is left out rather than recorded wrong.
        source: call.source_digest.and_then(|digest| digest.parse().ok()),
        time: 0,
        v: VERSION,
    }
}

fn hex(id: CallId) -> CallHex {
    CallHex(id.to_bytes())
}
