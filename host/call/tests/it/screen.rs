//! What looks at every result, and the gate's account of itself.

use std::sync::Arc;

use alknet_call::{
    AuditUnavailable, CallError, CallFacts, Recorded, Registration, Screen, Screened, handler_fn,
};
use serde_json::{Value, json};

use crate::support::*;

/// Replaces `secret`, and cannot record that in `unrecorded`.
struct Censor;

impl Screen for Censor {
    fn screen(&self, call: &CallFacts<'_>, result: Result<Value, CallError>) -> Screened {
        let clean = |text: &str| text.replace("secret", "****");
        let result = match result {
            Ok(value) => Ok(serde_json::from_str(&clean(&value.to_string())).unwrap_or(Value::Null)),
            Err(error) => Err(CallError::new(error.code().clone(), clean(error.message()))),
        };
        let failed = call.operation == "a/unrecorded";
        let recorded = if failed { Recorded::Failed(AuditUnavailable) } else { Recorded::Done };
        Screened { result, recorded }
    }
}

#[tokio::test]
async fn every_result_passes_the_screen() {
    let fails = || handler_fn(|_, _| async { Err(CallError::not_found("no secret here")) });
    let dispatcher = dispatcher(vec![
        Registration::local(spec("a/echo"), echo()),
        Registration::local(spec("a/fails"), fails()),
        Registration::local(spec("a/unrecorded"), echo()),
        Registration::composing(
            spec("a/composes"),
            compose_named(),
            composition(&[], &["a/echo", "a/fails"]),
        ),
        // What a composed call answers is screened before the composer has it.
        Registration::composing(
            spec("a/looks"),
            handler_fn(|_, scope| async move {
                let answer = scope.invoke("a/echo", json!("my secret")).await?;
                Ok(json!(answer.as_str().is_some_and(|text| text.contains("ecre"))))
            }),
            composition(&[], &["a/echo"]),
        ),
    ])
    .with_screen(Arc::new(Censor));
    let call = async |name: &str, input: Value| dispatcher.call(None, name, input).await;
    assert_eq!(call("a/echo", json!({"a": ["my secret"]})).await.unwrap(), json!({"a": ["my ****"]}));
    assert_eq!(call("a/fails", json!({})).await.unwrap_err().message(), "no **** here");
    let composed = json!({"op": "a/fails", "input": {}});
    assert_eq!(call("a/composes", composed).await.unwrap_err().message(), "no **** here");
    assert_eq!(call("a/looks", json!({})).await.unwrap(), json!(false));
    // What cannot be recorded is not answered.
    assert_eq!(call("a/unrecorded", json!("secret")).await.unwrap_err().code().as_str(), "INTERNAL");
}

#[test]
fn the_gate_says_which_rule_refuses() {
    let dispatcher = dispatcher(vec![
        Registration::local(requiring("a/guarded", "x"), echo()),
        Registration::local(spec("a/open"), echo()),
        Registration::local(spec("a/inside").internal(), echo()),
    ]);
    let holder = || Some(identity("holder", &["x"]));
    for (who, name, input, expected) in [
        (holder(), "a/guarded", None, [("reach", true), ("access", true)].as_slice()),
        (holder(), "a/guarded", Some(json!({})), &[("reach", true), ("access", true), ("input", true)]),
        (
            Some(identity("other", &["y"])),
            "a/guarded",
            Some(json!({})),
            &[("reach", true), ("access", false)],
        ),
        (None, "a/guarded", None, &[("reach", true), ("access", false)]),
        (None, "a/open", None, &[("reach", true), ("access", true)]),
        (holder(), "a/inside", None, &[("reach", false)]),
        (holder(), "a/absent", None, &[("reach", false)]),
        (holder(), "no name", None, &[("reach", false)]),
    ] {
        let explanation = dispatcher.explain(who.clone(), name, input.clone());
        let rules: Vec<_> = explanation.rules.iter().map(|rule| (rule.rule, rule.passed)).collect();
        assert_eq!(rules, expected, "{name} {explanation:?}");
        assert_eq!(explanation.is_allowed(), expected.iter().all(|(_, passed)| *passed));
    }
    let denied = dispatcher.explain(Some(identity("other", &["y"])), "a/guarded", None);
    assert_eq!(denied.rules[1].reason, "the operation demands all of `x`; the caller holds `y`");
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_calls_too_fast_is_refused() {
    let audit = Arc::new(MemoryAudit::default());
    let registrations = vec![
        Registration::local(requiring("a/echo", "x"), echo()),
        Registration::composing(spec("a/composes"), compose_named(), composition(&["x"], &["a/echo"])),
    ];
    let dispatcher = dispatcher_with(registrations, audit.clone(), alknet_call::Limits::default())
        .with_rates(alknet_call::IdentityRates::new(Some(2)));
    let call = async |id: &str| {
        let composed = json!({"op": "a/echo", "input": {}});
        let answer = dispatcher.call(Some(identity(id, &["x"])), "a/composes", composed).await;
        answer.map_or_else(|error| error.code().to_string(), |_| "OK".to_owned())
    };
    // What is composed below a root call does not count.
    assert_eq!([call("alice").await, call("alice").await, call("alice").await], ["OK", "OK", "RATE_LIMITED"]);
    assert_eq!(call("bob").await, "OK");
    tokio::time::advance(std::time::Duration::from_millis(500)).await;
    assert_eq!([call("alice").await, call("alice").await], ["OK", "RATE_LIMITED"]);
    assert!(
        audit.lines().contains(&"a/composes alice refused rate RATE_LIMITED".to_owned()),
        "{:?}",
        audit.lines()
    );
}
