//! Attempts that must fail, each with the code it must get.

use alknet_call::CallError;
use serde_json::{Value, json};

use super::stage::Stage;
use super::steps::{ensure, text};
use super::story::{Did, Told};
use super::tools::{RUNAWAY, TREE_REPORT};
use crate::connect::RemoteHost;
use crate::failure::CommandError;

/// A script calls, and a tool asks for, an operation that the host has and the session was not granted.
pub(super) async fn beyond_env(agent: &RemoteHost, session: &str) -> Did<()> {
    let source = "export default (input, env) => env.invoke('kv/put', { key: 'a', value: 1 })";
    let run = json!({ "session": session, "language": "javascript", "source": source });
    let called = refused(agent.call("session/run", &run).await, "NOT_FOUND")?;
    let mut register = TREE_REPORT.registration(session)?;
    register.insert("name".to_owned(), json!("greedy"));
    register.insert("env".to_owned(), json!(["fs/read", "kv/put"]));
    let asked = refused(agent.call("session/register", &Value::Object(register)).await, "ENV_DENIED")?;
    let says = vec![
        format!("a script calls kv/put         {}", show(&called)),
        format!("a tool asks for kv/put        {}", show(&asked)),
    ];
    Ok(Told { value: (), says, detail: json!({ "codes": [called.code().as_str(), asked.code().as_str()] }) })
}

/// The agent calls an operation that takes a scope it does not hold.
pub(super) async fn admin(agent: &RemoteHost) -> Did<()> {
    let error = refused(agent.call("host/status", &json!({})).await, "FORBIDDEN")?;
    Ok(told("the agent calls host/status", &error))
}

/// The agent names its own tool as if it were an operation of the host.
pub(super) async fn internal(agent: &RemoteHost) -> Did<()> {
    let name = format!("session/{}", TREE_REPORT.name);
    let error = refused(agent.call(&name, &json!({})).await, "NOT_FOUND")?;
    let schema = refused(agent.call("services/schema", &json!({ "name": name })).await, "NOT_FOUND")?;
    ensure(schema.code() == error.code(), "describing it answers the same as calling it")?;
    Ok(told(&format!("it calls {name}"), &error))
}

/// Another agent knows the session's id, and that is not enough.
pub(super) async fn foreign_session(stage: &Stage, session: &str) -> Did<()> {
    let intruder = stage.connect(&stage.intruder).await?;
    let request = json!({ "session": session, "operation": TREE_REPORT.name, "input": {} });
    let answer = intruder.call("session/invoke", &request).await;
    let close = intruder.call("session/close", &json!({ "session": session })).await;
    intruder.close().await;
    let error = refused(answer, "NOT_FOUND")?;
    refused(close, "NOT_FOUND")?;
    Ok(told("another key, the right id", &error))
}

/// A tool that never ends by itself; the next call works as before.
pub(super) async fn endless_loop(agent: &RemoteHost, session: &str) -> Did<()> {
    let request = Value::Object(RUNAWAY.registration(session)?);
    agent.call("session/register", &request).await?;
    let request = json!({ "session": session, "operation": RUNAWAY.name, "input": {} });
    let error = refused(agent.call("session/invoke", &request).await, "LIMIT_EXCEEDED")?;
    let limit = error.details().map(|details| text(details, "/limit").to_owned()).unwrap_or_default();
    ensure(limit == "cpu_ms", "the limit on computing time ended it")?;
    let after = json!({ "session": session, "operation": TREE_REPORT.name, "input": { "files": [] } });
    agent.call("session/invoke", &after).await?;
    Ok(told("it runs out of CPU time", &error))
}

/// The error of an attempt, if it failed as it must.
fn refused(answer: Result<Value, CallError>, code: &str) -> Result<CallError, CommandError> {
    match answer {
        Ok(_) => Err(CommandError::operation(format!("the attempt succeeded; {code} was expected"))),
        Err(error) if error.code().as_str() == code => Ok(error),
        Err(error) => Err(CommandError::operation(format!(
            "{} came instead of {code}: {}",
            error.code(),
            error.message()
        ))),
    }
}

fn told(attempt: &str, error: &CallError) -> Told<()> {
    let says = vec![format!("{attempt:<28}  {}", show(error))];
    Told { value: (), says, detail: json!({ "code": error.code().as_str(), "message": error.message() }) }
}

fn show(error: &CallError) -> String {
    format!("{}: {}", error.code(), error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_refusal_counts() {
        assert!(refused(Err(CallError::forbidden("no")), "FORBIDDEN").is_ok());
        assert!(refused(Err(CallError::forbidden("no")), "NOT_FOUND").is_err());
        let error = refused(Ok(json!(1)), "NOT_FOUND").unwrap_err();
        assert_eq!(error.kind().code(), 1);
    }
}
