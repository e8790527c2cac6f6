//! One call of a script, from its instance to its result.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::poll;
use tokio::time::timeout;

use crate::failure::call_outcome;
use crate::flight::Flight;
use crate::guest::{Guest, Status};
use crate::meter::Meter;
use crate::random::Random;
use crate::sandbox::Shared;
use crate::suspended::Suspended;
use crate::ticker::Ticking;
use crate::tool::{Items, Script};
use crate::{CallFailure, CallReport, HostCalls, Limit, Limits, stack};

/// A call that runs, waits, or is put aside.
pub(crate) struct Run<'a, H> {
    sandbox: &'a Arc<Shared>,
    script: &'a Script,
    meter: &'a Arc<Meter>,
    host: &'a H,
    limits: &'a Limits,
    flight: Flight<'a, H>,
    live: Live<'a>,
}

/// Where the guest of a call is.
enum Live<'a> {
    /// Not begun: it waits for an instance.
    No,
    Guest(Guest, Ticking<'a>),
    Suspended(Suspended),
}

impl<'a, H: HostCalls> Run<'a, H> {
    pub(crate) fn new(
        sandbox: &'a Arc<Shared>,
        script: &'a Script,
        meter: &'a Arc<Meter>,
        (host, limits): (&'a H, &'a Limits),
    ) -> Self {
        let flight = Flight::new(host, limits);
        Self { sandbox, script, meter, host, limits, flight, live: Live::No }
    }

    /// Runs the tool to its one result.
    pub(crate) async fn call(&mut self, input: &str) -> Result<String, CallFailure> {
        let status = self.begin(input).await?;
        let status = self.until_settled(status).await?;
        self.outcome(status)
    }

    /// Runs the tool to its end, item by item.
    pub(crate) async fn stream(&mut self, input: &str, items: &mut dyn Items) -> Result<String, CallFailure> {
        let begun = timeout(self.limits.wall, async {
            let status = self.begin(input).await?;
            self.until_settled(status).await
        });
        let mut status = match begun.await {
            Ok(status) => status?,
            Err(_) => return Err(self.out_of_time()),
        };
        if status != Status::Stream {
            let reason = "a subscription must be an async generator function: async function* (input, env)";
            return self.outcome(status).and(Err(CallFailure::BadOutput { reason: reason.into() }));
        }
        loop {
            let next = timeout(self.limits.wall, async {
                status = self.ask().await?;
                status = self.until_settled(status).await?;
                if status == Status::End { Ok(None) } else { self.outcome(status).map(Some) }
            });
            match next.await {
                Ok(Ok(Some(item))) => self.hand_over(item, items).await?,
                Ok(Ok(None)) => return Ok("null".into()),
                Ok(Err(failure)) => return Err(failure),
                Err(_) => return Err(self.out_of_time()),
            }
            self.meter.restart();
        }
    }

    /// Why a call that reached the wall limit has no result.
    pub(crate) fn out_of_time(&self) -> CallFailure {
        match self.live {
            Live::No => CallFailure::Unavailable,
            Live::Guest(..) | Live::Suspended(_) => CallFailure::Limit(Limit::Wall(self.limits.wall)),
        }
    }

    /// What there is to say about the call, which is over.
    pub(crate) fn report(mut self, result: Result<String, CallFailure>) -> CallReport {
        let cpu = self.meter.used();
        let (state, memory_bytes) = match &mut self.live {
            Live::No => return CallReport { cpu, ..CallReport::unstarted(result) },
            Live::Guest(guest, _) => {
                let memory_bytes = guest.memory_bytes();
                (guest.state_mut(), memory_bytes)
            }
            Live::Suspended(suspended) => {
                let memory_bytes = suspended.memory_bytes();
                (suspended.state_mut(), memory_bytes)
            }
        };
        let (mut logs, log_truncated) = state.logs.take();
        for line in &mut logs {
            if let Some(text) = stack::readable(&line.text, &self.script.map) {
                line.text = text;
            }
        }
        CallReport { result, logs, log_truncated, cpu, host_calls: state.calls(), memory_bytes }
    }

