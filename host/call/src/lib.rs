//! The call protocol: operations with JSON Schemas, called over any connection, under one authority model.
//!
//! **Goals.** One path for every call, whichever door it came in by: parse, reach, look up, admit, record, run,
//! record ([`Dispatcher`]). The principal is an enum ([`Caller`]); only the gate makes what handlers accept
//! ([`Admitted`]); a composition can be narrowed but never widened ([`Composition`]).
//!
//! **Non-goals.** No sockets, no files, no wasm: transports come as [`alknet_core::Connection`], the audit log
//! as an [`AuditSink`], agent-written operations as a [`SessionLayer`].
//!
//! ```
//! use std::sync::Arc;
//! use alknet_call::{Dispatcher, Limits, NoAudit, OpName, OperationKind, OperationSpec, Registration, Registry, handler_fn};
//! use alknet_core::SystemClock;
//! use serde_json::json;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let spec = OperationSpec::new(OpName::parse("demo/echo")?, OperationKind::Query);
//! let echo = Registration::local(spec, handler_fn(|input, _scope| async move { Ok(input) }));
//! let registry = Registry::builder().register(echo)?.build();
//! let host = Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), Arc::new(SystemClock));
//! assert_eq!(host.call(None, "demo/echo", json!({"n": 1})).await?, json!({"n": 1}));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapter;
mod audit;
mod authority;
mod behalf;
mod builtin;
mod call;
mod caller;
mod client;
mod conform;
mod detached;
mod dispatch;
mod door;
mod error;
mod explain;
mod feed;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handler;
mod import;
mod items;
mod layers;
mod limits;
mod link;
mod name;
mod outcome;
mod peers;
mod rates;
mod reach;
mod registry;
mod remote;
mod schema;
mod scope;
mod screen;
mod spec;
mod wire;

pub use adapter::CallAdapter;
pub use audit::{
    Answered, AuditSink, AuditUnavailable, CallFacts, Decision, Due, NoAudit, Outcome, PeerChange, Recorded,
};
pub use authority::{AccessControl, Authority, Denied, Permit};
pub use behalf::OnBehalfOf;
pub use builtin::{DiscoveryError, with_discovery, with_peer_operations};
pub use call::{CallId, InvalidCallId};
pub use caller::{AbortPolicy, Caller, Composer};
pub use client::Client;
pub use dispatch::Dispatcher;
pub use error::{CallError, ErrorCode};
pub use explain::{Explanation, RuleOutcome, reason_of};
pub use feed::Feed;
pub use gate::Admitted;
pub use handler::{Answers, Handler, Reply, handler_fn, sink_handler, stream_handler, typed_handler};
pub use import::{AdapterError, FromCall, ImportOptions, NameFilter, OperationAdapter};
pub use layers::{LayerKind, PeerRef, SessionLayer};
pub use limits::Limits;
pub use link::{CallOptions, Link, Publication, Subscription};
pub use name::{InvalidOpName, OpName};
pub use peers::{Attachment, OfferError, Peers};
pub use rates::IdentityRates;
pub use reach::{Attenuated, Composition, Reach};
pub use registry::{ImportedFrom, Provenance, Registration, RegistrationError, Registry, RegistryBuilder};
pub use schema::{Schema, SchemaError, Violation};
pub use scope::{CallScope, SessionContext};
pub use screen::{Screen, Screened};
pub use spec::{ErrorSpec, OperationKind, OperationSpec, SpecError, Visibility};
pub use wire::ImportError;
