//! What a running tool waits for: host calls that wait, are in flight or are finished, and timers.

mod records;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture, abortable};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::state::{QueuedCall, Request};
use crate::{HostCallError, HostCalls, Limits};

use records::encode;
pub(crate) use records::too_large;

/// Host calls and timers, and their bounds. Dropping it drops, and so cancels, every call in flight.
pub(crate) struct Flight<'h, H> {
    host: &'h H,
    waiting: VecDeque<QueuedCall>,
    flying: FuturesUnordered<Flying<'h>>,
    timers: FuturesUnordered<Flying<'h>>,
    /// Of every call and real timer in flight, with the bytes it holds.
    handles: HashMap<u32, (AbortHandle, usize)>,
    ready: VecDeque<Landed>,
    order: Option<Order>,
    /// Bytes of calls that were given up and need no answer.
    given_up_bytes: usize,
    in_flight_max: usize,
    result_bytes_max: usize,
}

type Flying<'h> = Abortable<BoxFuture<'h, Landed>>;

/// How a deterministic call goes on, whatever the host takes its time with.
#[derive(Debug, Default)]
struct Order {
    /// Calls not yet handed over, as they were asked for.
    asked: VecDeque<u32>,
    /// Time that timers have let pass.
    passed: Duration,
    /// By the time at which they are due, then as they were armed.
    timers: BTreeMap<(Duration, u64), u32>,
    armed: u64,
}

/// A finished host call, or a timer that fired.
pub(crate) struct Landed {
    id: u32,
    input_bytes: usize,
    outcome: Outcome,
}

