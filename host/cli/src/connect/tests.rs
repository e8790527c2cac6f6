use super::*;

const PIN: [u8; 32] = [7; 32];

fn running(quic: Option<&str>) -> RuntimeInfo {
    let fingerprint = Fingerprint::Ed25519(PIN).to_string();
    RuntimeInfo {
        quic: quic.map(|addr| addr.parse().unwrap()),
        iroh: None,
        socket: None,
        fingerprint,
        pid: 1,
    }
}

fn here(running: Option<RuntimeInfo>) -> Here {
    Here { layout: Layout::new(PathBuf::from("data")), relay: None, running }
}

async fn failure(args: &ClientArgs, here: Option<&Here>) -> (u8, String) {
    let error = route(args, here).await.unwrap_err();
    (error.kind().code(), error.to_text())
}

#[tokio::test]
async fn the_host_that_runs_here_is_found() {
    let here = here(Some(running(Some("0.0.0.0:7443"))));
    let found = route(&ClientArgs::default(), Some(&here)).await.unwrap();
    let expected = Route::Quic { addr: "127.0.0.1:7443".parse().unwrap(), pin: Fingerprint::Ed25519(PIN) };
    assert_eq!(found, expected);
    assert!(found.is_loopback());
    let pinned = ClientArgs { fingerprint: Some(Fingerprint::Ed25519(PIN)), ..ClientArgs::default() };
    assert_eq!(route(&pinned, Some(&here)).await.unwrap(), expected);
}

#[tokio::test]
async fn without_a_host_the_error_says_what_to_do() {
    let (code, text) = failure(&ClientArgs::default(), None).await;
    assert_eq!(code, 4);
    assert!(text.contains("alknet-agent init") && text.contains("--connect"), "{text}");
    let (code, text) = failure(&ClientArgs::default(), Some(&here(None))).await;
    assert_eq!(code, 4);
    assert!(text.contains("alknet-agent serve") && !text.contains("init"), "{text}");
}

#[tokio::test]
async fn an_address_alone_is_not_enough() {
    let connect = |text: &str| ClientArgs { connect: Some(text.to_owned()), ..ClientArgs::default() };
    let (code, text) = failure(&connect("127.0.0.1:1"), None).await;
    assert_eq!(code, 2);
    assert!(text.contains("--fingerprint"), "{text}");
    for bad in ["127.0.0.1", "host:", ":1", "host:99999", "host:x"] {
        assert_eq!(failure(&connect(bad), None).await.0, 2, "{bad}");
    }
    let pin = ClientArgs { fingerprint: Some(Fingerprint::Ed25519([8; 32])), ..ClientArgs::default() };
    assert_eq!(failure(&pin, Some(&here(Some(running(None))))).await.0, 2);
    let iroh = ClientArgs { iroh: Some(PublicKey::from_bytes([8; 32])), ..ClientArgs::default() };
    assert_eq!(failure(&iroh, None).await.0, 2);
}

#[tokio::test]
async fn the_operators_key_is_shown_to_its_own_host_only() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path().to_owned());
    let secret = Ed25519SecretKey::generate().unwrap();
    let text = hex::encode(*secret.to_bytes());
    crate::project::create_private_file(&layout.operator_key(), text.as_bytes()).unwrap();
    let here = Here { layout, relay: None, running: Some(running(None)) };
    let args = ClientArgs::default();
    let own = key(&args, Some(&here), Some(&Fingerprint::Ed25519(PIN))).unwrap();
    assert_eq!(own.map(|key| key.public()), Some(secret.public()));
    assert!(key(&args, Some(&here), Some(&Fingerprint::Ed25519([8; 32]))).unwrap().is_none());
    let missing = ClientArgs { key: Some(dir.path().join("none")), ..ClientArgs::default() };
    assert_eq!(key(&missing, None, Some(&Fingerprint::Ed25519(PIN))).unwrap_err().kind().code(), 3);
}
