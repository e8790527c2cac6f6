use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use alknet_core::{Fingerprint, Grants, NewApiKey, Scope};
use futures_util::FutureExt as _;

use super::*;

fn blob(data: &str) -> EncryptedData {
    let text = |text: &str| text.to_owned();
    EncryptedData { key_version: 2, salt: text("c2FsdA=="), iv: text("aXY="), data: text(data), aad_v: 1 }
}

fn peer(id: &str, enabled: bool) -> PeerEntry {
    PeerEntry {
        peer_id: id.parse().unwrap(),
        fingerprints: vec![Fingerprint::Ed25519([7; 32]), Fingerprint::Sha256([8; 32])],
        auth_token_hash: Some(NewApiKey::generate().unwrap().hash),
        grants: Grants::default()
            .with_scope(Scope::parse("fs:read").unwrap())
            .with_resource("project", "read")
            .with_resource("project", "write"),
        display_name: Some("Pär".to_owned()),
        enabled,
    }
}

/// Writes do not wait for anything but the disk.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let (alice, key) = (peer("alice", true), NewApiKey::generate().unwrap());
    let api_key = ApiKeyEntry {
        prefix: key.prefix.clone(),
        hash: key.hash,
        grants: Grants::from_scopes([Scope::parse("fs:read").unwrap()]),
        description: "dashboard".to_owned(),
        expires_at: Some(1_900_000_000),
    };
    {
        let store = SqliteStore::open(&path).unwrap();
        store.put_credentials(&[("b".to_owned(), blob("1")), ("a".to_owned(), blob("2"))], 42).unwrap();
        now(store.put("b", &blob("3"))).unwrap();
        now(store.put_peer(&alice)).unwrap();
        now(store.put_api_key(&api_key)).unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!((store.names(), store.get("b")), (vec!["a".to_owned(), "b".to_owned()], Some(blob("3"))));
    assert_eq!(store.credentials()[0].changed_at, 42);
    let policy = store.policy();
    assert_eq!(format!("{:?}", policy.peers), format!("{:?}", [&alice]));
    assert_eq!(format!("{:?}", policy.api_keys), format!("{:?}", [&api_key]));

    now(store.update_peer(&PeerEntry { enabled: false, ..alice.clone() })).unwrap();
    assert!(!store.policy().peers[0].enabled);
    now(store.remove_peer(&alice.peer_id)).unwrap();
    now(store.remove_api_key(&key.hash)).unwrap();
    now(store.delete("b")).unwrap();
    let missing = [
        now(store.update_peer(&alice)),
        now(store.remove_peer(&alice.peer_id)),
        now(store.remove_api_key(&key.hash)),
    ];
    assert!(missing.iter().all(|result| matches!(result, Err(StoreError::Missing { .. }))), "{missing:?}");
    assert!(store.policy().peers.is_empty() && store.policy().api_keys.is_empty());
    assert_eq!(store.names(), ["a"]);
}

#[test]
fn what_another_process_wrote_is_taken_over_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let (host, command) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    assert!(!host.refresh().unwrap());
    now(command.put("a", &blob("1"))).unwrap();
    now(command.put_peer(&peer("alice", true))).unwrap();
    assert_eq!(host.get("a"), None);
    assert!(host.refresh().unwrap() && !host.refresh().unwrap());
    assert_eq!((host.get("a"), host.policy().peers.len()), (Some(blob("1")), 1));
    now(host.put("b", &blob("2"))).unwrap();
    assert!(!host.refresh().unwrap(), "its own writes are known");
    assert!(command.refresh().unwrap());
    assert_eq!(command.names(), ["a", "b"]);
}

#[test]
fn files_that_will_not_do_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    drop(SqliteStore::open(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Exposed { mode: 0o640, .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("INSERT INTO credentials VALUES ('a', 'no blob', 0)", ()).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Corrupt { .. })));
    connection.execute_batch("DELETE FROM credentials; PRAGMA user_version = 9").unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Newer { found: 9, known: 1, .. })));
    drop(connection);
    fs::write(&path, "this is no database, but long enough to be looked at").unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Corrupt { .. })));
    assert!(matches!(SqliteStore::open(&dir.path().join("no/such")), Err(OpenError::Io { .. })));
}

#[test]
fn a_damaged_store_does_not_replace_what_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    now(store.put("a", &blob("1"))).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("INSERT INTO peers VALUES ('x', '{}')", ()).unwrap();
    assert!(store.refresh().is_err());
    assert_eq!(store.get("a"), Some(blob("1")));
    connection.execute("DELETE FROM peers", ()).unwrap();
    assert!(store.refresh().unwrap());
}
