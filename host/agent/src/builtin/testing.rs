//! What the tests of the built-in operations share: a host with nothing but the operations under test.

use std::sync::Arc;

use alknet_call::{CallError, Dispatcher, Limits, NoAudit, Registration, Registry};
use alknet_core::{Clock, Grants, Identity, IdentityId, ManualClock, Scope};
use serde_json::Value;

/// A dispatcher over a few operations.
pub(crate) struct Host(Dispatcher);

impl Host {
    pub(crate) fn new(operations: Vec<Registration>) -> Self {
        Self::with_clock(operations, Arc::new(ManualClock::new(0)))
    }

    pub(crate) fn with_clock(operations: Vec<Registration>, clock: Arc<dyn Clock>) -> Self {
        let registry = Registry::builder().register_all(operations).unwrap().build();
        Self(Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), clock))
    }

    pub(crate) async fn anonymous(&self, name: &str, input: Value) -> Result<Value, CallError> {
        self.0.call(None, name, input).await
    }

    pub(crate) async fn call(&self, who: &Identity, name: &str, input: Value) -> Result<Value, CallError> {
        self.0.call(Some(who.clone()), name, input).await
    }
}

/// An identity holding exactly these scopes.
pub(crate) fn identity(id: &str, scopes: &[&str]) -> Identity {
    let scopes = scopes.iter().map(|scope| Scope::parse(scope).unwrap());
    Identity::new(IdentityId::parse(id).unwrap(), Grants::from_scopes(scopes))
}

/// The code of a failed call; `OK` for one that did not fail.
pub(crate) fn code(result: &Result<Value, CallError>) -> &str {
    result.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK")
}

#[test]
fn every_scope_parses() {
    for name in [super::fs::SCOPES, super::http::SCOPES, super::kv::SCOPES, super::time::SCOPES].concat() {
        assert_eq!(super::scope(name).as_str(), name);
    }
}
