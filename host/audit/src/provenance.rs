//! Who wrote what made this: from an operation, a source, a call or an output to the registration behind it.

mod diff;

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Params, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call_record::CODE_OK;
use crate::hexdigits;
use crate::merkle::Hash;
use crate::reader::{AuditReader, Entry, QueryError};
use crate::sources::Kept;

/// The most versions, and the most matching calls, of one answer.
const LISTED_MAX: u32 = 1000;
/// Served calls that are shown in full.
const LAST_CALLS: u32 = 20;
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

/// An operation version in the index.
struct Version {
    session: String,
    operation: String,
    source: Hash,
}

/// The calls of one version: those it served, and those it made, by operation.
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
        let index = self.caught_up()?;
        let db = index.connection()?;
        match selector {
            Selector::Operation { name, session, .. } => {
                let named = "r.operation = (SELECT id FROM names WHERE text = ?1)
                     AND (?2 IS NULL OR r.session = (SELECT id FROM names WHERE text = ?2))";
                let version = last_registered(db, named, params![name, session])?;
                Ok(version.map(|version| (version, Vec::new())))
            }
            Selector::Source(source) => {
                let version = last_registered(db, "r.source = ?1", params![source.0])?;
                Ok(version.map(|version| (version, Vec::new())))
            }
            Selector::Call(call) => {
                let Some(id) = hexdigits::decode::<16>(call.as_bytes()) else {
                    return Ok(None);
                };
                let calls = indexes(db, &format!("kind = {KIND_FINISHED} AND call = ?1"), params![id])?;
                Ok(version_behind(db, id)?.map(|version| (version, calls)))
            }
            Selector::Output(output) => {
                let condition = format!("kind = {KIND_FINISHED} AND output = ?1");
                let calls = indexes(db, &condition, params![output.0])?;
                // The call of the session operation itself says more than the calls around it.
                let first: Option<[u8; 16]> = db
                    .prepare_cached(&format!(
                        "SELECT call FROM records WHERE {condition} ORDER BY source IS NULL, idx DESC LIMIT 1"
                    ))?
                    .query_row([output.0], |row| row.get(0))
                    .optional()?;
                let Some(first) = first else { return Ok(None) };
                Ok(version_behind(db, first)?.map(|version| (version, calls)))
            }
        }
    }

    fn assemble(
        &self,
        version: &Version,
        wanted: Option<u64>,
        calls: Vec<u64>,
    ) -> Result<Option<Provenance>, QueryError> {
        let Version { session, operation, source } = version;
        let list = |condition: &str| {
            let index = self.caught_up()?;
            indexes(index.connection()?, condition, params![session, operation])
        };
        let in_session = format!("session = {}", name_at(1));
        let versions = self.entries(list(&format!(
            "kind = {KIND_REGISTERED} AND {in_session} AND operation = {}",
            name_at(2)
        ))?)?;
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
            let condition = format!(
                "kind = (SELECT id FROM names WHERE text = '{kind}') AND {in_session} AND ?2 IS NOT NULL"
            );
            Ok::<_, QueryError>(self.entries(list(&condition)?)?.into_iter().next_back())
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
        let index = self.caught_up()?;
        let db = index.connection()?;
        let of_version = format!("session = {} AND operation = {} AND source = ?3", name_at(1), name_at(2));
        let values = params![version.session, version.operation, version.source.0];
        let outcomes = count_by(
            db,
            &format!(
                "SELECT n.text, count(*) FROM records r JOIN names n ON n.id = r.outcome
                 WHERE r.kind = {KIND_FINISHED} AND {of_version} GROUP BY n.text"
            ),
            values,
        )?;
        let called_by = count_by(
            db,
            &format!(
                "SELECT n.text, count(*) FROM records r JOIN names n ON n.id = r.caller
                 WHERE r.kind = {KIND_ADMITTED} AND {of_version} GROUP BY n.text"
            ),
            values,
        )?;
        let called_from = count_by(
            db,
            &format!(
                "SELECT n.text, count(*) FROM records r
                 JOIN records p ON p.call = r.parent AND p.kind = {KIND_ADMITTED}
                 JOIN names n ON n.id = p.operation
                 WHERE r.kind = {KIND_ADMITTED} AND r.session = {} AND r.operation = {} AND r.source = ?3
                 GROUP BY n.text",
                name_at(1),
                name_at(2)
            ),
            values,
        )?;
        let by_operation = |kind: &str| {
            format!(
                "SELECT n.text, count(*) FROM records c JOIN names n ON n.id = c.operation
                 WHERE c.kind = {kind} AND c.parent IN
                     (SELECT call FROM records WHERE kind = {KIND_ADMITTED} AND {of_version})
                 GROUP BY n.text"
            )
        };
        let made = count_by(db, &by_operation(KIND_ADMITTED), values)?;
        let refused = count_by(db, &by_operation(KIND_REFUSED), values)?;
        let mut statement = db.prepare_cached(&format!(
            "SELECT idx FROM records WHERE kind = {KIND_FINISHED} AND {of_version}
             ORDER BY idx DESC LIMIT {LAST_CALLS}"
        ))?;
        let last = statement.query_map(values, |row| row.get::<_, u64>(0))?.collect::<Result<Vec<_>, _>>()?;
        let served = Served { finished: outcomes.values().sum(), outcomes, last: self.entries(last)? };
        Ok(Calls { served, called_by, called_from, made, refused })
    }
}

