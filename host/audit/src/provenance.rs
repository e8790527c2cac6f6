//! Who wrote what made this: from an operation, a source, a call or an output to the registration behind it.

mod calls;
mod diff;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call_record::{CODE_OK, CallHex, CallKind};
use crate::event::Event;
use crate::hexdigits;
use crate::index::{Question, Role};
use crate::merkle::Hash;
use crate::query::{Filter, Order};
use crate::reader::{AuditReader, Entry, QueryError};
use crate::record::Facets;
use crate::sources::Kept;

/// The most versions, and the most matching calls, of one answer.
const LISTED_MAX: usize = 1000;
/// Served calls that are shown in full.
const LAST_CALLS: usize = 20;
/// Composed calls followed upwards from a call.
const ANCESTORS_MAX: usize = 64;

/// What provenance is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Selector {
    /// A session operation by name.
    Operation {
        /// Its name.
        name: String,
        /// The session; without it, the one that registered the name last.
        #[serde(default)]
        session: Option<String>,
        /// The version; without it, the latest.
        #[serde(default)]
        version: Option<u64>,
    },
    /// The SHA-256 of a source.
    Source(Hash),
    /// A call, as 32 hexadecimal digits: of a session operation, made by one, or making one.
    Call(String),
    /// The keyed digest of an output.
    Output(Hash),
}

/// Everything recorded about one version of a session operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// The operation's name.
    pub operation: String,
    /// The session it belongs to.
    pub session: String,
    /// The identity that registered it.
    pub who: Option<String>,
    /// The registration: version, digests, grant, limits, examples.
    pub registration: Entry,
    /// The registrations of all versions, oldest first.
    pub versions: Vec<Entry>,
    /// The source it was made from.
    pub source: SourceText,
    /// How the session was opened, with its grant.
    pub opened: Option<Entry>,
    /// How the session ended.
    pub closed: Option<Entry>,
    /// The outcomes of the calls that the question named.
    pub matched: Vec<Entry>,
    /// How the latest version differs, where this one is not the latest.
    pub newer: Option<NewerVersion>,
    /// The calls it served.
    pub served: Served,
    /// The calls it served, by the identity behind them; those without one are left out.
    pub called_by: BTreeMap<String, u64>,
    /// The calls it served, by the operation that made them.
    pub called_from: BTreeMap<String, u64>,
    /// The calls it made that were admitted, by operation.
    pub made: BTreeMap<String, u64>,
    /// The calls it made that were refused, by operation.
    pub refused: BTreeMap<String, u64>,
}

/// A source as it is kept beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceText {
    /// Its SHA-256, from the registration.
    pub digest: Hash,
    /// The text, when what is kept has this digest.
    pub text: Option<String>,
    /// Whether what is kept has this digest.
    pub state: SourceState,
}

/// A later version of the same operation in the same session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewerVersion {
    /// Its version.
    pub version: u64,
    /// The index of its registration.
    pub record: u64,
    /// The SHA-256 of its source.
    pub source: Hash,
    /// Members of the registration, other than the source and the version, that are not the same.
    pub changed: Vec<String>,
    /// How its source differs, as a unified diff; absent when a source is not kept or longer than 256 KiB.
    pub diff: Option<String>,
}

/// What became of a kept source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// It is what was registered.
    Intact,
    /// It is not there.
    Missing,
    /// It is something else.
    Changed,
}

/// The calls an operation served.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Served {
    /// How many ended.
    pub finished: u64,
    /// How many ended with which code; `OK` for success.
    pub outcomes: BTreeMap<String, u64>,
    /// The outcomes of the last 20, latest first.
    pub last: Vec<Entry>,
}

/// One version of a session operation.
#[derive(Debug)]
struct Version {
    session: String,
    operation: String,
    source: Hash,
}

/// The calls of one version: those it served, and those it made, by operation.
#[derive(Debug, Default)]
struct Calls {
    served: Served,
    called_by: BTreeMap<String, u64>,
    called_from: BTreeMap<String, u64>,
    made: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
}

impl AuditReader {
    /// The provenance of what the selector names; `None` when no session operation is behind it.
    ///
    /// # Errors
    /// [`QueryError`] when the log or its index cannot be read.
    pub fn provenance(&self, selector: &Selector) -> Result<Option<Provenance>, QueryError> {
        let Some((version, calls)) = self.select(selector)? else {
            return Ok(None);
        };
        let wanted = match selector {
            Selector::Operation { version, .. } => *version,
            Selector::Source(_) | Selector::Call(_) | Selector::Output(_) => None,
        };
        self.assemble(&version, wanted, calls)
    }

