//! Which records a command is about.

use alknet_core::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use crate::args::FilterArgs;

/// The filter as `audit/query` takes it: only what was given.
pub(super) fn of(args: &FilterArgs) -> Value {
    let now = SystemClock.unix_micros();
    let outcome = args.outcome.as_deref().map(str::to_uppercase);
    let members = [
        ("kind", args.kind.as_deref()),
        ("session", args.session.as_deref()),
        ("operation", args.operation.as_deref()),
        ("caller", args.caller.as_deref()),
        ("authority", args.authority.as_deref()),
        ("outcome", outcome.as_deref()),
        ("root", args.root.as_deref()),
    ];
    let times = [("since", args.since), ("until", args.until)];
    let texts = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    let times = times
        .into_iter()
        .filter_map(|(name, moment)| Some((name.to_owned(), json!(moment?.unix_micros(now)))));
    Value::Object(texts.chain(times).collect::<Map<_, _>>())
}

/// Whether a record matches a filter, as the host would find it.
pub(super) fn matches(record: &Value, filter: &Value) -> bool {
    let text = |member: &str| record.get(member).and_then(Value::as_str);
    let time = record.get("time").and_then(Value::as_u64).unwrap_or_default();
    let has = |(name, wanted): (&String, &Value)| match name.as_str() {
        "since" => wanted.as_u64().is_none_or(|since| time >= since),
        "until" => wanted.as_u64().is_none_or(|until| time < until),
        // Events name the whole grant; calls only its label. What ended well has the code OK.
        "authority" => {
            let label = record.pointer("/authority/label").and_then(Value::as_str);
            label.or_else(|| text("authority")) == wanted.as_str()
        }
        "outcome" => text("code").or_else(|| text("outcome")) == wanted.as_str(),
        name => text(name) == wanted.as_str(),
    };
    filter.as_object().is_none_or(|members| members.iter().all(has))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_given_filters_are_sent() {
        let mut args = FilterArgs { caller: Some("ci".to_owned()), ..FilterArgs::default() };
        args.outcome = Some("ok".to_owned());
        args.until = Some("1970-01-02T00:00:00Z".parse().unwrap());
        let expected = json!({"caller": "ci", "outcome": "OK", "until": 86_400_000_000_u64});
        assert_eq!(of(&args), expected);
        assert_eq!(of(&FilterArgs::default()), json!({}));
    }

    #[test]
    fn records_are_matched_as_the_host_matches_them() {
        let call =
            json!({"kind": "call.finished", "caller": "ci", "code": "OK", "authority": "a", "time": 5});
        let event = json!({"kind": "session.opened", "authority": {"label": "a"}, "time": 6});
        let cases = [
            (json!({}), true, true),
            (json!({"authority": "a"}), true, true),
            (json!({"outcome": "OK"}), true, false),
            (json!({"kind": "session.opened"}), false, true),
            (json!({"since": 6}), false, true),
            (json!({"until": 6}), true, false),
            (json!({"caller": "ci", "outcome": "NOT_FOUND"}), false, false),
        ];
        for (filter, first, second) in cases {
            assert_eq!((matches(&call, &filter), matches(&event, &filter)), (first, second), "{filter}");
        }
    }
}
