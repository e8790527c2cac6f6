//! A handler that fails takes down its own connection and nothing else.

use alknet_net::*;

use crate::hostile::{self, Impostor};
use crate::support::*;

#[tokio::test]
async fn each_failure_closes_its_connection_with_its_code_and_no_other() {
    let served = serve().await;
    let dialer = Dialer::new(Some(key(ALICE)));
    let mut others = Vec::new();
    for _ in 0..100 {
        others.push(served.dial(&dialer, COMMANDS).await.unwrap());
    }
    let failures = [
        ("fail closed", CloseCode::Done),
        ("fail stream", CloseCode::HandlerFailed),
        ("fail internal", CloseCode::HandlerFailed),
        ("fail auth", CloseCode::AuthRequired),
        ("panic", CloseCode::HandlerFailed),
    ];
    for (command, code) in failures {
        let alice = Impostor { shows: key(ALICE).public(), signs_with: key(ALICE), raw: true };
        let addr = served.endpoint.quic_addr().unwrap();
        let connection = hostile::dial(alice, addr, COMMANDS).await.unwrap();
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        send.write_all(command.as_bytes()).await.unwrap();
        send.finish().unwrap();
        let ended = connection.closed().await;
        let quinn::ConnectionError::ApplicationClosed(close) = &ended else { panic!("{ended:?}") };
        assert_eq!(close.error_code, code.code().into(), "{command}");
        assert_eq!(&close.reason[..], code.reason().as_bytes(), "{command}");
    }
    for connection in others {
        assert_eq!(call(&connection, "alive").await.unwrap(), "alive");
    }
    let late = served.dial(&dialer, COMMANDS).await.unwrap();
    assert_eq!(call(&late, "alive").await.unwrap(), "alive");
}
