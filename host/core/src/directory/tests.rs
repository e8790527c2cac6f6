use std::time::Duration;

use super::*;
use crate::{ManualClock, NewApiKey, Scope};

fn id(text: &str) -> IdentityId {
    IdentityId::parse(text).unwrap()
}

fn grants(scope: &str) -> Grants {
    Grants::from_scopes([Scope::parse(scope).unwrap()]).with_resource("svc", "read")
}

fn peer(name: &str, key: u8, token: Option<&str>) -> PeerEntry {
    PeerEntry {
        peer_id: id(name),
        fingerprints: vec![Fingerprint::Ed25519([key; 32])],
        auth_token_hash: token.map(|t| AuthToken::new(t).hash().unwrap()),
        grants: grants("call"),
        display_name: None,
        enabled: true,
    }
}

fn api_key(token: &str, expires_at: Option<u64>) -> ApiKeyEntry {
    ApiKeyEntry {
        prefix: token[..8].to_owned(),
        hash: AuthToken::new(token).hash().unwrap(),
        grants: grants("call"),
        description: String::new(),
        expires_at,
    }
}

fn directory(peers: Vec<PeerEntry>, api_keys: Vec<ApiKeyEntry>) -> Result<Directory, DirectoryError> {
    Directory::new(AuthPolicy { peers, api_keys })
}

#[test]
fn key_and_token_give_the_same_peer() {
    let known = directory(vec![peer("a", 1, Some("secret"))], vec![]).unwrap();
    let by_key = known.fingerprint(&Fingerprint::Ed25519([1; 32])).unwrap();
    let by_token = known.token(&AuthToken::new("secret"), 0).unwrap();
    assert_eq!(by_key, by_token);
    assert!(by_token.grants().has_resource(Some("svc"), Some("read")));
    assert_eq!(known.fingerprint(&Fingerprint::Ed25519([2; 32])), None);
}

#[test]
fn disabled_peer_is_nobody() {
    let known = directory(vec![PeerEntry { enabled: false, ..peer("a", 1, Some("t")) }], vec![]).unwrap();
    assert_eq!(known.fingerprint(&Fingerprint::Ed25519([1; 32])), None);
    assert_eq!(known.token(&AuthToken::new("t"), 0), None);
}

#[test]
fn tokens_resolve_only_whole_and_in_time() {
    let known = directory(vec![], vec![api_key("alk_1234first", Some(100)), api_key("alk_1234second", None)])
        .unwrap();
    let table: &[(&[u8], u64, bool)] = &[
        (b"alk_1234first", 99, true),
        (b"alk_1234first", 100, false),
        (b"alk_1234second", u64::MAX, true),
        (b"alk_1234", 0, false),
        (b"alk_1234third", 0, false),
        (b"alk_", 0, false),
        (b"", 0, false),
        ("alk_12\u{20ac}\u{20ac}".as_bytes(), 0, false),
        (&[0xff; 12], 0, false),
        (&[b'a'; AuthToken::BYTES_MAX + 1], 0, false),
    ];
    for (token, now, expected) in table {
        let found = known.token(&AuthToken::new(*token), *now);
        assert_eq!(found.is_some(), *expected, "{:?}", String::from_utf8_lossy(token));
        if let Some(identity) = found {
            assert!(!identity.grants().has_resource(None, None), "API keys carry no resources");
        }
    }
}

#[test]
fn keys_that_share_a_prefix_are_different_identities() {
    let keys = || vec![api_key("alk_1234first", None), api_key("alk_1234second", None)];
    let known = directory(vec![], keys()).unwrap();
    let found = |token: &str| known.token(&AuthToken::new(token), 0).unwrap().id().clone();
    assert_ne!(found("alk_1234first"), found("alk_1234second"));
    let alone = directory(vec![], vec![api_key("alk_1234first", None)]).unwrap();
    assert_eq!(alone.token(&AuthToken::new("alk_1234first"), 0).unwrap().id().as_str(), "alk_1234");
}

#[test]
fn conflicts_are_refused() {
    let reserved = directory(vec![peer("local", 1, None)], vec![]);
    assert_eq!(reserved.unwrap_err(), DirectoryError::ReservedPeer(id("local")));
    for name in ["alk_1234", "session:abc", "sessions"] {
        let taken = directory(vec![peer(name, 1, None)], vec![]);
        assert_eq!(taken.unwrap_err(), DirectoryError::ReservedPeer(id(name)));
    }
    let twice = directory(vec![peer("a", 1, None), peer("a", 2, None)], vec![]);
    assert_eq!(twice.unwrap_err(), DirectoryError::DuplicatePeer(id("a")));
    let shared = directory(vec![peer("a", 1, None), peer("b", 1, None)], vec![]);
    assert_eq!(shared.unwrap_err(), DirectoryError::DuplicateFingerprint(Fingerprint::Ed25519([1; 32])));
    let disabled = PeerEntry { enabled: false, ..peer("a", 1, None) };
    let shared = directory(vec![disabled, peer("b", 1, None)], vec![]);
    assert_eq!(shared.unwrap_err(), DirectoryError::DuplicateFingerprint(Fingerprint::Ed25519([1; 32])));
    let token = directory(vec![peer("a", 1, Some("alk_1234x"))], vec![api_key("alk_1234x", None)]);
    assert_eq!(token.unwrap_err(), DirectoryError::DuplicateToken("alk_1234".to_owned()));
    let prefix = ApiKeyEntry { prefix: "alk_".to_owned(), ..api_key("alk_1234x", None) };
    assert_eq!(directory(vec![], vec![prefix]).unwrap_err(), DirectoryError::BadPrefix("alk_".to_owned()));
}

#[test]
fn replacing_revokes_at_once() {
    let key = NewApiKey::generate().unwrap();
    let clock = Arc::new(ManualClock::new(0));
    let first = directory(vec![], vec![api_key(&key.token, Some(10))]).unwrap();
    let provider = ConfigIdentityProvider::new(first, Arc::<ManualClock>::clone(&clock));
    let token = AuthToken::new(key.token.as_bytes());
    assert_eq!(provider.resolve_from_token(&token).unwrap().id().as_str(), key.prefix);
    clock.advance(Duration::from_secs(10));
    assert_eq!(provider.resolve_from_token(&token), None, "expired");
    provider.replace(directory(vec![], vec![api_key(&key.token, None)]).unwrap());
    assert!(provider.resolve_from_token(&token).is_some());
    provider.replace(Directory::default());
    assert_eq!(provider.resolve_from_token(&token), None, "revoked");
}
