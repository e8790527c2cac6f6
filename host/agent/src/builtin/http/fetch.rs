//! `http/fetch`: one request to a configured target.

use std::borrow::Cow;
use std::sync::Arc;

use alknet_call::{CallError, CallScope, OperationSpec, Registration, SpecError, typed_handler};
use alknet_core::Secret;
use reqwest::{Request, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;

use super::address::NotPublic;
use super::request::{Input, Prepared};
use super::response::{self, Output, Received};
use super::target::{Target, Targets};
use super::{FETCH, HttpMethod};
use crate::SecretGuard;

/// Why a request failed.
#[derive(Debug)]
pub(super) enum FetchError {
    Target(Vec<String>),
    Method(Vec<HttpMethod>),
    Refused(Cow<'static, str>),
    Address,
    Credential,
    /// The server of tokens gave none.
    Token,
    /// The body is compressed.
    Encoded,
    /// What was found in the response cannot be recorded.
    Unrecorded,
    TooLarge {
        bytes_max: usize,
    },
    Timeout,
    Unreachable {
        sent: bool,
    },
}

const NAME: &str = "http/fetch";

const ERRORS: &[(&str, &str)] = &[
    ("TARGET_NOT_FOUND", "No target has this name; `details.targets` are those there are."),
    ("METHOD_NOT_ALLOWED", "The target does not allow this method; `details.methods` are those it does."),
    (
        "REQUEST_REFUSED",
        "The path, a header or the body is not allowed; the message says which rule it breaks.",
    ),
    ("ADDRESS_DENIED", "The target's name leads to an address that requests may not be sent to."),
    ("TOO_LARGE", "The request's or the response's body is above the limit of `details.bytes_max`."),
    ("UPSTREAM_TIMEOUT", "The target did not answer in time. The request may have taken effect."),
    ("UPSTREAM_REFUSED", "The target's own server of tokens gave the host none."),
    ("UPSTREAM_ENCODED", "The target compressed its answer, which it was not asked to. It may have acted."),
    (
        "UPSTREAM_UNREACHABLE",
        "The target cannot be reached (retryable), or broke off its answer (it may have acted).",
    ),
];

pub(crate) fn registration(targets: Targets, guard: SecretGuard) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>(NAME)?
        .describe(&description(&targets))
        .requires(crate::builtin::scope(FETCH));
    let spec = ERRORS.iter().try_fold(spec, |spec, (code, description)| spec.raises(code, description))?;
    let turns = Arc::new(Semaphore::new(targets.limits.in_flight_max));
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let (targets, turns, guard) = (targets.clone(), Arc::clone(&turns), guard.clone());
        async move { fetch(&targets, &turns, &guard, input, &scope).await.map_err(CallError::from) }
    });
    Ok(Registration::local(spec, handler))
}

fn description(targets: &Targets) -> String {
    let mut text = "Sends an HTTP request to one of the configured targets and answers its response, \
        whatever the status. Redirects are not followed. Targets:"
        .to_owned();
    for (name, target) in targets.by_name.iter() {
        let methods: Vec<String> = target.config.methods.iter().map(HttpMethod::to_string).collect();
        text.push_str(&format!("\n- `{name}` ({})", methods.join(", ")));
        if let Some(prefix) = &target.config.path_prefix {
            text.push_str(&format!(", paths below `{prefix}`"));
        }
        if !target.config.description.is_empty() {
            text.push_str(&format!(": {}", target.config.description));
        }
    }
    text
}

async fn fetch(
    targets: &Targets,
    turns: &Semaphore,
    guard: &SecretGuard,
    input: Input,
    scope: &CallScope,
) -> Result<Output, FetchError> {
    let unknown = || FetchError::Target(targets.by_name.keys().cloned().collect());
    let target = targets.by_name.get(&input.target).ok_or_else(unknown)?;
    let prepared = Prepared::new(target, input, &targets.limits)?;
    let service = target.config.credential.as_deref();
    let secret = service.map(|service| scope.capabilities().get(service).ok_or(FetchError::Credential));
    let secret = secret.transpose()?;
    let exchange = async {
        let _turn = turns.acquire().await.map_err(|_| FetchError::Unreachable { sent: false })?;
        exchange(target, prepared.into_request(), secret, guard).await
    };
    let received = tokio::time::timeout(target.config.timeout, exchange);
    let received = received.await.map_err(|_| FetchError::Timeout)??;
    let (output, found) = received.into_output(&guard.live().scrubber(), &targets.limits);
    guard.record(scope.id(), NAME, found).await.map_err(|_| FetchError::Unrecorded)?;
    Ok(output)
}

/// Sends the request with the target's credential, and reads its answer.
async fn exchange(
    target: &Target,
    mut request: Request,
    secret: Option<&Secret>,
    guard: &SecretGuard,
) -> Result<Received, FetchError> {
    let bytes_max = target.config.response_bytes_max;
    let Some(secret) = secret else {
        return response::read(target.client.execute(request).await?, bytes_max).await;
    };
    let auth = &target.config.auth;
    let Some(tokens) = &target.tokens else {
        auth.authorize(&mut request, secret).ok_or(FetchError::Credential)?;
        return response::read(target.client.execute(request).await?, bytes_max).await;
    };
    let learn = |token: &Secret| guard.live().add([(target.config.name.as_str(), token)]);
    let token = tokens.get(&target.client, secret, learn).await?;
    auth.authorize(&mut request, &token).ok_or(FetchError::Credential)?;
    let response = target.client.execute(request).await?;
    if response.status() == StatusCode::UNAUTHORIZED {
        tokens.forget(&token).await;
    }
    response::read(response, bytes_max).await
}

impl From<reqwest::Error> for FetchError {
    /// Keeps the class alone: the text of an error may hold the URL.
    fn from(error: reqwest::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if error.is::<NotPublic>() {
                return Self::Address;
            }
            cause = error.source();
        }
        if error.is_timeout() { Self::Timeout } else { Self::Unreachable { sent: !error.is_connect() } }
    }
}

impl From<FetchError> for CallError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Target(targets) => Self::new("TARGET_NOT_FOUND", "no target has this name")
                .with_details(json!({ "targets": targets })),
            FetchError::Method(methods) => {
                Self::new("METHOD_NOT_ALLOWED", "the target does not allow this method")
                    .with_details(json!({ "methods": methods }))
            }
            FetchError::Refused(rule) => Self::new("REQUEST_REFUSED", rule),
            FetchError::Address => Self::new("ADDRESS_DENIED", "the target has no address that is allowed"),
            FetchError::Credential => Self::internal("the target's credential is not available"),
            FetchError::Token => {
                Self::new("UPSTREAM_REFUSED", "the server of the target's tokens gave none").retryable(true)
            }
            FetchError::Encoded => Self::new("UPSTREAM_ENCODED", "the target compressed its answer"),
            FetchError::Unrecorded => Self::internal("the audit log cannot record this call").retryable(true),
            FetchError::TooLarge { bytes_max } => {
                Self::new("TOO_LARGE", format!("a body is above the limit of {bytes_max} bytes"))
                    .with_details(json!({ "bytes_max": bytes_max }))
            }
            FetchError::Timeout => Self::new("UPSTREAM_TIMEOUT", "the target did not answer in time"),
            FetchError::Unreachable { sent: false } => {
                Self::new("UPSTREAM_UNREACHABLE", "the target cannot be reached").retryable(true)
            }
            FetchError::Unreachable { sent: true } => {
                Self::new("UPSTREAM_UNREACHABLE", "the target broke off its answer")
            }
        }
    }
}
