//! How a target's credential goes along with a request. It is added to the one request that may carry it, after
//! everything that the caller had a say in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use alknet_core::{SECRET_BYTES_MIN, Secret};

use super::headers;

/// How a target wants its credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HttpAuth {
    /// `Authorization: Bearer …`.
    #[default]
    Bearer,
    /// `Authorization: Basic …`: the credential is the password of this user, or `user:password` where none is named.
    Basic {
        /// The user.
        user: Option<String>,
    },
    /// A header of this name.
    Header {
        /// The name.
        name: String,
    },
    /// A query parameter of this name.
    Query {
        /// The name.
        name: String,
    },
    /// OAuth 2.0 client credentials (RFC 6749 §4.4): the credential is the client's secret; the host fetches tokens
    /// with it, and sends those as `Authorization: Bearer …`.
    ClientCredentials {
        /// Where tokens are fetched: `https://host/path`.
        token_url: String,
        /// The client's id.
        client_id: String,
        /// The scope to ask for.
        scope: Option<String>,
    },
}

impl HttpAuth {
    /// Why this cannot be used; never holds a credential.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Bearer | Self::ClientCredentials { .. } => Ok(()),
            Self::Basic { user } => match user {
                Some(user) if user.is_empty() || user.contains(':') || !is_text(user) => {
                    Err("the user of `basic` is printable ASCII without `:`")
                }
                Some(_) | None => Ok(()),
            },
            Self::Header { name } => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "`auth_name` is no header")?;
                let plain = name.as_str().replace('_', "-");
                // `authorization` itself may be one: some services want it without a scheme.
                let usable = plain == "authorization" || plain == "cookie" || !headers::is_reserved(&plain);
                if usable { Ok(()) } else { Err("`auth_name` is a header that carries no credential") }
            }
            Self::Query { name } if name.is_empty() || !is_text(name) => {
                Err("`auth_name` is no name of a query parameter")
            }
            Self::Query { .. } => Ok(()),
        }
    }

    /// Why this credential cannot be sent in this way.
    pub(super) fn accepts(&self, secret: &Secret) -> Result<(), &'static str> {
        let secret = secret.expose_secret();
        if secret.len() < SECRET_BYTES_MIN {
            return Err("its credential has fewer than 8 characters, too few to be looked for in answers");
        }
        let fits = match self {
            Self::Bearer => secret.bytes().all(|b| b.is_ascii_graphic()),
            Self::Basic { user: None } => is_text(secret) && secret.contains(':'),
            Self::Basic { user: Some(_) }
            | Self::Header { .. }
            | Self::Query { .. }
            | Self::ClientCredentials { .. } => is_text(secret),
        };
        if fits { Ok(()) } else { Err("its credential is no printable ASCII, or not `user:password`") }
    }

    /// The query parameter that callers must leave alone.
    pub(super) fn query_name(&self) -> Option<&str> {
        match self {
            Self::Query { name } => Some(name),
            Self::Bearer | Self::Basic { .. } | Self::Header { .. } | Self::ClientCredentials { .. } => None,
        }
    }

    /// The header that callers must leave alone.
    pub(super) fn header_name(&self) -> Option<&str> {
        match self {
            Self::Header { name } => Some(name),
            Self::Bearer | Self::Basic { .. } | Self::Query { .. } | Self::ClientCredentials { .. } => None,
        }
    }

    /// Adds a credential to a request, as the only one of its name. `None` when it cannot be sent.
    ///
    /// For OAuth, `secret` is the token.
    pub(super) fn authorize(&self, request: &mut Request, secret: &Secret) -> Option<()> {
        let secret = secret.expose_secret();
        match self {
            Self::Bearer | Self::ClientCredentials { .. } => {
                insert(request, AUTHORIZATION, &Zeroizing::new(format!("Bearer {secret}")))
            }
            Self::Basic { user } => insert(request, AUTHORIZATION, &basic(user.as_deref(), secret)),
            Self::Header { name } => insert(request, HeaderName::from_bytes(name.as_bytes()).ok()?, secret),
            Self::Query { name } => {
                request.url_mut().query_pairs_mut().append_pair(name, secret);
                Some(())
            }
        }
    }
}

/// The value of the header of RFC 7617.
pub(super) fn basic(user: Option<&str>, secret: &str) -> Zeroizing<String> {
    let pair = match user {
        Some(user) => Zeroizing::new(format!("{user}:{secret}")),
        None => Zeroizing::new(secret.to_owned()),
    };
    Zeroizing::new(format!("Basic {}", *Zeroizing::new(STANDARD.encode(pair.as_bytes()))))
}

pub(super) fn insert(request: &mut Request, name: HeaderName, value: &str) -> Option<()> {
    let mut value = HeaderValue::from_str(value).ok()?;
    // Kept out of logs and out of the compression tables of HTTP/2.
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Some(())
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}
