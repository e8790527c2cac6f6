//! Two ends of a connection: calls both ways, aborts, deadlines, bad frames, drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alknet_call::{CallOptions, Client, Dispatcher, ErrorCode, Limits, Link, Registration, handler_fn};
use alknet_core::{AuthContext, Connection, Drain, HandlerError, Secret};
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::*;

pub(crate) struct Served {
    pub(crate) link: Link,
    pub(crate) drain: Drain,
    pub(crate) tasks: JoinSet<Result<(), HandlerError>>,
}

pub(crate) fn serve(connection: Connection, dispatcher: Dispatcher) -> Served {
    let link = Link::accepted(connection, AuthContext::default(), dispatcher, Arc::new(Tokens));
    let (drain, mut tasks) = (Drain::new(), JoinSet::new());
    let (running, signal) = (link.clone(), drain.signal());
    tasks.spawn(async move {
        let ended = running.run(signal).await;
        running.connection().close(0, "done");
        ended
    });
    Served { link, drain, tasks }
}

pub(crate) fn fixture() -> Vec<Registration> {
    vec![
        Registration::local(spec("t/echo"), echo()),
        Registration::local(requiring("t/admin", "admin"), echo()),
        Registration::local(
            spec("t/who"),
            handler_fn(|_, scope| async move {
                let context = json!({
                    "identity": scope.root_identity().map(|i| i.id().to_string()),
                    "internal": scope.is_internal(),
                    "parent": scope.parent().map(|p| p.to_string()),
                });
                Ok(context)
            }),
        ),
        Registration::local(spec("t/forever"), handler_fn(|_, _| std::future::pending())),
    ]
}

#[tokio::test]
async fn both_sides_call_on_one_connection() {
    let (a, b) = pipe();
    let server = serve(a, dispatcher(fixture()));
    let client = Client::serving(b, AuthContext::default(), dispatcher(fixture()), Arc::new(Tokens));
    for n in 0..50 {
        assert_eq!(client.call("t/echo", &json!(n)).await.unwrap(), json!(n));
        let back = server.link.call("t/echo", &json!({ "n": n }), &CallOptions::default()).await.unwrap();
        assert_eq!(back, json!({ "n": n }));
    }
    client.close().await;
}

#[tokio::test]
async fn answers_of_a_dialed_host_may_be_larger_than_a_strangers_frames() {
    let big = handler_fn(|bytes: Value, _| async move {
        Ok(json!("x".repeat(usize::try_from(bytes.as_u64().unwrap_or_default()).unwrap_or_default())))
    });
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(vec![Registration::local(spec("t/big"), big)]));
    let client = Client::new(b, Limits::default());
    let answer = client.call("t/big", &json!(3 << 20)).await.unwrap();
    assert_eq!(answer.as_str().map(str::len), Some(3 << 20));
    // More than any frame may hold: an error that says so, and the stream lives on.
    let error = client.call("t/big", &json!(65 << 20)).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (&ErrorCode::INTERNAL, "response too large"));
    assert_eq!(client.call("t/big", &json!(1)).await.unwrap(), json!("x"));
    // A stranger's own frames are bounded: the stream is dropped, the connection lives on.
    let error = client.call("t/big", &json!("x".repeat(2 << 20))).await.unwrap_err();
    assert_eq!(error.message(), "the stream ended without an answer");
    assert_eq!(client.call("t/big", &json!(1)).await.unwrap(), json!("x"));
}

#[tokio::test]
async fn frames_larger_than_the_transport_takes_at_once_stay_whole() {
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(fixture()));
    // Authenticated or not, 200 KB fit a frame; the pipe takes 64 KiB at once.
    let client = Client::new(b, Limits::default());
    let calls = (0..50).map(|n: usize| {
        let client = &client;
        async move {
            let input = json!({ "n": n, "text": "x".repeat(if n.is_multiple_of(3) { 200_000 } else { n }) });
            assert_eq!(client.call("t/echo", &input).await.unwrap(), input);
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn a_single_stream_carries_both_directions() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let single = |stream| {
        let (send, recv) = halves(stream);
        Connection::from_stream(send, recv, b"alknet/call".to_vec(), None)
    };
    let server = serve(single(ours), dispatcher(fixture()));
    let client =
        Client::serving(single(theirs), AuthContext::default(), dispatcher(fixture()), Arc::new(Tokens));
    assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1));
    assert_eq!(server.link.call("t/echo", &json!(2), &CallOptions::default()).await.unwrap(), json!(2));
    client.close().await;
    let mut tasks = server.tasks;
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_token_replaces_the_identity_for_one_call() {
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(fixture()));
    let client = Client::new(b, Limits::default());
    let with =
        |token: &str| CallOptions { auth_token: Some(Secret::new(token.to_owned())), ..Default::default() };
    assert_eq!(client.call_with("t/admin", &json!(1), &with("alice")).await.unwrap(), json!(1));
    let denied = client.call_with("t/admin", &json!(1), &with("bob")).await.unwrap_err();
    assert_eq!(*denied.code(), ErrorCode::FORBIDDEN);
    let anonymous = client.call("t/admin", &json!(1)).await.unwrap_err();
    assert_eq!(anonymous.message(), "authentication required");
    // An unknown token is no error: the connection's identity, here none, stays.
    assert_eq!(client.call_with("t/who", &json!(1), &with("eve")).await.unwrap()["identity"], Value::Null);
}

