//! One instance of the JavaScript engine: its memory, its exports, and what its imports left for the host.
//!
//! The guest is hostile as soon as a tool's code has run in it: every address, length and status read here is
//! checked, and none of them can make the host panic or allocate more than a limit says.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wasmtime::{Global, Instance, Memory, Store, Trap, TypedFunc, UpdateDeadline, Val, WasmParams};

use crate::base::Base;
use crate::fair::Turn;
use crate::lower::Module;
use crate::meter::Meter;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::suspended::{Room, SUSPENDED_MEMORY_BYTES_MAX, Suspended};
use crate::{Limit, Limits, Shape};

/// A live instance. Fields drop in order: the pool's slot is free before the turn is passed on.
pub(crate) struct Guest {
    store: Store<State>,
    instance: Instance,
    memory: Memory,
    stack_pointer: Global,
    base: Arc<Base>,
    /// `alk_settle`, looked up when first needed.
    settle: Option<TypedFunc<u32, i32>>,
    _turn: Turn,
}

/// Where the guest stands after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Done,
    Failed,
    Pending,
    Stalled,
    /// The tool returned a generator: there are items to ask for.
    Stream,
    /// The generator has no more items.
    End,
}

/// Where a guest stands after loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// There is a tool.
    Tool(Shape),
    /// There is none; the status says where to look for why.
    Stopped(Status),
}

/// Why an entry did not come back with a status.
#[derive(Debug)]
pub(crate) enum Fault {
    Limit(Limit),
    /// The guest broke the protocol, or trapped in a way no tool should be able to make it.
    Defect(String),
}

/// What bounds a guest, in the units its entries take.
#[derive(Debug, Clone)]
pub(crate) struct GuestLimits {
    pub(crate) limits: Limits,
    pub(crate) stack_bytes: u32,
}

impl Guest {
    /// A fresh instance of the base image.
    pub(crate) fn new(
        base: &Arc<Base>,
        bounds: &GuestLimits,
        meter: &Arc<Meter>,
        turn: Turn,
    ) -> Result<Self, Fault> {
        Self::with_state(base, State::new(bounds, Arc::clone(meter)), turn)
    }

