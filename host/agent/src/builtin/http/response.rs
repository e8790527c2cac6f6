//! From a target's response to what its caller gets.

use std::collections::BTreeMap;

use alknet_core::Scrubber;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use schemars::JsonSchema;
use serde::Serialize;

use super::fetch::FetchError;
use super::request::Body;
use super::{HttpLimits, headers};
use crate::guard::Found;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The status. Redirects (3xx) are answered like this, with `headers.location`; they are not followed.
    status: u16,
    /// Some of the headers: content-type, etag, last-modified, location, link, retry-after, rate limits and
    /// the like.
    headers: BTreeMap<String, String>,
    /// The content: `json` if the response says so and it is, else `text` if it is UTF-8, else `base64`.
    body: Body,
}

/// Reads a response of at most `bytes_max` bytes.
pub(super) async fn read(response: Response, bytes_max: usize) -> Result<Received, FetchError> {
    // None was asked for, and nothing could be looked for in it.
    let encoded = response.headers().get_all(CONTENT_ENCODING).iter();
    if encoded.into_iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::Encoded);
    }
    let too_large = FetchError::TooLarge { bytes_max };
    let announced = response.content_length().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large);
    }
    let mut received = Received { status: response.status().as_u16(), response, body: Vec::new() };
    while let Some(chunk) = received.response.chunk().await? {
        if received.body.len() + chunk.len() > bytes_max {
            return Err(too_large);
        }
        received.body.extend_from_slice(&chunk);
    }
    Ok(received)
}

/// A response that was read to its end.
#[derive(Debug)]
pub(super) struct Received {
    status: u16,
    response: Response,
    body: Vec<u8>,
}

impl Received {
    /// What the caller gets, and which secrets were taken out of it.
    pub(super) fn into_output(self, scrubber: &Scrubber, limits: &HttpLimits) -> (Output, Found) {
        let mut found = Found::default();
        let kind = self.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = kind.is_some_and(is_json);
        let headers = headers::of_response(self.response.headers(), &mut found, scrubber, limits);
        let body = found.bytes(scrubber, self.body);
        let json = is_json.then(|| serde_json::from_slice(&body).ok()).flatten();
        let body = match (json, String::from_utf8(body)) {
            (Some(value), _) => Body::Json(found.value(scrubber, value)),
            (None, Ok(text)) => Body::Text(text),
            (None, Err(error)) => Body::Base64(STANDARD.encode(error.into_bytes())),
        };
        (Output { status: self.status, headers, body }, found)
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}
