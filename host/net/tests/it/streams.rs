//! How streams and connections end.

use std::io::ErrorKind;

use alknet_core::*;
use alknet_net::*;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::*;

#[tokio::test]
async fn a_closed_stream_is_read_to_its_end_though_the_connection_closes_next() {
    let served = serve().await;
    let members = served.dial(&Dialer::new(Some(key(ALICE))), MEMBERS).await.unwrap();
    let (_send, mut recv) = begin(&members, "").await;
    assert!(matches!(members.accept_bi().await, Err(StreamError::ConnectionClosed)));
    let mut reply = String::new();
    recv.read_to_string(&mut reply).await.unwrap();
    assert_eq!(reply, welcome("alice"));
}

#[tokio::test]
async fn a_writer_dropped_before_its_end_resets_the_stream() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let error = call(&connection, "abandon").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(call(&connection, "alive").await.unwrap(), "alive");
}

#[tokio::test]
async fn a_reader_dropped_before_the_end_stops_the_writer() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (mut send, recv) = connection.open_bi().await.unwrap();
    drop(recv);
    send.write_all(b"large").await.unwrap();
    send.close().await.unwrap();
    assert_eq!(call(&connection, "alive").await.unwrap(), "alive");
}

#[tokio::test]
async fn writing_after_the_end_fails_and_closing_twice_does_not() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_all(b"hello").await.unwrap();
    send.close().await.unwrap();
    send.close().await.unwrap();
    assert_eq!(send.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_lost_connection_says_so() {
    let served = serve().await;
    let connection = served.dial(&Dialer::new(None), COMMANDS).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    served.endpoint.shutdown_now();
    assert!(matches!(connection.accept_bi().await, Err(StreamError::ConnectionClosed)));
    assert!(matches!(connection.open_bi().await, Err(StreamError::ConnectionClosed)));
    assert_eq!(send.write(b"x").await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(recv.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(send.close().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(send.close().await.unwrap_err().kind(), ErrorKind::NotConnected);
}

#[tokio::test]
async fn closing_the_dialer_tells_the_server() {
    let served = serve().await;
    served.rates.set(RateLimits { connections_per_ip_max: 1 });
    let dialer = Dialer::new(None);
    let connection = served.dial(&dialer, COMMANDS).await.unwrap();
    dialer.close().await;
    assert!(matches!(connection.open_bi().await, Err(StreamError::ConnectionClosed)));
    served.dial_patiently(&dialer).await;
}
