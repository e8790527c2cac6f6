//! What strangers can make the endpoint hold.

use std::time::Duration;

use alknet_core::*;
use alknet_net::*;
use tokio::time::Instant;

use crate::hostile::{self, Impostor};
use crate::support::*;

fn mallory() -> Impostor {
    Impostor { shows: key(MALLORY).public(), signs_with: key(MALLORY), raw: true }
}

#[tokio::test]
async fn an_address_has_a_bounded_number_of_connections() {
    let served = serve().await;
    let dialer = Dialer::new(None);
    served.rates.set(RateLimits { connections_per_ip_max: 2 });
    let first = served.dial(&dialer, COMMANDS).await.unwrap();
    let second = served.dial(&dialer, COMMANDS).await.unwrap();
    let error = served.dial(&dialer, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
    assert_eq!(call(&second, "alive").await.unwrap(), "alive");

    drop(first);
    let third = served.dial_patiently(&dialer).await;
    assert!(served.dial(&dialer, COMMANDS).await.is_err());
    served.rates.set(RateLimits { connections_per_ip_max: 3 });
    let fourth = served.dial(&dialer, COMMANDS).await.unwrap();
    for connection in [second, third, fourth] {
        assert_eq!(call(&connection, "alive").await.unwrap(), "alive");
    }
}

#[tokio::test]
async fn half_open_handshakes_do_not_keep_a_good_client_out() {
    let served = serve().await;
    let addr = served.endpoint.quic_addr().unwrap();
    let _attacker = hostile::half_open(&mallory(), addr, 200).await;
    let start = Instant::now();
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    assert_eq!(call(&connection, "hello").await.unwrap(), "hello");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn half_open_handshakes_are_bounded_and_run_out() {
    let limits = NetLimits {
        handshakes_max: 5,
        handshake_timeout: Duration::from_millis(200),
        ..NetLimits::default()
    };
    let served = serve_with(|config| config.limits = limits).await;
    let dialer = Dialer::new(None);
    let _attacker = hostile::half_open(&mallory(), served.endpoint.quic_addr().unwrap(), 5).await;
    let error = served.dial(&dialer, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
    let connection = served.dial_patiently(&dialer).await;
    assert_eq!(call(&connection, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn an_endpoint_has_a_bounded_number_of_connections() {
    let limits = NetLimits { connections_max: 1, ..NetLimits::default() };
    let served = serve_with(|config| config.limits = limits).await;
    let dialer = Dialer::new(None);
    let first = served.dial(&dialer, COMMANDS).await.unwrap();
    assert!(matches!(served.dial(&dialer, COMMANDS).await, Err(DialError::Refused { .. })));
    drop(first);
    served.dial_patiently(&dialer).await;
}

#[tokio::test]
async fn a_connection_has_a_bounded_number_of_streams() {
    let limits = NetLimits { streams_per_connection_max: 2, ..NetLimits::default() };
    let served = serve_with(|config| config.limits = limits).await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (mut streams, mut opened) = (Vec::new(), 0);
    while let std::task::Poll::Ready(stream) = futures_util::poll!(Box::pin(connection.open_bi())) {
        streams.push(stream.unwrap());
        opened += 1;
    }
    assert_eq!(opened, 2);
    drop(streams);
    for _ in 0..10 {
        assert_eq!(call(&connection, "next").await.unwrap(), "next");
    }
}

#[tokio::test]
async fn a_silent_connection_is_given_up_and_a_kept_alive_one_is_not() {
    let limits = NetLimits { idle_timeout: Duration::from_millis(300), ..NetLimits::default() };
    let served = serve_with(|config| config.limits = limits).await;
    let lively = NetLimits { keep_alive_interval: Duration::from_millis(50), ..NetLimits::default() };
    let lively = Dialer::with_limits(None, lively);
    let kept_alive = served.dial(&lively, COMMANDS).await.unwrap();
    let silent = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    assert!(matches!(silent.accept_bi().await, Err(StreamError::Timeout)));
    assert_eq!(call(&kept_alive, "alive").await.unwrap(), "alive");
}
