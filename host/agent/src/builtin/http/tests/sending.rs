//! The ways in which a credential goes along.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn head_of(request: &str) -> String {
    request.split("\r\n\r\n").next().unwrap().to_owned()
}

fn header<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    let lines = request.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn a_credential_is_sent_as_the_target_wants_it() {
    let named = |name: &str| name.to_owned();
    for (auth, name, value) in [
        (HttpAuth::Bearer, "authorization", format!("Bearer {SECRET}")),
        (HttpAuth::Header { name: named("X-Api-Key") }, "x-api-key", named(SECRET)),
        (HttpAuth::Header { name: named("Authorization") }, "authorization", named(SECRET)),
        (
            HttpAuth::Basic { user: Some(named("me")) },
            "authorization",
            format!("Basic {}", STANDARD.encode(format!("me:{SECRET}"))),
        ),
    ] {
        let fetching = Fetching::with(ok, |target| target.auth = auth.clone()).await;
        fetching.fails(json!({}), "OK").await;
        assert_eq!(header(&fetching.upstream.requests()[0], name), [value], "{auth:?}");
        // What the host sets is not the caller's to set, in any spelling.
        for name in [name.to_owned(), name.to_uppercase(), name.replace('-', "_")] {
            fetching.fails(json!({"headers": {name: "mine"}}), "REQUEST_REFUSED").await;
        }
    }
    let auth = HttpAuth::Query { name: named("key") };
    let fetching =
        Fetching::with(|request| respond("200 OK", "", request.as_bytes()), |target| target.auth = auth)
            .await;
    let output = fetching.fetch(json!({"query": {"q": "1"}})).await.unwrap();
    let request = fetching.upstream.requests().remove(0);
    assert!(request.starts_with("GET /base/?q=1&key=sk-5up3r%2Fs3cret%2B%22q%22 HTTP/1.1"), "{request}");
    assert!(
        output["body"]["text"].as_str().unwrap().starts_with("GET /base/?q=1&key=[REDACTED] HTTP"),
        "{output}"
    );
    fetching.fails(json!({"query": {"key": "mine"}}), "REQUEST_REFUSED").await;
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let named = |name: &str| name.to_owned();
    let oauth = |token_url: &str| HttpAuth::ClientCredentials {
        token_url: named(token_url),
        client_id: named("me"),
        scope: None,
    };
    for (auth, secret) in [
        (HttpAuth::Bearer, "with space in it"),
        (HttpAuth::Bearer, "short"),
        (HttpAuth::Basic { user: None }, "no-colon-in-it"),
        (HttpAuth::Basic { user: Some(named("a:b")) }, SECRET),
        (HttpAuth::Header { name: named("host") }, SECRET),
        (HttpAuth::Header { name: named("Transfer_Encoding") }, SECRET),
        (HttpAuth::Header { name: named("a b") }, SECRET),
        (HttpAuth::Query { name: named("") }, SECRET),
        (oauth("ftp://127.0.0.1/token"), SECRET),
        (oauth("https://user:pw@example.org/token"), SECRET),
        (oauth("no url"), SECRET),
    ] {
        let credentials = Capabilities::new().with_api_key("service", Secret::new(named(secret)));
        let target = HttpTarget { auth: auth.clone(), ..target("api", "http://127.0.0.1:1") };
        let refused = super::super::registrations(
            vec![target],
            credentials,
            SecretGuard::default(),
            HttpLimits::default(),
        );
        let error = refused.unwrap_err();
        assert!(matches!(error, HttpSetupError::Target { .. }), "{auth:?}");
        assert!(!error.to_string().contains(secret), "{error}");
    }
    let public = HttpTarget {
        allow_private: false,
        auth: oauth("http://example.org/token"),
        ..target("api", "https://example.org")
    };
    let refused = super::super::registrations(
        vec![public],
        credentials(),
        SecretGuard::default(),
        HttpLimits::default(),
    );
    assert!(refused.unwrap_err().to_string().contains("begins with `https://`"));
}

