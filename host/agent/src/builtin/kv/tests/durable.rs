use std::os::unix::fs::PermissionsExt as _;

use super::super::KvOpenError;
use super::*;

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let Kept { dir, host } = Kept::new(KvLimits::default());
    let who = alice();
    for n in 0..20 {
        host.call(&who, "kv/put", json!({"key": format!("k{n}"), "value": n})).await.unwrap();
    }
    drop(host);
    let mode = std::fs::metadata(dir.path().join("kv.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let host = open(&dir, KvLimits::default());
    let stored = host.call(&who, "kv/get", json!({"key": "k7"})).await.unwrap();
    assert_eq!(stored, json!({"found": true, "value": 7, "version": 8}));
    assert_eq!(
        host.call(&who, "kv/put", json!({"key": "x", "value": 0})).await.unwrap(),
        json!({"version": 21})
    );
}

#[test]
fn a_file_that_is_no_store_is_refused_when_it_is_opened() {
    let dir = TempDir::new().unwrap();
    let open = |path: &std::path::Path| KvStore::open(path, KvLimits::default());

    let garbage = dir.path().join("garbage");
    std::fs::write(&garbage, "not a database, whatever its name says. ".repeat(100)).unwrap();
    let error = open(&garbage).unwrap_err();
    assert!(matches!(&error, KvOpenError::Corrupt { path, .. } if *path == garbage), "{error}");

    let damaged = dir.path().join("damaged");
    drop(open(&damaged).unwrap());
    let mut bytes = std::fs::read(&damaged).unwrap();
    let middle = bytes.len() / 4;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&damaged, bytes).unwrap();
    assert!(matches!(open(&damaged), Err(KvOpenError::Corrupt { .. })));

    let newer = dir.path().join("newer");
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(open(&newer), Err(KvOpenError::Newer { found: 99, known: 1, .. })));

    let nowhere = dir.path().join("none/kv.db");
    assert!(matches!(open(&nowhere), Err(KvOpenError::File { .. })));
}

#[tokio::test]
async fn a_call_that_is_dropped_before_its_turn_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = KvStore::open(&dir.path().join("kv.db"), KvLimits::default()).unwrap();
    let (let_go, wait) = std::sync::mpsc::channel::<()>();
    let blocker = store.run(move |_| {
        wait.recv().ok();
        Ok(())
    });
    let dropped = store.run(|database| database.put("alice", "k", "1", None));
    // Both are queued by their first poll; the second is then dropped.
    let mut blocker = Box::pin(blocker);
    assert!(futures_util::poll!(&mut blocker).is_pending());
    let mut dropped = Box::pin(dropped);
    assert!(futures_util::poll!(&mut dropped).is_pending());
    drop(dropped);
    let_go.send(()).unwrap();
    blocker.await.unwrap();
    assert!(store.run(|database| database.get("alice", "k")).await.unwrap().is_none());
}
