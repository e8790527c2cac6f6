mod exfiltration;
mod refused;
mod sending;
mod upstream;

use std::time::Duration;

use alknet_call::CallError;
use alknet_core::{Capabilities, CapabilitySource, Identity, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use upstream::Upstream;

use super::{HttpAuth, HttpLimits, HttpMethod, HttpSetupError, HttpTarget};
use crate::SecretGuard;
use crate::builtin::testing::{Host, code, identity};

const SECRET: &str = "sk-5up3r/s3cret+\"q\"";

fn target(name: &str, base_url: &str) -> HttpTarget {
    HttpTarget {
        name: name.to_owned(),
        description: String::new(),
        base_url: base_url.to_owned(),
        methods: vec![HttpMethod::Get, HttpMethod::Post],
        path_prefix: None,
        credential: Some("service".to_owned()),
        auth: HttpAuth::Bearer,
        timeout: Duration::from_secs(10),
        response_bytes_max: 1000,
        allow_private: true,
    }
}

fn credentials() -> Capabilities {
    Capabilities::new().with_http_token("service", Secret::new(SECRET.to_owned()))
}

/// A host with one target, which is a server of this test.
struct Fetching {
    upstream: Upstream,
    guard: SecretGuard,
    host: Host,
    who: Identity,
}

impl Fetching {
    async fn new(reply: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with(reply, |_| {}).await
    }

    /// `adjust` may change the target.
    async fn with(
        reply: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
        adjust: impl FnOnce(&mut HttpTarget),
    ) -> Self {
        let upstream = Upstream::start(reply).await;
        let mut api = target("api", &format!("http://{}/base/", upstream.address));
        adjust(&mut api);
        let guard = SecretGuard::default();
        let operations =
            super::registrations(vec![api], credentials(), guard.clone(), HttpLimits::default()).unwrap();
        Self { upstream, guard, host: Host::new(operations), who: identity("alice", super::SCOPES) }
    }

    /// Calls with what is not given filled in.
    async fn fetch(&self, given: Value) -> Result<Value, CallError> {
        let mut input = json!({"target": "api", "method": "GET", "path": "/"});
        input.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let result = self.host.call(&self.who, "http/fetch", input).await;
        assert!(!format!("{result:?}").contains("5up3r"), "{result:?}");
        result
    }

    async fn fails(&self, given: Value, expected: &str) {
        assert_eq!(code(&self.fetch(given.clone()).await), expected, "{given}");
    }
}

fn respond(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn ok(_: &str) -> Vec<u8> {
    respond("200 OK", "", b"")
}

#[tokio::test]
async fn a_request_reaches_its_target_with_the_credential_once() {
    let fetching = Fetching::new(|_| {
        let headers = "content-type: application/json; charset=utf-8\r\netag: \"1\"\r\nset-cookie: a=b\r\n\
            x-request-id: r1\r\nwww-authenticate: Bearer\r\nx-internal: 10.0.0.1\r\n";
        respond("201 Created", headers, b"{\"a\": [1]}")
    })
    .await;
    let output = fetching
        .fetch(json!({
            "method": "POST",
            "path": "/items/@me/a%20b",
            "query": {"q": "a&b=c", "page": 2, "tag": ["x", "y"], "all": true},
            "headers": {"Accept": "application/json", "X-Api-Version": "2"},
            "body": {"json": {"n": 1}},
        }))
        .await
        .unwrap();
    let headers =
        json!({"content-type": "application/json; charset=utf-8", "etag": "\"1\"", "x-request-id": "r1"});
    assert_eq!(output, json!({"status": 201, "headers": headers, "body": {"json": {"a": [1]}}}));

    let requests = fetching.upstream.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let line = "POST /base/items/@me/a%20b?all=true&page=2&q=a%26b%3Dc&tag=x&tag=y HTTP/1.1";
    assert_eq!(head.lines().next(), Some(line));
    let values = |name: &str| -> Vec<&str> {
        let header = |line: &'_ str| line.split_once(": ").map(|(name, _)| name.to_ascii_lowercase());
        let lines = head.lines().filter(|line| header(line).as_deref() == Some(name));
        lines.map(|line| line.split_once(": ").unwrap().1).collect()
    };
    assert_eq!(values("authorization"), [format!("Bearer {SECRET}")]);
    assert_eq!(values("content-type"), ["application/json"]);
    assert_eq!(values("accept"), ["application/json"]);
    assert_eq!(values("x-api-version"), ["2"]);
    assert_eq!(values("host"), [fetching.upstream.address.to_string()]);
    assert_eq!(body, "{\"n\":1}");
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn without_a_credential_none_is_sent() {
    let fetching = Fetching::with(ok, |target| target.credential = None).await;
    assert_eq!(code(&fetching.fetch(json!({})).await), "OK");
    assert!(!fetching.upstream.requests()[0].to_ascii_lowercase().contains("authorization"));
}

#[tokio::test]
async fn bodies_go_out_and_come_back_in_three_forms() {
    let echo = |request: &str| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or("none");
        let body = if body == "bytes" { b"\xff\xfe".to_vec() } else { body.as_bytes().to_vec() };
        respond("200 OK", &format!("content-type: {kind}\r\n"), &body)
    };
    let fetching = Fetching::new(echo).await;
    for (given, expected) in [
        (json!({"body": {"json": {"a": "ü"}}}), ("application/json", json!({"json": {"a": "ü"}}))),
        (json!({"body": {"json": null}}), ("application/json", json!({"json": null}))),
        (json!({"body": {"text": "hü"}}), ("text/plain; charset=utf-8", json!({"text": "hü"}))),
        (json!({"body": {"base64": "Ynl0ZXM="}}), ("application/octet-stream", json!({"base64": "//4="}))),
        (
            json!({"body": {"text": "{\"a\":1}"}, "headers": {"content-type": "application/hal+json"}}),
            ("application/hal+json", json!({"json": {"a": 1}})),
        ),
        (
            json!({"body": {"text": "{oops"}, "headers": {"content-type": "application/json"}}),
            ("application/json", json!({"text": "{oops"})),
        ),
        (json!({}), ("none", json!({"text": ""}))),
    ] {
        let mut given = given;
        given["method"] = json!("POST");
        let output = fetching.fetch(given.clone()).await.unwrap();
        assert_eq!(
            (&output["headers"]["content-type"], &output["body"]),
            (&json!(expected.0), &expected.1),
            "{given}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_answered_and_not_followed() {
    let fetching = Fetching::new(|request| {
        assert!(!request.contains("elsewhere"), "nobody goes there");
        respond("302 Found", "location: /elsewhere\r\n", b"")
    })
    .await;
    let output = fetching.fetch(json!({})).await.unwrap();
    assert_eq!((&output["status"], &output["headers"]["location"]), (&json!(302), &json!("/elsewhere")));
    assert_eq!(fetching.upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_response_above_the_limit_is_refused_while_it_comes_in() {
    let chunk = || [b"64\r\n".as_slice(), &[b'x'; 100], b"\r\n"].concat();
    let fetching = Fetching::new(move |request| {
        if request.contains("/chunked") {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            // Without an end: what is refused is not waited for.
            return [head, chunk().repeat(11)].concat();
        }
        let bytes = if request.contains("/fits") { 1000 } else { 1001 };
        respond("200 OK", "", &vec![b'x'; bytes])
    })
    .await;
    for (path, expected) in [("/fits", "OK"), ("/announced", "TOO_LARGE"), ("/chunked", "TOO_LARGE")] {
        fetching.fails(json!({"path": path}), expected).await;
    }
}

#[tokio::test]
async fn a_target_that_does_not_answer_or_breaks_off_is_told_apart() {
    let silent = |_: &str| Vec::new();
    let fetching = Fetching::with(silent, |target| target.timeout = Duration::from_millis(50)).await;
    fetching.fails(json!({}), "UPSTREAM_TIMEOUT").await;

    let stalls = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    let fetching = Fetching::with(stalls, |target| target.timeout = Duration::from_millis(50)).await;
    fetching.fails(json!({}), "UPSTREAM_TIMEOUT").await;

    let fetching = Fetching::new(|_| b"not HTTP at all\r\n\r\n".to_vec()).await;
    let error = fetching.fetch(json!({})).await.unwrap_err();
    assert_eq!((error.code().as_str(), error.is_retryable()), ("UPSTREAM_UNREACHABLE", false));

    let mut fetching = Fetching::new(ok).await;
    fetching.upstream.stop().await;
    let error = fetching.fetch(json!({})).await.unwrap_err();
    assert_eq!((error.code().as_str(), error.is_retryable()), ("UPSTREAM_UNREACHABLE", true));
}

#[tokio::test]
async fn a_credential_that_is_echoed_does_not_reach_the_caller() {
    let fetching = Fetching::new(|request| {
        let escaped = "sk-\\u0035up3r\\/s3cret+\\\"q\\\"";
        if request.contains("/json") {
            let body = format!("{{\"a\": [\"x {escaped} y\"], \"{escaped}\": 1}}");
            return respond("200 OK", "content-type: application/json\r\n", body.as_bytes());
        }
        if request.contains("/binary") {
            return respond("200 OK", "", &[b"\xff".as_slice(), SECRET.as_bytes(), b"\xfe"].concat());
        }
        let headers = format!("location: /?token={SECRET}\r\netag: \"{SECRET}\"\r\n");
        respond("302 Found", &headers, request.as_bytes())
    })
    .await;
    let output = fetching.fetch(json!({})).await.unwrap();
    assert!(output["body"]["text"].as_str().unwrap().contains("Bearer [REDACTED]"), "{output}");
    assert_eq!(output["headers"]["location"], json!("/?token=[REDACTED]"));
    assert_eq!(output["headers"]["etag"], json!("\"[REDACTED]\""));
    let output = fetching.fetch(json!({"path": "/json"})).await.unwrap();
    assert_eq!(output["body"]["json"], json!({"a": ["x [REDACTED] y"], "[REDACTED]": 1}));
    let output = fetching.fetch(json!({"path": "/binary"})).await.unwrap();
    assert_eq!(output["body"]["base64"], json!("/1tSRURBQ1RFRF3+"));
}

#[tokio::test]
async fn a_target_is_described_without_its_address_or_credential() {
    let fetching = Fetching::with(ok, |target| {
        target.description = "the items".to_owned();
        target.path_prefix = Some("/v1".to_owned());
    })
    .await;
    let registration = super::registrations(
        vec![HttpTarget { description: "the items".to_owned(), ..target("api", "http://10.0.0.1/hidden") }],
        credentials(),
        SecretGuard::default(),
        HttpLimits::default(),
    )
    .unwrap()
    .remove(0);
    let text = registration.spec().description().unwrap().to_owned();
    assert!(text.contains("`api` (GET, POST): the items"), "{text}");
    assert!(!text.contains("10.0.0.1") && !text.contains("hidden"), "{text}");
    assert!(!format!("{registration:?}{}", registration.spec().to_json()).contains("5up3r"));
    fetching.fails(json!({"path": "/v1/x"}), "OK").await;
}