pub(crate) enum Outcome {
    Call(Result<String, HostCallError>),
    Fired,
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
            timers: FuturesUnordered::new(),
            handles: HashMap::new(),
            ready: VecDeque::new(),
            order: host.determinism().map(|_| Order::default()),
            given_up_bytes: 0,
            in_flight_max: usize::try_from(limits.host_calls_in_flight_max.max(1)).unwrap_or(usize::MAX),
            result_bytes_max: limits.host_call_bytes_max,
        }
    }

    /// What `Date` shows: real time, or where a deterministic call stands.
    pub(crate) fn clock(&self) -> impl Fn() -> u64 + Sync + use<'h, H> {
        let passed = self.order.as_ref().map_or(0, |order| order.passed.as_millis());
        let (host, passed) = (self.host, u64::try_from(passed).unwrap_or(u64::MAX));
        move || host.now_millis().saturating_add(passed)
    }

    pub(crate) fn enqueue(&mut self, requests: impl Iterator<Item = Request>) {
        for request in requests {
            match request {
                Request::Call(call) => {
                    if let Some(order) = &mut self.order {
                        order.asked.push_back(call.id);
                    }
                    self.waiting.push_back(call);
                }
                Request::Timer { id, after } => self.arm(id, after),
                Request::Cancel(id) => self.give_up(id),
            }
        }
    }

    /// Whether there is anything to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.flying.is_empty()
            && self.timers.is_empty()
            && self.ready.is_empty()
            && self.order.as_ref().is_none_or(|order| order.timers.is_empty())
    }

    /// Waits until there is something to hand over. Never ready while idle.
    pub(crate) async fn landed(&mut self) {
        poll_fn(|context| {
            self.advance(context);
            if self.has_next() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Finished calls for one message to the guest, about [`BATCH_BYTES`] long; at least one if any is finished.
    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch { records: Vec::new(), input_bytes: 0 };
        while let Some(landed) = self.take_next() {
            batch.input_bytes += landed.input_bytes;
            // What a deterministic call does when a timer fires comes before the next timer.
            let alone = self.order.is_some() && matches!(landed.outcome, Outcome::Fired);
            encode(&mut batch.records, landed, self.result_bytes_max);
            let next = self.ready.front().map_or(0, Landed::bytes);
            if alone || batch.records.len() + next > BATCH_BYTES {
                break;
            }
        }
        if batch.records.is_empty() {
            return None;
        }
        batch.input_bytes += std::mem::take(&mut self.given_up_bytes);
        Some(batch)
    }

    fn arm(&mut self, id: u32, after: Duration) {
        if let Some(order) = &mut self.order {
            order.timers.insert((order.passed.saturating_add(after), order.armed), id);
            order.armed += 1;
            return;
        }
        let fired: BoxFuture<'h, Landed> = Box::pin(async move {
            tokio::time::sleep(after).await;
            Landed { id, input_bytes: 0, outcome: Outcome::Fired }
        });
        let (timer, handle) = abortable(fired);
        self.handles.insert(id, (handle, 0));
        self.timers.push(timer);
    }

    /// Forgets a call or timer: the guest may use its number again at once.
    fn give_up(&mut self, id: u32) {
        if let Some(order) = &mut self.order {
            order.asked.retain(|asked| *asked != id);
            order.timers.retain(|_, timer| *timer != id);
        }
        let mut bytes = 0;
        if let Some((handle, held)) = self.handles.remove(&id) {
            handle.abort();
            bytes += held;
        }
        self.waiting.retain(|call| {
            let stays = call.id != id;
            bytes += if stays { 0 } else { call.bytes() };
            stays
        });
        self.ready.retain(|landed| {
            let stays = landed.id != id;
            bytes += if stays { 0 } else { landed.input_bytes };
            stays
        });
        self.given_up_bytes += bytes;
    }

    fn advance(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(landed)) = self.flying.poll_next_unpin(context) {
            self.land(landed);
        }
        while let Poll::Ready(Some(landed)) = self.timers.poll_next_unpin(context) {
            self.land(landed);
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
        let input_bytes = call.bytes();
        let QueuedCall { id, name, input } = call;
        let mut future = self.host.call(name, input);
        match future.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                self.ready.push_back(Landed { id, input_bytes, outcome: Outcome::Call(outcome) });
            }
            Poll::Pending => {
                let landed = async move { Landed { id, input_bytes, outcome: Outcome::Call(future.await) } };
                let landed: BoxFuture<'h, Landed> = Box::pin(landed);
                let (call, handle) = abortable(landed);
                self.handles.insert(id, (handle, input_bytes));
                self.flying.push(call);
                // Polls it again with the set's own waker, which the first poll did not register.
                if let Poll::Ready(Some(landed)) = self.flying.poll_next_unpin(context) {
                    self.land(landed);
                }
            }
        }
    }

    fn land(&mut self, landed: Result<Landed, Aborted>) {
        if let Ok(landed) = landed {
            self.handles.remove(&landed.id);
            self.ready.push_back(landed);
        }
    }

    fn has_next(&self) -> bool {
        let Some(order) = &self.order else {
            return !self.ready.is_empty();
        };
        match order.asked.front() {
            Some(first) => self.ready.iter().any(|landed| landed.id == *first),
            None => !order.timers.is_empty(),
        }
    }

    fn take_next(&mut self) -> Option<Landed> {
        let Some(order) = &mut self.order else {
            return self.ready.pop_front();
        };
        if let Some(first) = order.asked.front() {
            let at = self.ready.iter().position(|landed| landed.id == *first)?;
            order.asked.pop_front();
            return self.ready.remove(at);
        }
        // One at a time: what the guest does then may come before the next.
        let ((due, _), id) = order.timers.pop_first()?;
        order.passed = order.passed.max(due);
        Some(Landed { id, input_bytes: 0, outcome: Outcome::Fired })
    }
}

impl Landed {
    /// About what its record takes.
    fn bytes(&self) -> usize {
        match &self.outcome {
            Outcome::Call(Ok(json)) => json.len(),
            Outcome::Call(Err(_)) => ERROR_GUESS,
            Outcome::Fired => 0,
        }
    }
}

const BATCH_BYTES: usize = 60 * 1024;
/// Length assumed for an error that is not encoded yet.
const ERROR_GUESS: usize = 512;
