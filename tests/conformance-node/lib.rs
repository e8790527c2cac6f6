//! The fixture host of the conformance tests: operations whose behaviour is known to the letter, served by the
//! project's own crates.
//!
//! The program `conformance-node` serves it over QUIC; the tests of this package run it in their own process as well.
//!
//! **Non-goals.** No configuration, no audit log, no sandbox: that is the program `alknet-agent`.

mod composing;
mod counters;
mod errors;
mod identities;
mod leaves;
mod node;
mod support;
mod trees;

use std::sync::Arc;

use alknet_call::{
    DiscoveryError, Dispatcher, InvalidOpName, Limits, NoAudit, Registration, RegistrationError, Registry,
    SchemaError, SpecError, with_discovery, with_peer_operations,
};
use alknet_core::{InvalidName, SystemClock};

pub use counters::Counters;
pub use identities::{Identities, IdentitiesError, InvalidPeer, PeerOption};
pub use node::{Node, NodeError, NodeOptions};

/// The operations of the fixture host, without those of discovery.
///
/// # Errors
/// [`FixtureError`], a defect of this crate.
pub fn registrations(counters: &Arc<Counters>) -> Result<Vec<Registration>, FixtureError> {
    let mut all = leaves::registrations()?;
    all.extend(errors::registrations()?);
    all.extend(composing::registrations()?);
    all.extend(trees::registrations(counters)?);
    Ok(all)
}

/// A dispatcher over the operations of the fixture host, those of discovery, and these.
///
/// # Errors
/// [`FixtureError`] when a name is taken, or by a defect of this crate.
pub fn dispatcher(limits: Limits, more: Vec<Registration>) -> Result<Dispatcher, FixtureError> {
    let registry = Registry::builder().register_all(registrations(&Arc::default())?)?;
    let registry = with_peer_operations(with_discovery(registry)?)?.register_all(more)?.build();
    Ok(Dispatcher::new(registry, Arc::new(NoAudit), limits, Arc::new(SystemClock)))
}

/// A name, a schema or a specification of the fixture host is not valid: a defect of this crate.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// An operation's name.
    #[error(transparent)]
    Operation(#[from] InvalidOpName),
    /// A scope or an identity.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A specification.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A registration.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The operations of discovery.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
}
