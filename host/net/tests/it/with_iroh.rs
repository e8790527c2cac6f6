//! iroh beside direct QUIC: the same peers, the same handlers, the same endings.

use std::time::Duration;

use alknet_core::*;
use alknet_net::*;
use futures_util::AsyncReadExt as _;
use tokio::time::Instant;

use crate::support::*;

async fn serve_both(change: impl FnOnce(&mut EndpointConfig)) -> Served {
    serve_with(|config| {
        config.iroh = Some(IrohConfig { bind: "127.0.0.1:0".parse().unwrap(), relay: None });
        change(config);
    })
    .await
}

async fn dial(served: &Served, dialer: &Dialer, alpn: &[u8]) -> Result<Connection, DialError> {
    let addrs = served.endpoint.iroh_addrs();
    dialer.dial_iroh(&served.endpoint.public_key(), addrs, None, alpn).await
}

#[tokio::test]
async fn a_peer_is_the_same_over_quic_and_over_iroh() {
    let served = serve_both(|_| {}).await;
    assert!(served.endpoint.iroh_addrs().iter().all(|addr| addr.ip().is_loopback()));
    let alice = Dialer::new(Some(key(ALICE)));
    let direct = served.dial(&alice, COMMANDS).await.unwrap();
    let peer_to_peer = dial(&served, &alice, COMMANDS).await.unwrap();
    let name = format!("alice, {}", fingerprint(ALICE));
    assert_eq!(call(&direct, "whoami").await.unwrap(), format!("{name}, address"));
    assert_eq!(call(&peer_to_peer, "whoami").await.unwrap(), format!("{name}, no address"));
    assert_eq!(peer_to_peer.remote_addr(), None);
    assert_eq!(peer_to_peer.remote_alpn(), COMMANDS);
    let members = dial(&served, &alice, MEMBERS).await.unwrap();
    assert_eq!(call(&members, "").await.unwrap(), welcome("alice"));
}

#[tokio::test]
async fn a_dialer_without_a_key_is_nobody() {
    let served = serve_both(|_| {}).await;
    let connection = dial(&served, &Dialer::new(None), COMMANDS).await.unwrap();
    let answer = call(&connection, "whoami").await.unwrap();
    assert!(answer.starts_with("nobody, ed25519:"), "{answer}");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let served = serve_both(|_| {}).await;
    let dialer = Dialer::with_limits(None, impatient());
    let error = dial(&served, &dialer, b"test/unknown").await.unwrap_err();
    assert!(matches!(error, DialError::NoCommonAlpn { .. }), "{error:?}");

    let addrs = served.endpoint.iroh_addrs();
    let error = dialer.dial_iroh(&key(MALLORY).public(), addrs, None, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::WrongServerKey { shown: None, .. }), "{error:?}");

    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nowhere = [silent.local_addr().unwrap()];
    let node = served.endpoint.public_key();
    // Another dialer: this one has learned by now where the node is.
    let dialer = Dialer::with_limits(None, impatient());
    let error = dialer.dial_iroh(&node, &nowhere, None, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. }), "{error:?}");
    let error = dialer.dial_iroh(&node, &[], None, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. }), "{error:?}");
    let error = dialer.dial_iroh(&node, addrs, Some("no url"), COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::InvalidRelay(_)), "{error:?}");
    let error = dialer.dial_iroh(&PublicKey::from_bytes([2; 32]), addrs, None, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::InvalidKey), "{error:?}");
}

#[tokio::test]
async fn limits_count_both_sources_together() {
    let served = serve_both(|_| {}).await;
    served.rates.set(RateLimits { connections_per_ip_max: 1 });
    let dialer = Dialer::new(None);
    let _direct = served.dial(&dialer, COMMANDS).await.unwrap();
    let error = dial(&served, &dialer, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_dropped_writer_resets_and_a_closed_one_is_complete() {
    let served = serve_both(|_| {}).await;
    let connection = dial(&served, &Dialer::new(None), COMMANDS).await.unwrap();
    let error = call(&connection, "abandon").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(call(&connection, "large").await.unwrap().len(), LARGE);
}

#[tokio::test]
async fn a_call_in_flight_survives_the_drain_and_a_new_dial_does_not() {
    let served = serve_both(|_| {}).await;
    let connection = dial(&served, &Dialer::new(None), COMMANDS).await.unwrap();
    let (_send, mut recv) = begin(&connection, "slow").await;
    read_exactly(&mut recv, "begun ").await;
    let mut rest = String::new();
    let late = Dialer::new(None);
    let (read, (), late) = tokio::join!(
        recv.read_to_string(&mut rest),
        served.endpoint.shutdown(),
        dial(&served, &late, COMMANDS),
    );
    read.unwrap();
    assert_eq!(rest, "done");
    assert!(matches!(&late, Err(DialError::Refused { .. })), "{late:?}");
    assert!(matches!(connection.accept_bi().await, Err(StreamError::ConnectionClosed)));
}

#[tokio::test]
async fn an_idle_endpoint_shuts_down_early() {
    let served = serve_both(|_| {}).await;
    let dialer = Dialer::new(None);
    let connection = dial(&served, &dialer, COMMANDS).await.unwrap();
    assert_eq!(call(&connection, "hello").await.unwrap(), "hello");
    let start = Instant::now();
    served.endpoint.shutdown().await;
    dialer.close().await;
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    let error = connection.open_bi().await.unwrap_err();
    assert!(matches!(error, StreamError::ConnectionClosed), "{error:?}");
}

#[tokio::test]
async fn a_busy_port_is_reported() {
    let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let busy = held.local_addr().unwrap();
    let mut config = config(handlers());
    config.iroh = Some(IrohConfig { bind: busy, relay: None });
    let error = Endpoint::bind(config.clone()).await.unwrap_err();
    assert!(matches!(error, EndpointError::BindFailed { addr, .. } if addr == busy), "{error:?}");
    config.iroh = Some(IrohConfig { bind: busy, relay: Some("no url".to_owned()) });
    assert!(matches!(Endpoint::bind(config).await, Err(EndpointError::InvalidRelay(_))));
}
