//! The configured targets, checked once at start.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use alknet_call::SpecError;
use alknet_core::Capabilities;
use reqwest::{Client, Url, redirect, retry};
use rustls_platform_verifier::BuilderVerifierExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::{self, PublicOnly};
use super::oauth::Tokens;
use super::{HttpAuth, HttpLimits, path};

/// A service that callers may send requests to, as the configuration has it.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    /// How callers name it: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// What it is good for, told to callers; may be empty.
    pub description: String,
    /// `https://host/path` or `http://host/path`, without user, query and fragment. Requests stay below its path.
    pub base_url: String,
    /// The methods callers may use.
    pub methods: Vec<HttpMethod>,
    /// The part below the base URL that callers may use, such as `/v1/items`; `None` is all of it.
    pub path_prefix: Option<String>,
    /// The service whose credential is sent along; `None` sends none.
    pub credential: Option<String>,
    /// How it is sent.
    pub auth: HttpAuth,
    /// Longest a request may take, from waiting for its turn to the last byte of its answer.
    pub timeout: Duration,
    /// Largest answer, in bytes.
    pub response_bytes_max: usize,
    /// Whether it may be at a private, loopback or link-local address. A credential may be sent in plain
    /// text (`http:`) only to such a target.
    pub allow_private: bool,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// Submits.
    Post,
    /// Stores.
    Put,
    /// Changes in part.
    Patch,
    /// Deletes.
    Delete,
}

/// Why targets are refused. Never holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// A name breaks the grammar.
    #[error("the target name `{0}` is not 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    Name(String),
    /// Two targets share a name.
    #[error("the target name `{0}` is used twice")]
    Duplicate(String),
    /// A target's settings are not valid.
    #[error("target `{name}`: {reason}")]
    Target {
        /// The target's name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A target's client cannot be made; the cause says why, such as a system without root certificates.
    #[error("target `{name}`: no HTTP client: {cause}")]
    Client {
        /// The target's name.
        name: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operation's specification is not valid: a defect of this crate.
    #[error(transparent)]
    Spec(SpecError),
}

/// A checked target with its client.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: HttpTarget,
    pub(super) base: Url,
    pub(super) client: Client,
    /// The tokens of OAuth, where it is used.
    pub(super) tokens: Option<Tokens>,
}

/// The checked targets by name, and the bounds they share. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    pub(super) by_name: Arc<BTreeMap<String, Target>>,
    pub(super) limits: Arc<HttpLimits>,
}

const NAME_BYTES_MAX: usize = 64;

impl Targets {
    pub(super) fn new(
        targets: Vec<HttpTarget>,
        credentials: &Capabilities,
        limits: HttpLimits,
    ) -> Result<Self, HttpSetupError> {
        let mut by_name = BTreeMap::new();
        for config in targets {
            let name = config.name.clone();
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
                return Err(HttpSetupError::Name(name));
            }
            let target = Target::new(config, credentials, &limits)?;
            if by_name.insert(name.clone(), target).is_some() {
                return Err(HttpSetupError::Duplicate(name));
            }
        }
        Ok(Self { by_name: Arc::new(by_name), limits: Arc::new(limits) })
    }
}

impl Target {
    fn new(
        config: HttpTarget,
        credentials: &Capabilities,
        limits: &HttpLimits,
    ) -> Result<Self, HttpSetupError> {
        let refused = |reason| HttpSetupError::Target { name: config.name.clone(), reason };
        let base = base_url(&config).map_err(refused)?;
        let prefix = config.path_prefix.as_deref();
        if prefix.is_some_and(|prefix| path::plain(prefix).is_err()) {
            return Err(refused("`path_prefix` is no plain path beginning with `/`"));
        }
        if config.methods.is_empty() || config.timeout.is_zero() {
            return Err(refused("it allows no method, or no time"));
        }
        if let Some(service) = &config.credential {
            let secret = credentials.get(service).ok_or_else(|| refused("its credential is not there"))?;
            config.auth.accepts(secret).map_err(refused)?;
        }
        config.auth.check().map_err(refused)?;
        let tokens = tokens(&config).map_err(refused)?;
        let failed = |cause| HttpSetupError::Client { name: config.name.clone(), cause };
        let client = client(&config, &base, limits).map_err(failed)?;
        Ok(Self { config, base, client, tokens })
    }
}

/// The parts of OAuth, where it is used.
fn tokens(config: &HttpTarget) -> Result<Option<Tokens>, &'static str> {
    let HttpAuth::ClientCredentials { token_url, client_id, scope } = &config.auth else {
        return Ok(None);
    };
    if config.credential.is_none() {
        return Err("`oauth` takes a `credential`, the client's secret");
    }
    let url = Url::parse(token_url).map_err(|_| "`token_url` is no URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("`token_url` has no user, password or fragment");
    }
    match url.scheme() {
        "https" => {}
        "http" if config.allow_private && config.base_url.starts_with("http:") => {}
        _ => return Err("`token_url` begins with `https://`"),
    }
    if is_private(&url) && !config.allow_private {
        return Err("`token_url` has a private address, which takes `allow_private`");
    }
    Ok(Some(Tokens::new(url, client_id.clone(), scope.clone())))
}

fn base_url(config: &HttpTarget) -> Result<Url, &'static str> {
    let base = Url::parse(&config.base_url).map_err(|_| "`base_url` is no URL")?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err("`base_url` begins with `https://` or `http://`");
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err("`base_url` has no user or password; use `credential`");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("`base_url` has no query or fragment");
    }
    if base.scheme() == "http" && config.credential.is_some() && !config.allow_private {
        return Err("a credential is sent over `https` only, unless the target is private");
    }
    if is_private(&base) && !config.allow_private {
        return Err("`base_url` has a private address, which takes `allow_private`");
    }
    Ok(base)
}

/// Whether a URL names a private address itself. Addresses are not resolved, so that the resolver does not see them.
fn is_private(url: &Url) -> bool {
    let literal: Option<IpAddr> =
        url.host_str().and_then(|host| host.trim_start_matches('[').trim_end_matches(']').parse().ok());
    literal.is_some_and(|address| !address::is_public(address))
}

fn client(
    config: &HttpTarget,
    base: &Url,
    limits: &HttpLimits,
) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls(base.scheme() == "https")?)
        .https_only(base.scheme() == "https")
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .user_agent(concat!("alknet-agent/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.timeout)
        .pool_idle_timeout(limits.idle_timeout)
        .pool_max_idle_per_host(limits.idle_connections_max);
    let builder = if config.allow_private { builder } else { builder.dns_resolver(PublicOnly) };
    Ok(builder.build()?)
}

/// The platform's root certificates with the `ring` provider; no roots at all where TLS is not used.
fn tls(used: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = if used {
        builder.with_platform_verifier()?
    } else {
        builder.with_root_certificates(rustls::RootCertStore::empty())
    };
    let mut tls = builder.with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

impl fmt::Display for HttpMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(reqwest::Method::from(*self).as_str())
    }
}

impl From<HttpMethod> for reqwest::Method {
    fn from(method: HttpMethod) -> Self {
        match method {
            HttpMethod::Get => Self::GET,
            HttpMethod::Head => Self::HEAD,
            HttpMethod::Post => Self::POST,
            HttpMethod::Put => Self::PUT,
            HttpMethod::Patch => Self::PATCH,
            HttpMethod::Delete => Self::DELETE,
        }
    }
}