    async fn begin(&mut self, input: &str) -> Result<Status, CallFailure> {
        // Calls that call each other begin inside of one another, and none of them may have to wait: without this,
        // whoever is outermost would not be asked for its time before all of them are over.
        tokio::task::consume_budget().await;
        let turn = self.sandbox.instance(self.meter.share()).await.ok_or(CallFailure::Unavailable)?;
        let ticking = self.sandbox.ticker().hold();
        let bounds = self.sandbox.bounds(self.limits);
        let guest = Guest::new(self.sandbox.base(), &bounds, self.meter, turn)?;
        self.live = Live::Guest(guest, ticking);
        let guest = self.live.guest()?;
        guest.restore(&self.script.snapshot)?;
        guest.state_mut().random = Random::of(self.host.determinism());
        let clock = self.flight.clock();
        Ok(self.meter.charge(&clock, guest.call(input, self.host.seed())).await?)
    }

    async fn ask(&mut self) -> Result<Status, CallFailure> {
        self.wake().await?;
        let clock = self.flight.clock();
        let guest = self.live.guest()?;
        Ok(self.meter.charge(&clock, guest.next()).await?)
    }

    /// Gives the guest what it waits for until it waits no more.
    async fn until_settled(&mut self, mut status: Status) -> Result<Status, CallFailure> {
        while status == Status::Pending {
            self.flight.enqueue(self.live.guest()?.state_mut().take_requests());
            if self.flight.is_idle() {
                break;
            }
            self.landed().await?;
            while status == Status::Pending
                && let Some(batch) = self.flight.take_batch()
            {
                let clock = self.flight.clock();
                let guest = self.live.guest()?;
                guest.state_mut().release_input(batch.input_bytes);
                status = self.meter.charge(&clock, guest.settle(&batch.records)).await?;
                // What it asked for just now comes before what else is due, or takes back what is.
                self.flight.enqueue(self.live.guest()?.state_mut().take_requests());
            }
        }
        Ok(status)
    }

    /// Waits until something landed, without an instance when that takes long.
    async fn landed(&mut self) -> Result<(), CallFailure> {
        if poll!(pin!(self.flight.landed())).is_ready() {
            return Ok(());
        }
        if timeout(self.patience(), self.flight.landed()).await.is_ok() {
            return Ok(());
        }
        self.suspend()?;
        self.flight.landed().await;
        self.wake().await
    }

    async fn hand_over(&mut self, item: String, items: &mut dyn Items) -> Result<(), CallFailure> {
        let mut taken = items.send(item);
        if poll!(&mut taken).is_ready() || timeout(self.patience(), &mut taken).await.is_ok() {
            return Ok(());
        }
        self.suspend()?;
        taken.await;
        Ok(())
    }

    /// How long a guest that waits keeps its instance; not long when others want one.
    fn patience(&self) -> Duration {
        let longest = if self.sandbox.instances_are_wanted() { PATIENCE_WHEN_WANTED } else { Duration::MAX };
        self.limits.suspend_after.min(longest)
    }

    /// Puts the guest aside, unless it is so large that it had better keep its instance.
    fn suspend(&mut self) -> Result<(), CallFailure> {
        let live = std::mem::replace(&mut self.live, Live::No);
        self.live = match live {
            Live::Guest(guest, ticking) => match guest.suspend(self.sandbox.suspended())? {
                Ok(suspended) => Live::Suspended(suspended),
                Err(guest) => Live::Guest(guest, ticking),
            },
            other => other,
        };
        Ok(())
    }

    async fn wake(&mut self) -> Result<(), CallFailure> {
        if !matches!(self.live, Live::Suspended(_)) {
            return Ok(());
        }
        let turn = self.sandbox.instance(self.meter.share()).await.ok_or(CallFailure::Unavailable)?;
        let ticking = self.sandbox.ticker().hold();
        if let Live::Suspended(suspended) = std::mem::replace(&mut self.live, Live::No) {
            self.live = Live::Guest(suspended.resume(turn)?, ticking);
        }
        Ok(())
    }

    fn outcome(&mut self, status: Status) -> Result<String, CallFailure> {
        call_outcome(self.live.guest()?, status, &self.script.map)
    }
}

impl Live<'_> {
    fn guest(&mut self) -> Result<&mut Guest, CallFailure> {
        match self {
            Self::Guest(guest, _) => Ok(guest),
            Self::No | Self::Suspended(_) => Err(CallFailure::Internal("the guest is not awake".into())),
        }
    }
}

/// Time a waiting guest keeps its instance when others wait for one.
const PATIENCE_WHEN_WANTED: Duration = Duration::from_millis(1);
