//! A peer whose key is taken away while it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alknet_call::{
    Client, Dispatcher, Limits, Link, NoAudit, Registration, Registry, with_discovery, with_peer_operations,
};
use alknet_core::{AuthContext, AuthToken, Drain, Fingerprint, Identity, IdentityProvider, SystemClock};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::*;

/// Knows one worker by its key, until it is told not to.
struct OneWorker(AtomicBool);

impl IdentityProvider for OneWorker {
    fn resolve_from_fingerprint(&self, _: &Fingerprint) -> Option<Identity> {
        self.0.load(Ordering::SeqCst).then(|| identity("worker", &["op:register"]))
    }
    fn resolve_from_token(&self, _: &AuthToken) -> Option<Identity> {
        None
    }
}

#[tokio::test]
async fn what_a_peer_announced_goes_with_its_key() {
    let compose = Registration::composing(spec("p/any"), compose_named(), composition(&[], &["w/echo"]));
    let registry = with_discovery(Registry::builder().register(compose).unwrap()).unwrap();
    let registry = with_peer_operations(registry).unwrap().build();
    let hub = Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), Arc::new(SystemClock));
    let known = Arc::new(OneWorker(AtomicBool::new(true)));
    let auth = AuthContext { fingerprint: Some(Fingerprint::Ed25519([7; 32])), ..AuthContext::default() };
    let (a, b) = pipe();
    let link = Link::accepted(a, auth, hub.clone(), Arc::<OneWorker>::clone(&known));
    let (drain, mut tasks) = (Drain::new(), JoinSet::new());
    let signal = drain.signal();
    tasks.spawn(async move { link.run(signal).await });
    let serves = dispatcher(vec![Registration::local(spec("w/echo"), echo())]);
    let client = Client::serving(b, AuthContext::default(), serves, Arc::new(Tokens));
    let announced = json!({ "spec": { "name": "w/echo", "op_type": "query" } });
    client.call("op/register", &announced).await.unwrap();
    let ask = || hub.call(None, "p/any", json!({ "op": "w/echo", "input": 1 }));
    assert_eq!(ask().await.unwrap(), json!(1));
    known.0.store(false, Ordering::SeqCst);
    assert_eq!(ask().await.unwrap_err().to_string(), "NOT_FOUND: operation not found: w/echo");
    known.0.store(true, Ordering::SeqCst);
    assert_eq!(ask().await.unwrap(), json!(1));
    client.close().await;
}
