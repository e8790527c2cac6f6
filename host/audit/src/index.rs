//! The query index: an SQLite table derived from the log, which can be thrown away at any time.

mod check;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::archive::{self, Pieces};
use crate::call_record::CallHex;
use crate::layout::{Layout, TileFile};
use crate::log;
use crate::merkle::Hash;
use crate::reader::QueryError;
use crate::record::{Facets, Record};
use crate::recover::{OpenError, at, parse_tile};

/// The version of the tables; a file with another one is rebuilt.
const SCHEMA_VERSION: i64 = 1;
/// Bundles read in one transaction.
const BUNDLES_PER_COMMIT: usize = 64;
/// Names remembered between records.
const NAMES_MAX: usize = 8192;

pub use check::IndexFault;
pub(crate) use check::check;

const SCHEMA: &str = "
    CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE position (records INTEGER NOT NULL, leaf BLOB NOT NULL);
    CREATE TABLE records (
        idx INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind INTEGER NOT NULL,
        call BLOB, parent BLOB, root BLOB, session INTEGER, caller INTEGER, authority INTEGER,
        operation INTEGER, outcome INTEGER, source BLOB, output BLOB
    );
    CREATE INDEX by_call ON records (call) WHERE call IS NOT NULL;
    CREATE INDEX by_parent ON records (parent) WHERE parent IS NOT NULL;
    CREATE INDEX by_root ON records (root) WHERE root <> call;
    CREATE INDEX by_session ON records (session) WHERE session IS NOT NULL;
    CREATE INDEX by_operation ON records (operation) WHERE operation IS NOT NULL;
    CREATE INDEX by_source ON records (source) WHERE source IS NOT NULL;
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

    /// Takes the records before `end` out of the tables.
    pub(crate) fn forget_before(&mut self, end: u64) -> Result<(), QueryError> {
        self.names.clear();
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM records WHERE idx < ?1", [end])?;
        let used = ["kind", "session", "caller", "authority", "operation", "outcome"]
            .map(|column| format!("SELECT {column} FROM records WHERE {column} IS NOT NULL"));
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
        while self.read_some(layout)? {}
        Ok(())
    }

    /// The first record that is no older than `time`: records never go back in time.
    pub(crate) fn first_since(&self, time: u64) -> Result<u64, QueryError> {
        let mut statement = self.connection.prepare_cached("SELECT time FROM records WHERE idx = ?1")?;
        let first: Option<u64> =
            self.connection.query_row("SELECT min(idx) FROM records", [], |row| row.get(0))?;
        let (mut low, mut high) = (first.unwrap_or(self.records), self.records);
        while low < high {
            let middle = low + (high - low) / 2;
            let at: u64 = statement.query_row([middle], |row| row.get(0))?;
            if at < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
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

    /// One transaction's worth of records; whether there may be more.
    pub(crate) fn read_some(&mut self, layout: &Layout) -> Result<bool, QueryError> {
        if self.names.len() > NAMES_MAX {
            self.names.clear();
        }
        let mut records = self.records;
        let mut leaf = None;
        let mut more = true;
        let mut scratch = Vec::new();
        let mut pieces = Pieces::new(layout);
        let transaction = self.connection.transaction()?;
        for _ in 0..BUNDLES_PER_COMMIT {
            let piece = pieces.read(records / 256).map_err(|source| QueryError::io(layout.dir(), source))?;
            let known = usize::try_from(records % 256).unwrap_or_default();
            let mut last = None;
            for bytes in piece.bundle().records().skip(known) {
                let record =
                    Record::parse(bytes, &mut scratch).map_err(|_| QueryError::Damaged { index: records })?;
                insert(&transaction, &mut self.names, records, &record.facets())?;
                records += 1;
                last = Some(bytes);
            }
            leaf = last.map(Hash::of_leaf).or(leaf);
            if piece.is_last() {
                more = false;
                break;
            }
        }
        if let Some(leaf) = leaf {
            transaction.execute("UPDATE position SET records = ?1, leaf = ?2", params![records, leaf.0])?;
        }
        transaction.commit().inspect_err(|_| self.names.clear())?;
        self.records = records;
        Ok(more)
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

fn insert(
    transaction: &Transaction<'_>,
    names: &mut HashMap<String, i64>,
    index: u64,
    facets: &Facets<'_>,
) -> Result<(), QueryError> {
    let mut name = |text: Option<&str>| text.map(|text| name_id(transaction, names, text)).transpose();
    let kind = name(Some(facets.kind))?;
    let (session, caller) = (name(facets.session)?, name(facets.caller)?);
    let (authority, operation) = (name(facets.authority)?, name(facets.operation)?);
    let outcome = name(facets.outcome)?;
    let id = |call: Option<CallHex>| call.map(|call| call.0);
    transaction
        .prepare_cached(
            "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            index,
            facets.time,
            kind,
            id(facets.call),
            id(facets.parent),
            id(facets.root),
            session,
            caller,
            authority,
            operation,
            outcome,
            facets.source.map(|hash| hash.0),
            facets.output.map(|hash| hash.0),
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
    let mut find = transaction.prepare_cached("SELECT id FROM names WHERE text = ?1")?;
    let id = match find.query_row([text], |row| row.get(0)).optional()? {
        Some(id) => id,
        None => {
            transaction.prepare_cached("INSERT INTO names (text) VALUES (?1)")?.execute([text])?;
            transaction.last_insert_rowid()
        }
    };
    names.insert(text.to_owned(), id);
    Ok(id)
}