    pub(crate) fn with_state(base: &Arc<Base>, state: State, turn: Turn) -> Result<Self, Fault> {
        let mut store = Store::new(base.engine(), state);
        store.limiter(|state| state.limiter());
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            let state = context.data_mut();
            if state.out_of_time() {
                return Ok(UpdateDeadline::Interrupt);
            }
            state.note_interrupt();
            Ok(UpdateDeadline::Yield(1))
        });
        let instance = match base.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(_) if store.data().memory_was_denied() => {
                return Err(Fault::Limit(store.data().memory_limit()));
            }
            Err(error) => return Err(Fault::Defect(format!("cannot instantiate: {error}"))),
        };
        let exports = base.exports();
        let memory = instance.get_module_export(&mut store, &exports.memory).and_then(|e| e.into_memory());
        let pointer =
            instance.get_module_export(&mut store, &exports.stack_pointer).and_then(|e| e.into_global());
        let (Some(memory), Some(stack_pointer)) = (memory, pointer) else {
            return Err(Fault::Defect("the guest lacks an export".into()));
        };
        store.data_mut().memory = Some(memory);
        Ok(Self { store, instance, memory, stack_pointer, base: Arc::clone(base), settle: None, _turn: turn })
    }

    /// Puts a guest aside that waits: its memory is kept, its instance and its turn are free for others. Comes back
    /// as it was when there is no room for what would be kept.
    pub(crate) fn suspend(mut self, room: &Arc<Room>) -> Result<Result<Suspended, Self>, Fault> {
        if self.memory_bytes() > SUSPENDED_MEMORY_BYTES_MAX {
            return Ok(Err(self));
        }
        let snapshot = self.snapshot()?;
        let Some(held) = room.hold(snapshot.stored_bytes()) else {
            return Ok(Err(self));
        };
        let mut state = self.store.into_data();
        state.memory = None;
        Ok(Ok(Suspended::new(snapshot, state, self.base, held)))
    }

    pub(crate) fn state(&self) -> &State {
        self.store.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Takes the pages that differ from the base image.
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot, Fault> {
        let Val::I32(stack_pointer) = self.stack_pointer.get(&mut self.store) else {
            return Err(Fault::Defect("the stack pointer is no i32".into()));
        };
        Ok(Snapshot::take(self.memory.data(&self.store), self.base.image(), stack_pointer))
    }

    /// Makes a fresh instance the one the snapshot was taken of.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Fault> {
        let missing = snapshot.memory_bytes().saturating_sub(self.memory_bytes());
        if missing > 0 {
            let pages = u64::try_from(missing.div_ceil(WASM_PAGE)).unwrap_or(u64::MAX);
            if self.memory.grow(&mut self.store, pages).is_err() {
                return Err(Fault::Limit(self.state().memory_limit()));
            }
        }
        snapshot
            .write(self.memory.data_mut(&mut self.store))
            .ok_or_else(|| Fault::Defect("the snapshot is of another image".into()))?;
        self.stack_pointer
            .set(&mut self.store, Val::I32(snapshot.stack_pointer()))
            .map_err(|error| Fault::Defect(format!("cannot set the stack pointer: {error}")))
    }

    /// Compiles and evaluates `modules`, of which the first is the entry; `names` are the operations in `env`.
    pub(crate) async fn load(&mut self, modules: &[Module], names: &[&str]) -> Result<Loaded, Fault> {
        let mut message = Vec::new();
        for module in modules {
            for part in [&module.path, &module.js] {
                message.extend_from_slice(&length(part.len())?.to_le_bytes());
            }
            push_texts(&mut message, &[&module.path, &module.js]);
        }
        push_texts(&mut message, names);
        let len = self.send(&message).await?;
        let stack = self.state().stack_bytes();
        let load = self.function::<(u32, u32, u32, u32)>("alk_load")?;
        match self.enter(load, (length(modules.len())?, len, length(names.len())?, stack)).await? {
            Status::Done => match self.output(SHAPE_BYTES_MAX)?.as_deref() {
                Some("\"function\"") => Ok(Loaded::Tool(Shape::Function)),
                Some("\"generator\"") => Ok(Loaded::Tool(Shape::Generator)),
                _ => Err(Fault::Defect("the guest loaded something unknown".into())),
            },
            status => Ok(Loaded::Stopped(status)),
        }
    }

    /// Calls the tool with `input`, which is JSON text.
    pub(crate) async fn call(&mut self, input: &str, seed: u64) -> Result<Status, Fault> {
        let len = self.send(input.as_bytes()).await?;
        let stack = self.state().stack_bytes();
        let call = self.export::<(u32, u64, u32)>(self.base.exports().call)?;
        self.enter(call, (len, seed, stack)).await
    }

    /// Asks the generator that the call returned for its next item.
    pub(crate) async fn next(&mut self) -> Result<Status, Fault> {
        let stack = self.state().stack_bytes();
        let next = self.function::<u32>("alk_next")?;
        self.enter(next, stack).await
    }

    /// Settles the host calls encoded in `records`.
    pub(crate) async fn settle(&mut self, records: &[u8]) -> Result<Status, Fault> {
        let len = self.send(records).await?;
        let settle = match self.settle.take() {
            Some(settle) => settle,
            None => self.export::<u32>(self.base.exports().settle)?,
        };
        self.settle = Some(settle.clone());
        self.enter(settle, len).await
    }

    /// The text the last entry left, at most `max` bytes of it; `None` when it is longer.
    pub(crate) fn output(&self, max: usize) -> Result<Option<String>, Fault> {
        let io = self.io()?;
        if io.out_len > max {
            return Ok(None);
        }
        let end = io.out_ptr.checked_add(io.out_len);
        let bytes = end.and_then(|end| self.memory.data(&self.store).get(io.out_ptr..end));
        let bytes = bytes.ok_or_else(|| Fault::Defect("output outside memory".into()))?;
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::Defect("output is not UTF-8".into()))?;
        Ok(Some(text.to_owned()))
    }

    /// Puts `message` where the next entry looks for it.
    async fn send(&mut self, message: &[u8]) -> Result<u32, Fault> {
        let len = length(message.len())?;
        let io = self.io()?;
        let mut at = io.in_ptr;
        if io.in_cap < message.len() {
            let reserve = self.function::<u32>("alk_reserve")?;
            let pointer = self.run(reserve, len).await?.cast_unsigned();
            if pointer == 0 {
                return Err(Fault::Limit(self.state().memory_limit()));
            }
            at = index(pointer);
        }
        let end = at.checked_add(message.len());
        let target = end.and_then(|end| self.memory.data_mut(&mut self.store).get_mut(at..end));
        target.ok_or_else(|| Fault::Defect("input buffer outside memory".into()))?.copy_from_slice(message);
        Ok(len)
    }

    fn io(&self) -> Result<Io, Fault> {
        let at = self.base.io();
        let words = at.checked_add(IO_BYTES).and_then(|end| self.memory.data(&self.store).get(at..end));
        let words = words.and_then(|bytes| <[u8; IO_BYTES]>::try_from(bytes).ok());
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] =
            words.ok_or_else(|| Fault::Defect("I/O block outside memory".into()))?;
        Ok(Io {
            in_ptr: index(u32::from_le_bytes([a, b, c, d])),
            in_cap: index(u32::from_le_bytes([e, f, g, h])),
            out_ptr: index(u32::from_le_bytes([i, j, k, l])),
            out_len: index(u32::from_le_bytes([m, n, o, p])),
        })
    }

    fn function<P: WasmParams>(&mut self, name: &str) -> Result<TypedFunc<P, i32>, Fault> {
        self.instance
            .get_typed_func(&mut self.store, name)
            .map_err(|_| Fault::Defect("the guest lacks an export".into()))
    }

    fn export<P: WasmParams>(&mut self, export: wasmtime::ModuleExport) -> Result<TypedFunc<P, i32>, Fault> {
        let function = self.instance.get_module_export(&mut self.store, &export).and_then(|e| e.into_func());
        function
            .and_then(|function| function.typed(&self.store).ok())
            .ok_or_else(|| Fault::Defect("the guest lacks an export".into()))
    }

    async fn enter<P: WasmParams + Sync>(
        &mut self,
        function: TypedFunc<P, i32>,
        params: P,
    ) -> Result<Status, Fault> {
        match self.run(function, params).await? {
            0 => Ok(Status::Done),
            1 => Ok(Status::Failed),
            2 => Ok(Status::Pending),
            3 => Ok(Status::Stalled),
            4 => Ok(Status::Stream),
            5 => Ok(Status::End),
            _ => Err(Fault::Defect("the guest refused a message".into())),
        }
    }

    async fn run<P: WasmParams + Sync>(
        &mut self,
        function: TypedFunc<P, i32>,
        params: P,
    ) -> Result<i32, Fault> {
        let outcome = function.call_async(&mut self.store, params).await;
        let state = self.state();
        match (outcome, state.stopped_by()) {
            (Ok(value), None) => Ok(value),
            (_, Some(limit)) => Err(Fault::Limit(limit.clone())),
            (Err(error), None) => Err(match error.downcast_ref::<Trap>() {
                Some(Trap::StackOverflow) => Fault::Limit(state.stack_limit()),
                Some(trap) => Fault::Defect(format!("the guest trapped: {trap}")),
                None => Fault::Defect(format!("the guest failed: {error}")),
            }),
        }
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("memory_bytes", &self.memory_bytes()).finish_non_exhaustive()
    }
}

/// The block through which host and guest tell each other where messages are.
struct Io {
    in_ptr: usize,
    in_cap: usize,
    out_ptr: usize,
    out_len: usize,
}

/// A guest address or length as an index. Every supported host has at least 32 bits.
pub(crate) fn index(guest: u32) -> usize {
    usize::try_from(guest).unwrap_or(usize::MAX)
}

/// Appends each text and a NUL.
fn push_texts(message: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        message.extend_from_slice(text.as_bytes());
        message.push(0);
    }
}

fn length(len: usize) -> Result<u32, Fault> {
    u32::try_from(len).map_err(|_| Fault::Defect("message too long for the guest".into()))
}

const IO_BYTES: usize = 16;
/// Longest name of a shape.
const SHAPE_BYTES_MAX: usize = 16;
const WASM_PAGE: usize = 64 * 1024;
