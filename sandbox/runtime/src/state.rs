//! What the host keeps for one live guest: its bounds, its queue of host calls, its log.

use std::sync::Arc;

use wasmtime::{Memory, ResourceLimiter};

use crate::guest::GuestLimits;
use crate::logs::Logs;
use crate::meter::Meter;
use crate::{Limit, Limits};

/// Data of a guest's store.
#[derive(Debug)]
pub(crate) struct State {
    /// The guest's linear memory, once there is an instance.
    pub(crate) memory: Option<Memory>,
    pub(crate) logs: Logs,
    limits: Limits,
    stack_bytes: u32,
    meter: Arc<Meter>,
    bound: MemoryBound,
    queue: Vec<Queued>,
    timers: u32,
    /// Bytes of input of calls that are queued or running.
    buffered: usize,
    calls: u32,
    stopped_by: Option<Limit>,
}

/// What the guest asked for, in order.
#[derive(Debug)]
pub(crate) enum Queued {
    Call(QueuedCall),
    Timer { id: u32, ms: u32 },
    Cancel { id: u32 },
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
            limits: bounds.limits.clone(),
            stack_bytes: bounds.stack_bytes,
            meter,
            bound: MemoryBound { bytes_max: bounds.limits.memory_bytes_max, denied: false },
            queue: Vec::new(),
            timers: 0,
            buffered: 0,
            calls: 0,
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
        self.buffered = self.buffered.saturating_add(call.input.len());
        self.queue.push(Queued::Call(call));
    }

    /// Queues a timer; non-zero when there are too many.
    pub(crate) fn queue_timer(&mut self, id: u32, ms: u32) -> u32 {
        self.timers = self.timers.saturating_add(1);
        if self.timers > TIMERS_MAX {
            return 1;
        }
        self.queue.push(Queued::Timer { id, ms });
        0
    }

    /// Notes that the guest no longer waits for a call or timer.
    pub(crate) fn queue_cancel(&mut self, id: u32) {
        self.queue.push(Queued::Cancel { id });
    }

    pub(crate) fn take_queue(&mut self) -> std::vec::Drain<'_, Queued> {
        self.queue.drain(..)
    }

    /// A call whose input had that many bytes is finished.
    pub(crate) fn release_input(&mut self, input_bytes: usize) {
        self.buffered = self.buffered.saturating_sub(input_bytes);
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

/// Most timers armed in one call.
const TIMERS_MAX: u32 = 10_000;