    /// The session operation that the selector leads to, and the outcomes of the calls it matched.
    fn select(&self, selector: &Selector) -> Result<Option<(Version, Vec<u64>)>, QueryError> {
        let behind =
            |call: [u8; 16], calls: Vec<u64>| Ok(self.version_behind(call)?.map(|version| (version, calls)));
        match selector {
            Selector::Operation { name, session, .. } => {
                let filter =
                    Filter { operation: Some(name.clone()), session: session.clone(), ..registered() };
                let version = self.last_registered(Question { filter, ..Question::default() })?;
                Ok(version.map(|version| (version, Vec::new())))
            }
            Selector::Source(source) => {
                let question =
                    Question { filter: registered(), source: Some(*source), ..Question::default() };
                Ok(self.last_registered(question)?.map(|version| (version, Vec::new())))
            }
            Selector::Call(call) => {
                let Some(id) = hexdigits::decode::<16>(call.as_bytes()) else {
                    return Ok(None);
                };
                let filter = Filter { call: Some(call.clone()), ..finished() };
                behind(id, self.indexes(&Question { filter, ..Question::default() }, LISTED_MAX)?)
            }
            Selector::Output(output) => {
                let question = Question { filter: finished(), output: Some(*output), ..Question::default() };
                let calls = self.indexes(&question, LISTED_MAX)?;
                let Some(call) = self.most_telling(&question)? else { return Ok(None) };
                behind(call, calls)
            }
        }
    }

    /// The last call that the question finds; one of a session operation says more than the calls around it.
    fn most_telling(&self, question: &Question) -> Result<Option<[u8; 16]>, QueryError> {
        let index = self.caught_up()?;
        let mut best: Option<(bool, [u8; 16])> = None;
        index.get()?.each_record(self.layout(), question, |_, facets| {
            let of_operation = facets.source.is_some();
            if let Some(CallHex(call)) = facets.call {
                best = best.filter(|(better, _)| *better && !of_operation).or(Some((of_operation, call)));
            }
        })?;
        Ok(best.map(|(_, call)| call))
    }

    /// The version registered last among those that the question finds.
    fn last_registered(&self, question: Question) -> Result<Option<Version>, QueryError> {
        let question = Question { order: Order::NewestFirst, ..question };
        let entries = self.entries(self.indexes(&question, 1)?)?;
        Ok(entries.first().and_then(Version::of))
    }

