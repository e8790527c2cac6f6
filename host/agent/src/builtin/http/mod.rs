//! `http/fetch`: HTTP requests to configured targets, with credentials that callers never see.
//!
//! A caller names a target and a path below its base URL; the host is the target's, whatever the path says.
//! The host adds the target's credential, and takes it out of what comes back. Redirects are answered, not
//! followed. Addresses are checked by the resolver that the connector uses, so that what is checked is what is
//! connected to.

mod address;
mod fetch;
mod headers;
mod limits;
mod path;
mod redact;
mod request;
mod response;
mod target;

use alknet_call::{Registration, SpecError};
use alknet_core::Capabilities;

pub use limits::HttpLimits;
pub use target::{HttpMethod, HttpSetupError, HttpTarget};

/// The scopes these operations demand.
pub const SCOPES: &[&str] = &[FETCH];

const FETCH: &str = "http:fetch";

/// The registration of `http/fetch`, which alone is given the credentials.
///
/// # Errors
/// [`HttpSetupError`] naming the target that is not valid, or whose credential is not among `credentials`.
pub fn registrations(
    targets: Vec<HttpTarget>,
    credentials: Capabilities,
    limits: HttpLimits,
) -> Result<Vec<Registration>, HttpSetupError> {
    let targets = target::Targets::new(targets, &credentials, limits)?;
    Ok(vec![fetch::registration(targets)?.with_capabilities(credentials)])
}

impl From<SpecError> for HttpSetupError {
    fn from(error: SpecError) -> Self {
        Self::Spec(error)
    }
}

#[cfg(test)]
mod tests;
