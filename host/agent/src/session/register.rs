//! `session/register`: compiles a source, checks it against its examples, and makes it an operation.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use alknet_audit::Hash;
use alknet_call::{
    Answers, Attenuated, CallError, CallScope, Composition, ErrorCode, ErrorSpec, OpName, OperationKind,
    OperationSpec, Reach, Registration, Schema, SessionContext, SessionLayer, SpecError, typed_handler,
};
use alknet_sandbox::{Shape, Tool};
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Sessions;
use super::error::{
    EXAMPLE_FAILED, LIMIT_EXCEEDED, SCHEMA_REJECTED, env_denied, limit_exceeded, no_session, raises_source,
    source_rejected,
};
use super::journal::{Registered, Tried};
use super::source::{Brought, Code, Language};
use super::store::Session;
use super::tool::ToolHandler;
use crate::declared;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The session.
    session: String,
    /// The operation's name within the session: letters, digits, `.`, `_`, `-`, not beginning with `_`. It is
    /// reachable as `session/<name>`.
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// What the operation does, for those who call it.
    #[schemars(length(max = 2000))]
    description: String,
    /// `query` if it only reads, `mutation`, which is the default, or `sub` for a subscription: an async generator
    /// function whose items follow the output schema.
    #[serde(default)]
    kind: Kind,
    /// JSON Schema of the input.
    input_schema: Value,
    /// JSON Schema of the output; every output, and every item of a subscription, is checked against it.
    output_schema: Value,
    /// Errors the operation raises with `throw new OperationError(code, message, details)`.
    #[serde(default)]
    error_schemas: Vec<ErrorInput>,
    /// The operations it may call, also other operations of the session; the session's whole env when absent.
    env: Option<Vec<String>>,
    /// The language of the source.
    language: Language,
    /// The tool's text: an ES module whose default export is `async function (input, env)`, WebAssembly text, or a
    /// component in base64. Either this or `files`.
    source: Option<String>,
    /// A script of several files, by their relative paths; they import each other by these and nothing else.
    #[schemars(length(max = 64))]
    files: Option<BTreeMap<String, String>>,
    /// Which of the files has the tool as default export; `main.ts` or `index.ts` (`.js`) when absent.
    entry: Option<String>,
    /// Inputs with the outputs, or error codes, they must give; the output of a subscription is the list of its
    /// items. They are run, on the session's authority.
    #[serde(default)]
    examples: Vec<Example>,
    /// Replace the operation if there is one with this name.
    #[serde(default)]
    replace: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Query,
    #[default]
    Mutation,
    #[serde(alias = "subscription")]
    Sub,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ErrorInput {
    /// Upper-case letters, digits, `_` and `:`.
    code: String,
    #[serde(default)]
    description: String,
    /// JSON Schema of the details.
    schema: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Example {
    input: Value,
    /// The expected output.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Value")]
    output: Option<Value>,
    /// The code of the expected error.
    error: Option<String>,
}

/// Tells an explicit `null` from an absent member.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The operation's full name.
    operation: String,
    /// 1 for the first registration under this name in the session, then counting up.
    version: u32,
    /// SHA-256 of the source, in hexadecimal.
    digest: String,
    /// TypeScript signature of the operation.
    declarations: String,
    /// Examples that were run.
    examples_passed: usize,
}

pub(super) fn registration(sessions: &Sessions) -> Result<Registration, SpecError> {
    let spec = OperationSpec::mutation::<Input, Output>("session/register")?.describe(
        "Makes an operation of a source you wrote: compiles it, runs the examples, then it is callable.",
    );
    let spec = raises_source(Sessions::guarded(spec)?)?
        .raises(SCHEMA_REJECTED, "A schema does not compile: {schema, pointer, reason}.")?
        .raises(EXAMPLE_FAILED, "An example gave something else: {index, expected, actual}.")?;
    let composition = sessions.composition()?;
    let sessions = sessions.clone();
    let handler = typed_handler(move |input: Input, scope: CallScope| {
        let sessions = sessions.clone();
        async move { register(&sessions, input, &scope).await }
    });
    Ok(Registration::composing(spec, handler, composition))
}