impl Provenance {
    /// How many of the calls it served succeeded.
    #[must_use]
    pub fn succeeded(&self) -> u64 {
        self.served.outcomes.get(CODE_OK).copied().unwrap_or_default()
    }
}

/// The session operation behind a call: the call's own, else the one that composed it, else one it called.
fn version_behind(db: &Connection, call: [u8; 16]) -> Result<Option<Version>, QueryError> {
    let own = "r.call = ?1 AND r.source IS NOT NULL AND r.root IS NOT NULL LIMIT 1";
    let mut parent = Some(call);
    for _ in 0..ANCESTORS_MAX {
        let Some(id) = parent else { break };
        if let Some(version) = find_version(db, own, params![id])? {
            return Ok(Some(version));
        }
        parent = db
            .prepare_cached("SELECT parent FROM records WHERE call = ?1 AND parent IS NOT NULL LIMIT 1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
    }
    find_version(db, "r.parent = ?1 AND r.source IS NOT NULL ORDER BY idx LIMIT 1", params![call])
}

/// The version registered last among those that match.
fn last_registered(
    db: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Option<Version>, QueryError> {
    let last = format!("r.kind = {KIND_REGISTERED} AND {condition} ORDER BY idx DESC LIMIT 1");
    find_version(db, &last, values)
}

fn find_version(
    db: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Option<Version>, QueryError> {
    let sql = format!(
        "SELECT s.text, o.text, r.source FROM records r
         JOIN names s ON s.id = r.session JOIN names o ON o.id = r.operation WHERE {condition}"
    );
    let version = db.prepare_cached(&sql)?.query_row(values, |row| {
        Ok(Version { session: row.get(0)?, operation: row.get(1)?, source: Hash(row.get(2)?) })
    });
    Ok(version.optional()?)
}

fn indexes(db: &Connection, condition: &str, values: impl Params) -> Result<Vec<u64>, QueryError> {
    let sql = format!("SELECT idx FROM records WHERE {condition} ORDER BY idx LIMIT {LISTED_MAX}");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn count_by(db: &Connection, sql: &str, values: impl Params) -> Result<BTreeMap<String, u64>, QueryError> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The id of the name in a parameter.
fn name_at(parameter: u8) -> String {
    format!("(SELECT id FROM names WHERE text = ?{parameter})")
}

fn text(entry: &Entry, member: &str) -> Option<String> {
    entry.record.get(member)?.as_str().map(str::to_owned)
}

const KIND_ADMITTED: &str = "(SELECT id FROM names WHERE text = 'call.admitted')";
const KIND_REFUSED: &str = "(SELECT id FROM names WHERE text = 'call.refused')";
const KIND_FINISHED: &str = "(SELECT id FROM names WHERE text = 'call.finished')";
const KIND_REGISTERED: &str = "(SELECT id FROM names WHERE text = 'operation.registered')";
