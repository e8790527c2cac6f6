//! The SQLite file: its format, and the statements on it.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use super::KvLimits;
use super::store::{KvError, KvOpenError};

/// The connection. Only the store's thread has it.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    limits: KvLimits,
}

/// A stored value.
#[derive(Debug)]
pub(super) struct Stored {
    /// JSON.
    pub(super) value: String,
    pub(super) version: u64,
}

/// A stored key, without its value.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) version: u64,
    pub(super) bytes: u64,
}

const FORMAT: i64 = 1;

/// `usage` is kept beside `entries`, in the same transactions, so that no bound needs a count over all entries.
const TABLES: &str = "
    CREATE TABLE entries (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        version INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        UNIQUE (namespace, key)
    ) STRICT;
    CREATE TABLE usage (
        namespace TEXT PRIMARY KEY,
        entries INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
";

impl Database {
    /// Opens and checks an existing file, which may be empty.
    pub(super) fn open(path: &Path, limits: KvLimits) -> Result<Self, KvOpenError> {
        let corrupt = |reason: String| KvOpenError::Corrupt { path: path.to_owned(), reason };
        let mut connection = connect(path, &limits).map_err(|error| corrupt(error.to_string()))?;
        let (format, verdict) = examine(&connection).map_err(|error| corrupt(error.to_string()))?;
        if verdict != "ok" {
            return Err(corrupt(verdict));
        }
        if format > FORMAT {
            return Err(KvOpenError::Newer { path: path.to_owned(), found: format, known: FORMAT });
        }
        if format != FORMAT {
            make_tables(&mut connection).map_err(|error| corrupt(error.to_string()))?;
        }
        Ok(Self { connection, limits })
    }

    pub(super) fn get(&self, namespace: &str, key: &str) -> Result<Option<Stored>, KvError> {
        let sql = "SELECT value, version FROM entries WHERE namespace = ?1 AND key = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement
            .query_row((namespace, key), |row| Ok(Stored { value: row.get(0)?, version: row.get(1)? }));
        Ok(found.optional()?)
    }

    /// Keys from `prefix` on, after `after`, in the order of their bytes; at most `limit`.
    pub(super) fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Listed>, KvError> {
        let sql = "SELECT key, version, bytes FROM entries
            WHERE namespace = ?1 AND key >= ?2 AND key > ?3 ORDER BY key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((namespace, prefix, after))?;
        let mut listed = Vec::new();
        while listed.len() < limit
            && let Some(row) = rows.next()?
        {
            let found = Listed { key: row.get(0)?, version: row.get(1)?, bytes: row.get(2)? };
            if !found.key.starts_with(prefix) {
                break;
            }
            listed.push(found);
        }
        Ok(listed)
    }

    /// Stores a value and answers its version.
    pub(super) fn put(
        &mut self,
        namespace: &str,
        key: &str,
        value: &str,
        if_version: Option<u64>,
    ) -> Result<u64, KvError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (old_version, old_bytes) = current(&transaction, namespace, key)?;
        demand(if_version, old_version)?;
        let bytes = u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
        let usage = Usage::of(&transaction, namespace)?;
        let after = Usage {
            entries: usage.entries + u64::from(old_version == 0),
            bytes: usage.bytes.saturating_sub(old_bytes).saturating_add(bytes),
            version: usage.version + 1,
        };
        if after.entries > self.limits.entries_max {
            return Err(KvError::Limit("entries", self.limits.entries_max));
        }
        if after.bytes > self.limits.bytes_max && after.bytes > usage.bytes {
            return Err(KvError::Limit("bytes", self.limits.bytes_max));
        }
        let sql = "INSERT INTO entries (namespace, key, value, version, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (namespace, key) DO UPDATE SET
                value = excluded.value, version = excluded.version, bytes = excluded.bytes";
        transaction.prepare_cached(sql)?.execute((namespace, key, value, after.version, bytes))?;
        after.save(&transaction, namespace)?;
        transaction.commit()?;
        Ok(after.version)
    }

    /// Removes a key; whether it was there.
    pub(super) fn delete(
        &mut self,
        namespace: &str,
        key: &str,
        if_version: Option<u64>,
    ) -> Result<bool, KvError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (old_version, old_bytes) = current(&transaction, namespace, key)?;
        demand(if_version, old_version)?;
        if old_version == 0 {
            return Ok(false);
        }
        let usage = Usage::of(&transaction, namespace)?;
        let after = Usage {
            entries: usage.entries.saturating_sub(1),
            bytes: usage.bytes.saturating_sub(old_bytes),
            version: usage.version,
        };
        let sql = "DELETE FROM entries WHERE namespace = ?1 AND key = ?2";
        transaction.prepare_cached(sql)?.execute((namespace, key))?;
        after.save(&transaction, namespace)?;
        transaction.commit()?;
        Ok(true)
    }
}

/// What a namespace holds, and the last version it gave out.
#[derive(Debug, Default)]
struct Usage {
    entries: u64,
    bytes: u64,
    version: u64,
}

impl Usage {
    fn of(transaction: &Transaction<'_>, namespace: &str) -> rusqlite::Result<Self> {
        let sql = "SELECT entries, bytes, version FROM usage WHERE namespace = ?1";
        let found = transaction.prepare_cached(sql)?.query_row([namespace], |row| {
            Ok(Self { entries: row.get(0)?, bytes: row.get(1)?, version: row.get(2)? })
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    fn save(&self, transaction: &Transaction<'_>, namespace: &str) -> rusqlite::Result<()> {
        let sql = "INSERT INTO usage (namespace, entries, bytes, version) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (namespace) DO UPDATE SET
                entries = excluded.entries, bytes = excluded.bytes, version = excluded.version";
        let row = (namespace, self.entries, self.bytes, self.version);
        transaction.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }
}

/// The version and size of a key; zeroes if there is none.
fn current(transaction: &Transaction<'_>, namespace: &str, key: &str) -> rusqlite::Result<(u64, u64)> {
    let sql = "SELECT version, bytes FROM entries WHERE namespace = ?1 AND key = ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let found = statement.query_row((namespace, key), |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or_default())
}

fn demand(wanted: Option<u64>, current: u64) -> Result<(), KvError> {
    match wanted {
        Some(wanted) if wanted != current => Err(KvError::Version(current)),
        Some(_) | None => Ok(()),
    }
}

fn connect(path: &Path, limits: &KvLimits) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(limits.lock_timeout)?;
    // A file from elsewhere must not be able to run anything.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// The file's format, and `ok` or what is damaged.
fn examine(connection: &Connection) -> rusqlite::Result<(i64, String)> {
    let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let verdict = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    Ok((format, verdict))
}

/// Another process may have been faster, which the transaction notices.
fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        transaction.execute_batch(TABLES)?;
    }
    transaction.commit()
}
