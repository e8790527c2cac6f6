//! Turns an author's files into the modules the engine runs, and maps positions back.
//!
//! TypeScript is erased, JavaScript is only checked. Whatever the tool model rules out (imports of
//! anything but the tool's files, a missing default export, top-level `await`) is refused here, at its place in the
//! author's own text.
//!
//! The compiler recurses over what it reads, so a hostile source could exhaust the stack of whoever calls it.
//! Two bounds together prevent that: [`nesting`] refuses a source whose tokens could nest deeper than
//! [`nesting::PENDING_TOKENS_MAX`] before anything recursive sees it, and [`lower`] runs the compiler on a thread
//! whose stack holds that depth for every construct.

mod compile;
mod files;
mod finding;
mod link;
mod map;
mod nesting;
mod parameters;
mod refuse;
mod source_map;
mod text;
mod token;
mod tokens;

#[cfg(test)]
mod tests;

use std::thread;

use tokio::sync::oneshot;

use crate::{Diagnostic, Source, SourceFile};

use files::Files;

pub(crate) use finding::{shortened, snippet};
pub(crate) use map::PositionMap;
pub(crate) use source_map::SourceMap;

/// What a source becomes.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// The modules the engine evaluates, the entry first.
    pub(crate) modules: Vec<Module>,
    /// Leads from a place in one of them to the author's source.
    pub(crate) map: SourceMap,
}

/// One ES module. Its imports say the paths of other modules.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) path: String,
    pub(crate) js: String,
}

/// Lowers `source`, or says why it cannot be a tool.
///
/// The compiler runs on a thread of its own, which holds `turn` until it is done, also when nobody waits for it any
/// more: as many compile at once as there are turns. It never overflows the caller's stack nor unwinds into it.
pub(crate) async fn lower(source: &Source<'_>, turn: crate::fair::Turn) -> Result<Lowered, Vec<Diagnostic>> {
    let files = readable(source)?;
    let language = source.language;
    let entry = files.first().map(|(path, _)| path.clone()).unwrap_or_default();
    let (done, result) = oneshot::channel();
    let compiler = move || {
        let _turn = turn;
        // Nobody may be waiting any more.
        drop(done.send(compile::compile(language, &files)));
    };
    let spawned =
        thread::Builder::new().name("lower".into()).stack_size(STACK_BYTES * STACK_MARGIN).spawn(compiler);
    match spawned {
        // A panic of the compiler ends here: its payload is about the compiler, not about the source.
        Ok(_running) => result.await.unwrap_or_else(|_| Err(vec![at_start(&entry, FAILED.into())])),
        Err(_) => Err(vec![at_start(&entry, "the compiler could not be started".into())]),
    }
}

/// Paths and texts; these without their mark, which says nothing but the encoding: editors do not count it as a column.
fn readable(source: &Source<'_>) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
    let paths: Vec<_> = source.files.iter().map(|file| file.path).collect();
    if let Some((path, fault)) = Files::new(&paths).refusal() {
        return Err(vec![at_start(path, fault)]);
    }
    let length = source.bytes();
    if length > SOURCE_BYTES_MAX {
        let refusal = format!("the source is {length} bytes long; at most {SOURCE_BYTES_MAX} are accepted");
        return Err(vec![at_start(paths.first().copied().unwrap_or(""), refusal)]);
    }
    let read = |file: &SourceFile<'_>| {
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(file.text);
        (file.path.to_owned(), text.to_owned())
    };
    Ok(source.files.iter().map(read).collect())
}

fn at_start(file: &str, message: String) -> Diagnostic {
    Diagnostic { file: file.to_owned(), message, line: 1, column: 1, snippet: None }
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
