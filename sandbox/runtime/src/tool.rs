//! A registered tool and its calls.

use std::sync::Arc;

use tokio::time::timeout;

use crate::failure::call_outcome;
use crate::flight::Flight;
use crate::guest::{Guest, Status};
use crate::lower::SourceMap;
use crate::meter::Meter;
use crate::sandbox::Shared;
use crate::snapshot::Snapshot;
use crate::stack;
use crate::{CallFailure, CallReport, HostCalls, Limit, Limits, Shape};

/// A tool at rest: memory pages and a position map, no live instance. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Tool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sandbox: Arc<Shared>,
    snapshot: Snapshot,
    map: SourceMap,
    digest: String,
    shape: Shape,
}

impl Tool {
    pub(crate) fn new(
        sandbox: Arc<Shared>,
        snapshot: Snapshot,
        map: SourceMap,
        digest: String,
        shape: Shape,
    ) -> Self {
        Self { inner: Arc::new(Inner { sandbox, snapshot, map, digest, shape }) }
    }

    /// Whether a call has one output or items.
    pub fn shape(&self) -> Shape {
        self.inner.shape
    }

    /// [Digest of the source](crate::Source::digest), in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Host memory the tool takes while nothing calls it, in bytes: its snapshot and its text, without what leads
    /// from one to the other.
    pub fn snapshot_bytes(&self) -> usize {
        self.inner.snapshot.stored_bytes() + self.inner.map.text_bytes()
    }

    /// Calls the tool with `input`, which is JSON text, in a fresh instance.
    ///
    /// A call is over when the tool's promise is rejected, or is fulfilled and every host call it started is
    /// finished, whether it awaited them or not. Dropping the future stops the guest and drops its host calls.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub async fn call<H: HostCalls>(&self, input: &str, host: &H, limits: &Limits) -> CallReport {
        let meter = Arc::new(Meter::new(limits.cpu));
        let mut guest = None;
        let result = if input.len() > limits.input_bytes_max {
            Err(CallFailure::Limit(Limit::Input(limits.input_bytes_max)))
        } else {
            let run = self.run(&mut guest, &meter, input, (host, limits));
            match timeout(limits.wall, run).await {
                Ok(result) => result,
                Err(_) if guest.is_some() => Err(CallFailure::Limit(Limit::Wall(limits.wall))),
                Err(_) => Err(CallFailure::Unavailable),
            }
        };
        let mut report = report(result, guest, &meter);
        for line in &mut report.logs {
            if let Some(text) = stack::readable(&line.text, &self.inner.map) {
                line.text = text;
            }
        }
        report
    }

    async fn run<H: HostCalls>(
        &self,
        slot: &mut Option<Guest>,
        meter: &Arc<Meter>,
        input: &str,
        (host, limits): (&H, &Limits),
    ) -> Result<String, CallFailure> {
        let sandbox = &self.inner.sandbox;
        let permit = sandbox.permit().await.ok_or(CallFailure::Unavailable)?;
        let _ticking = sandbox.ticker().hold();
        let guest = slot.insert(Guest::new(sandbox.base(), &sandbox.bounds(limits), meter, permit)?);
        guest.restore(&self.inner.snapshot)?;
        let clock = || host.now_millis();
        let mut status = meter.charge(&clock, guest.call(input, host.seed())).await?;
        let mut flight = Flight::new(host, limits);
        while status == Status::Pending {
            flight.enqueue(guest.state_mut().take_queue());
            if flight.is_idle() {
                break;
            }
            flight.landed().await;
            while status == Status::Pending
                && let Some(batch) = flight.take_batch()
            {
                guest.state_mut().release_input(batch.input_bytes);
                status = meter.charge(&clock, guest.settle(&batch.records)).await?;
            }
        }
        call_outcome(guest, status, &self.inner.map)
    }
}

fn report(result: Result<String, CallFailure>, guest: Option<Guest>, meter: &Meter) -> CallReport {
    let cpu = meter.used();
    let Some(mut guest) = guest else {
        return CallReport {
            result,
            logs: Vec::new(),
            log_truncated: false,
            cpu,
            host_calls: 0,
            memory_bytes: 0,
        };
    };
    let (logs, log_truncated) = guest.state_mut().logs.take();
    let host_calls = guest.state().calls();
    CallReport { result, logs, log_truncated, cpu, host_calls, memory_bytes: guest.memory_bytes() }
}
