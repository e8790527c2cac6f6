//! Runs tools written in JavaScript or TypeScript, each call in a fresh WebAssembly instance.
//!
//! A **tool** is an ES module, with others it imports, whose default export is a function `(input, env) => output`.
//! Registering compiles and evaluates it once and keeps the memory that differs from the engine's own; a call restores that into a fresh
//! instance, so that nothing survives from one call to the next, and costs some microseconds. The only way out of
//! the sandbox is [`HostCalls`]: `env.fs.read(input)` in the tool becomes one call of that trait, and any number of
//! them may be under way at once. Everything a tool can use up has a bound in [`Limits`].
//!
//! # Non-goals
//!
//! * Type checking: types are erased.
//! * Node.js interfaces, packages, files and network. What there is beyond the language (URLs, encodings, timers,
//!   digests, abort signals) is listed in `docs/guest.md`; time and randomness are the host's. `eval` and `Function`
//!   are not there: there is no code but the tool's.
//! * Policy: what a tool may reach is decided by whoever implements [`HostCalls`].
//!
//! # Example
//!
//! ```
//! use alknet_sandbox::{HostCallError, HostCalls, Language, Limits, Sandbox, SandboxConfig, Source, SourceFile};
//! use futures_util::future::{BoxFuture, FutureExt as _};
//!
//! struct Host;
//!
//! impl HostCalls for Host {
//!     fn call(&self, name: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
//!         async move { Ok(format!(r#"{{"name":"{name}","input":{input}}}"#)) }.boxed()
//!     }
//!     fn now_millis(&self) -> u64 {
//!         1_700_000_000_000
//!     }
//!     fn seed(&self) -> u64 {
//!         1
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::new(SandboxConfig::default())?;
//! let text = "export default async ({ who }, env) => (await env.greet.hello({ who })).name + ' ' + who";
//! let files = [SourceFile { path: "greet.js", text }];
//! let source = Source { language: Language::JavaScript, files: &files };
//! let tool = sandbox.register(source, &["greet/hello".into()], &Limits::default()).await?;
//! let report = tool.call(r#"{"who":"you"}"#, &Host, &Limits::default()).await;
//! assert_eq!(report.result?, r#""greet/hello you""#);
//! # Ok(())
//! # }
//! ```

mod bake;
mod base;
mod cache;
mod component;
mod diagnostic;
mod failure;
mod fair;
mod flight;
mod guest;
mod host;
mod imports;
mod limits;
mod logs;
mod lower;
mod meter;
mod random;
mod report;
mod run;
mod sandbox;
mod snapshot;
mod source;
mod stack;
mod state;
mod suspended;
mod ticker;
mod tool;
mod trusted;

pub use component::Binary;
pub use diagnostic::{Diagnostic, Position};
pub use host::{HostCallError, HostCalls, Seed};
pub use limits::{Limit, Limits};
pub use report::{CallFailure, CallReport, Frame, LogLevel, LogLine, RegisterError};
pub use sandbox::{Sandbox, SandboxConfig, SandboxError};
pub use source::{BUNDLE_MARK, COMPILER, COMPONENT_COMPILER, FILES_MAX, Language, Shape, Source, SourceFile};
pub use tool::{Items, Tool};
