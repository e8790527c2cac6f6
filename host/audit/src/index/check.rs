//! Holds the query index against the log it is derived from.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};

use super::rows::{BundleRows, Combination, IdRange, Records, Role};
use super::{Positions, SCHEMA_VERSION, leaf_before, unkey};
use crate::archive::{self, Pieces};
use crate::layout::{Bundle, Layout};
use crate::merkle::Hash;
use crate::reader::QueryError;

/// What is wrong with an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexFault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It does not say of the bundle that begins with this record what the log says.
    #[error("it does not say of the bundle from record {0} on what the log says")]
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
    let first: Option<u64> = connection.query_row("SELECT min(bundle) FROM bundles", [], |row| row.get(0))?;
    let kept = archive::first_bundle(layout).map_err(damaged)?;
    let begins_at = first.unwrap_or(records / 256).min(pruned / 256).max(kept);
    let end = records.div_ceil(256);
    let tables = Tables { connection: &connection, names };
    let invented = "SELECT min(bundle) FROM
        (SELECT bundle FROM bundles UNION SELECT bundle FROM combinations UNION SELECT bundle FROM ids)
        WHERE bundle < ?1 OR bundle >= ?2";
    let invented: Option<u64> = connection.query_row(invented, [begins_at, end], |row| row.get(0))?;
    if let Some(bundle) = invented {
        return Err(IndexFault::Invents(bundle * 256));
    }
    let mut pieces = Pieces::new(layout);
    for index in begins_at..end {
        let mut bundle = pieces.read(index).map_err(damaged)?.into_bundle();
        // A live log may have more of the last one by now.
        bundle.entries.truncate(usize::try_from(records - index * 256).unwrap_or(usize::MAX));
        tables.check(index, &bundle)?;
    }
    Ok(Some(records.saturating_sub(begins_at * 256)))
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

/// The tables of an index, with the texts of its names.
struct Tables<'a> {
    connection: &'a Connection,
    names: HashMap<i64, String>,
}

impl Tables<'_> {
    /// Compares what the tables have of a bundle with what they should have.
    fn check(&self, index: u64, bundle: &Bundle) -> Result<(), IndexFault> {
        let records = Records::read(bundle, index * 256)?;
        let expected = BundleRows::of(&records);
        let differs = || IndexFault::Differs(index * 256);
        let mut statement = self
            .connection
            .prepare_cached("SELECT records, first, last, outputs FROM bundles WHERE bundle = ?1")?;
        let row: Option<(usize, u64, u64, Vec<u8>)> = statement
            .query_row([index], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let (count, first, last, outputs) = row.ok_or(IndexFault::Lacks(index * 256))?;
        let (length, times) = (bundle.entries.len(), expected.times);
        if (count, (first, last), &outputs) != (length, times, &expected.outputs) {
            return Err(differs());
        }
        let ids = self.ids(index)?;
        if ids != expected.ids {
            return Err(differs());
        }
        if self.has_combinations(index, &expected)? { Ok(()) } else { Err(differs()) }
    }

    fn ids(&self, index: u64) -> Result<Vec<IdRange>, IndexFault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT role, run, first, last FROM ids WHERE bundle = ?1 ORDER BY role, run, first",
        )?;
        let number = |row: &Row<'_>, column: usize| row.get::<_, i64>(column).map(unkey);
        let ids = statement.query_map([index], |row| {
            let role = match row.get(0)? {
                0 => Role::Own,
                1 => Role::Above,
                other => return Err(rusqlite::Error::IntegralValueOutOfRange(0, other)),
            };
            Ok(IdRange { role, run: number(row, 1)?, first: number(row, 2)?, last: number(row, 3)? })
        })?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Whether a bundle has the combinations that are expected, each once, and no others.
    fn has_combinations(&self, index: u64, expected: &BundleRows<'_>) -> Result<bool, IndexFault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, session, caller, authority, operation, outcome, source, records
             FROM combinations WHERE bundle = ?1",
        )?;
        let mut rows = statement.query([index])?;
        let mut missing = expected.combinations.clone();
        while let Some(row) = rows.next()? {
            let name = |column: usize| -> Result<Option<&str>, rusqlite::Error> {
                let id: Option<i64> = row.get(column)?;
                // An id without a name is no name of any record.
                Ok(id.map(|id| self.names.get(&id).map_or("", String::as_str)))
            };
            let source: Option<[u8; 32]> = row.get(6)?;
            let combination = Combination {
                kind: name(0)?.unwrap_or_default(),
                session: name(1)?,
                caller: name(2)?,
                authority: name(3)?,
                operation: name(4)?,
                outcome: name(5)?,
                source: source.map(Hash),
            };
            let positions = Positions::from_bytes(&row.get(7)?);
            if missing.remove(&combination) != Some(positions) {
                return Ok(false);
            }
        }
        Ok(missing.is_empty())
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