async fn register(sessions: &Sessions, input: Input, scope: &CallScope) -> Result<Output, CallError> {
    sessions.sweep();
    let session = sessions.0.store.find(scope, &input.session)?;
    let _call = session.enter()?;
    let _changing = session.changing.lock().await;
    let name = checked_name(&session, &input, scope)?;
    let spec = spec(&session, &name, &input)?;
    let composition = composition(&session, &name, input.env.as_deref())?;
    let brought = Brought {
        language: input.language,
        source: input.source.as_deref(),
        files: input.files.as_ref(),
        entry: input.entry.as_deref(),
    };
    let code = brought.code(&input.name)?;
    let tool = compile(&session, &input, &code, &composition).await?;
    let source = code.kept();
    let digest: Arc<str> = Hash::of(&source).to_string().into();
    let handler = ToolHandler::new(tool, &session, None);
    let registration = Registration::session(spec, handler, composition, Arc::clone(&digest))
        .map_err(|_| CallError::invalid_input("the name is no name for an operation"))?;
    let registration = Arc::new(registration);
    let layer =
        session.layer().with(Arc::clone(&registration), scope.curated()).map_err(|_| exists(&name))?;
    let examples = try_examples(&session, &layer, &name, input.examples, scope).await?;
    let examples_passed = examples.len();

    let replaced = session.version(&name);
    let version = replaced + 1;
    let registered = Registered {
        session: &session,
        registration: &registration,
        version,
        replaced: session.layer().get(name.as_str()).is_some().then_some(replaced),
        language: input.language.name(),
        guest: code.is_script().then(|| session.sandbox.guest_digest()),
        compiler: code.compiler(),
        examples,
        source: &source,
        scope,
    };
    sessions.0.journal.registered(registered).await?;
    session.set_version(&name, version);
    session.replace_layer(layer);
    Ok(Output {
        operation: name.to_string(),
        version,
        digest: digest.to_string(),
        declarations: declared::signature(registration.spec()),
        examples_passed,
    })
}

fn checked_name(session: &Session, input: &Input, scope: &CallScope) -> Result<OpName, CallError> {
    let name = OpName::in_session(&input.name).ok().filter(|_| !input.name.starts_with('_'));
    let name = name.ok_or_else(|| {
        CallError::invalid_input("a name is letters, digits, `.`, `_` and `-`, not beginning with `_`")
    })?;
    let layer = session.layer();
    let taken = layer.get(name.as_str()).is_some();
    if scope.curated().get(name.as_str()).is_some() || (taken && !input.replace) {
        return Err(exists(&name));
    }
    let max = session.profile.limits.operations_max;
    if !taken && layer.iter().len() >= max {
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        return Err(limit_exceeded(
            "operations",
            limit,
            format!("the session holds {max} operations already"),
        ));
    }
    Ok(name)
}

fn exists(name: &OpName) -> CallError {
    CallError::new(ErrorCode::ALREADY_EXISTS, format!("{name} exists already"))
}

fn spec(session: &Session, name: &OpName, input: &Input) -> Result<OperationSpec, CallError> {
    let bytes_max = session.profile.limits.schema_bytes_max;
    let compile = |which: &str, schema: &Value| {
        Schema::compile(schema.clone(), bytes_max).map_err(|error| {
            let details = json!({ "schema": which, "pointer": error.pointer, "reason": error.reason });
            CallError::new(SCHEMA_REJECTED, format!("{which}: {error}")).with_details(details)
        })
    };
    let kind = match input.kind {
        Kind::Query => OperationKind::Query,
        Kind::Mutation => OperationKind::Mutation,
        Kind::Sub => OperationKind::Subscription,
    };
    let mut spec = OperationSpec::new(name.clone(), kind)
        .describe(&input.description)
        .input(compile("input_schema", &input.input_schema)?)
        .output(compile("output_schema", &input.output_schema)?);
    for error in &input.error_schemas {
        let details = match &error.schema {
            Some(schema) => compile(&format!("error_schemas/{}", error.code), schema)?,
            None => Schema::any(),
        };
        let (code, description) = (error.code.clone(), error.description.clone());
        spec = spec
            .raises_with(ErrorSpec { code, description, details, http_status: None })
            .map_err(|error| CallError::invalid_input(format!("error_schemas: {error}")))?;
    }
    if spec.declared(LIMIT_EXCEEDED).is_some() {
        return Ok(spec);
    }
    super::error::raises_limit(spec).map_err(|_| CallError::internal("bad specification"))
}

/// What the operation composes with: the session's composition, narrowed to the names asked for.
pub(super) fn composition(
    session: &Session,
    name: &OpName,
    env: Option<&[String]>,
) -> Result<Attenuated, CallError> {
    let own = &session.composition;
    let wanted: Vec<OpName> = match env {
        None => own.reach().names().cloned().collect(),
        Some(names) => {
            let parse = |text: &String| OpName::parse(text);
            let parsed: Result<Vec<OpName>, _> = names.iter().map(parse).collect();
            parsed.map_err(|error| CallError::invalid_input(format!("env: {error}")))?
        }
    };
    let layer = session.layer();
    let allowed = |wanted: &&OpName| {
        own.reach().allows(wanted.as_str()) || *wanted == name || layer.get(wanted.as_str()).is_some()
    };
    let denied: Vec<&OpName> = wanted.iter().filter(|name| !allowed(name)).collect();
    if !denied.is_empty() {
        return Err(env_denied(denied.into_iter()));
    }
    let authority = own.authority().ok_or_else(no_session)?;
    Ok(own.attenuate(authority.label().clone(), authority.grants(), &Reach::of(wanted)))
}

