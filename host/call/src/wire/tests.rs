mod document;

use std::time::Duration;

use futures_util::io::Cursor;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::frame::{FrameFault, FrameReader};
use super::{Encoder, Event};
use crate::{CallError, ErrorCode};

const TIMEOUT: Duration = Duration::from_secs(30);

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

async fn read_all(bytes: Vec<u8>, max: usize) -> (Vec<Vec<u8>>, Option<FrameFault>) {
    let mut reader = FrameReader::new(Cursor::new(bytes), TIMEOUT);
    let mut bodies = Vec::new();
    loop {
        match reader.next(|bytes| bytes <= max).await {
            Ok(Some(body)) => bodies.push(body.to_vec()),
            Ok(None) => return (bodies, None),
            Err(fault) => return (bodies, Some(fault)),
        }
    }
}

#[test]
fn the_documented_frame_is_byte_exact() {
    let body = br#"{"type":"call.completed","id":"a","payload":{}}"#;
    assert_eq!(&framed(body)[..4], &[0, 0, 0, 0x2f]);
    assert!(matches!(Event::parse(body), Ok(Event::Completed { id }) if id == "a"));
    assert_eq!(Encoder::abort("a")[4..], *br#"{"type":"call.aborted","id":"a","payload":{}}"#);
}

#[test]
fn frames_are_cut_and_faults_end_the_stream() {
    let two = [framed(b"{}"), framed(b"[1]")].concat();
    let table: Vec<(Vec<u8>, usize, &str)> = vec![
        (vec![], 0, "end"),
        (two.clone(), 2, "end"),
        (two[..two.len() - 1].to_vec(), 1, "truncated"),
        (two[..3].to_vec(), 0, "truncated"),
        (vec![0, 0, 0, 0, b'x'], 0, "length"),
        (vec![0, 0, 1, 1], 0, "length"),
        (vec![0xff, 0xff, 0xff, 0xff], 0, "length"),
        (framed(&[b'x'; 256]), 1, "end"),
    ];
    for (bytes, count, end) in table {
        let (bodies, fault) = block_on(read_all(bytes.clone(), 256));
        let ended = match fault {
            None => "end",
            Some(FrameFault::Truncated) => "truncated",
            Some(FrameFault::Length(_)) => "length",
            Some(_) => "other",
        };
        assert_eq!((bodies.len(), ended), (count, end), "{bytes:?}");
    }
}

#[test]
fn a_frame_that_never_ends_is_dropped() {
    let fault = block_on(async {
        let (mut peer, ours) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut peer, &[0, 0, 1, 0, b'x']).await.unwrap();
        let recv = tokio_util::compat::TokioAsyncReadCompatExt::compat(ours);
        FrameReader::new(recv, TIMEOUT).next(|_| true).await.unwrap_err()
    });
    assert!(matches!(fault, FrameFault::Slow));
}

fn is_fault(body: &str) -> bool {
    Event::parse(body.as_bytes()).is_err()
}