#[tokio::test]
async fn guessing_tokens_ends_the_connection() {
    let (a, b) = pipe();
    let mut server = serve(a, dispatcher(fixture()));
    let client = Client::new(b, Limits::default());
    let options = CallOptions { auth_token: Some(Secret::new("guess".to_owned())), ..Default::default() };
    let mut answered = 0;
    while client.call_with("t/echo", &json!(1), &options).await.is_ok() {
        answered += 1;
    }
    assert!(answered <= 6, "the connection closes after five unknown tokens, {answered} were answered");
    let ended = server.tasks.join_next().await.unwrap().unwrap();
    assert!(matches!(ended, Err(HandlerError::AuthRequired)), "{ended:?}");
}

/// Flags when it is dropped without having finished.
pub(crate) struct DropFlag(pub(crate) Arc<AtomicBool>, pub(crate) Arc<Notify>);
impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.notify_one();
    }
}

fn guarded(dropped: &Arc<AtomicBool>, changed: &Arc<Notify>) -> Vec<Registration> {
    let (dropped, changed) = (Arc::clone(dropped), Arc::clone(changed));
    let leaf = handler_fn(move |_, _| {
        let guard = DropFlag(Arc::clone(&dropped), Arc::clone(&changed));
        changed.notify_one();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    vec![
        Registration::local(spec("t/leaf").internal(), leaf),
        Registration::composing(spec("p/parent"), compose_named(), composition(&[], &["t/leaf"])),
        Registration::local(spec("t/echo"), echo()),
    ]
}

#[tokio::test]
async fn an_abort_cancels_the_whole_tree() {
    let (dropped, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let audit = Arc::new(MemoryAudit::default());
    let (a, b) = pipe();
    let host =
        dispatcher_with(guarded(&dropped, &changed), Arc::<MemoryAudit>::clone(&audit), Limits::default());
    let _server = serve(a, host);
    let client = Client::new(b, Limits::default());
    let input = json!({ "op": "t/leaf" });
    tokio::select! {
        _ = client.call("p/parent", &input) => panic!("it never answers"),
        () = changed.notified() => {}
    }
    changed.notified().await;
    assert!(dropped.load(Ordering::SeqCst), "the leaf's guard ran");
    assert_eq!(client.call("t/echo", &json!(1)).await.unwrap(), json!(1), "the stream lives on");
    let lines = audit.lines();
    assert!(lines.contains(&"t/leaf finished CANCELLED".to_owned()), "{lines:?}");
    assert!(lines.contains(&"p/parent finished CANCELLED".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_the_tree() {
    let (dropped, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(guarded(&dropped, &changed)));
    let client = Client::new(b, Limits::default());
    let options = CallOptions { timeout: Some(Duration::from_secs(300)), ..Default::default() };
    let error = client.call_with("p/parent", &json!({ "op": "t/leaf" }), &options).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (&ErrorCode::TIMEOUT, true));
    assert!(dropped.load(Ordering::SeqCst), "nothing outlives the deadline");
}

#[tokio::test]
async fn a_lost_connection_fails_calls_and_cancels_theirs() {
    let (dropped, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (a, b) = pipe();
    let mut server = serve(a, dispatcher(guarded(&dropped, &changed)));
    let client = Client::new(b, Limits::default());
    let input = json!({ "op": "t/leaf" });
    let call = client.call("p/parent", &input);
    let loss = async {
        changed.notified().await;
        server.tasks.shutdown().await;
    };
    let (answer, ()) = tokio::join!(call, loss);
    assert_eq!(*answer.unwrap_err().code(), ErrorCode::INTERNAL);
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_lost_connection_cancels_calls_whose_stream_was_finished() {
    let (dropped, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (a, b) = pipe();
    // Only the loss can end the call: its deadline is an hour away.
    let limits = Limits { call_timeout: Duration::from_secs(3600), ..Limits::default() };
    let host = host_of(guarded(&dropped, &changed), limits);
    let mut server = serve(a, host);
    let (mut send, _recv) = b.open_bi().await.unwrap();
    let request =
        br#"{"type":"call.requested","id":"1","payload":{"operationId":"p/parent","input":{"op":"t/leaf"}}}"#;
    send.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).await.unwrap();
    send.write_all(request).await.unwrap();
    send.close().await.unwrap();
    changed.notified().await;
    b.close(0, "gone");
    let ended = tokio::time::timeout(Duration::from_secs(60), server.tasks.join_next()).await;
    ended.expect("the loss is noticed").unwrap().unwrap().unwrap();
    assert!(dropped.load(Ordering::SeqCst));
}

pub(crate) async fn raw(frames: &[&str]) -> Vec<Value> {
    let (a, b) = pipe();
    let _server = serve(a, dispatcher(fixture()));
    let (mut send, mut recv) = b.open_bi().await.unwrap();
    for frame in frames {
        let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(frame.as_bytes());
        send.write_all(&bytes).await.unwrap();
    }
    send.close().await.unwrap();
    let mut all = Vec::new();
    recv.read_to_end(&mut all).await.unwrap();
    let mut answers = Vec::new();
    let mut rest = all.as_slice();
    while let Some((header, tail)) = rest.split_at_checked(4) {
        let length = usize::try_from(u32::from_be_bytes(header.try_into().unwrap())).unwrap();
        let (body, next) = tail.split_at(length);
        answers.push(serde_json::from_slice(body).unwrap());
        rest = next;
    }
    answers
}

#[tokio::test]
async fn frames_by_hand() {
    let echo = r#"{"type":"call.requested","id":"e","payload":{"operationId":"/t/echo","input":7}}"#;
    let forged = r#"{"type":"call.requested","id":"f","payload":{"operationId":"t/who","internal":true,"parent_request_id":"x","identity":{"id":"root"},"metadata":{},"scoped_env":["t/admin"]}}"#;
    let unknown = r#"{"type":"call.surprise","id":"u","payload":{}}"#;
    let stray = r#"{"type":"call.responded","id":"1","payload":{"output":1}}"#;
    let abort = r#"{"type":"call.aborted","id":"nobody","payload":{}}"#;
    let answers = raw(&[unknown, stray, abort, echo]).await;
    assert_eq!(answers, [json!({"type": "call.responded", "id": "e", "payload": {"output": 7}})]);
    let answers = raw(&[forged]).await;
    let expected = json!({ "identity": null, "internal": false, "parent": null });
    assert_eq!(answers[0]["payload"]["output"], expected, "payload members grant nothing");
    let typed = r#"{"type":"call.requested","id":"n","payload":{"operationId":7}}"#;
    let answers = raw(&[typed]).await;
    assert_eq!(answers[0]["payload"]["code"], "NOT_FOUND");
    // After a broken frame the stream is dropped without an answer.
    assert_eq!(raw(&["not json", echo]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn draining_answers_what_runs_and_refuses_the_rest() {
    let (release, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, started) = (Arc::clone(&release), Arc::clone(&begun));
    let slow = handler_fn(move |_, _| {
        let wait = Arc::clone(&wait);
        started.notify_one();
        async move {
            wait.notified().await;
            Ok(json!("done"))
        }
    });
    let mut all = fixture();
    all.push(Registration::local(spec("t/slow"), slow));
    let (a, b) = pipe();
    let mut server = serve(a, dispatcher(all));
    let client = Client::new(b, Limits::default());
    let nothing = json!({});
    let running = client.call("t/slow", &nothing);
    let draining = async {
        begun.notified().await;
        server.drain.start();
        // Refused once the drain is seen; until then it is an ordinary call.
        while client.call("t/echo", &json!(1)).await.is_ok() {
            tokio::task::yield_now().await;
        }
        release.notify_one();
    };
    let (answer, ()) = tokio::join!(running, draining);
    assert_eq!(answer.unwrap(), json!("done"));
    server.tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn discovery_shows_what_the_caller_may_run() {
    let host = dispatcher(fixture());
    let list = |output: Value| -> Vec<String> {
        let operations = output["operations"].as_array().unwrap();
        operations.iter().map(|op| op["name"].as_str().unwrap().to_owned()).collect()
    };
    let anonymous = list(host.call(None, "services/list", json!({})).await.unwrap());
    assert!(!anonymous.contains(&"t/admin".to_owned()) && anonymous.contains(&"t/echo".to_owned()));
    let admin = || Some(identity("root", &["admin"]));
    assert!(
        list(host.call(admin(), "services/list", json!({})).await.unwrap()).contains(&"t/admin".to_owned())
    );
    let schema = |who, name: &'static str| host.call(who, "services/schema", json!({ "name": name }));
    let shown = schema(admin(), "/t/admin").await.unwrap();
    assert_eq!(shown["access_control"]["required_scopes"], json!(["admin"]));
    let mut hidden = Vec::new();
    for (who, name) in [(None, "t/admin"), (None, "t/absent"), (admin(), "no name")] {
        hidden.push(schema(who, name).await.unwrap_err().code().clone());
    }
    assert_eq!(hidden, vec![ErrorCode::NOT_FOUND; 3]);
    let missing = host.call(None, "services/schema", json!({})).await.unwrap_err();
    assert_eq!(*missing.code(), ErrorCode::INVALID_INPUT);
}
