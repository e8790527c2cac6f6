//! Correlation ids: each belongs to the side that issued it.

use alknet_call::{CallOptions, Client, Limits};
use alknet_core::HandlerError;
use futures_util::AsyncWriteExt as _;
use serde_json::{Value, json};

use crate::link::{fixture, raw, serve};
use crate::support::*;

#[tokio::test]
async fn a_live_id_is_not_taken_twice() {
    let forever = r#"{"type":"call.requested","id":"x","payload":{"operationId":"t/forever"}}"#;
    let again = r#"{"type":"call.requested","id":"x","payload":{"operationId":"t/echo","input":1}}"#;
    let abort = r#"{"type":"call.aborted","id":"x","payload":{}}"#;
    let answers = raw(&[forever, again, abort, again]).await;
    assert_eq!(answers.len(), 1, "the duplicate is dropped, the freed id answers: {answers:?}");
}

#[tokio::test]
async fn sixteen_duplicates_close_the_connection() {
    let (a, b) = pipe();
    let mut server = serve(a, dispatcher(fixture()));
    let (mut send, _recv) = b.open_bi().await.unwrap();
    let forever = br#"{"type":"call.requested","id":"x","payload":{"operationId":"t/forever"}}"#;
    for _ in 0..17 {
        send.write_all(&u32::try_from(forever.len()).unwrap().to_be_bytes()).await.unwrap();
        send.write_all(forever).await.unwrap();
    }
    send.flush().await.unwrap();
    let ended = server.tasks.join_next().await.unwrap().unwrap();
    assert!(matches!(ended, Err(HandlerError::Internal(_))), "{ended:?}");
}

#[tokio::test]
async fn an_answer_may_come_on_any_stream() {
    let (a, b) = pipe();
    let client = Client::new(b, Limits::default());
    let peer = async {
        let mut asked = Wire::new(a.accept_bi().await.unwrap());
        let mut other = Wire::new(a.open_bi().await.unwrap());
        for id in ["c1", "c2"] {
            assert_eq!(asked.read().await["id"], id, "the side that dialed counts with this letter");
            // What nobody asked for, or the other side did, is ignored on every stream.
            for stray in ["c9", "s1", "1", ""] {
                let answer =
                    json!({ "type": "call.responded", "id": stray, "payload": { "output": "stray" } });
                other.write(&answer).await;
            }
            let answer = json!({ "type": "call.responded", "id": id, "payload": { "output": id } });
            other.write(&answer).await;
        }
        (asked, other)
    };
    let calls = async {
        for id in ["c1", "c2"] {
            assert_eq!(client.call("t/echo", &json!({})).await.unwrap(), json!(id));
        }
    };
    let (_streams, ()) = tokio::join!(peer, calls);
}

#[tokio::test]
async fn an_abort_is_of_the_side_that_issued_the_id() {
    let event = |kind: &str, id: &str, payload: Value| json!({ "type": kind, "id": id, "payload": payload });
    let abort = |id: &str| event("call.aborted", id, json!({}));
    let (a, b) = pipe();
    let server = serve(a, dispatcher(fixture()));
    let (nothing, options) = (json!({}), CallOptions::default());
    let call = || server.link.call("w/exec", &nothing, &options);
    let peer = async {
        let mut asked = Wire::new(b.accept_bi().await.unwrap());
        assert_eq!(asked.read().await["id"], "s1");
        let mut own = Wire::new(b.open_bi().await.unwrap());
        own.request("s1", "t/forever", json!({}), json!({})).await;
        own.write_together(&[abort("s1"), abort("s1")]).await;
        own.request("s1", "t/echo", json!(1), json!({})).await;
        assert_eq!(own.read().await["payload"]["output"], 1, "its own call is over, and the id free again");
        asked.write(&event("call.responded", "s1", json!({ "output": "answered" }))).await;

        // What it may say of calls that it was asked for: on their stream, and on one that has nothing else.
        assert_eq!(asked.read().await["id"], "s2");
        asked.write(&abort("s2")).await;
        assert_eq!(asked.read().await["id"], "s3");
        let mut other = Wire::new(b.open_bi().await.unwrap());
        other.write(&abort("s3")).await;
        (asked, own, other)
    };
    let calls = async {
        assert_eq!(call().await.unwrap(), json!("answered"));
        for _ in 0..2 {
            assert_eq!(call().await.unwrap_err().message(), "request cancelled");
        }
    };
    let (_streams, ()) = tokio::join!(peer, calls);
}
