//! `http/fetch`: HTTP requests to configured targets, with credentials that callers never see.
//!
//! A caller names a target and a path below its base URL; the host is the target's, whatever the path says.
//! The host adds the target's credential, and takes it out of what comes back. Redirects are answered, not
//! followed. Addresses are checked by the resolver that the connector uses, so that what is checked is what is
//! connected to.

mod address;
mod auth;
mod fetch;
mod headers;
mod limits;
mod oauth;
mod path;
mod request;
mod response;
mod target;

use alknet_call::{Registration, SpecError};
use alknet_core::CapabilitySource;

use crate::SecretGuard;

pub use auth::HttpAuth;
pub use limits::HttpLimits;
pub use target::{HttpMethod, HttpSetupError, HttpTarget};

/// The scopes these operations demand.
pub const SCOPES: &[&str] = &[FETCH];

const FETCH: &str = "http:fetch";

/// The registration of `http/fetch`, which alone is given the credentials. The guard learns of them, and of the
/// tokens that are fetched with them.
///
/// # Errors
/// [`HttpSetupError`] naming the target that is not valid, or whose credential is not among `credentials`.
pub fn registrations(
    targets: Vec<HttpTarget>,
    credentials: impl Into<CapabilitySource>,
    guard: SecretGuard,
    limits: HttpLimits,
) -> Result<Vec<Registration>, HttpSetupError> {
    let credentials = credentials.into();
    let current = credentials.current();
    let targets = target::Targets::new(targets, &current, limits)?;
    guard.live().add(current.iter());
    Ok(vec![fetch::registration(targets, guard)?.with_capabilities(credentials)])
}

impl From<SpecError> for HttpSetupError {
    fn from(error: SpecError) -> Self {
        Self::Spec(error)
    }
}

#[cfg(test)]
mod tests;
