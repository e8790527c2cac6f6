//! The SQLite file: its format, and the statements on it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use alknet_core::{ApiKeyEntry, EncryptedData, IdentityId, PeerEntry, StoreError, TokenHash};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::OpenError;
use crate::content::{Content, Stored};
use crate::entry;

/// The connection, and what was read through it.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    /// `PRAGMA data_version` when the content was read: another number means another process wrote since.
    version: i64,
}

const FORMAT: i64 = 1;
const TABLES: &str = "
    CREATE TABLE credentials (
        name TEXT PRIMARY KEY,
        blob TEXT NOT NULL,
        changed_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE peers (id TEXT PRIMARY KEY, entry TEXT NOT NULL) STRICT;
    CREATE TABLE api_keys (hash TEXT PRIMARY KEY, entry TEXT NOT NULL) STRICT;
    PRAGMA user_version = 1;
";

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        private_file(path)?;
        let corrupt =
            |error: rusqlite::Error| OpenError::Corrupt { path: path.to_owned(), reason: error.to_string() };
        let mut connection = connect(path).map_err(corrupt)?;
        let format: i64 =
            connection.query_row("PRAGMA user_version", (), |row| row.get(0)).map_err(corrupt)?;
        if format > FORMAT {
            return Err(OpenError::Newer { path: path.to_owned(), found: format, known: FORMAT });
        }
        if format != FORMAT {
            make_tables(&mut connection).map_err(corrupt)?;
        }
        Ok(Self { connection, version: 0 })
    }

    /// Reads everything.
    pub(crate) fn load(&mut self) -> Result<Content, StoreError> {
        // Before the content: what is written in between is read again.
        let version = self.data_version()?;
        let mut content = Content::default();
        let transaction = self.connection.transaction().map_err(storage)?;
        {
            let sql = "SELECT name, blob, changed_at FROM credentials";
            let mut statement = transaction.prepare(sql).map_err(storage)?;
            let mut rows = statement.query(()).map_err(storage)?;
            while let Some(row) = rows.next().map_err(storage)? {
                let blob: String = row.get(1).map_err(storage)?;
                let changed_at = row.get(2).map_err(storage)?;
                let stored = Stored { blob: from_json(&blob)?, changed_at };
                content.credentials.insert(row.get(0).map_err(storage)?, stored);
            }
        }
        for text in entries(&transaction, "SELECT entry FROM peers ORDER BY id")? {
            content.policy.peers.push(from_json::<entry::Peer>(&text)?.try_into()?);
        }
        for text in entries(&transaction, "SELECT entry FROM api_keys ORDER BY hash")? {
            content.policy.api_keys.push(from_json::<entry::ApiKey>(&text)?.try_into()?);
        }
        drop(transaction);
        self.version = version;
        Ok(content)
    }

    /// Whether another process wrote since the content was read.
    pub(crate) fn has_changed(&self) -> Result<bool, StoreError> {
        Ok(self.data_version()? != self.version)
    }

    pub(crate) fn put_credentials(
        &mut self,
        credentials: &[(String, EncryptedData)],
        now: u64,
    ) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        for (name, blob) in credentials {
            let sql = "INSERT INTO credentials VALUES (?1, ?2, ?3)
                ON CONFLICT (name) DO UPDATE SET blob = ?2, changed_at = ?3";
            transaction.execute(sql, (name, to_json(blob)?, now)).map_err(storage)?;
        }
        transaction.commit().map_err(storage)
    }

    pub(crate) fn delete_credential(&mut self, name: &str) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM credentials WHERE name = ?1", [name]).map_err(storage)?;
        Ok(())
    }

    pub(crate) fn put_peer(&mut self, peer: &PeerEntry) -> Result<(), StoreError> {
        let sql = "INSERT INTO peers VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET entry = ?2";
        let entry = to_json(&entry::Peer::from(peer))?;
        self.connection.execute(sql, (peer.peer_id.as_str(), entry)).map_err(storage)?;
        Ok(())
    }

    pub(crate) fn update_peer(&mut self, peer: &PeerEntry) -> Result<(), StoreError> {
        let entry = to_json(&entry::Peer::from(peer))?;
        let id = peer.peer_id.as_str();
        let changed = self.connection.execute("UPDATE peers SET entry = ?2 WHERE id = ?1", (id, entry));
        there_was(changed.map_err(storage)?, "peer", id)
    }

    pub(crate) fn remove_peer(&mut self, id: &IdentityId) -> Result<(), StoreError> {
        let removed = self.connection.execute("DELETE FROM peers WHERE id = ?1", [id.as_str()]);
        there_was(removed.map_err(storage)?, "peer", id.as_str())
    }

    pub(crate) fn put_api_key(&mut self, key: &ApiKeyEntry) -> Result<(), StoreError> {
        let sql = "INSERT INTO api_keys VALUES (?1, ?2) ON CONFLICT (hash) DO UPDATE SET entry = ?2";
        let entry = to_json(&entry::ApiKey::from(key))?;
        self.connection.execute(sql, (key.hash.to_string(), entry)).map_err(storage)?;
        Ok(())
    }

    pub(crate) fn remove_api_key(&mut self, hash: &TokenHash) -> Result<(), StoreError> {
        let hash = hash.to_string();
        let removed = self.connection.execute("DELETE FROM api_keys WHERE hash = ?1", [&hash]);
        there_was(removed.map_err(storage)?, "API key", &hash)
    }

    fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(storage)
    }

    fn data_version(&self) -> Result<i64, StoreError> {
        self.connection.query_row("PRAGMA data_version", (), |row| row.get(0)).map_err(storage)
    }
}

/// Makes the file where it is missing, and refuses one that others may read.
fn private_file(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let mode = fs::metadata(path).map_err(failed)?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(OpenError::Exposed { path: path.to_owned(), mode: mode & 0o7777 })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // What was deleted is overwritten; a change is on the disk when its statement returns.
    connection.execute_batch(
        "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE;
         PRAGMA trusted_schema = OFF;",
    )?;
    Ok(connection)
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let format: i64 = transaction.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    if format != FORMAT {
        transaction.execute_batch(TABLES)?;
    }
    transaction.commit()
}

fn entries(transaction: &Transaction<'_>, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = transaction.prepare(sql).map_err(storage)?;
    let rows = statement.query_map((), |row| row.get(0)).map_err(storage)?;
    rows.collect::<Result<_, _>>().map_err(storage)
}

fn there_was(changed: usize, kind: &'static str, name: &str) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::Missing { kind, name: name.to_owned() }) } else { Ok(()) }
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Storage(error.into()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Storage(error.into()))
}

fn storage(error: rusqlite::Error) -> StoreError {
    StoreError::Storage(error.into())
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
