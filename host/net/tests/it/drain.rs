//! Shutting down without losing what was begun, and without waiting for what never ends.

use std::time::Duration;

use alknet_core::*;
use alknet_net::*;
use futures_util::AsyncReadExt as _;
use tokio::time::Instant;

use crate::hostile::{self, Impostor};
use crate::support::*;

const SOON: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_call_in_flight_is_answered() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (_send, mut recv) = begin(&connection, "slow").await;
    read_exactly(&mut recv, "begun ").await;
    let start = Instant::now();
    let mut rest = String::new();
    let (read, ()) = tokio::join!(recv.read_to_string(&mut rest), served.endpoint.shutdown());
    read.unwrap();
    assert_eq!(rest, "done");
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    assert!(matches!(connection.accept_bi().await, Err(StreamError::ConnectionClosed)));
}

#[tokio::test]
async fn an_idle_endpoint_shuts_down_early_and_more_than_once() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    assert_eq!(call(&connection, "hello").await.unwrap(), "hello");
    let start = Instant::now();
    let endpoint = served.endpoint.clone();
    tokio::join!(endpoint.shutdown(), served.endpoint.shutdown(), endpoint.closed());
    served.endpoint.shutdown().await;
    served.endpoint.shutdown_now();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(matches!(connection.accept_bi().await, Err(StreamError::ConnectionClosed)));
    let error = served.dial(&Dialer::with_limits(None, impatient()), COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. } | DialError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stuck_handler_is_cut_when_time_is_up() {
    let drain_timeout = Duration::from_millis(300);
    let served = serve_with(|config| config.drain_timeout = drain_timeout).await;
    let impostor = Impostor { shows: key(ALICE).public(), signs_with: key(ALICE), raw: true };
    let connection = hostile::dial(impostor, served.endpoint.quic_addr().unwrap(), COMMANDS).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(b"stuck").await.unwrap();
    send.finish().unwrap();
    recv.read_exact(&mut [0; 6]).await.unwrap();
    let start = Instant::now();
    served.endpoint.shutdown().await;
    let took = start.elapsed();
    assert!((drain_timeout..drain_timeout + SOON).contains(&took), "{took:?}");
    let ended = connection.closed().await;
    let quinn::ConnectionError::ApplicationClosed(close) = &ended else { panic!("{ended:?}") };
    assert_eq!(close.error_code, CloseCode::Shutdown.code().into());
    assert_eq!(&close.reason[..], b"shutdown");
}

#[tokio::test]
async fn a_dial_during_the_drain_is_refused_and_a_second_signal_ends_it() {
    let served = serve_with(|config| config.drain_timeout = Duration::from_secs(60)).await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (_send, mut recv) = begin(&connection, "stuck").await;
    read_exactly(&mut recv, "stuck ").await;
    let meanwhile = async {
        read_exactly(&mut recv, "draining").await;
        let error = served.dial(&Dialer::new(None), COMMANDS).await.unwrap_err();
        assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
        served.endpoint.shutdown_now();
        Instant::now()
    };
    let (signalled, ()) = tokio::join!(meanwhile, served.endpoint.shutdown());
    assert!(signalled.elapsed() < SOON, "{:?}", signalled.elapsed());
}

#[tokio::test]
async fn dropping_the_endpoint_cuts_its_connections() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (_send, mut recv) = begin(&connection, "stuck").await;
    read_exactly(&mut recv, "stuck ").await;
    drop(served);
    assert!(matches!(connection.accept_bi().await, Err(StreamError::ConnectionClosed)));
}

#[tokio::test]
async fn half_open_handshakes_do_not_delay_a_shutdown() {
    let served = serve().await;
    let mallory = Impostor { shows: key(MALLORY).public(), signs_with: key(MALLORY), raw: true };
    let _attacker = hostile::half_open(&mallory, served.endpoint.quic_addr().unwrap(), 20).await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    assert_eq!(call(&connection, "hello").await.unwrap(), "hello");
    let start = Instant::now();
    served.endpoint.shutdown().await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}
