use std::net::IpAddr;

use super::*;
use crate::builtin::http::address::is_public;

#[tokio::test]
async fn headers_that_are_the_hosts_to_set_are_refused() {
    let fetching = Fetching::new(ok).await;
    for (name, value) in [
        ("Authorization", "Bearer mine"),
        ("AUTHORIZATION", "x"),
        ("Proxy-Authorization", "x"),
        ("Cookie", "a=b"),
        ("Host", "evil.example"),
        ("Connection", "x-api-version"),
        ("Keep-Alive", "1"),
        ("Transfer-Encoding", "chunked"),
        ("transfer_encoding", "chunked"),
        ("Content-Length", "0"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Upgrade", "websocket"),
        ("Expect", "100-continue"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X_Forwarded_Host", "x"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("Accept-Encoding", "gzip"),
        ("User-Agent", "x"),
        ("", "x"),
        ("a b", "x"),
        ("a:b", "x"),
        ("a\r\nauthorization", "x"),
        ("x", "a\r\nauthorization: x"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x", &"a".repeat(5000)),
    ] {
        fetching.fails(json!({"headers": {name: value}}), "REQUEST_REFUSED").await;
    }
    fetching.fails(json!({"headers": {"X-A": "1", "x-a": "2"}}), "REQUEST_REFUSED").await;
    let many: serde_json::Map<_, _> = (0..33).map(|n| (format!("x-{n}"), json!("1"))).collect();
    fetching.fails(json!({"headers": many}), "REQUEST_REFUSED").await;
    assert_eq!(fetching.upstream.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_refused() {
    let fetching = Fetching::with(ok, |target| target.path_prefix = Some("/v1/items".to_owned())).await;
    for path in [
        "v1/items",
        "@evil.example/",
        ":80/",
        "https://evil.example/v1/items",
        "//evil.example/v1/items",
        "/\\evil.example",
        "\\\\evil.example",
        "/v1/items/..",
        "/v1/items/../admin",
        "/v1/items/./../admin",
        "/v1/items/%2e%2e/admin",
        "/v1/items/%2E%2e%2fadmin",
        "/v1/items/.%2e/admin",
        "/v1/items/%252e%252e/admin",
        "/v1/items/%25252525252e/admin",
        "/v1/items/..;/admin",
        "/v1/items/..%3b/admin",
        "/v1/items/..%5cadmin",
        "/v1/items\\..\\admin",
        "/v1/items//x",
        "/v1/items/%2f%2fx",
        "/v1/items/\r\nx: y",
        "/v1/items/%0d%0ax: y",
        "/v1/items/%00",
        "/v1/items/a b",
        "/v1/items/\t",
        "/v1/items/%ff",
        "/v1/items?x=1",
        "/v1/items#x",
        "/v1/itemsx",
        "/v1",
        "/",
        "/base/v1/items",
        "/V1/items",
    ] {
        fetching.fails(json!({"path": path}), "REQUEST_REFUSED").await;
    }
    fetching.fails(json!({"path": ""}), "INVALID_INPUT").await;
    fetching.fails(json!({"path": "/v1/items", "query": {"q": "x".repeat(9000)}}), "REQUEST_REFUSED").await;
    assert_eq!(fetching.upstream.requests(), Vec::<String>::new());

    for (path, sent) in [
        ("/v1/items", "/base/v1/items"),
        ("/v1/items/", "/base/v1/items/"),
        ("/v1/items/@evil.example/", "/base/v1/items/@evil.example/"),
        ("/v1/items/a%2Fb%25", "/base/v1/items/a%2Fb%25"),
        ("/v1/items/...", "/base/v1/items/..."),
        ("/v1/items/ü", "/base/v1/items/%C3%BC"),
    ] {
        fetching.fails(json!({"path": path}), "OK").await;
        let request = fetching.upstream.requests().pop().unwrap();
        assert_eq!(request.lines().next().unwrap(), format!("GET {sent} HTTP/1.1"));
        assert!(request.contains(&format!("host: {}\r\n", fetching.upstream.address)), "{request}");
    }
}

#[tokio::test]
async fn what_a_target_does_not_allow_is_refused() {
    let fetching = Fetching::new(ok).await;
    let large = "x".repeat((1 << 20) + 1);
    for (given, expected) in [
        (json!({"target": "other"}), "TARGET_NOT_FOUND"),
        (json!({"method": "DELETE"}), "METHOD_NOT_ALLOWED"),
        (json!({"method": "get"}), "INVALID_INPUT"),
        (json!({"method": "CONNECT"}), "INVALID_INPUT"),
        (json!({"body": {"text": "x"}}), "REQUEST_REFUSED"),
        (json!({"method": "POST", "body": {"base64": "!"}}), "REQUEST_REFUSED"),
        (json!({"method": "POST", "body": {"text": large}}), "TOO_LARGE"),
        (json!({"method": "POST", "body": {"text": "x", "json": 1}}), "INVALID_INPUT"),
        (json!({"method": "POST", "body": "x"}), "INVALID_INPUT"),
        (json!({"url": "http://evil.example/"}), "INVALID_INPUT"),
    ] {
        fetching.fails(given, expected).await;
    }
    let error = fetching.fetch(json!({"target": "other"})).await.unwrap_err();
    assert_eq!(error.details(), Some(&json!({"targets": ["api"]})));
    let error = fetching.fetch(json!({"method": "DELETE"})).await.unwrap_err();
    assert_eq!(error.details(), Some(&json!({"methods": ["GET", "POST"]})));

    let input = json!({"target": "api", "method": "GET", "path": "/"});
    let stranger = identity("bob", &["http:fetcher"]);
    assert_eq!(code(&fetching.host.call(&stranger, "http/fetch", input.clone()).await), "FORBIDDEN");
    assert_eq!(code(&fetching.host.anonymous("http/fetch", input).await), "FORBIDDEN");
    assert_eq!(fetching.upstream.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    let upstream = Upstream::start(ok).await;
    let mut local = target("api", &format!("http://localhost:{}", upstream.address.port()));
    (local.allow_private, local.credential) = (false, None);
    let operations = crate::builtin::http::registrations(
        vec![local],
        credentials(),
        SecretGuard::default(),
        HttpLimits::default(),
    );
    let host = Host::new(operations.unwrap());
    let input = json!({"target": "api", "method": "GET", "path": "/"});
    let result = host.call(&identity("alice", &["http:fetch"]), "http/fetch", input).await;
    assert_eq!(code(&result), "ADDRESS_DENIED");
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn public_addresses_are_told_from_all_others() {
    for (address, expected) in [
        ("1.1.1.1", true),
        ("100.63.255.255", true),
        ("100.128.0.0", true),
        ("172.15.255.255", true),
        ("172.32.0.0", true),
        ("223.255.255.255", true),
        ("2606:4700::1111", true),
        ("::ffff:1.1.1.1", true),
        ("64:ff9b::1.1.1.1", true),
        ("2002:0101:0101::1", true),
        ("0.0.0.0", false),
        ("0.1.2.3", false),
        ("10.0.0.1", false),
        ("100.64.0.1", false),
        ("100.100.100.200", false),
        ("127.0.0.1", false),
        ("127.255.255.254", false),
        ("169.254.169.254", false),
        ("172.16.0.1", false),
        ("172.31.255.255", false),
        ("192.0.0.192", false),
        ("192.168.1.1", false),
        ("198.19.0.1", false),
        ("224.0.0.1", false),
        ("255.255.255.255", false),
        ("::", false),
        ("::1", false),
        ("::127.0.0.1", false),
        ("::ffff:127.0.0.1", false),
        ("::ffff:169.254.169.254", false),
        ("::ffff:0:127.0.0.1", false),
        ("64:ff9b::10.0.0.1", false),
        ("64:ff9b:1::1", false),
        ("2002:7f00:0001::1", false),
        ("2001::1", false),
        ("2001:db8::1", false),
        ("3fff::1", false),
        ("fc00::1", false),
        ("fd00:ec2::254", false),
        ("fe80::1", false),
        ("fec0::1", false),
        ("ff02::1", false),
        ("100::1", false),
        ("5f00::1", false),
    ] {
        assert_eq!(is_public(address.parse::<IpAddr>().unwrap()), expected, "{address}");
    }
}

#[test]
fn targets_are_checked_when_they_are_set_up() {
    let setup = |adjust: &dyn Fn(&mut HttpTarget)| {
        let mut api = target("api", "http://127.0.0.1:1/");
        adjust(&mut api);
        register(vec![api])
    };
    assert!(setup(&|_| {}).is_ok());
    for name in ["", "a b", "a/b", &"x".repeat(65)] {
        let refused = setup(&|target| target.name = name.to_owned());
        assert!(matches!(refused, Err(HttpSetupError::Name(_))), "{name}");
    }
    for url in [
        "",
        "api.example.com",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://user:pw@127.0.0.1/",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1/#a",
    ] {
        let refused = setup(&|target| target.base_url = url.to_owned());
        assert!(matches!(refused, Err(HttpSetupError::Target { .. })), "{url}");
    }
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00:ec2::254]/",
    ] {
        let refused = setup(&|target| {
            target.base_url = url.to_owned();
            target.allow_private = false;
            target.credential = None;
        });
        assert!(matches!(refused, Err(HttpSetupError::Target { .. })), "{url}");
    }
    let changes: [&dyn Fn(&mut HttpTarget); 6] = [
        &|target| target.methods.clear(),
        &|target| target.timeout = Duration::ZERO,
        &|target| target.path_prefix = Some("v1".to_owned()),
        &|target| target.path_prefix = Some("/v1/../".to_owned()),
        &|target| target.credential = Some("unknown".to_owned()),
        // In plain text to a public host.
        &|target| {
            target.base_url = "http://api.example.com/".to_owned();
            target.allow_private = false;
        },
    ];
    for change in changes {
        assert!(matches!(setup(change), Err(HttpSetupError::Target { .. })));
    }
    // Where a system has no root certificates, that is said at once.
    let over_tls = setup(&|target| {
        target.base_url = "https://api.example.com/v1".to_owned();
        target.allow_private = false;
    });
    assert!(matches!(over_tls, Ok(_) | Err(HttpSetupError::Client { .. })), "{over_tls:?}");
    let twice = vec![target("api", "http://127.0.0.1/"), target("api", "http://127.0.0.1/")];
    let refused = register(twice);
    assert!(matches!(refused, Err(HttpSetupError::Duplicate(name)) if name == "api"));
}

fn register(targets: Vec<HttpTarget>) -> Result<Vec<alknet_call::Registration>, HttpSetupError> {
    crate::builtin::http::registrations(targets, credentials(), SecretGuard::default(), HttpLimits::default())
}
