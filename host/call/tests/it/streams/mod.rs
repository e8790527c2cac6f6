//! Subscriptions and publications: their order and ends, backpressure, overruns and aborts.

mod composed;
mod publications;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alknet_call::{
    CallError, Handler, Limits, OperationKind, OperationSpec, Registration, Schema, sink_handler,
    stream_handler,
};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::link::DropFlag;
use crate::support::*;

pub(super) fn of_kind(op: &str, kind: OperationKind) -> OperationSpec {
    OperationSpec::new(name(op), kind)
}

/// What a source of items tells about itself.
#[derive(Default, Clone)]
pub(super) struct Source {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
    changed: Arc<Notify>,
}

impl Source {
    pub(super) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Items of `bytes` bytes, `count` of them, ready whenever they are asked for.
    pub(super) fn items(
        &self,
        count: usize,
        bytes: usize,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + use<> {
        let guard = DropFlag(Arc::clone(&self.dropped), Arc::clone(&self.changed));
        let made = Arc::clone(&self.made);
        stream::iter(0..count).map(move |n| {
            let _guard = &guard;
            made.fetch_add(1, Ordering::SeqCst);
            Ok(json!({ "n": n, "text": "x".repeat(bytes) }))
        })
    }

    pub(super) fn handler(&self, count: usize, bytes: usize) -> impl Handler {
        let source = self.clone();
        stream_handler(move |_, _| source.items(count, bytes))
    }
}

pub(super) fn source_and_echo(source: &Source, count: usize, bytes: usize) -> Vec<Registration> {
    let items = of_kind("t/items", OperationKind::Subscription);
    vec![
        Registration::local(spec("t/echo"), echo()),
        Registration::local(items, source.handler(count, bytes)),
    ]
}

pub(super) fn small() -> Limits {
    Limits { subscription_queue_max: 4, write_queue_max: 4, feed_queue_max: 4, ..Limits::default() }
}

/// Counts its chunks; waits for each, and before them for the notification, where it has one.
pub(super) fn counting(wait: Option<Arc<Notify>>) -> Registration {
    let count = sink_handler(move |_, mut feed, _| {
        let wait = wait.clone();
        async move {
            if let Some(wait) = wait {
                wait.notified().await;
            }
            let mut count = 0;
            while let Some(chunk) = feed.next().await {
                if chunk? == json!("enough") {
                    return Ok(json!({ "early": count }));
                }
                count += 1;
            }
            Ok(json!({ "count": count }))
        }
    });
    let publish = Schema::compile(json!({ "type": "string" }), 1 << 10).unwrap();
    Registration::local(of_kind("t/count", OperationKind::Publication).publish(publish), count)
}
