//! The host calls of one running tool: waiting, in flight, finished.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{AbortHandle, BoxFuture, abortable};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;

use crate::state::{Queued, QueuedCall};
use crate::{HostCallError, HostCalls, Limits};

/// Host calls and their bounds. Dropping it drops, and so cancels, every call in flight.
pub(crate) struct Flight<'h, H> {
    host: &'h H,
    waiting: VecDeque<QueuedCall>,
    flying: FuturesUnordered<BoxFuture<'h, Option<Landed>>>,
    handles: HashMap<u32, AbortHandle>,
    ready: VecDeque<Landed>,
    in_flight_max: usize,
    result_bytes_max: usize,
}

/// A finished host call.
struct Landed {
    id: u32,
    input_bytes: usize,
    /// `None`: a timer.
    outcome: Option<Result<String, HostCallError>>,
}

/// Finished calls in the guest's encoding, and the bytes of input they held.
pub(crate) struct Batch {
    pub(crate) records: Vec<u8>,
    pub(crate) input_bytes: usize,
}

impl<'h, H: HostCalls> Flight<'h, H> {
    pub(crate) fn new(host: &'h H, limits: &Limits) -> Self {
        Self {
            host,
            waiting: VecDeque::new(),
            flying: FuturesUnordered::new(),
            handles: HashMap::new(),
            ready: VecDeque::new(),
            in_flight_max: usize::try_from(limits.host_calls_in_flight_max.max(1)).unwrap_or(usize::MAX),
            result_bytes_max: limits.host_call_bytes_max,
        }
    }

    pub(crate) fn enqueue(&mut self, asked: impl Iterator<Item = Queued>) {
        for asked in asked {
            match asked {
                Queued::Call(call) => self.waiting.push_back(call),
                Queued::Timer { id, ms } => {
                    let sleep = tokio::time::sleep(Duration::from_millis(u64::from(ms)));
                    self.fly(
                        id,
                        Box::pin(async move {
                            sleep.await;
                            Landed { id, input_bytes: 0, outcome: None }
                        }),
                    );
                }
                Queued::Cancel { id } => {
                    self.waiting.retain(|call| call.id != id);
                    self.ready.retain(|landed| landed.id != id);
                    if let Some(handle) = self.handles.remove(&id) {
                        handle.abort();
                    }
                }
            }
        }
    }

    fn fly(&mut self, id: u32, future: BoxFuture<'h, Landed>) {
        let (future, handle) = abortable(future);
        self.handles.insert(id, handle);
        self.flying.push(Box::pin(async move { future.await.ok() }));
    }

    /// Whether there is anything to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.flying.is_empty() && self.ready.is_empty()
    }

    /// Waits until at least one call is finished. Never ready while idle.
    pub(crate) async fn landed(&mut self) {
        poll_fn(|context| {
            self.advance(context);
            if self.ready.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Finished calls for one message to the guest, about [`BATCH_BYTES`] long; at least one if any is finished.
    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch { records: Vec::new(), input_bytes: 0 };
        while let Some(landed) = self.ready.pop_front() {
            batch.input_bytes += landed.input_bytes;
            encode(&mut batch.records, landed, self.result_bytes_max);
            let next = self.ready.front().map_or(0, |next| {
                next.outcome
                    .as_ref()
                    .and_then(|outcome| outcome.as_ref().ok())
                    .map_or(ERROR_GUESS, String::len)
            });
            if batch.records.len() + next > BATCH_BYTES {
                break;
            }
        }
        (!batch.records.is_empty()).then_some(batch)
    }

    fn advance(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(landed)) = self.flying.poll_next_unpin(context) {
            self.ready.extend(landed);
        }
        // Results count as in flight until the guest has them: that bounds what the host holds.
        while self.flying.len() + self.ready.len() < self.in_flight_max {
            let Some(call) = self.waiting.pop_front() else {
                break;
            };
            self.start(call, context);
        }
    }

    /// Polls a new call at once: many hosts answer at once, and then nothing needs to be queued or woken.
    fn start(&mut self, call: QueuedCall, context: &mut Context<'_>) {
        let QueuedCall { id, name, input } = call;
        let input_bytes = input.len() + name.len();
        let mut future = self.host.call(name, input);
        match future.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                self.ready.push_back(Landed { id, input_bytes, outcome: Some(outcome) });
            }
            Poll::Pending => {
                self.fly(
                    id,
                    Box::pin(async move { Landed { id, input_bytes, outcome: Some(future.await) } }),
                );
                // Polls it again with the set's own waker, which the first poll did not register.
                if let Poll::Ready(Some(landed)) = self.flying.poll_next_unpin(context) {
                    self.ready.extend(landed);
                }
            }
        }
    }
}

/// Appends `{u32 id, u32 kind, u32 len, bytes, NUL}`.
fn encode(records: &mut Vec<u8>, landed: Landed, bytes_max: usize) {
    let outcome = match landed.outcome {
        Some(Ok(json)) if json.len() > bytes_max => Some(Err(too_large(bytes_max))),
        outcome => outcome,
    };
    let (kind, json) = match outcome {
        Some(Ok(json)) => (0_u32, json),
        Some(Err(error)) => (1_u32, error_json(error, bytes_max)),
        None => (2_u32, String::new()),
    };
    // Longer than u32 can say is longer than any guest memory; the guest refuses the record then.
    let len = u32::try_from(json.len()).unwrap_or(u32::MAX);
    for word in [landed.id, kind, len] {
        records.extend_from_slice(&word.to_le_bytes());
    }
    records.extend_from_slice(json.as_bytes());
    records.push(0);
}

fn error_json(error: HostCallError, bytes_max: usize) -> String {
    #[derive(Serialize)]
    struct Fields<'a> {
        code: &'a str,
        message: &'a str,
        retryable: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<serde_json::Value>,
    }
    let details = error.details.filter(|details| details.len() <= bytes_max);
    let details = details.and_then(|details| serde_json::from_str(&details).ok());
    let fields = Fields { code: &error.code, message: &error.message, retryable: error.retryable, details };
    serde_json::to_string(&fields).unwrap_or_else(|_| r#"{"code":"INTERNAL","message":""}"#.into())
}

fn too_large(bytes_max: usize) -> HostCallError {
    HostCallError {
        code: "RESULT_TOO_LARGE".into(),
        message: format!("the result is longer than {bytes_max} bytes; ask for less at a time"),
        retryable: false,
        details: None,
    }
}

const BATCH_BYTES: usize = 60 * 1024;
/// Length assumed for an error that is not encoded yet.
const ERROR_GUESS: usize = 512;
