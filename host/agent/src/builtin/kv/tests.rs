mod durable;

use alknet_call::{
    Authority, CallScope, Composition, OpName, OperationKind, OperationSpec, Reach, Registration, handler_fn,
};
use alknet_core::{Grants, Identity, IdentityId, Scope};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{KvLimits, KvStore};
use crate::builtin::testing::{Host, code, identity};

struct Kept {
    dir: TempDir,
    host: Host,
}

impl Kept {
    fn new(limits: KvLimits) -> Self {
        let dir = TempDir::new().unwrap();
        let host = open(&dir, limits);
        Self { dir, host }
    }

    async fn check(&self, who: &Identity, name: &str, input: Value, expected: Value) {
        assert_eq!(self.host.call(who, name, input.clone()).await, Ok(expected), "{name} {input}");
    }

    async fn fails(&self, who: &Identity, name: &str, input: Value, expected: &str) {
        assert_eq!(code(&self.host.call(who, name, input.clone()).await), expected, "{name} {input}");
    }
}

fn open(dir: &TempDir, limits: KvLimits) -> Host {
    let store = KvStore::open(&dir.path().join("kv.db"), limits).unwrap();
    Host::new(super::registrations(store).unwrap())
}

fn alice() -> Identity {
    identity("alice", super::SCOPES)
}

#[tokio::test]
async fn values_are_kept_with_versions() {
    let (kept, who) = (Kept::new(KvLimits::default()), alice());
    let absent = json!({"found": false, "value": null, "version": 0});
    kept.check(&who, "kv/get", json!({"key": "k"}), absent.clone()).await;
    kept.check(&who, "kv/put", json!({"key": "k", "value": {"a": [1, null]}}), json!({"version": 1})).await;
    let stored = json!({"found": true, "value": {"a": [1, null]}, "version": 1});
    kept.check(&who, "kv/get", json!({"key": "k"}), stored).await;
    kept.check(&who, "kv/put", json!({"key": "n", "value": null}), json!({"version": 2})).await;
    kept.check(&who, "kv/get", json!({"key": "n"}), json!({"found": true, "value": null, "version": 2}))
        .await;
    kept.check(&who, "kv/delete", json!({"key": "k"}), json!({"deleted": true})).await;
    kept.check(&who, "kv/delete", json!({"key": "k"}), json!({"deleted": false})).await;
    kept.check(&who, "kv/get", json!({"key": "k"}), absent).await;
    // A key that is made again does not get its old versions again.
    kept.check(&who, "kv/put", json!({"key": "k", "value": 1}), json!({"version": 3})).await;
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let (kept, who) = (Kept::new(KvLimits::default()), alice());
    let put = |value: u64, version: u64| json!({"key": "k", "value": value, "if_version": version});
    kept.fails(&who, "kv/put", put(1, 7), "VERSION_MISMATCH").await;
    kept.check(&who, "kv/put", put(1, 0), json!({"version": 1})).await;
    kept.fails(&who, "kv/put", put(2, 0), "VERSION_MISMATCH").await;
    kept.check(&who, "kv/put", put(3, 1), json!({"version": 2})).await;
    kept.fails(&who, "kv/put", put(4, 1), "VERSION_MISMATCH").await;
    kept.fails(&who, "kv/delete", json!({"key": "k", "if_version": 1}), "VERSION_MISMATCH").await;
    let error = kept.host.call(&who, "kv/put", put(4, 1)).await.unwrap_err();
    assert_eq!(error.details(), Some(&json!({"version": 2})));
    kept.check(&who, "kv/get", json!({"key": "k"}), json!({"found": true, "value": 3, "version": 2})).await;
    kept.check(&who, "kv/delete", json!({"key": "k", "if_version": 2}), json!({"deleted": true})).await;
    kept.check(&who, "kv/delete", json!({"key": "k", "if_version": 0}), json!({"deleted": false})).await;
}

