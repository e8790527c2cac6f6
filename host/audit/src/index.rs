//! The query index: SQLite tables derived from the log, which can be thrown away at any time.
//!
//! They say which bundles, and which records in them, have which names; which bundles mention which calls; and what
//! time it was. A question looks into the bundles for everything else, so that the tables are small and cost little to
//! fill.

mod check;
mod find;
mod positions;
mod rows;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::archive::{self, Pieces};
use crate::layout::{Bundle, Layout, TileFile};
use crate::log;
use crate::merkle::Hash;
use crate::reader::QueryError;
use crate::recover::{OpenError, at, parse_tile};

use rows::{BundleRows, Combination, IdRange};

pub use check::IndexFault;
pub(crate) use check::check;
pub(crate) use find::{NameIds, Question};
pub(crate) use positions::Positions;
pub(crate) use rows::{Records, Role};

/// The version of the tables; a file with another one is rebuilt.
const SCHEMA_VERSION: i64 = 2;
/// Bundles read in one transaction.
const BUNDLES_PER_COMMIT: usize = 64;
/// Names remembered between records.
const NAMES_MAX: usize = 8192;

const SCHEMA: &str = "
    CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE position (records INTEGER NOT NULL, leaf BLOB NOT NULL);
    CREATE TABLE bundles (
        bundle INTEGER PRIMARY KEY, records INTEGER NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, outputs BLOB NOT NULL
    );
    CREATE TABLE combinations (
        bundle INTEGER NOT NULL, kind INTEGER NOT NULL, session INTEGER, caller INTEGER, authority INTEGER,
        operation INTEGER, outcome INTEGER, source BLOB, records BLOB NOT NULL
    );
    CREATE TABLE ids (
        role INTEGER NOT NULL, run INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL,
        bundle INTEGER NOT NULL, PRIMARY KEY (role, run, last, first, bundle)
    ) WITHOUT ROWID;
    CREATE INDEX ids_by_bundle ON ids (bundle);
    CREATE INDEX by_bundle ON combinations (bundle);
    CREATE INDEX by_session ON combinations (session, bundle) WHERE session IS NOT NULL;
    CREATE INDEX by_operation ON combinations (operation, bundle) WHERE operation IS NOT NULL;
    CREATE INDEX by_source ON combinations (source, bundle) WHERE source IS NOT NULL;
";

/// Makes the query index of the log in a directory anew; answers how many records it has. No host may run on it.
///
/// # Errors
/// [`OpenError`] when the log is in use or cannot be read.
pub fn reindex(dir: &Path) -> Result<u64, OpenError> {
    let layout = Layout::new(dir);
    let path = layout.checkpoint();
    path.metadata().map_err(at(&path))?;
    let _lock = log::lock(&layout)?;
    let place = Place::File(layout.index());
    place.remove();
    let build = || {
        let mut index = Index::open(&place, &layout)?;
        index.catch_up(&layout)?;
        Ok::<_, QueryError>(index.records())
    };
    build().map_err(OpenError::Index)
}

/// Where the tables are.
#[derive(Debug)]
pub(crate) enum Place {
    Memory,
    File(PathBuf),
}

impl Place {
    /// Throws the tables away.
    pub(crate) fn remove(&self) {
        let Self::File(path) = self else { return };
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            // What stays is found by the next open.
            fs::remove_file(name).ok();
        }
    }
}

/// The tables, and how far into the log they reach.
#[derive(Debug)]
pub(crate) struct Index {
    connection: Connection,
    names: HashMap<String, i64>,
    records: u64,
}

