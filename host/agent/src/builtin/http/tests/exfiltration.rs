//! A target that gives the credential back, in every way it usually does, and callers that ask it to.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

/// How an answer carries a text.
type Carry = fn(&str) -> Vec<u8>;

fn text(content: &str) -> Vec<u8> {
    respond("200 OK", "content-type: text/plain\r\n", content.as_bytes())
}

fn json_text(content: &str) -> Vec<u8> {
    let body = json!({ "headers": { "x": [content, { content: 1 }] } }).to_string();
    respond("200 OK", "content-type: application/json\r\n", body.as_bytes())
}

fn binary(content: &str) -> Vec<u8> {
    respond("200 OK", "", &[b"\xff\xfe".as_slice(), content.as_bytes(), b"\xff"].concat())
}

fn location(content: &str) -> Vec<u8> {
    respond("302 Found", &format!("location: https://evil.example/?t={content}\r\n"), b"")
}

fn answered_header(content: &str) -> Vec<u8> {
    respond("200 OK", &format!("x-request-id: {content}\r\nlink: <{content}>\r\n"), b"")
}

fn error_page(content: &str) -> Vec<u8> {
    respond("401 Unauthorized", "", format!("<p>token {content} is not valid</p>").as_bytes())
}

/// In chunks of three bytes, so that no part of the wire holds the whole.
fn chunked(content: &str) -> Vec<u8> {
    let mut reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in content.as_bytes().chunks(3) {
        reply.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        reply.extend(chunk);
        reply.extend(b"\r\n");
    }
    reply.extend(b"0\r\n\r\n");
    reply
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The forms of a secret that come back.
fn forms() -> Vec<(&'static str, String)> {
    let secret = SECRET;
    let joined = |bytes: Vec<String>, with: &str| bytes.join(with);
    let each = |form: fn(u8) -> String| secret.bytes().map(form).collect::<Vec<String>>();
    vec![
        ("plain", secret.to_owned()),
        ("in a header line", format!("Authorization: Bearer {secret}")),
        ("upper case", secret.to_uppercase()),
        ("twice", format!("{secret}{secret}")),
        ("nested", format!("{}{secret}{}", &secret[..6], &secret[6..])),
        ("base64", STANDARD.encode(secret)),
        ("base64 without padding", STANDARD_NO_PAD.encode(secret)),
        ("base64 of the header", STANDARD.encode(format!("Bearer {secret}"))),
        ("base64 one byte on", STANDARD.encode(format!("x{secret}"))),
        ("base64 for URLs", URL_SAFE.encode(secret)),
        ("base64 for URLs, two bytes on", URL_SAFE_NO_PAD.encode(format!("xy{secret}z"))),
        ("base64 twice", STANDARD.encode(STANDARD.encode(secret))),
        ("base64 of hexadecimal", STANDARD.encode(hexadecimal(secret))),
        ("base64 in lines", joined(STANDARD.encode(secret).chars().map(String::from).collect(), "\n")),
        ("hexadecimal", hexadecimal(secret)),
        ("hexadecimal in upper case", hexadecimal(secret).to_uppercase()),
        ("hexadecimal with colons", joined(each(|b| format!("{b:02x}")), ":")),
        ("hexadecimal of base64", hexadecimal(&STANDARD.encode(secret))),
        ("percent-encoded", percent(secret)),
        ("percent-encoded in lower case", percent(secret).to_lowercase()),
        ("percent-encoded twice", percent(&percent(secret))),
        ("percent-encoded base64", percent(&STANDARD.encode(secret))),
        ("percent-encoded in part", secret.replace('/', "%2F").replace('"', "%22").replace('+', "%2B")),
        ("JSON escapes", joined(each(|b| format!("\\u{b:04x}")), "")),
        ("HTML entities", joined(each(|b| format!("&#{b};")), "")),
        ("HTML entities in hexadecimal", joined(each(|b| format!("&#x{b:x};")), "")),
        ("with spaces", joined(secret.chars().map(String::from).collect(), " ")),
        ("in UTF-16", joined(secret.chars().map(String::from).collect(), "\0")),
    ]
}

/// Where each form can stand.
const CARRIERS: &[(&str, Carry)] = &[
    ("text", text),
    ("JSON", json_text),
    ("binary", binary),
    ("redirect", location),
    ("answered header", answered_header),
    ("error page", error_page),
    ("chunks", chunked),
];

#[tokio::test]
async fn a_target_that_gives_the_credential_back_gives_nothing_away() {
    let mut cases = 0;
    for (carrier, carry) in CARRIERS {
        let replies: Vec<Vec<u8>> = forms().iter().map(|(_, form)| carry(form)).collect();
        let fetching = Fetching::with(
            move |request| {
                let number = request.split_whitespace().nth(1).and_then(|path| path.rsplit('/').next());
                replies[number.unwrap().parse::<usize>().unwrap()].clone()
            },
            |target| target.response_bytes_max = 10_000,
        )
        .await;
        for (number, (name, form)) in forms().into_iter().enumerate() {
            let result = fetching.fetch(json!({"path": format!("/{number}")})).await;
            let in_header = matches!(*carrier, "redirect" | "answered header");
            // A header with a line end or NUL is no header: the answer is refused, or ends there.
            let broken = in_header && form.contains(['\n', '\0']);
            let redacted = result.as_ref().is_ok_and(|output| holds(output, "[REDACTED]"));
            assert!(broken || redacted, "{name} in {carrier}: {result:?}");
            for (_, other) in forms() {
                let leaks = result.as_ref().is_ok_and(|output| holds(output, &other));
                assert!(!leaks, "{name} in {carrier}: {result:?}");
            }
            cases += 1;
        }
        assert!(fetching.guard.live().hits() > 0, "{carrier}");
    }
    assert!(cases >= 30, "{cases}");
}

/// Whether a text is anywhere in a value, also in a body that is base64.
fn holds(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => {
            let decoded = STANDARD.decode(text).unwrap_or_default();
            text.contains(wanted) || String::from_utf8_lossy(&decoded).contains(wanted)
        }
        Value::Array(items) => items.iter().any(|item| holds(item, wanted)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.contains(wanted) || holds(member, wanted))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[tokio::test]
async fn callers_cannot_have_the_credential_sent_elsewhere() {
    let fetching = Fetching::new(ok).await;
    let refused = [
        json!({"path": "//evil.example/"}),
        json!({"path": "/\\evil.example"}),
        json!({"path": "@evil.example/"}),
        json!({"path": "https://evil.example/"}),
        json!({"headers": {"Host": "evil.example"}}),
        json!({"headers": {"X-Forwarded-Host": "evil.example"}}),
        json!({"headers": {"Forwarded": "host=evil.example"}}),
        json!({"headers": {"X-Original-URL": "https://evil.example/"}}),
        json!({"headers": {"Authorization": "Bearer mine"}}),
        json!({"headers": {"Proxy-Authorization": "x"}}),
        json!({"headers": {"Referer": "x"}}),
        json!({"headers": {"Connection": "authorization"}}),
        json!({"headers": {"Expect": "100-continue"}}),
        json!({"headers": {"Accept-Encoding": "gzip"}}),
        json!({"headers": {"x": "a\r\nhost: evil.example"}}),
        json!({"target": "evil"}),
    ];
    for given in refused {
        let result = fetching.fetch(given.clone()).await;
        assert!(matches!(code(&result), "REQUEST_REFUSED" | "TARGET_NOT_FOUND"), "{given}: {result:?}");
    }
    assert_eq!(fetching.upstream.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_cannot_be_looked_into_is_refused() {
    for encoding in ["gzip", "br", "identity, gzip", "x-rot13"] {
        let head = format!("content-encoding: {encoding}\r\n");
        let fetching = Fetching::new(move |_| respond("200 OK", &head, b"\x1f\x8b")).await;
        fetching.fails(json!({}), "UPSTREAM_ENCODED").await;
    }
    let fetching = Fetching::new(|_| respond("200 OK", "content-encoding: identity\r\n", b"x")).await;
    fetching.fails(json!({}), "OK").await;
}

#[tokio::test]
async fn what_is_said_to_be_another_type_is_looked_into_as_well() {
    let fetching = Fetching::new(|_| {
        let body = format!("{{\"t\": \"{}\"", STANDARD.encode(SECRET));
        respond("200 OK", "content-type: application/json\r\n", body.as_bytes())
    })
    .await;
    let output = fetching.fetch(json!({})).await.unwrap();
    // The last character also depends on what follows; it holds two bits.
    assert_eq!(output["body"]["text"], json!("{\"t\": \"[REDACTED]g==\""), "{output}");
}
