//! How long a guest has been executing, shared between the task that polls it and the interrupt inside it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::fair::{Share, Turn, Turns};

/// CPU account and clock of one call.
#[derive(Debug)]
pub(crate) struct Meter {
    origin: Instant,
    limit: Duration,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// Nanoseconds from `origin` to the start of the running poll.
    started: AtomicU64,
    now_millis: AtomicU64,
    /// The guest was interrupted in the middle of computing, and has not gone on since.
    interrupted: AtomicBool,
    lane: Lane,
}

/// Where guests that compute for long wait for a processor: each share goes on as often as every other.
///
/// What is over within one slice of the interrupt's period never comes here.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) processors: Arc<Turns>,
    pub(crate) share: Share,
}

type Waiting = Pin<Box<dyn Future<Output = Option<Turn>> + Send>>;

impl Meter {
    pub(crate) fn new(limit: Duration, lane: Lane) -> Self {
        Self {
            interrupted: AtomicBool::new(false),
            lane,
            origin: real_now(),
            limit,
            used: AtomicU64::new(0),
            started: AtomicU64::new(0),
            now_millis: AtomicU64::new(0),
        }
    }

    /// What the tool's `Date` shows, in milliseconds since the Unix epoch.
    pub(crate) fn now_millis(&self) -> u64 {
        self.now_millis.load(Ordering::Relaxed)
    }

    /// Time executed in finished polls.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// The limit in force.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the limit is passed. Only true while a poll runs or after one.
    pub(crate) fn is_spent(&self) -> bool {
        let running = self.elapsed().saturating_sub(self.started.load(Ordering::Relaxed));
        self.used.load(Ordering::Relaxed).saturating_add(running) > nanos(self.limit)
    }

    /// Whose call it is.
    pub(crate) fn share(&self) -> Share {
        self.lane.share
    }

    /// The guest is interrupted and wants to go on.
    pub(crate) fn note_interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// The next item of a subscription has the whole limit again.
    pub(crate) fn restart(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    /// Awaits `future`, charging every poll, with `clock` read at its start. A guest that was interrupted goes on
    /// when it is its share's turn.
    pub(crate) async fn charge<F: Future>(&self, clock: &(impl Fn() -> u64 + Sync), future: F) -> F::Output {
        let mut future = pin!(future);
        let mut waiting: Option<Waiting> = None;
        poll_fn(|context| {
            let turn = match waiting.as_mut().map(|turn| turn.as_mut().poll(context)) {
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(turn)) => turn,
                None => None,
            };
            waiting = None;
            let poll = self.slice(clock, future.as_mut(), context);
            drop(turn);
            if poll.is_pending() && self.interrupted.swap(false, Ordering::Relaxed) {
                waiting = Some(self.lane.next());
                // The interrupt has woken this task already: it asks for the turn when it is polled again.
            }
            poll
        })
        .await
    }

    fn slice<F: Future>(
        &self,
        clock: &impl Fn() -> u64,
        future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.now_millis.store(clock(), Ordering::Relaxed);
        let started = self.elapsed();
        self.started.store(started, Ordering::Relaxed);
        let poll = future.poll(context);
        let spent = self.elapsed().saturating_sub(started);
        self.used.fetch_add(spent, Ordering::Relaxed);
        poll
    }

    fn elapsed(&self) -> u64 {
        nanos(real_now().saturating_duration_since(self.origin))
    }
}

impl Lane {
    fn next(&self) -> Waiting {
        let (processors, share) = (Arc::clone(&self.processors), self.share);
        Box::pin(async move { processors.take(share).await })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "executing takes real time, also where a test stops tokio's clock"
)]
fn real_now() -> Instant {
    Instant::now()
}
