//! What the host keeps for one live guest: its bounds, its queue of host calls, its log.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Memory, ResourceLimiter};

use crate::guest::GuestLimits;
use crate::logs::Logs;
use crate::meter::Meter;
use crate::random::Random;
use crate::{Limit, Limits};

/// Data of a guest's store.
#[derive(Debug)]
pub(crate) struct State {
    /// The guest's linear memory, once there is an instance.
    pub(crate) memory: Option<Memory>,
    pub(crate) logs: Logs,
    /// Where random bytes come from; there are none before a call.
    pub(crate) random: Random,
    limits: Limits,
    stack_bytes: u32,
    meter: Arc<Meter>,
    bound: MemoryBound,
    requests: Vec<Request>,
    /// Bytes of names and inputs of calls that are queued or running.
    buffered: usize,
    calls: u32,
    timers: u32,
    stopped_by: Option<Limit>,
}

/// What the guest asked for since the host last looked, in order.
#[derive(Debug)]
pub(crate) enum Request {
    Call(QueuedCall),
    Timer {
        id: u32,
        after: Duration,
    },
    /// The guest waits no longer for that call or timer.
    Cancel(u32),
}

/// A host call the guest asked for.
#[derive(Debug)]
pub(crate) struct QueuedCall {
    /// The guest's number for it, to be given back when it settles.
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) input: String,
}

impl State {
    pub(crate) fn new(bounds: &GuestLimits, meter: Arc<Meter>) -> Self {
        Self {
            memory: None,
            logs: Logs::new(bounds.limits.log_bytes_max),
            random: Random::Unavailable,
            limits: bounds.limits.clone(),
            stack_bytes: bounds.stack_bytes,
            meter,
            bound: MemoryBound { bytes_max: bounds.limits.memory_bytes_max, denied: false },
            requests: Vec::new(),
            buffered: 0,
            calls: 0,
            timers: 0,
            stopped_by: None,
        }
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.bound
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn memory_was_denied(&self) -> bool {
        self.bound.denied
    }

    pub(crate) fn memory_limit(&self) -> Limit {
        Limit::Memory(self.limits.memory_bytes_max)
    }

    pub(crate) fn stack_limit(&self) -> Limit {
        Limit::Stack(crate::guest::index(self.stack_bytes))
    }

    pub(crate) fn stack_bytes(&self) -> u32 {
        self.stack_bytes
    }

    pub(crate) fn now_millis(&self) -> u64 {
        self.meter.now_millis()
    }

    /// The limit that interrupted the guest from outside, if one did.
    pub(crate) fn stopped_by(&self) -> Option<&Limit> {
        self.stopped_by.as_ref()
    }

    /// Host calls asked for so far.
    pub(crate) fn calls(&self) -> u32 {
        self.calls
    }

    /// The guest was interrupted and will go on.
    pub(crate) fn note_interrupt(&self) {
        self.meter.note_interrupt();
    }

    /// Whether the guest has to stop now; remembers why.
    pub(crate) fn out_of_time(&mut self) -> bool {
        let spent = self.meter.is_spent();
        if spent {
            self.stopped_by = Some(Limit::Cpu(self.meter.limit()));
        }
        spent
    }

    /// Whether a call with that much input still fits; remembers which limit says no.
    pub(crate) fn admits_call(&mut self, input_bytes: usize) -> bool {
        let limits = &self.limits;
        let limit = if self.calls >= limits.host_calls_max {
            Limit::HostCallsTotal(limits.host_calls_max)
        } else if input_bytes > limits.host_call_bytes_max {
            Limit::HostCallBytes(limits.host_call_bytes_max)
        } else if self.buffered.saturating_add(input_bytes) > limits.host_buffer_bytes_max {
            Limit::HostBuffer(limits.host_buffer_bytes_max)
        } else {
            return true;
        };
        self.stopped_by = Some(limit);
        false
    }

    /// Queues a call that [`admits_call`](Self::admits_call) let in.
    pub(crate) fn queue_call(&mut self, call: QueuedCall) {
        self.calls = self.calls.saturating_add(1);
        self.buffered = self.buffered.saturating_add(call.bytes());
        self.requests.push(Request::Call(call));
    }

    /// Arms a timer; false when the call had as many as it may make host calls.
    pub(crate) fn queue_timer(&mut self, id: u32, after: Duration) -> bool {
        let granted = self.timers < self.limits.host_calls_max;
        if granted {
            self.timers += 1;
            self.requests.push(Request::Timer { id, after });
        }
        granted
    }

    /// Notes that the guest waits no longer; false when it says so more often than it can have begun to wait.
    pub(crate) fn queue_cancel(&mut self, id: u32) -> bool {
        let begun = self.limits.host_calls_max.saturating_mul(2);
        let granted = self.requests.len() <= crate::guest::index(begun.saturating_mul(2));
        if granted {
            self.requests.push(Request::Cancel(id));
        }
        granted
    }

    pub(crate) fn take_requests(&mut self) -> std::vec::Drain<'_, Request> {
        self.requests.drain(..)
    }

    /// Calls whose names and inputs had that many bytes are finished.
    pub(crate) fn release_input(&mut self, bytes: usize) {
        self.buffered = self.buffered.saturating_sub(bytes);
    }
}

impl QueuedCall {
    /// What the host holds for it.
    pub(crate) fn bytes(&self) -> usize {
        self.input.len().saturating_add(self.name.len())
    }
}

#[derive(Debug)]
struct MemoryBound {
    bytes_max: usize,
    denied: bool,
}

impl ResourceLimiter for MemoryBound {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.bytes_max;
        self.denied |= !granted;
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The engine's one table is fixed; its initial size is not a growth of ours to judge.
        Ok(true)
    }
}
