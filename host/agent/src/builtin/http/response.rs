//! From a target's response to what its caller gets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Serialize;

use super::fetch::FetchError;
use super::redact::Redactor;
use super::request::Body;
use super::{HttpLimits, headers};

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
    pub(super) fn into_output(self, redactor: &Redactor<'_>, limits: &HttpLimits) -> Output {
        let kind = self.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = kind.is_some_and(is_json);
        let headers = headers::of_response(self.response.headers(), redactor, limits);
        let body = redactor.bytes(self.body);
        let json = is_json.then(|| serde_json::from_slice(&body).ok()).flatten();
        let body = match (json, String::from_utf8(body)) {
            (Some(value), _) => Body::Json(redactor.json(value)),
            (None, Ok(text)) => Body::Text(text),
            (None, Err(error)) => Body::Base64(STANDARD.encode(error.into_bytes())),
        };
        Output { status: self.status, headers, body }
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}
