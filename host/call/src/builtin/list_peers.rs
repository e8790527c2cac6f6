//! `services/list-peers`: what the host and its peers offer, peer by peer (call.md section 15). A host opts in to it.
//!
//! What a peer offers can be composed by the host's operations only; the caller sees those that its own grants would
//! suffice for.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::list::{Entry, entry};
use super::nothing;
use crate::gate::{is_open_to, is_visible};
use crate::{CallScope, Registration, SpecError, typed_handler};

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The host itself, as `local`, and the peers in the order in which they attached. Peers of which nothing is
    /// visible are left out.
    peers: Vec<PeerView>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PeerView {
    peer_id: String,
    operations: Vec<Entry>,
}

pub(super) fn registration() -> Result<Registration, SpecError> {
    let spec = crate::OperationSpec::query::<Value, Output>("services/list-peers")?
        .input(nothing()?)
        .describe("Lists what this host and its peers offer, peer by peer.");
    Ok(Registration::local(spec, typed_handler(|_: Value, scope: CallScope| async move { Ok(list(&scope)) })))
}

fn list(scope: &CallScope) -> Output {
    let own = scope.curated().iter().map(|registration| registration.spec());
    let own = own.filter(|spec| is_visible(scope.caller(), spec)).map(entry).collect();
    let local = PeerView { peer_id: "local".to_owned(), operations: own };
    let attached = scope.peers().iter().map(|slot| {
        let specs = slot.operations().map(|registration| registration.spec());
        let operations = specs.filter(|spec| is_open_to(scope.caller(), spec)).map(entry).collect();
        PeerView { peer_id: slot.peer.to_string(), operations }
    });
    let peers = std::iter::once(local).chain(attached).filter(|peer| !peer.operations.is_empty());
    Output { peers: peers.collect() }
}
