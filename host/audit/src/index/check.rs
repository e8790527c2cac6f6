//! Holds the query index against the log it is derived from.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

use super::{SCHEMA_VERSION, leaf_before};
use crate::archive;
use crate::layout::{Bundle, Layout};
use crate::merkle::Hash;
use crate::reader::QueryError;
use crate::record::{Facets, Record};

/// What is wrong with an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexFault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It does not say of a record what the log says.
    #[error("it does not say of record {0} what the log says")]
    Differs(u64),
    /// It lacks a record.
    #[error("it lacks record {0}")]
    Lacks(u64),
    /// It has a record that the log does not have there.
    #[error("it has a record {0}, which the log does not have there")]
    Invents(u64),
}

/// Compares every row with its record; answers how many records the index has, `None` when there is none. Records
/// before `pruned` may be gone from the index before they are gone from the log.
pub(crate) fn check(layout: &Layout, pruned: u64) -> Result<Option<u64>, IndexFault> {
    let path = layout.index();
    // A new file is an index that nobody has asked anything yet.
    if path.metadata().map_or(0, |metadata| metadata.len()) == 0 {
        return Ok(None);
    }
    let connection = open(&path)?;
    // One transaction: a host may go on filling the tables.
    connection.execute_batch("BEGIN")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        // Of another version of this program, which will be rebuilt.
        return Ok(None);
    }
    let (records, leaf): (u64, [u8; 32]) =
        connection
            .query_row("SELECT records, leaf FROM position", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if leaf_before(layout, records)? != Some(Hash(leaf)) {
        return Err(IndexFault::Differs(records.saturating_sub(1)));
    }
    let names = names(&connection)?;
    let first: Option<u64> = connection.query_row("SELECT min(idx) FROM records", [], |row| row.get(0))?;
    let begins_at = if first.unwrap_or(records) < pruned { 0 } else { pruned };
    let mut log = Entries::new(layout, begins_at)?;
    let mut statement = connection.prepare(
        "SELECT idx, time, kind, call, parent, root, session, caller, authority, operation, outcome, source, output
         FROM records ORDER BY idx",
    )?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let index: u64 = row.get(0)?;
        if index < log.next || index >= records {
            return Err(IndexFault::Invents(index));
        }
        if index > log.next {
            return Err(IndexFault::Lacks(log.next));
        }
        let agrees = log.with_next(|facets| agrees(row, facets, &names))?.unwrap_or(Ok(false))?;
        if !agrees {
            return Err(IndexFault::Differs(index));
        }
        count += 1;
    }
    if log.next < records { Err(IndexFault::Lacks(log.next)) } else { Ok(Some(count)) }
}

/// Opens the tables for reading only, also in a folder that cannot be written.
fn open(path: &Path) -> Result<Connection, IndexFault> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).metadata().is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?);
    }
    let escaped = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Ok(Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?)
}

fn names(connection: &Connection) -> Result<HashMap<i64, String>, IndexFault> {
    let mut statement = connection.prepare("SELECT id, text FROM names")?;
    let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn agrees(row: &Row<'_>, facets: &Facets<'_>, names: &HashMap<i64, String>) -> Result<bool, IndexFault> {
    let name = |column: usize| -> Result<Option<&str>, rusqlite::Error> {
        let id: Option<i64> = row.get(column)?;
        // An id without a name is no name of any record.
        Ok(id.map(|id| names.get(&id).map_or("", String::as_str)))
    };
    let id = |column: usize| row.get::<_, Option<[u8; 16]>>(column);
    let hash = |column: usize| row.get::<_, Option<[u8; 32]>>(column);
    Ok(row.get::<_, u64>(1)? == facets.time
        && name(2)? == Some(facets.kind)
        && id(3)? == facets.call.map(|call| call.0)
        && id(4)? == facets.parent.map(|call| call.0)
        && id(5)? == facets.root.map(|call| call.0)
        && name(6)? == facets.session
        && name(7)? == facets.caller
        && name(8)? == facets.authority
        && name(9)? == facets.operation
        && name(10)? == facets.outcome
        && hash(11)? == facets.source.map(|hash| hash.0)
        && hash(12)? == facets.output.map(|hash| hash.0))
}

/// The log's records, one after the other.
struct Entries<'a> {
    layout: &'a Layout,
    next: u64,
    bundle: Bundle,
    scratch: Vec<u8>,
}

impl<'a> Entries<'a> {
    /// Begins at a record, or at the first that is kept.
    fn new(layout: &'a Layout, at: u64) -> Result<Self, IndexFault> {
        let next = (archive::first_bundle(layout).map_err(damaged)? * 256).max(at);
        Ok(Self { layout, next, bundle: Bundle::default(), scratch: Vec::new() })
    }

    /// Looks at the next record; `None` at the end of the log.
    fn with_next<T>(&mut self, look: impl FnOnce(&Facets<'_>) -> T) -> Result<Option<T>, IndexFault> {
        let place = usize::try_from(self.next % 256).unwrap_or_default();
        if place == 0 || self.bundle.record(place).is_none() {
            let piece = archive::read_piece(self.layout, self.next / 256).map_err(damaged)?;
            self.bundle = piece.into_bundle();
        }
        let Some(bytes) = self.bundle.record(place) else { return Ok(None) };
        let record = Record::parse(bytes, &mut self.scratch).map_err(damaged)?;
        self.next += 1;
        Ok(Some(look(&record.facets())))
    }
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> IndexFault {
    IndexFault::Damaged(Box::new(error))
}

impl From<rusqlite::Error> for IndexFault {
    fn from(error: rusqlite::Error) -> Self {
        damaged(error)
    }
}

impl From<QueryError> for IndexFault {
    fn from(error: QueryError) -> Self {
        damaged(error)
    }
}
