//! Which headers a caller may set, and which it gets to see.

use std::collections::BTreeMap;

use alknet_core::Scrubber;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::HttpLimits;
use crate::guard::Found;

/// Why a header is refused. Names only our own constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderRefused {
    #[error("the header `{0}` is the host's to set")]
    Reserved(&'static str),
    #[error("headers beginning with `{0}` are the host's to set")]
    ReservedPrefix(&'static str),
    #[error("a header has a malformed name or value")]
    Malformed,
    #[error("a header is given twice")]
    Twice,
    #[error("there are too many headers, or one is too long")]
    TooMany,
}

/// Credentials, framing, routing, and what would name another method or path than the one that was checked.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "origin",
    "referer",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "true-client-ip",
];

const RESERVED_PREFIXES: &[&str] = &["proxy-", "sec-", "x-forwarded-", "cf-"];

/// What a caller gets to see of a response.
const ANSWERED: &[&str] = &[
    "cache-control",
    "content-language",
    "content-type",
    "etag",
    "last-modified",
    "link",
    "location",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
];

/// The headers of a request, as far as its caller sets them.
pub(super) fn of_caller(
    given: &BTreeMap<String, String>,
    limits: &HttpLimits,
) -> Result<HeaderMap, HeaderRefused> {
    if given.len() > limits.headers_max {
        return Err(HeaderRefused::TooMany);
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        if value.len() > limits.header_bytes_max {
            return Err(HeaderRefused::TooMany);
        }
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderRefused::Malformed)?;
        // Gateways that turn headers into variables take `_` for `-`.
        let plain = parsed.as_str().replace('_', "-");
        if let Some(reserved) = RESERVED.iter().find(|reserved| **reserved == plain) {
            return Err(HeaderRefused::Reserved(reserved));
        }
        if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| plain.starts_with(**prefix)) {
            return Err(HeaderRefused::ReservedPrefix(prefix));
        }
        let value = HeaderValue::from_str(value).map_err(|_| HeaderRefused::Malformed)?;
        if headers.insert(parsed, value).is_some() {
            return Err(HeaderRefused::Twice);
        }
    }
    Ok(headers)
}

/// Whether a header, in lower case and with `-` for `_`, is the host's to set.
pub(super) fn is_reserved(plain: &str) -> bool {
    RESERVED.contains(&plain) || RESERVED_PREFIXES.iter().any(|prefix| plain.starts_with(prefix))
}

/// What is answered of a response's headers; values that are no text, or too long, are left out.
pub(super) fn of_response(
    received: &HeaderMap,
    found: &mut Found,
    scrubber: &Scrubber,
    limits: &HttpLimits,
) -> BTreeMap<String, String> {
    let mut answered = |name: &&'static str| {
        let value = received.get(*name)?.to_str().ok()?;
        let short = value.len() <= limits.header_bytes_max;
        short.then(|| ((*name).to_owned(), found.text(scrubber, value.to_owned())))
    };
    ANSWERED.iter().filter_map(&mut answered).collect()
}
