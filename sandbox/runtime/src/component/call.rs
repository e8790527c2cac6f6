//! A component at rest, and one call of it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use serde::de::IgnoredAny;
use tokio::time::timeout;
use wasmtime::component::{ComponentExportIndex, InstancePre};
use wasmtime::{Store, Trap, WasmBacktrace};

use super::mailbox::Mailbox;
use super::state::ComponentState;
use super::text::Lines;
use super::types::ToolError;
use crate::meter::Meter;
use crate::random::Random;
use crate::sandbox::Shared;
use crate::{CallFailure, CallReport, Frame, HostCallError, HostCalls, Limit, Limits};

/// A compiled component whose imports are there.
pub(crate) struct ComponentTool {
    pre: InstancePre<ComponentState>,
    invoke: ComponentExportIndex,
    lines: Lines,
}

type Answer = Result<String, ToolError>;

impl ComponentTool {
    /// An error says what the component lacks.
    pub(super) fn new(pre: InstancePre<ComponentState>, lines: Lines) -> Result<Self, String> {
        let component = pre.component();
        let invoke = component.get_export_index(None, "invoke").ok_or(NO_INVOKE)?;
        Ok(Self { pre, invoke, lines })
    }

    /// Machine code and what else is kept, in bytes.
    pub(crate) fn code_bytes(&self) -> usize {
        self.pre.component().text().len() + self.lines.bytes()
    }

    /// Calls `invoke` with `input` in a fresh instance.
    pub(crate) async fn call<H: HostCalls>(
        &self,
        sandbox: &Arc<Shared>,
        meter: &Arc<Meter>,
        (name, input): (&str, &str),
        (host, limits): (&H, &Limits),
    ) -> CallReport {
        let mut store = None;
        let run = self.run(&mut store, (sandbox, meter), (name, input), (host, limits));
        let result = match timeout(limits.wall, run).await {
            Ok(result) => result,
            Err(_) if store.is_some() => Err(CallFailure::Limit(Limit::Wall(limits.wall))),
            Err(_) => Err(CallFailure::Unavailable),
        };
        let Some(mut store) = store else {
            return CallReport::unstarted(result);
        };
        let state = store.data_mut();
        let (logs, log_truncated) = state.logs.take();
        let (host_calls, memory_bytes) = (state.calls(), state.memory_bytes());
        CallReport { result, logs, log_truncated, cpu: meter.used(), host_calls, memory_bytes }
    }

    async fn run<H: HostCalls>(
        &self,
        slot: &mut Option<Store<ComponentState>>,
        (sandbox, meter): (&Arc<Shared>, &Arc<Meter>),
        (name, input): (&str, &str),
        (host, limits): (&H, &Limits),
    ) -> Result<String, CallFailure> {
        let _turn = sandbox.component(meter.share()).await.ok_or(CallFailure::Unavailable)?;
        let _ticking = sandbox.ticker().hold();
        let state = ComponentState::new(limits, meter, Random::of(host.determinism()));
        let mailbox = Arc::clone(&state.mailbox);
        let store = slot.insert(new_store(sandbox, state));
        let clock = || host.now_millis();
        let answer = {
            let entered = pin!(meter.charge(&clock, self.enter(store, name, input)));
            Served { entered, mailbox: &mailbox, host, running: None }.await
        };
        match answer {
            Ok(Ok(output)) => checked(output, limits),
            Ok(Err(error)) => Err(raised(error, limits)),
            Err(error) => Err(self.failure(&error, store.data())),
        }
    }

    async fn enter(
        &self,
        store: &mut Store<ComponentState>,
        name: &str,
        input: &str,
    ) -> wasmtime::Result<Answer> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let invoke = instance.get_typed_func::<(&str, &str), (Answer,)>(&mut *store, &self.invoke)?;
        Ok(invoke.call_async(&mut *store, (name, input)).await?.0)
    }

    fn failure(&self, error: &wasmtime::Error, state: &ComponentState) -> CallFailure {
        if let Some(limit) = state.stopped_by() {
            return CallFailure::Limit(limit);
        }
        let stack = self.frames(error);
        let at = stack.first().map(|frame| frame.position.clone());
        let snippet = at.as_ref().and_then(|at| self.lines.snippet(at)).map(String::into_boxed_str);
        let message = match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => {
                return CallFailure::Limit(Limit::Stack(state.limits().stack_bytes_max));
            }
            Some(trap) => trap.to_string(),
            // What the canonical ABI refuses, such as a string that lies outside of memory.
            None => error.root_cause().to_string(),
        };
        CallFailure::Threw { name: "Trap".into(), message, stack, at, snippet }
    }

    /// Functions of the text that were running, innermost first.
    fn frames(&self, error: &wasmtime::Error) -> Vec<Frame> {
        let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
        let frames = trace.frames().iter().filter_map(|frame| {
            let position = self.lines.of_function(frame.func_index())?;
            Some(Frame { function: frame.func_name().map(str::to_owned), position })
        });
        frames.take(FRAMES_MAX).collect()
    }
}

fn new_store(sandbox: &Shared, state: ComponentState) -> Store<ComponentState> {
    let mut store = Store::new(sandbox.base().engine(), state);
    store.limiter(|state| state.limiter());
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| Ok(context.data_mut().interrupt()));
    store
}

/// What a tool raises is held to the limit of what it answers.
fn raised(error: ToolError, limits: &Limits) -> CallFailure {
    let ToolError { code, message, details, .. } = error;
    let details_bytes = details.as_ref().map_or(0, String::len);
    let bytes = code.len().saturating_add(message.len()).saturating_add(details_bytes);
    if bytes > limits.output_bytes_max {
        return CallFailure::Limit(Limit::Output(limits.output_bytes_max));
    }
    CallFailure::Raised { code, message, details }
}

fn checked(output: String, limits: &Limits) -> Result<String, CallFailure> {
    if output.len() > limits.output_bytes_max {
        return Err(CallFailure::Limit(Limit::Output(limits.output_bytes_max)));
    }
    match serde_json::from_str::<IgnoredAny>(&output) {
        Ok(_) => Ok(output),
        Err(error) => Err(CallFailure::BadOutput { reason: error.to_string() }),
    }
}

/// A running component whose calls the host answers, one after the other.
struct Served<'a, F, H> {
    entered: Pin<&'a mut F>,
    mailbox: &'a Mailbox,
    host: &'a H,
    running: Option<BoxFuture<'a, Result<String, HostCallError>>>,
}

impl<F: Future, H: HostCalls> Future for Served<'_, F, H> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(output) = this.entered.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            if this.running.is_none() {
                this.running = this.mailbox.take_call().map(|(name, input)| this.host.call(name, input));
            }
            let Some(running) = &mut this.running else { return Poll::Pending };
            let Poll::Ready(answer) = running.as_mut().poll(context) else { return Poll::Pending };
            this.running = None;
            this.mailbox.answer(answer);
        }
    }
}

impl std::fmt::Debug for ComponentTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentTool").field("code_bytes", &self.code_bytes()).finish_non_exhaustive()
    }
}

const NO_INVOKE: &str =
    "it does not export `invoke: func(name: string, input: string) -> result<string, error>`";
const FRAMES_MAX: usize = 16;