    /// The session operation behind a call: the call's own, else the one that composed it, else one it called.
    fn version_behind(&self, call: [u8; 16]) -> Result<Option<Version>, QueryError> {
        let index = self.caught_up()?;
        let index = index.get()?;
        let mut parent = Some(call);
        for _ in 0..ANCESTORS_MAX {
            let Some(id) = parent.take() else { break };
            let mut own = None;
            index.mentioning(self.layout(), Role::Own, id, |_, facets| {
                if facets.call == Some(CallHex(id)) {
                    own = own.take().or_else(|| facets.root.and(Version::in_facets(facets)));
                    parent = parent.or(facets.parent.map(|parent| parent.0));
                }
                ControlFlow::Continue(())
            })?;
            if own.is_some() {
                return Ok(own);
            }
        }
        let mut called = None;
        index.mentioning(self.layout(), Role::Above, call, |_, facets| {
            if facets.parent == Some(CallHex(call)) {
                called = Version::in_facets(facets);
            }
            if called.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(called)
    }

    fn assemble(
        &self,
        version: &Version,
        wanted: Option<u64>,
        calls: Vec<u64>,
    ) -> Result<Option<Provenance>, QueryError> {
        let Version { session, operation, source } = version;
        let in_session = |filter: Filter| Filter { session: Some(session.clone()), ..filter };
        let filter = in_session(Filter { operation: Some(operation.clone()), ..registered() });
        let versions =
            self.entries(self.indexes(&Question { filter, ..Question::default() }, LISTED_MAX)?)?;
        let matches = |entry: &&Entry| match wanted {
            Some(wanted) => entry.record.get("version").and_then(Value::as_u64) == Some(wanted),
            None => text(entry, "source") == Some(source.to_string()),
        };
        let Some(registration) = versions.iter().rev().find(matches).cloned() else {
            return Ok(None);
        };
        let Some(digest) = text(&registration, "source").and_then(|digest| digest.parse().ok()) else {
            return Ok(None);
        };
        let session_event = |kind: &str| {
            let filter = in_session(Filter { kind: Some(kind.to_owned()), ..Filter::default() });
            let question = Question { filter, order: Order::NewestFirst, ..Question::default() };
            Ok::<_, QueryError>(self.entries(self.indexes(&question, 1)?)?.pop())
        };
        let chosen = Version { session: session.clone(), operation: operation.clone(), source: digest };
        let Calls { served, called_by, called_from, made, refused } = self.calls_of(&chosen)?;
        let source = self.source_text(digest)?;
        let newer = match versions.last() {
            Some(latest) if latest.index > registration.index => {
                self.newer(&registration, &source, latest)?
            }
            Some(_) | None => None,
        };
        Ok(Some(Provenance {
            operation: operation.clone(),
            session: session.clone(),
            who: text(&registration, "caller"),
            source,
            newer,
            opened: session_event("session.opened")?,
            closed: session_event("session.closed")?,
            matched: self.entries(calls)?,
            registration,
            versions,
            served,
            called_by,
            called_from,
            made,
            refused,
        }))
    }

    /// What the latest version changed.
    fn newer(
        &self,
        chosen: &Entry,
        source: &SourceText,
        latest: &Entry,
    ) -> Result<Option<NewerVersion>, QueryError> {
        let Some(digest) = text(latest, "source").and_then(|digest| digest.parse().ok()) else {
            return Ok(None);
        };
        let texts = (source.text.as_deref(), self.source(&digest)?);
        let diff = match &texts {
            (Some(old), Some(new)) => diff::unified(old, new),
            _ => None,
        };
        let version = latest.record.get("version").and_then(Value::as_u64).unwrap_or_default();
        let changed = diff::changed_members(&chosen.record, &latest.record);
        Ok(Some(NewerVersion { version, record: latest.index, source: digest, changed, diff }))
    }

    fn source_text(&self, digest: Hash) -> Result<SourceText, QueryError> {
        let (text, state) = match self.kept(&digest)? {
            Kept::Text(text) => (Some(text), SourceState::Intact),
            Kept::Missing => (None, SourceState::Missing),
            Kept::Changed => (None, SourceState::Changed),
        };
        Ok(SourceText { digest, text, state })
    }

    /// The calls a version served, and those it made: admitted and refused, by operation.
    fn calls_of(&self, version: &Version) -> Result<Calls, QueryError> {
        let Version { session, operation, source } = version;
        let in_session = Filter { session: Some(session.clone()), ..Filter::default() };
        let mut walk = calls::Walk::new(version);
        {
            let index = self.caught_up()?;
            let index = index.get()?;
            let question = Question { filter: in_session.clone(), ..Question::default() };
            // What a call makes is of the same session, and recorded after it.
            index.each_record(self.layout(), &question, |_, facets| walk.note(facets))?;
            let mut bundles = BTreeSet::new();
            for caller in walk.unknown_callers() {
                bundles.append(&mut index.bundles_with(Role::Own, caller)?);
            }
            index.in_bundles(self.layout(), &bundles, |_, facets| {
                walk.note_caller(facets);
                ControlFlow::Continue(())
            })?;
        }
        let filter = Filter { operation: Some(operation.clone()), ..finished() };
        let question = Question {
            filter: Filter { session: in_session.session, ..filter },
            source: Some(*source),
            order: Order::NewestFirst,
            ..Question::default()
        };
        let last = self.entries(self.indexes(&question, LAST_CALLS)?)?;
        Ok(walk.end(last))
    }
}

impl Provenance {
    /// How many of the calls it served succeeded.
    #[must_use]
    pub fn succeeded(&self) -> u64 {
        self.served.outcomes.get(CODE_OK).copied().unwrap_or_default()
    }
}

impl Version {
    fn of(entry: &Entry) -> Option<Self> {
        let source = text(entry, "source")?.parse().ok()?;
        Some(Self { session: text(entry, "session")?, operation: text(entry, "operation")?, source })
    }

    fn in_facets(facets: &Facets<'_>) -> Option<Self> {
        let (session, operation) = (facets.session?.to_owned(), facets.operation?.to_owned());
        Some(Self { session, operation, source: facets.source? })
    }
}

/// The registrations of operations.
fn registered() -> Filter {
    Filter { kind: Some(Event::REGISTERED.to_owned()), ..Filter::default() }
}

/// The outcomes of calls.
fn finished() -> Filter {
    Filter { kind: Some(CallKind::Finished.as_str().to_owned()), ..Filter::default() }
}

fn text(entry: &Entry, member: &str) -> Option<String> {
    entry.record.get(member)?.as_str().map(str::to_owned)
}