#[tokio::test]
async fn of_many_writers_with_one_version_one_wins() {
    let (kept, who) = (Kept::new(KvLimits::default()), alice());
    let put =
        |value: usize| kept.host.call(&who, "kv/put", json!({"key": "k", "value": value, "if_version": 0}));
    let results = futures_util::future::join_all((0..50).map(put)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn nobody_sees_what_another_identity_keeps() {
    let kept = Kept::new(KvLimits::default());
    let (alice, bob) = (alice(), identity("bob", super::SCOPES));
    kept.check(&alice, "kv/put", json!({"key": "k", "value": "hers"}), json!({"version": 1})).await;
    kept.check(&bob, "kv/get", json!({"key": "k"}), json!({"found": false, "value": null, "version": 0}))
        .await;
    kept.check(&bob, "kv/list", json!({}), json!({"entries": []})).await;
    kept.check(&bob, "kv/delete", json!({"key": "k"}), json!({"deleted": false})).await;
    kept.check(&bob, "kv/put", json!({"key": "k", "value": "his"}), json!({"version": 1})).await;
    kept.check(&alice, "kv/get", json!({"key": "k"}), json!({"found": true, "value": "hers", "version": 1}))
        .await;
    // Names that might be glued together are not.
    let ab = identity("a", super::SCOPES);
    kept.check(&ab, "kv/put", json!({"key": "b/k", "value": 1}), json!({"version": 1})).await;
    let a_b = identity("a/b", super::SCOPES);
    kept.check(&a_b, "kv/get", json!({"key": "k"}), json!({"found": false, "value": null, "version": 0}))
        .await;
}

#[tokio::test]
async fn scopes_and_an_identity_are_demanded() {
    let kept = Kept::new(KvLimits::default());
    for (scopes, read, write) in [
        (&[][..], "FORBIDDEN", "FORBIDDEN"),
        (&["kv:read"], "OK", "FORBIDDEN"),
        (&["kv:write"], "FORBIDDEN", "OK"),
    ] {
        let who = identity("carol", scopes);
        kept.fails(&who, "kv/get", json!({"key": "k"}), read).await;
        kept.fails(&who, "kv/list", json!({}), read).await;
        kept.fails(&who, "kv/put", json!({"key": "k", "value": 1}), write).await;
        kept.fails(&who, "kv/delete", json!({"key": "k"}), write).await;
    }
    assert_eq!(code(&kept.host.anonymous("kv/get", json!({"key": "k"})).await), "FORBIDDEN");
}

#[tokio::test]
async fn a_composed_call_works_in_the_users_namespace_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let store = KvStore::open(&dir.path().join("kv.db"), KvLimits::default()).unwrap();
    let mut operations = super::registrations(store).unwrap();
    let scopes = super::SCOPES.iter().map(|scope| Scope::parse(scope).unwrap());
    let authority = Authority::new(IdentityId::parse("service").unwrap(), Grants::from_scopes(scopes));
    let reach = Reach::of([OpName::parse("kv/put").unwrap()]);
    let note = OperationSpec::new(OpName::parse("demo/note").unwrap(), OperationKind::Mutation);
    let handler = handler_fn(|input, scope: CallScope| async move { scope.invoke("kv/put", input).await });
    operations.push(Registration::composing(note, handler, Composition::new(authority, reach)));
    let host = Host::new(operations);

    let (alice, input) = (alice(), json!({"key": "k", "value": 1}));
    assert_eq!(code(&host.call(&alice, "demo/note", input.clone()).await), "OK");
    let stored = host.call(&alice, "kv/get", json!({"key": "k"})).await.unwrap();
    assert_eq!(stored["found"], json!(true));
    let service = identity("service", super::SCOPES);
    let stored = host.call(&service, "kv/get", json!({"key": "k"})).await.unwrap();
    assert_eq!(stored["found"], json!(false));
    assert_eq!(code(&host.anonymous("demo/note", input).await), "FORBIDDEN");
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let (kept, who) = (Kept::new(KvLimits { page_entries_max: 2, ..KvLimits::default() }), alice());
    for key in ["b/1", "b/2", "a", "c", "b/3", "é", "b%"] {
        kept.fails(&who, "kv/put", json!({"key": key, "value": 1}), "OK").await;
    }
    let pages = async |prefix: &str, limit: u64| {
        let (mut keys, mut after) = (Vec::new(), String::new());
        loop {
            let input = json!({"prefix": prefix, "after": after, "limit": limit});
            let page = kept.host.call(&who, "kv/list", input).await.unwrap();
            let entries = page["entries"].as_array().unwrap();
            assert!(entries.len() <= 2);
            keys.extend(entries.iter().map(|entry| entry["key"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return keys,
            }
        }
    };
    assert_eq!(pages("", 1000).await, ["a", "b%", "b/1", "b/2", "b/3", "c", "é"]);
    assert_eq!(pages("b/", 1).await, ["b/1", "b/2", "b/3"]);
    assert_eq!(pages("b%", 2).await, ["b%"]);
    assert_eq!(pages("x", 2).await, Vec::<String>::new());
    let first = kept.host.call(&who, "kv/list", json!({"prefix": "c"})).await.unwrap();
    assert_eq!(first, json!({"entries": [{"key": "c", "version": 4, "bytes": 2}]}));
}

#[tokio::test]
async fn limits_hold_and_space_is_given_back() {
    let limits = KvLimits {
        entries_max: 3,
        bytes_max: 40,
        value_bytes_max: 20,
        key_bytes_max: 4,
        ..KvLimits::default()
    };
    let (kept, who) = (Kept::new(limits), alice());
    let put = |key: &str, length: usize| json!({"key": key, "value": "x".repeat(length)});
    for (input, expected) in [
        (put("k", 19), "LIMIT_EXCEEDED"),
        (put("k", 18), "OK"),
        (put("l", 16), "OK"),
        (put("m", 0), "LIMIT_EXCEEDED"),
        (put("k", 1), "OK"),
        (put("m", 0), "OK"),
        (put("n", 0), "LIMIT_EXCEEDED"),
        (put("m", 1), "OK"),
        (put("long!", 0), "INVALID_INPUT"),
        (put("ü\u{7}", 0), "INVALID_INPUT"),
        (put("", 0), "INVALID_INPUT"),
    ] {
        kept.fails(&who, "kv/put", input, expected).await;
    }
    let error = kept.host.call(&who, "kv/put", put("n", 0)).await.unwrap_err();
    assert_eq!(error.details(), Some(&json!({"limit": "entries", "max": 3})));
    kept.check(&who, "kv/delete", json!({"key": "l"}), json!({"deleted": true})).await;
    kept.fails(&who, "kv/put", put("n", 0), "OK").await;
    // Another identity has its own.
    kept.fails(&identity("bob", super::SCOPES), "kv/put", put("n", 18), "OK").await;
}
