//! Importing operations: `from_call`, and the contract that every adapter keeps (call.md section 16, ADR-017).

use std::fmt;
use std::sync::Arc;

use alknet_core::IdentityId;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::remote::RemoteOperation;
use crate::wire::{ImportError, spec_from_json};
use crate::{
    AuditUnavailable, CallError, CallOptions, ErrorCode, Link, OfferError, OpName, OperationSpec,
    Registration, RegistrationError,
};

/// Makes registrations of what something else offers.
#[async_trait]
pub trait OperationAdapter: Send + Sync {
    /// Reads what is offered now. All of it, or an error.
    ///
    /// # Errors
    /// [`AdapterError`].
    async fn import(&self) -> Result<Vec<Registration>, AdapterError>;
}

/// Why an import failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// What is offered could not be listed.
    #[error("discovery failed: {0}")]
    DiscoveryFailed(String),
    /// A specification could not be read.
    #[error("the specification of `{operation}`: {error}")]
    SchemaParse {
        /// The operation, as the other side names it.
        operation: String,
        /// What is wrong with it.
        error: ImportError,
    },
    /// The way to the other side is broken.
    #[error("the connection failed: {0}")]
    Transport(String),
    /// The other side does not let this host list or describe its operations.
    #[error("not allowed: {0}")]
    Unauthorized(String),
    /// Two operations of one peer have the same name.
    #[error("the peer offers `{0}` twice")]
    SamePeerCollision(OpName),
    /// A name is the host's own, or in a namespace that is the host's own.
    #[error(transparent)]
    Refused(#[from] RegistrationError),
    /// There are more operations than a peer may offer.
    #[error("a peer may offer {0} operations")]
    TooMany(usize),
    /// A newer connection of the same peer has taken its place.
    #[error("a newer connection of this peer has taken its place")]
    Replaced,
    /// It cannot be recorded.
    #[error(transparent)]
    Unrecorded(#[from] AuditUnavailable),
}

/// Says of the name that an operation has at its peer whether it is imported.
pub type NameFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which operations of a peer are imported, and under which names.
#[derive(Clone, Default)]
pub struct ImportOptions {
    /// Put before every name, as a namespace of its own: `prefix/name`. Sugar: peers may have operations of one name.
    pub prefix: Option<String>,
    /// Everything is imported, when absent.
    pub filter: Option<NameFilter>,
    /// Keeps from the peer on whose behalf it is called.
    pub hides_callers: bool,
    /// Shown to the peer while its operations are listed.
    pub options: CallOptions,
}

/// `from_call`: the operations of the peer behind a link, as Internal leaves.
#[derive(Debug, Clone)]
pub struct FromCall {
    link: Link,
    peer: IdentityId,
    options: ImportOptions,
}

impl FromCall {
    /// An adapter for the peer behind a link, known by this id.
    #[must_use]
    pub fn new(link: Link, peer: IdentityId, options: ImportOptions) -> Self {
        Self { link, peer, options }
    }
}

#[async_trait]
impl OperationAdapter for FromCall {
    async fn import(&self) -> Result<Vec<Registration>, AdapterError> {
        import(&self.link, &self.peer, &self.options).await
    }
}

#[derive(Deserialize)]
struct Listed {
    operations: Vec<ListedOperation>,
}

#[derive(Deserialize)]
struct ListedOperation {
    name: String,
}

/// Lists and describes the peer's operations. Those of discovery and registration are every host's own and are left
/// out, and so are sessions, which belong to who opened them there.
pub(crate) async fn import(
    link: &Link,
    peer: &IdentityId,
    options: &ImportOptions,
) -> Result<Vec<Registration>, AdapterError> {
    let listed = link.call("services/list", &json!({}), &options.options).await.map_err(failed)?;
    let listed: Listed = serde_json::from_value(listed)
        .map_err(|error| AdapterError::DiscoveryFailed(format!("services/list answered no list: {error}")))?;
    let max = link.limits().peer_operations_max;
    let wanted = |name: &&str| {
        let own = ["services/", "op/", "session/"];
        !own.iter().any(|own| name.starts_with(own))
            && options.filter.as_ref().is_none_or(|filter| filter(name))
    };
    let names = listed.operations.iter().map(|listed| listed.name.as_str());
    let names: Vec<&str> = names.filter(wanted).collect();
    if names.len() > max {
        return Err(AdapterError::TooMany(max));
    }
    let mut registrations = Vec::with_capacity(names.len());
    for name in names {
        if let Some(registration) = describe(link, peer, name, options).await? {
            registrations.push(registration);
        }
    }
    Ok(registrations)
}

/// One operation; `None` when it went away meanwhile.
async fn describe(
    link: &Link,
    peer: &IdentityId,
    name: &str,
    options: &ImportOptions,
) -> Result<Option<Registration>, AdapterError> {
    let asked = json!({ "name": name });
    let described = match link.call("services/schema", &asked, &options.options).await {
        Ok(described) => described,
        Err(error) if *error.code() == ErrorCode::NOT_FOUND => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let spec = read(described, name, link.limits().peer_spec_bytes_max, options).map_err(|error| {
        AdapterError::SchemaParse { operation: crate::outcome::shown(name).into_owned(), error }
    })?;
    let remote = RemoteOperation::new(link.clone(), name.to_owned(), spec.kind());
    let remote = remote.disclosing(!options.hides_callers);
    Ok(Some(Registration::of_peer(peer.clone(), spec, remote)))
}

fn read(
    described: Value,
    name: &str,
    bytes_max: usize,
    options: &ImportOptions,
) -> Result<OperationSpec, ImportError> {
    let spec = spec_from_json(described, bytes_max)?;
    if spec.name().as_str() != name.strip_prefix('/').unwrap_or(name) {
        return Err(ImportError::Shape("it describes another operation"));
    }
    match &options.prefix {
        Some(prefix) => {
            let prefixed = OpName::parse(&format!("{prefix}/{}", spec.name()))?;
            Ok(spec.named(prefixed))
        }
        None => Ok(spec),
    }
}

fn failed(error: CallError) -> AdapterError {
    let code = error.code();
    let text = error.to_string();
    if *code == ErrorCode::FORBIDDEN || *code == ErrorCode::NOT_FOUND {
        AdapterError::Unauthorized(text)
    } else if *code == ErrorCode::CONNECTION_CLOSED || *code == ErrorCode::TIMEOUT {
        AdapterError::Transport(text)
    } else {
        AdapterError::DiscoveryFailed(text)
    }
}

impl From<OfferError> for AdapterError {
    fn from(error: OfferError) -> Self {
        match error {
            OfferError::Registration(error) => Self::Refused(error),
            OfferError::SamePeerCollision(name) => Self::SamePeerCollision(name),
            OfferError::TooMany(max) => Self::TooMany(max),
            OfferError::Replaced => Self::Replaced,
            OfferError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl fmt::Debug for ImportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportOptions").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
