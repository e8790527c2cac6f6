//! `session/run`: one script, many operations, one round trip. The script is not kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use alknet_call::{
    CallError, CallScope, OpName, OperationKind, OperationSpec, Registration, SpecError, typed_handler,
};
use alknet_sandbox::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Sessions;
use super::error::{raises_limit, raises_source, source_rejected};
use super::register::{check_language, composition};
use super::source::{Brought, Language};
use super::tool::{LoggedLine, ToolHandler, Trace, Traced, TracedCall};

/// The name scripts run under; registered operations cannot begin with `_`.
const SCRIPT: &str = "_run";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The session.
    session: String,
    /// The language of the source.
    language: Language,
    /// The script: an ES module whose default export is `async function (input, env)`. Either this or `files`.
    source: Option<String>,
    /// A script of several files, by their relative paths.
    #[schemars(length(max = 64))]
    files: Option<BTreeMap<String, String>>,
    /// Which of the files has the script's function as default export; `main.ts` or `index.ts` (`.js`) when absent.
    entry: Option<String>,
    /// The script's input.
    #[serde(default)]
    input: Value,
    /// The operations it may call, also operations of the session; the session's whole env when absent.
    env: Option<Vec<String>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// What the script returned.
    output: Value,
    /// What the script wrote with `console`.
    logs: Vec<LoggedLine>,
    /// Whether lines were dropped at the log limit.
    log_truncated: bool,
    /// The operations it called, in the order they ended.
    calls: Vec<TracedCall>,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("session/run")?
        .describe("Runs a script once in a fresh sandbox: many operations in one round trip.")
        .forwards_errors();
    let spec = raises_source(Sessions::guarded(spec)?)?;
    let composition = sessions.composition()?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let sessions = sessions.clone();
        async move { run(&sessions, input, &scope).await }
    });
    Ok(Registration::composing(spec, handler, composition))
}

async fn run(sessions: &Sessions, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    let session = sessions.0.store.find(scope, &input.session)?;
    let _call = session.enter()?;
    let name = OpName::in_session(SCRIPT).map_err(|_| CallError::internal("bad script name"))?;
    let composition = composition(&session, &name, input.env.as_deref())?;
    check_language(&session, input.language)?;
    let brought = Brought {
        language: input.language,
        source: input.source.as_deref(),
        files: input.files.as_ref(),
        entry: input.entry.as_deref(),
    };
    let code = brought.code("script")?;
    let limits = &session.profile.limits.call;
    let env: Vec<String> = composition.reach().names().map(ToString::to_string).collect();
    let tool = code.load(&session.sandbox, ("script", &env), limits).await?;
    if tool.shape() == Shape::Generator {
        return Err(source_rejected("a script answers once: return a value instead of yielding items"));
    }
    let digest: Arc<str> = sessions.0.journal.store_source(&code.kept()).await?.to_string().into();
    let trace = Arc::new(Trace::default());
    let handler = ToolHandler::new(tool, &session, Some(Arc::clone(&trace)));
    let spec = raises_limit(OperationSpec::new(name.clone(), OperationKind::Mutation))
        .map_err(|_| CallError::internal("bad specification"))?;
    let registration = Registration::session(spec, handler, composition, digest)
        .map_err(|_| CallError::internal("bad script name"))?;
    let layer = session
        .layer()
        .with(Arc::new(registration), scope.curated())
        .map_err(|_| CallError::internal("bad script name"))?;
    let output = scope.invoke_in_session(&session.context(Arc::new(layer)), &name, input.input).await?;
    let Traced { logs, log_truncated, calls } = trace.take();
    Ok(Output { output, logs, log_truncated, calls })
}
