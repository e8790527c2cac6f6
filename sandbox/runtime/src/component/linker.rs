//! The functions a component can import, as the world says.

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, Result, StoreContextMut, bail};

use super::state::ComponentState;
use super::types::{Level, ToolError};
use super::world;
use crate::flight::too_large;

type Answered = (std::result::Result<String, ToolError>,);

/// A linker with everything a component may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<ComponentState>> {
    let mut linker = Linker::new(engine);
    linker.instance(world::TYPES)?;
    let mut ops = linker.instance(world::OPS)?;
    ops.func_wrap_async("invoke", |store, (name, input): (WasmStr, WasmStr)| {
        Box::new(invoke(store, name, input))
    })?;
    let mut runtime = linker.instance(world::RUNTIME)?;
    runtime.func_wrap("log", log)?;
    runtime.func_wrap("now-millis", |store: StoreContextMut<'_, ComponentState>, ()| {
        Ok((store.data().now_millis(),))
    })?;
    runtime.func_wrap("random-bytes", random_bytes)?;
    Ok(linker)
}

async fn invoke(
    mut store: StoreContextMut<'_, ComponentState>,
    name: WasmStr,
    input: WasmStr,
) -> Result<Answered> {
    let name = name.to_str(&store)?.into_owned();
    let input = input.to_str(&store)?.into_owned();
    let state = store.data_mut();
    if !state.admits_call(name.len().saturating_add(input.len())) {
        bail!("over a limit");
    }
    let mailbox = Arc::clone(&state.mailbox);
    let bytes_max = state.limits().host_call_bytes_max;
    mailbox.ask(name, input);
    let answer = poll_fn(|context| mailbox.poll_answer(context)).await;
    Ok((match answer {
        Ok(json) if json.len() > bytes_max => Err(too_large(bytes_max).into()),
        Ok(json) => Ok(json),
        Err(error) => Err(error.into()),
    },))
}

fn log(mut store: StoreContextMut<'_, ComponentState>, (level, text): (Level, WasmStr)) -> Result<()> {
    let text = text.to_str(&store)?.into_owned();
    store.data_mut().logs.write(level.into(), text.as_bytes());
    Ok(())
}

fn random_bytes(mut store: StoreContextMut<'_, ComponentState>, (len,): (u32,)) -> Result<(Vec<u8>,)> {
    if len > RANDOM_BYTES_MAX {
        bail!("random-bytes gives at most {RANDOM_BYTES_MAX} bytes at a time");
    }
    let mut bytes = vec![0; crate::guest::index(len)];
    if !store.data_mut().random.fill(&mut bytes) {
        bail!("the operating system gives no random bytes");
    }
    Ok((bytes,))
}

const RANDOM_BYTES_MAX: u32 = 65_536;
