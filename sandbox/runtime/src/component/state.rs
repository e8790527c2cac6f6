//! What the host keeps for one live component: its bounds, its log, its way to the host.

use std::sync::Arc;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::mailbox::Mailbox;
use crate::logs::Logs;
use crate::meter::Meter;
use crate::random::Random;
use crate::{Limit, Limits};

/// Data of a component's store.
#[derive(Debug)]
pub(crate) struct ComponentState {
    pub(super) logs: Logs,
    pub(super) random: Random,
    pub(super) mailbox: Arc<Mailbox>,
    limits: Limits,
    meter: Arc<Meter>,
    bound: Bound,
    calls: u32,
    stopped_by: Option<Limit>,
}

/// All memories of a component together stay below one limit.
#[derive(Debug)]
struct Bound {
    bytes_max: usize,
    bytes: usize,
    denied: bool,
}

impl ComponentState {
    pub(super) fn new(limits: &Limits, meter: &Arc<Meter>, random: Random) -> Self {
        Self {
            logs: Logs::new(limits.log_bytes_max),
            random,
            mailbox: Arc::default(),
            limits: limits.clone(),
            meter: Arc::clone(meter),
            bound: Bound { bytes_max: limits.memory_bytes_max, bytes: 0, denied: false },
            calls: 0,
            stopped_by: None,
        }
    }

    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.bound
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn now_millis(&self) -> u64 {
        self.meter.now_millis()
    }

    /// Linear memory in use, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bound.bytes
    }

    /// Host calls asked for so far.
    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    /// The limit that stopped the component, if one did, or made it fail.
    pub(super) fn stopped_by(&self) -> Option<Limit> {
        let memory = self.bound.denied.then_some(Limit::Memory(self.bound.bytes_max));
        self.stopped_by.clone().or(memory)
    }

    /// What the interrupt does to a component that computes.
    pub(super) fn interrupt(&mut self) -> UpdateDeadline {
        if self.meter.is_spent() {
            self.stopped_by = Some(Limit::Cpu(self.meter.limit()));
            return UpdateDeadline::Interrupt;
        }
        self.meter.note_interrupt();
        UpdateDeadline::Yield(1)
    }

    /// Counts a host call with so many bytes; false, and the end, when a limit says no.
    pub(super) fn admits_call(&mut self, bytes: usize) -> bool {
        let limits = &self.limits;
        if self.calls >= limits.host_calls_max {
            self.stopped_by = Some(Limit::HostCallsTotal(limits.host_calls_max));
        } else if bytes > limits.host_call_bytes_max {
            self.stopped_by = Some(Limit::HostCallBytes(limits.host_call_bytes_max));
        } else {
            self.calls += 1;
            return true;
        }
        false
    }
}

impl ResourceLimiter for Bound {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        let granted = bytes <= self.bytes_max;
        if granted {
            self.bytes = bytes;
        }
        self.denied |= !granted;
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= crate::base::TABLE_ELEMENTS)
    }
}