#[tokio::test]
async fn a_credential_that_is_replaced_is_used_from_the_next_call_on() {
    let upstream = Upstream::start(|request| respond("200 OK", "", request.as_bytes())).await;
    let source = CapabilitySource::from(credentials());
    let guard = SecretGuard::default();
    let api = target("api", &format!("http://{}", upstream.address));
    let operations =
        super::super::registrations(vec![api], source.clone(), guard.clone(), HttpLimits::default()).unwrap();
    let (host, who) = (Host::new(operations), identity("alice", super::super::SCOPES));
    let call =
        async || host.call(&who, "http/fetch", json!({"target": "api", "method": "GET", "path": "/"})).await;
    call().await.unwrap();
    let fresh = Secret::new("another-value-1".to_owned());
    guard.live().add([("service", &fresh)]);
    source.replace(Capabilities::new().with_api_key("service", fresh));
    let output = call().await.unwrap();
    assert!(!output.to_string().contains("another-value-1"), "{output}");
    source.replace(Capabilities::new());
    assert_eq!(code(&call().await), "INTERNAL");
    let sent: Vec<String> =
        upstream.requests().iter().map(|request| header(request, "authorization").join("")).collect();
    assert_eq!(sent, [format!("Bearer {SECRET}"), "Bearer another-value-1".to_owned()]);
}

/// A server of tokens and of what they open: `/token` gives numbered ones, `/base/…` wants the latest.
async fn oauth(expires_in: u64) -> (Fetching, std::sync::Arc<AtomicU32>) {
    let given = std::sync::Arc::new(AtomicU32::new(0));
    let counter = std::sync::Arc::clone(&given);
    let reply = move |request: &str| {
        if request.starts_with("POST /token") {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let body = json!({"access_token": format!("token-number-{number}"), "token_type": "Bearer", "expires_in": expires_in});
            return respond("200 OK", "content-type: application/json\r\n", body.to_string().as_bytes());
        }
        let latest = format!("Bearer token-number-{}", counter.load(Ordering::SeqCst));
        let status = if header(request, "authorization") == [latest] { "200 OK" } else { "401 Unauthorized" };
        respond(status, "", request.as_bytes())
    };
    let fetching = Fetching::with(reply, |target| {
        let base = target.base_url.trim_end_matches("/base/").to_owned();
        target.auth = HttpAuth::ClientCredentials {
            token_url: format!("{base}/token"),
            client_id: "client one".to_owned(),
            scope: Some("read write".to_owned()),
        };
    });
    (fetching.await, given)
}

#[tokio::test]
async fn tokens_are_fetched_kept_and_fetched_anew() {
    let (fetching, given) = oauth(3600).await;
    for _ in 0..3 {
        let output = fetching.fetch(json!({})).await.unwrap();
        assert_eq!(output["status"], json!(200), "{output}");
        assert!(output["body"]["text"].as_str().unwrap().contains("Bearer [REDACTED]"), "{output}");
    }
    assert_eq!(given.load(Ordering::SeqCst), 1, "one token serves many requests");
    let asked = fetching.upstream.requests().remove(0);
    let pair = STANDARD.encode("client%20one:sk%2D5up3r%2Fs3cret%2B%22q%22");
    assert_eq!(header(&asked, "authorization"), [format!("Basic {pair}")]);
    assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=read%20write"), "{asked}");
    assert!(!head_of(&asked).contains("5up3r"));
    // Refused once, the token is forgotten.
    given.fetch_add(1, Ordering::SeqCst);
    assert_eq!(fetching.fetch(json!({})).await.unwrap()["status"], json!(401));
    assert_eq!(fetching.fetch(json!({})).await.unwrap()["status"], json!(200));
    assert_eq!(given.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_that_ends_soon_serves_one_request() {
    let (fetching, given) = oauth(30).await;
    fetching.fails(json!({}), "OK").await;
    fetching.fails(json!({}), "OK").await;
    assert_eq!(given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_server_of_tokens_that_gives_none_is_told_apart() {
    let answers = [
        respond("400 Bad Request", "", format!("{{\"error\": \"{SECRET}\"}}").as_bytes()),
        respond("302 Found", "location: https://evil.example/\r\n", b""),
        respond("200 OK", "", b"no json"),
        respond("200 OK", "", b"{\"access_token\": \"token-number-1\", \"token_type\": \"mac\"}"),
        respond("200 OK", "", b"{\"access_token\": \"short\", \"token_type\": \"bearer\"}"),
        respond("200 OK", "", &[b"{\"a\": \"", vec![b'x'; 70_000].as_slice(), b"\"}"].concat()),
    ];
    for answer in answers {
        let reply = answer.clone();
        let fetching = Fetching::with(
            move |_| reply.clone(),
            |target| {
                let token_url = target.base_url.clone();
                target.auth =
                    HttpAuth::ClientCredentials { token_url, client_id: "c".to_owned(), scope: None };
            },
        )
        .await;
        fetching.fails(json!({}), "UPSTREAM_REFUSED").await;
        assert_eq!(fetching.upstream.requests().len(), 1, "only the token was asked for");
    }
}
