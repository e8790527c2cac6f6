//! Nobody is taken for the holder of a key that they do not hold.

use alknet_core::*;
use alknet_net::*;

use crate::hostile::{self, Impostor};
use crate::support::*;

fn as_alice(signs_with: u8, raw: bool) -> Impostor {
    Impostor { shows: key(ALICE).public(), signs_with: key(signs_with), raw }
}

/// How a hostile client's connection ends; the code is the QUIC transport error code.
async fn refusal(impostor: Impostor) -> u64 {
    let served = serve().await;
    let addr = served.endpoint.quic_addr().unwrap();
    // A TLS 1.3 client is done before the server has judged it, so the verdict may come after the dial.
    let ended = match hostile::dial(impostor, addr, COMMANDS).await {
        Ok(connection) => match whoami(&connection).await {
            Some(reply) => panic!("taken for {reply}"),
            None => connection.closed().await,
        },
        Err(error) => error,
    };
    match ended {
        quinn::ConnectionError::ConnectionClosed(frame) => frame.error_code.into(),
        other => panic!("{other:?}"),
    }
}

/// Asks the server who it takes the client for; `None` if the connection is gone.
async fn whoami(connection: &quinn::Connection) -> Option<String> {
    let (mut send, mut recv) = connection.open_bi().await.ok()?;
    send.write_all(b"whoami").await.ok()?;
    send.finish().ok()?;
    let reply = recv.read_to_end(1000).await.ok()?;
    Some(String::from_utf8(reply).unwrap())
}

#[tokio::test]
async fn a_client_with_the_key_it_shows_is_welcome() {
    let served = serve().await;
    let addr = served.endpoint.quic_addr().unwrap();
    let connection = hostile::dial(as_alice(ALICE, true), addr, COMMANDS).await.unwrap();
    assert!(whoami(&connection).await.unwrap().starts_with("alice, "));
}

#[tokio::test]
async fn a_client_that_shows_the_key_of_another_is_refused() {
    const DECRYPT_ERROR: u64 = 0x100 + 51;
    assert_eq!(refusal(as_alice(MALLORY, true)).await, DECRYPT_ERROR);
}

#[tokio::test]
async fn a_key_that_is_labelled_as_a_certificate_is_refused() {
    const HANDSHAKE_FAILURE: u64 = 0x100 + 40;
    const UNSUPPORTED_CERTIFICATE: u64 = 0x100 + 43;
    for signs_with in [MALLORY, ALICE] {
        let code = refusal(as_alice(signs_with, false)).await;
        assert!([HANDSHAKE_FAILURE, UNSUPPORTED_CERTIFICATE].contains(&code), "{code:#x}");
    }
}

#[tokio::test]
async fn a_server_with_another_key_than_the_pinned_one_is_refused() {
    let served = serve().await;
    let addr = served.endpoint.quic_addr().unwrap();
    let error =
        Dialer::new(Some(key(ALICE))).dial_quic(addr, &fingerprint(MALLORY), COMMANDS).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&fingerprint(MALLORY).to_string()), "{text}");
    assert!(text.contains(&fingerprint(SERVER).to_string()), "{text}");
    let DialError::WrongServerKey { expected, shown } = error else { panic!("{error:?}") };
    assert_eq!((expected, shown), (fingerprint(MALLORY), Some(fingerprint(SERVER))));
}

#[tokio::test]
async fn a_server_that_does_not_hold_the_pinned_key_is_refused() {
    dial_impostor(as_alice(ALICE, true)).await.unwrap();
    for impostor in [as_alice(MALLORY, true), as_alice(MALLORY, false), as_alice(ALICE, false)] {
        let error = dial_impostor(impostor).await.unwrap_err();
        assert!(matches!(error, DialError::Transport(_)), "{error:?}");
    }
}

/// Dials a server run by the impostor, expecting Alice.
async fn dial_impostor(impostor: Impostor) -> Result<Connection, DialError> {
    let server = hostile::server(impostor, COMMANDS);
    let addr = server.local_addr().unwrap();
    let (dialer, pin) = (Dialer::new(None), fingerprint(ALICE));
    let accept = async { server.accept().await.unwrap().await };
    tokio::join!(dialer.dial_quic(addr, &pin, COMMANDS), accept).0
}

#[tokio::test]
async fn a_certificate_cannot_be_pinned() {
    let served = serve().await;
    let pin = Fingerprint::Sha256([0; 32]);
    let addr = served.endpoint.quic_addr().unwrap();
    let error = Dialer::new(None).dial_quic(addr, &pin, COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::UnsupportedPin(_)), "{error:?}");
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dialer = Dialer::with_limits(None, impatient());
    let addr = silent.local_addr().unwrap();
    let error = dialer.dial_quic(addr, &fingerprint(SERVER), COMMANDS).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. }), "{error:?}");
}
