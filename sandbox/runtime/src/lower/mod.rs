//! Turns an author's source into the module the engine runs, and maps positions back.
//!
//! TypeScript is erased, JavaScript is only checked. Whatever the tool model rules out (imports, a missing
//! default export, top-level `await`) is refused here, at its place in the author's own text.
//!
//! The compiler recurses over what it reads, so a hostile source could exhaust the stack of whoever calls it.
//! Two bounds together prevent that: [`nesting`] refuses a source whose tokens could nest deeper than
//! [`nesting::PENDING_TOKENS_MAX`] before anything recursive sees it, and [`lower`] runs the compiler on a thread
//! whose stack holds that depth for every construct.

mod compile;
mod finding;
mod map;
mod nesting;
mod parameters;
mod refuse;
mod text;
mod token;
mod tokens;

#[cfg(test)]
mod tests;

use std::thread;

use tokio::sync::oneshot;

use crate::fair::Turn;
use crate::{Diagnostic, Source};

pub(crate) use map::PositionMap;

/// What a source becomes.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// The ES module the engine evaluates.
    pub(crate) js: String,
    /// Leads from a place in `js` to the author's source.
    pub(crate) map: PositionMap,
}

/// Lowers `source`, or says why it cannot be a tool.
///
/// The compiler runs on a thread of its own, which holds `turn` until it is done, also when nobody waits for it any
/// more: as many compile at once as there are turns. It never overflows the caller's stack nor unwinds into it.
pub(crate) async fn lower(source: &Source<'_>, turn: Turn) -> Result<Lowered, Vec<Diagnostic>> {
    let text = readable(source)?.to_owned();
    let language = source.language;
    let (done, result) = oneshot::channel();
    let compiler = move || {
        let _turn = turn;
        // Nobody may be waiting any more.
        drop(done.send(compile::compile(language, &text)));
    };
    let spawned =
        thread::Builder::new().name("lower".into()).stack_size(STACK_BYTES * STACK_MARGIN).spawn(compiler);
    match spawned {
        // A panic of the compiler ends here: its payload is about the compiler, not about the source.
        Ok(_running) => result.await.unwrap_or_else(|_| Err(vec![at_start(FAILED.into())])),
        Err(_) => Err(vec![at_start("the compiler could not be started".into())]),
    }
}

/// The text without its mark, which says nothing but the encoding; editors do not count it as a column.
fn readable<'a>(source: &Source<'a>) -> Result<&'a str, Vec<Diagnostic>> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    if text.len() > SOURCE_BYTES_MAX {
        let length = text.len();
        let refusal = format!("the source is {length} bytes long; at most {SOURCE_BYTES_MAX} are accepted");
        return Err(vec![at_start(refusal)]);
    }
    Ok(text)
}

fn at_start(message: String) -> Diagnostic {
    Diagnostic { message, line: 1, column: 1, snippet: None }
}

const FAILED: &str = "the compiler failed on this source";

/// Longest source read at all; callers set a lower limit of their own. Offsets fit `u32` because of it.
const SOURCE_BYTES_MAX: usize = 1024 * 1024;

/// Stack of the thread the compiler runs on: address space, of which only what is used becomes memory.
///
/// The tests drive every construct to the nesting bound in an unoptimized build and require that it fits.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The thread gets this many times the stack that the bound needs: a construct whose nesting were counted too low
/// would end the process.
const STACK_MARGIN: usize = 16;
