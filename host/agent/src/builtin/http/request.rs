//! From a caller's input to a request that may be sent.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Request, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::fetch::FetchError;
use super::headers::{self, HeaderRefused};
use super::path::{self, PathRefused};
use super::target::Target;
use super::{HttpLimits, HttpMethod};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The target's name, one of those in this operation's description.
    #[schemars(length(min = 1, max = 64))]
    pub(super) target: String,
    /// The method; each target allows some.
    method: HttpMethod,
    /// The path below the target's base URL, beginning with `/`. No `..`, no query.
    #[schemars(length(min = 1, max = 8192))]
    path: String,
    /// The parameters of the query, such as `{"page": 2, "tag": ["a", "b"]}`; encoding is done for you.
    #[serde(default)]
    query: BTreeMap<String, Parameter>,
    /// Further headers, such as `{"accept": "application/json"}`. Credentials are added by the host.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What to send; not with GET or HEAD. Sets `content-type` unless `headers` does.
    body: Option<Body>,
}

/// The content of a request or a response, in one of three forms.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    /// A JSON value.
    Json(Value),
    /// Text in UTF-8.
    Text(String),
    /// Any bytes, as base64 (standard alphabet, padded).
    Base64(String),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Parameter {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(Number),
    Flag(bool),
}

/// A request without its credential, which is added where it is sent.
#[derive(Debug)]
pub(super) struct Prepared {
    method: HttpMethod,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Prepared {
    pub(super) fn new(target: &Target, input: Input, limits: &HttpLimits) -> Result<Self, FetchError> {
        let Input { target: _, method, path, query, headers, body } = input;
        if !target.config.methods.contains(&method) {
            return Err(FetchError::Method(target.config.methods.clone()));
        }
        if body.is_some() && matches!(method, HttpMethod::Get | HttpMethod::Head) {
            return Err(FetchError::Refused("GET and HEAD have no body".into()));
        }
        let auth = &target.config.auth;
        if auth.query_name().is_some_and(|name| query.contains_key(name)) {
            return Err(FetchError::Refused("this query parameter is the host's to set".into()));
        }
        let sets = |name: &str| headers.keys().any(|given| same_header(given, name));
        if auth.header_name().is_some_and(sets) {
            return Err(FetchError::Refused("this header is the host's to set".into()));
        }
        let url = url(target, &path, &query, limits)?;
        let mut headers = headers::of_caller(&headers, limits)?;
        let body = body.map(|body| encode(body, limits)).transpose()?;
        let body = body.map(|(kind, bytes)| {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
            bytes
        });
        Ok(Self { method, url, headers, body })
    }

    /// The request, still without a credential.
    pub(super) fn into_request(self) -> Request {
        let mut request = Request::new(self.method.into(), self.url);
        *request.headers_mut() = self.headers;
        *request.body_mut() = self.body.map(Into::into);
        request
    }
}

fn url(
    target: &Target,
    path: &str,
    query: &BTreeMap<String, Parameter>,
    limits: &HttpLimits,
) -> Result<Url, FetchError> {
    let mut url = path::join(&target.base, target.config.path_prefix.as_deref(), path)?;
    if !query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, parameter) in query {
            let values = match parameter {
                Parameter::One(value) => std::slice::from_ref(value),
                Parameter::Many(values) => values,
            };
            for value in values {
                pairs.append_pair(name, &value.to_text());
            }
        }
    }
    if url.path().len() + url.query().map_or(0, str::len) > limits.path_bytes_max {
        return Err(FetchError::Refused("the path with its query is too long".into()));
    }
    Ok(url)
}

/// Gateways that turn headers into variables take `_` for `-`.
fn same_header(one: &str, other: &str) -> bool {
    one.replace('_', "-").eq_ignore_ascii_case(&other.replace('_', "-"))
}

impl Scalar {
    fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// The content type and the bytes.
fn encode(body: Body, limits: &HttpLimits) -> Result<(&'static str, Vec<u8>), FetchError> {
    let (kind, bytes) = match body {
        Body::Json(value) => ("application/json", value.to_string().into_bytes()),
        Body::Text(text) => ("text/plain; charset=utf-8", text.into_bytes()),
        Body::Base64(text) => {
            let bytes = STANDARD.decode(text);
            let bytes = bytes.map_err(|_| FetchError::Refused("the body is not valid base64".into()))?;
            ("application/octet-stream", bytes)
        }
    };
    let bytes_max = limits.request_bytes_max;
    if bytes.len() > bytes_max { Err(FetchError::TooLarge { bytes_max }) } else { Ok((kind, bytes)) }
}

impl From<PathRefused> for FetchError {
    fn from(refused: PathRefused) -> Self {
        Self::Refused(refused.to_string().into())
    }
}

impl From<HeaderRefused> for FetchError {
    fn from(refused: HeaderRefused) -> Self {
        Self::Refused(refused.to_string().into())
    }
}
