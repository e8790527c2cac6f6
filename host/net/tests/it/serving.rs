//! Dispatch by ALPN, and who the peer is taken for.

use alknet_core::*;
use alknet_net::*;

use crate::support::*;

#[tokio::test]
async fn the_alpn_picks_the_handler() {
    let served = serve().await;
    let alice = Dialer::new(Some(key(ALICE)));
    let commands = served.dial(&alice, COMMANDS).await.unwrap();
    assert_eq!(call(&commands, "hello").await.unwrap(), "hello");
    let members = served.dial(&alice, MEMBERS).await.unwrap();
    assert_eq!(call(&members, "").await.unwrap(), welcome("alice"));
    assert_eq!(members.remote_alpn(), MEMBERS);
    assert_eq!(members.remote_addr(), served.endpoint.quic_addr());
}

#[tokio::test]
async fn an_unknown_alpn_fails_in_the_handshake() {
    let served = serve().await;
    let error = served.dial(&Dialer::new(None), b"test/unknown").await.unwrap_err();
    assert!(matches!(&error, DialError::NoCommonAlpn { alpn, .. } if alpn == "test/unknown"), "{error:?}");
}

#[tokio::test]
async fn a_known_key_is_its_peer_and_an_unknown_key_is_nobody() {
    let served = serve().await;
    for (seed, name) in [(ALICE, "alice"), (MALLORY, "nobody")] {
        let connection = served.dial(&Dialer::new(Some(key(seed))), COMMANDS).await.unwrap();
        let answer = call(&connection, "whoami").await.unwrap();
        assert_eq!(answer, format!("{name}, {}, address", fingerprint(seed)));
    }
}

#[tokio::test]
async fn an_anonymous_client_is_served_where_no_identity_is_needed() {
    let served = serve().await;
    let nobody = Dialer::new(None);
    let connection = served.dial(&nobody, COMMANDS).await.unwrap();
    assert_eq!(call(&connection, "whoami").await.unwrap(), "nobody, no key, address");

    let members = served.dial(&nobody, MEMBERS).await.unwrap();
    assert!(matches!(members.accept_bi().await, Err(StreamError::ConnectionClosed)));
}

#[tokio::test]
async fn a_rotated_key_is_the_same_peer_and_the_old_one_is_nobody() {
    let served = serve().await;
    served.identities.replace(alice_has(&[3]));
    for (seed, name) in [(3, "alice"), (ALICE, "nobody")] {
        let connection = served.dial(&Dialer::new(Some(key(seed))), COMMANDS).await.unwrap();
        assert!(call(&connection, "whoami").await.unwrap().starts_with(name));
    }
}

#[tokio::test]
async fn an_endpoint_needs_a_source_handlers_and_a_free_port() {
    let config = config(handlers());
    assert!(matches!(Endpoint::bind(config.clone()).await, Err(EndpointError::NoSource)));

    let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let busy = held.local_addr().unwrap();
    let quic = Some(QuicConfig { listen: busy });
    let config = EndpointConfig { quic, ..config };
    let error = Endpoint::bind(config.clone()).await.unwrap_err();
    assert!(matches!(error, EndpointError::BindFailed { addr, .. } if addr == busy), "{error:?}");

    let config = EndpointConfig { handlers: HandlerRegistry::default(), ..config };
    assert!(matches!(Endpoint::bind(config).await, Err(EndpointError::NoHandlers)));
}

#[test]
fn nothing_prints_the_key() {
    let secret = format!("{:?}", key(ALICE).to_bytes().as_slice());
    for text in [format!("{:?}", config(handlers())), format!("{:?}", Dialer::new(Some(key(ALICE))))] {
        assert!(!text.contains(&secret), "{text}");
    }
}