async fn compile(
    session: &Session,
    input: &Input,
    code: &Code<'_>,
    composition: &Composition,
) -> Result<Tool, CallError> {
    check_language(session, input.language)?;
    let env: Vec<String> = composition.reach().names().map(ToString::to_string).collect();
    let limits = &session.profile.limits.call;
    let tool = code.load(&session.sandbox, (&input.name, &env), limits).await?;
    let wanted = match input.kind {
        Kind::Query | Kind::Mutation => Shape::Function,
        Kind::Sub => Shape::Generator,
    };
    match (wanted, tool.shape()) {
        (Shape::Function, Shape::Generator) => Err(source_rejected(IS_GENERATOR)),
        (Shape::Generator, Shape::Function) if !code.is_script() => Err(source_rejected(NO_COMPONENT_ITEMS)),
        (Shape::Generator, Shape::Function) => Err(source_rejected(IS_FUNCTION)),
        (Shape::Function, Shape::Function) | (Shape::Generator, Shape::Generator) => Ok(tool),
    }
}

pub(super) fn check_language(session: &Session, language: Language) -> Result<(), CallError> {
    if session.profile.languages.contains(&language) {
        return Ok(());
    }
    let language = language.name();
    Err(CallError::invalid_input(format!("the session's profile does not allow {language}")))
}

async fn try_examples(
    session: &Session,
    layer: &SessionLayer,
    name: &OpName,
    examples: Vec<Example>,
    scope: &CallScope,
) -> Result<Vec<Tried>, CallError> {
    let max = session.profile.limits.examples_max;
    if examples.len() > max {
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        return Err(limit_exceeded("examples", limit, format!("more than {max} examples")));
    }
    let context = session.context(Arc::new(layer.clone()));
    let mut tried = Vec::with_capacity(examples.len());
    for (index, example) in examples.into_iter().enumerate() {
        let Example { input, output, error } = example;
        if output.is_some() == error.is_some() {
            let message = format!("example {index}: give either output or error");
            return Err(CallError::invalid_input(message));
        }
        let (actual, outcome) = match answer(&context, layer, name, input.clone(), scope).await {
            Ok(output) => (json!({ "output": output }), Ok(output)),
            Err(error) => {
                let code = error.code().as_str();
                (json!({ "error": code, "message": error.message() }), Err(code.to_owned()))
            }
        };
        let expected = output.map_or_else(|| json!({ "error": error }), |output| json!({ "output": output }));
        let key = if expected.get("output").is_some() { "output" } else { "error" };
        if actual.get(key) != expected.get(key) {
            let details = json!({ "index": index, "expected": expected, "actual": actual });
            let message = format!("example {index} gave something else than expected");
            return Err(CallError::new(EXAMPLE_FAILED, message).with_details(details));
        }
        tried.push(Tried { input, outcome });
    }
    Ok(tried)
}

/// The output for an example; of a subscription, the list of its items.
async fn answer(
    context: &SessionContext,
    layer: &SessionLayer,
    name: &OpName,
    input: Value,
    scope: &CallScope,
) -> Result<Value, CallError> {
    let kind = layer.get(name.as_str()).map(|registered| registered.spec().kind());
    if kind.map(Answers::of) != Some(Answers::Stream) {
        return scope.invoke_in_session(context, name, input).await;
    }
    let mut items = pin!(scope.subscribe_in_session(context, name, input));
    let mut all = Vec::new();
    while let Some(item) = items.next().await {
        if all.len() == EXAMPLE_ITEMS_MAX {
            let message = format!("an example may have at most {EXAMPLE_ITEMS_MAX} items");
            return Err(CallError::invalid_input(message));
        }
        all.push(item?);
    }
    Ok(Value::Array(all))
}

/// Items of a subscription that an example is compared with.
const EXAMPLE_ITEMS_MAX: usize = 1000;
const IS_GENERATOR: &str = "the default export is a generator function, which answers with items: register it with \
    kind `sub`, or return one value from an `async function`";
const IS_FUNCTION: &str = "a subscription is an async generator function: write `export default async function* (input, env) { ... }`";
const NO_COMPONENT_ITEMS: &str = "a component answers once: register it as a query or a mutation";
