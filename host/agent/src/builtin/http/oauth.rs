//! Tokens of OAuth 2.0 client credentials: fetched by the host, kept while they are valid, seen by nobody.

use std::time::Duration;

use alknet_core::{SECRET_BYTES_MIN, Secret};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::auth::{basic, insert};
use super::fetch::FetchError;

/// The tokens of one target.
#[derive(Debug)]
pub(super) struct Tokens {
    url: Url,
    client_id: String,
    scope: Option<String>,
    /// Locked while a token is fetched, so that many requests fetch one.
    current: Mutex<Option<Token>>,
}

#[derive(Debug)]
struct Token {
    value: Secret,
    /// The client's secret it was fetched with: another one makes it worthless.
    fetched_with: Secret,
    good_until: Instant,
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Tokens {
    pub(super) fn new(url: Url, client_id: String, scope: Option<String>) -> Self {
        Self { url, client_id, scope, current: Mutex::new(None) }
    }

    /// A valid token: the one at hand, or a new one, of which `fetched` is told before it is used.
    pub(super) async fn get(
        &self,
        client: &Client,
        secret: &Secret,
        fetched: impl FnOnce(&Secret),
    ) -> Result<Secret, FetchError> {
        let mut current = self.current.lock().await;
        if let Some(token) = &*current
            && token.fetched_with.expose_secret() == secret.expose_secret()
            && Instant::now() < token.good_until
        {
            return Ok(token.value.clone());
        }
        *current = None;
        let answer = self.fetch(client, secret).await?;
        let value = Secret::new(answer.access_token);
        fetched(&value);
        let lifetime =
            Duration::from_secs(answer.expires_in.unwrap_or(LIFETIME_SECONDS).min(LIFETIME_SECONDS_MAX));
        let good_until = Instant::now() + lifetime.saturating_sub(MARGIN);
        *current = Some(Token { value: value.clone(), fetched_with: secret.clone(), good_until });
        Ok(value)
    }

    /// Forgets this token, because the target refused it.
    pub(super) async fn forget(&self, refused: &Secret) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| token.value.expose_secret() == refused.expose_secret()) {
            *current = None;
        }
    }

    async fn fetch(&self, client: &Client, secret: &Secret) -> Result<Answer, FetchError> {
        let mut request = Request::new(Method::POST, self.url.clone());
        let header = basic(Some(&form(&self.client_id)), &Zeroizing::new(form(secret.expose_secret())));
        insert(&mut request, AUTHORIZATION, &header).ok_or(FetchError::Credential)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let scope = self.scope.as_deref().map(|scope| format!("&scope={}", form(scope)));
        let body = format!("grant_type=client_credentials{}", scope.unwrap_or_default());
        *request.body_mut() = Some(body.into());
        let mut response = client.execute(request).await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Token);
        }
        let mut received = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
        while let Some(chunk) = response.chunk().await? {
            if received.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(FetchError::Token);
            }
            received.extend_from_slice(&chunk);
        }
        let answer: Answer = serde_json::from_slice(&received).map_err(|_| FetchError::Token)?;
        let value = answer.access_token.as_bytes();
        let usable = value.len() >= SECRET_BYTES_MIN && value.iter().all(u8::is_ascii_graphic);
        let bearer = answer.token_type.eq_ignore_ascii_case("bearer");
        if usable && bearer { Ok(answer) } else { Err(FetchError::Token) }
    }
}

/// A text as RFC 6749 §2.3.1 wants it in a header, and forms want it in a body.
fn form(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

const ANSWER_BYTES_MAX: usize = 64 << 10;
/// For a token that does not say how long it is valid.
const LIFETIME_SECONDS: u64 = 300;
const LIFETIME_SECONDS_MAX: u64 = 86_400;
/// Before its end, so that a request does not arrive after it.
const MARGIN: Duration = Duration::from_secs(30);