impl Index {
    /// Opens the tables, starting anew when they are missing, damaged or of another log.
    pub(crate) fn open(place: &Place, layout: &Layout) -> Result<Self, QueryError> {
        let Place::File(path) = place else {
            return Self::create(Connection::open_in_memory()?, layout);
        };
        match Self::open_file(path, layout) {
            Ok(Some(index)) => Ok(index),
            Ok(None) | Err(QueryError::Index { .. }) => {
                place.remove();
                Self::create(connect(path)?, layout)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the records before `end`, which begins a bundle, out of the tables.
    pub(crate) fn forget_before(&mut self, end: u64) -> Result<(), QueryError> {
        self.names.clear();
        let transaction = self.connection.transaction()?;
        for table in ["bundles", "combinations", "ids"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE bundle < ?1"), [end / 256])?;
        }
        let used = ["kind", "session", "caller", "authority", "operation", "outcome"]
            .map(|column| format!("SELECT {column} FROM combinations WHERE {column} IS NOT NULL"));
        transaction.execute(&format!("DELETE FROM names WHERE id NOT IN ({})", used.join(" UNION ")), [])?;
        transaction.commit()?;
        // What is deleted shall not stay readable in free pages.
        self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(())
    }

    /// The tables, for questions.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Records in the tables.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Reads what the log holds beyond the tables.
    pub(crate) fn catch_up(&mut self, layout: &Layout) -> Result<(), QueryError> {
        while self.read_bundles(layout)? {}
        let bundle = self.records / 256;
        let piece =
            archive::read_piece(layout, bundle).map_err(|source| QueryError::io(layout.dir(), source))?;
        let there = bundle * 256 + u64::try_from(piece.bundle().entries.len()).unwrap_or_default();
        if there > self.records {
            self.write(&[(bundle, piece.into_bundle())])?;
        }
        Ok(())
    }

    fn open_file(path: &Path, layout: &Layout) -> Result<Option<Self>, QueryError> {
        if !path.try_exists().map_err(|source| QueryError::io(path, source))? {
            return Ok(None);
        }
        let connection = connect(path)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != SCHEMA_VERSION {
            return Ok(None);
        }
        let (records, leaf): (u64, [u8; 32]) =
            connection
                .query_row("SELECT records, leaf FROM position", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let index = Self { connection, names: HashMap::new(), records };
        Ok((leaf_before(layout, records)? == Some(Hash(leaf))).then_some(index))
    }

    fn create(connection: Connection, layout: &Layout) -> Result<Self, QueryError> {
        let io = |source| QueryError::io(layout.dir(), source);
        let records = archive::first_bundle(layout).map_err(io)? * 256;
        let leaf = leaf_before(layout, records)?.unwrap_or_else(|| Hash::of_subtrees(&[]));
        connection.execute_batch(SCHEMA)?;
        connection.execute("INSERT INTO position VALUES (?1, ?2)", params![records, leaf.0])?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(Self { connection, names: HashMap::new(), records })
    }

    /// One transaction's worth of full bundles; whether there may be more.
    pub(crate) fn read_bundles(&mut self, layout: &Layout) -> Result<bool, QueryError> {
        if self.names.len() > NAMES_MAX {
            self.names.clear();
        }
        let mut pieces = Pieces::new(layout);
        let mut full = Vec::new();
        for bundle in (self.records / 256..).take(BUNDLES_PER_COMMIT) {
            let piece = pieces.read(bundle).map_err(|source| QueryError::io(layout.dir(), source))?;
            if piece.is_last() {
                break;
            }
            full.push((bundle, piece.into_bundle()));
        }
        if !full.is_empty() {
            self.write(&full)?;
        }
        Ok(full.len() == BUNDLES_PER_COMMIT)
    }

    /// Puts bundles, the last of which may not be full, into the tables.
    fn write(&mut self, bundles: &[(u64, Bundle)]) -> Result<(), QueryError> {
        let written = write(&mut self.connection, &mut self.names, bundles);
        // Names that are not written have no ids.
        self.records = written.inspect_err(|_| self.names.clear())?.unwrap_or(self.records);
        Ok(())
    }
}

fn connect(path: &Path) -> Result<Connection, QueryError> {
    let created = fs::File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
    drop(created.map_err(|source| QueryError::io(path, source))?);
    let connection = Connection::open(path)?;
    // What a power cut takes is read from the log again.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// The hash of the last of the first `records` records; of no records, the hash of nothing.
fn leaf_before(layout: &Layout, records: u64) -> Result<Option<Hash>, QueryError> {
    let Some(last) = records.checked_sub(1) else {
        return Ok(Some(Hash::of_subtrees(&[])));
    };
    let place = usize::try_from(last % 256).unwrap_or_default();
    let io = |source| QueryError::io(layout.dir(), source);
    // The entries of a full tile may be pruned; its hashes never are.
    if let Some(bytes) = archive::read_if_there(&layout.tile(TileFile::hashes(0, last / 256))).map_err(io)? {
        return Ok(parse_tile(&bytes).get(place).copied());
    }
    let piece = archive::read_piece(layout, last / 256).map_err(io)?;
    Ok(piece.bundle().record(place).map(Hash::of_leaf))
}

/// Writes bundles in one transaction; answers how many records the tables reach to.
fn write(
    connection: &mut Connection,
    names: &mut HashMap<String, i64>,
    bundles: &[(u64, Bundle)],
) -> Result<Option<u64>, QueryError> {
    let transaction = connection.transaction()?;
    let mut end = None;
    for (index, bundle) in bundles {
        fill(&transaction, names, *index, bundle)?;
        let records = index * 256 + u64::try_from(bundle.entries.len()).unwrap_or_default();
        end = bundle.records().next_back().map(|last| (records, Hash::of_leaf(last))).or(end);
    }
    if let Some((records, leaf)) = end {
        transaction.execute("UPDATE position SET records = ?1, leaf = ?2", params![records, leaf.0])?;
    }
    transaction.commit()?;
    Ok(end.map(|(records, _)| records))
}

/// Puts a bundle into the tables, in the place of what was there of it.
fn fill(
    transaction: &Transaction<'_>,
    names: &mut HashMap<String, i64>,
    index: u64,
    bundle: &Bundle,
) -> Result<(), QueryError> {
    let records = Records::read(bundle, index * 256)?;
    let rows = BundleRows::of(&records);
    let (first, last) = rows.times;
    if transaction.prepare_cached("DELETE FROM bundles WHERE bundle = ?1")?.execute([index])? > 0 {
        // It was not full then.
        transaction.execute("DELETE FROM combinations WHERE bundle = ?1", [index])?;
        transaction.execute("DELETE FROM ids WHERE bundle = ?1", [index])?;
    }
    transaction.prepare_cached("INSERT INTO bundles VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        index,
        bundle.entries.len(),
        first,
        last,
        rows.outputs
    ])?;
    for (combination, positions) in &rows.combinations {
        insert(transaction, names, index, combination, *positions)?;
    }
    let mut insert = transaction.prepare_cached("INSERT INTO ids VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for IdRange { role, run, first, last } in rows.ids {
        insert.execute(params![role.number(), key(run), key(last), key(first), index])?;
    }
    Ok(())
}

/// A number as SQLite keeps it, whose numbers have a sign: in the same order.
const fn key(number: u64) -> i64 {
    (number ^ (1 << 63)).cast_signed()
}

const fn unkey(key: i64) -> u64 {
    key.cast_unsigned() ^ (1 << 63)
}

fn insert(
    transaction: &Transaction<'_>,
    names: &mut HashMap<String, i64>,
    bundle: u64,
    combination: &Combination<'_>,
    positions: Positions,
) -> Result<(), QueryError> {
    let mut name = |text: Option<&str>| text.map(|text| name_id(transaction, names, text)).transpose();
    let kind = name(Some(combination.kind))?;
    let (session, caller) = (name(combination.session)?, name(combination.caller)?);
    let (authority, operation) = (name(combination.authority)?, name(combination.operation)?);
    let outcome = name(combination.outcome)?;
    let source = combination.source.map(|hash| hash.0);
    transaction
        .prepare_cached("INSERT INTO combinations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            bundle,
            kind,
            session,
            caller,
            authority,
            operation,
            outcome,
            source,
            positions.to_bytes(),
        ])?;
    Ok(())
}

fn name_id(
    transaction: &Transaction<'_>,
    names: &mut HashMap<String, i64>,
    text: &str,
) -> Result<i64, QueryError> {
    if let Some(id) = names.get(text) {
        return Ok(*id);
    }
    let id = match id_of(transaction, text)? {
        Some(id) => id,
        None => {
            transaction.prepare_cached("INSERT INTO names (text) VALUES (?1)")?.execute([text])?;
            transaction.last_insert_rowid()
        }
    };
    names.insert(text.to_owned(), id);
    Ok(id)
}

fn id_of(connection: &Connection, name: &str) -> Result<Option<i64>, QueryError> {
    let mut find = connection.prepare_cached("SELECT id FROM names WHERE text = ?1")?;
    Ok(find.query_row([name], |row| row.get(0)).optional()?)
}