#[test]
fn envelopes_with_bad_members_are_faults() {
    let deep = format!(r#"{{"type":"call.requested","id":"1","payload":{{"input":{}}}}}"#, "[".repeat(200));
    let nest = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    // Nobody looks at these, and they are held to the same depth.
    let unknown_deep = format!(r#"{{"type":"x","id":"1","payload":{{}},"more":{}}}"#, nest(130));
    let ignored_deep = format!(r#"{{"type":"x","id":"1","payload":{{"more":{}}}}}"#, nest(130));
    let shapeless_deep = format!(r#"{{"type":"x","id":"1","payload":{}}}"#, nest(130));
    assert!(!is_fault(&format!(r#"{{"type":"x","id":"1","payload":{}}}"#, nest(120))));
    let table = [
        "",
        "null",
        "[]",
        "{",
        r#"{"type":"call.completed","id":"a"}"#,
        r#"{"type":"call.completed","payload":{}}"#,
        r#"{"id":"a","payload":{}}"#,
        r#"{"type":"call.completed","id":7,"payload":{}}"#,
        r#"{"type":null,"id":"a","payload":{}}"#,
        r#"{"type":"a","type":"b","id":"a","payload":{}}"#,
        r#"{"type":"a","id":"a","id":"b","payload":{}}"#,
        r#"{"type":"a","id":"a","payload":{},"payload":{}}"#,
        r#"{"type":"a","id":"a","payload":{}} x"#,
        &deep,
        &unknown_deep,
        &ignored_deep,
        &shapeless_deep,
    ];
    for body in table {
        assert!(is_fault(body), "{body}");
    }
    assert!(Event::parse(b"{\"type\":\"a\",\"id\":\"\xff\",\"payload\":{}}").is_err(), "not UTF-8");
}

#[test]
fn requests_are_understood_whatever_the_order_of_members() {
    let table: [(&str, &str, Value); 7] = [
        (
            r#"{"type":"call.requested","id":"1","payload":{"operationId":"/a/b","input":{"n":3}}}"#,
            "a/b",
            json!({"n":3}),
        ),
        (
            r#"{"payload":{"input":1,"operationId":"a/b"},"x":[{}],"id":"","type":"call.requested"}"#,
            "a/b",
            json!(1),
        ),
        (r#"{"type":"call.requested","id":"1","payload":{"operationId":"//a/b"}}"#, "/a/b", Value::Null),
        (r#"{"type":"call.requested","id":"1","payload":{"operationId":7}}"#, "", Value::Null),
        (r#"{"type":"call.requested","id":"1","payload":[]}"#, "", Value::Null),
        (r#"{"type":"call.requested","id":"1","payload":"x"}"#, "", Value::Null),
        (
            r#"{"type":"call.\u0072equested","id":"1","payload":{"internal":true,"parent_request_id":"x","operationId":"a/b"}}"#,
            "a/b",
            Value::Null,
        ),
    ];
    for (body, name, input) in table {
        let Ok(Event::Requested { request: Ok(request), .. }) = Event::parse(body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!((request.name.as_str(), request.input), (name, input), "{body}");
    }
}

#[test]
fn ambiguous_requests_are_refused() {
    let table = [
        r#"{"type":"call.requested","id":"1","payload":{"operationId":"a/b","operationId":"c/d"}}"#,
        r#"{"type":"call.requested","id":"1","payload":{"input":1,"input":2}}"#,
        r#"{"type":"call.requested","id":"1","payload":{"auth_token":["x"]}}"#,
    ];
    for body in table {
        let Ok(Event::Requested { request: Err(error), .. }) = Event::parse(body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!(*error.code(), ErrorCode::INVALID_INPUT, "{body}");
    }
}

#[test]
fn answers_survive_the_wire() {
    let table: Vec<Result<Value, CallError>> = vec![
        Ok(Value::Null),
        Ok(json!({"text": "h\u{e4}\u{1f600}"})),
        Err(CallError::timeout()),
        Err(CallError::new("NOTE_LOCKED", "locked").retryable(true).with_details(json!({"holder": "bob"}))),
    ];
    for result in table {
        let frame = Encoder::answer("9b1e", &result);
        let parsed = Event::parse(&frame[4..]);
        assert!(
            matches!(&parsed, Ok(Event::Answered { id, result: back }) if id == "9b1e" && *back == result)
        );
    }
    // A peer cannot know that a request of ours never left.
    for payload in [r#"{"code":7}"#, r#"{"code":"CONNECTION_CLOSED","message":"try again"}"#] {
        let event = format!(r#"{{"type":"call.error","id":"1","payload":{payload}}}"#);
        let parsed = Event::parse(event.as_bytes());
        let Ok(Event::Answered { result: Err(error), .. }) = parsed else { panic!("{parsed:?}") };
        assert_eq!(*error.code(), ErrorCode::INTERNAL);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _event = Event::parse(&bytes);
        let (_bodies, _fault) = block_on(read_all(bytes, 200));
    }

    #[test]
    fn any_json_is_parsed_or_refused(text in r#"\{"type":"call\.(requested|error|responded)","id":"[a-z]","payload":(\{("(input|operationId|code|retryable)":(1|null|"x"|\[\]|\{\}),?){0,3}\}|null)\}"#) {
        let _event = Event::parse(text.as_bytes());
    }
}
