//! The functions a guest can call. None blocks; none trusts an address.

use wasmtime::{Caller, Linker, Result, bail};

use crate::LogLevel;
use crate::guest::index;
use crate::state::{QueuedCall, State};

/// Adds the guest's imports.
pub(crate) fn add(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap("alk", "call", queue_call)?;
    linker.func_wrap("alk", "log", log)?;
    linker.func_wrap("alk", "timer", |mut caller: Caller<'_, State>, id: u32, ms: u32| {
        caller.data_mut().queue_timer(id, ms)
    })?;
    linker.func_wrap("alk", "cancel", |mut caller: Caller<'_, State>, id: u32| {
        caller.data_mut().queue_cancel(id);
    })?;
    linker.func_wrap("alk", "random", random)?;
    linker.func_wrap("alk", "now_ms", |caller: Caller<'_, State>| caller.data().now_millis())?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "a WebAssembly function has no structs to take")]
fn queue_call(
    mut caller: Caller<'_, State>,
    id: u32,
    name: u32,
    name_len: u32,
    input: u32,
    input_len: u32,
) -> Result<u32> {
    let Some(memory) = caller.data().memory else { bail!("no memory") };
    let (memory, state) = memory.data_and_store_mut(&mut caller);
    let (Some(name), Some(input)) = (slice(memory, name, name_len), slice(memory, input, input_len)) else {
        bail!("a call's text lies outside memory");
    };
    // The name counts too: it is as long as the tool likes.
    if !state.admits_call(input.len().saturating_add(name.len())) {
        bail!("over a limit");
    }
    let Ok(name) = std::str::from_utf8(name) else {
        return Ok(NOT_UNICODE);
    };
    let Ok(input) = std::str::from_utf8(input) else { bail!("a call's input is not UTF-8") };
    state.queue_call(QueuedCall { id, name: name.to_owned(), input: input.to_owned() });
    Ok(QUEUED)
}

fn log(mut caller: Caller<'_, State>, level: u32, text: u32, len: u32) -> Result<()> {
    let Some(memory) = caller.data().memory else { bail!("no memory") };
    let (memory, state) = memory.data_and_store_mut(&mut caller);
    let Some(text) = slice(memory, text, len) else { bail!("log text lies outside memory") };
    let level = match level {
        0 => LogLevel::Debug,
        1 => LogLevel::Info,
        2 => LogLevel::Warn,
        _ => LogLevel::Error,
    };
    state.logs.write(level, text);
    Ok(())
}

fn random(mut caller: Caller<'_, State>, at: u32, len: u32) -> Result<u32> {
    let Some(memory) = caller.data().memory else { bail!("no memory") };
    let target =
        memory.data_mut(&mut caller).get_mut(index(at)..).and_then(|rest| rest.get_mut(..index(len)));
    let Some(target) = target else { bail!("random bytes would lie outside memory") };
    Ok(u32::from(getrandom::fill(target).is_err()))
}

fn slice(memory: &[u8], at: u32, len: u32) -> Option<&[u8]> {
    memory.get(index(at)..)?.get(..index(len))
}

const QUEUED: u32 = 0;
const NOT_UNICODE: u32 = 1;
