//! The threads of a log: one publishes checkpoints, one fills the query index, one commits where the disk counts.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::publish::Keep;
use crate::reader::AuditReader;
use crate::shared::Shared;
use crate::writer::Durability;

/// The share of a busy core that filling the index may have, as a nice value: about a tenth.
#[cfg(target_os = "linux")]
const INDEX_NICENESS: i32 = 10;

/// Starts the threads; they end once the log stops.
pub(crate) fn spawn(shared: &Arc<Shared>, reader: &Arc<AuditReader>) -> io::Result<Vec<JoinHandle<()>>> {
    let (wake, woken) = sync_channel(1);
    let mut threads = Vec::new();
    let publishing = Arc::clone(shared);
    let publish = move || publish(&publishing, &wake);
    threads.push(Builder::new().name("audit-publish".to_owned()).spawn(publish)?);
    let (growing, reader) = (Arc::clone(shared), Arc::clone(reader));
    let index = move || fill_index(&growing, &reader, &woken);
    threads.push(Builder::new().name("audit-index".to_owned()).spawn(index)?);
    if shared.setup.durability == Durability::Disk {
        let committing = Arc::clone(shared);
        let commit = move || {
            while committing.wait_to_commit() {
                committing.gather();
                committing.commit();
            }
        };
        threads.push(Builder::new().name("audit-commit".to_owned()).spawn(commit)?);
    }
    Ok(threads)
}

/// Publishes when it is time, and tells the index so.
fn publish(shared: &Shared, index: &SyncSender<()>) {
    while shared.wait_to_publish() {
        if let Err(error) = shared.publish(Keep::Tail) {
            tracing::warn!(%error, "no checkpoint could be published");
            shared.wait_to_retry();
        }
        // An index that is at work is woken again anyhow.
        index.try_send(()).unwrap_or_default();
    }
}

/// Fills the index, at a lower priority than calls: to the end when nothing was recorded for an interval.
fn fill_index(shared: &Shared, reader: &AuditReader, woken: &Receiver<()>) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, INDEX_NICENESS) {
        tracing::debug!(%error, "the query index is filled at the priority of calls");
    }
    let (mut behind, mut seen) = (false, 0);
    loop {
        let patience = if behind { shared.setup.checkpoint_interval } else { Duration::MAX };
        let waited = match woken.recv_timeout(patience) {
            Ok(()) => false,
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let size = shared.size();
        behind = reader.catch_up_aside(size, waited && size == seen);
        seen = size;
    }
}
