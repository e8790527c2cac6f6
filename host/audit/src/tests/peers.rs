//! What peers offer: recorded by name, in as many records as it takes.

use alknet_call::{AuditSink as _, PeerChange, Recorded};
use alknet_core::IdentityId;
use serde_json::json;

use super::support::*;
use crate::*;

#[test]
fn what_a_peer_offers_fits_into_records_whatever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let peer = IdentityId::parse("worker").unwrap();
    // The most a peer may offer, with the longest names there are.
    let names: Vec<String> = (0..256).map(|number| format!("w/{number:0>254}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let changes = [
        PeerChange::Replaced(&names),
        PeerChange::Offered(&names[..1]),
        PeerChange::Replaced(&[]),
        PeerChange::Left,
    ];
    for change in changes {
        let recorded = log.peer_changed(&peer, &change);
        assert!(matches!(recorded, Recorded::Done), "{recorded:?}");
    }
    let page = log.reader().query(&Filter::default(), &Page::default()).unwrap();
    let told: Vec<_> = page
        .entries
        .iter()
        .map(|entry| {
            let record = &entry.record;
            assert_eq!(record["peer"], "worker");
            let count = record["operations"].as_array().map_or(0, Vec::len);
            (record["kind"].clone(), record["replaces"].clone(), count)
        })
        .collect();
    let attached = |replaces: bool, count| (json!("peer.attached"), json!(replaces), count);
    assert_eq!(
        told,
        [
            attached(true, 64),
            attached(false, 64),
            attached(false, 64),
            attached(false, 64),
            attached(false, 1),
            attached(true, 0),
            (json!("peer.detached"), json!(null), 0),
        ]
    );
    log.close().unwrap();
    check(dir.path());
}
