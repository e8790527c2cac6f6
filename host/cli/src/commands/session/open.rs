//! `session open`.

use alknet_core::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use super::{Context, explain, memory, text, view};
use crate::args::OpenArgs;
use crate::connect::with_host;
use crate::failure::CommandResult;

pub(super) async fn run(args: &OpenArgs, context: &Context) -> CommandResult {
    let input = request(args);
    let (answer, kept) = with_host(&args.client, context, async |host| {
        let answer = host.call("session/open", &input).await.map_err(explain)?;
        let kept = memory::remember(host, text(&answer, "/session"))?;
        Ok((answer, kept))
    })
    .await?;
    let output = context.output;
    if output.is_json() {
        return output.json(&answer);
    }
    let mut summary = view::opened(&answer, args.env.as_deref(), SystemClock.unix_seconds(), output.style());
    if !kept {
        summary.push_str(
            "\nThere is no data folder here to keep the id in: pass --session to the other commands.",
        );
    }
    if args.declarations {
        output.note(&summary);
        return output.text(text(&answer, "/declarations").trim_end());
    }
    output.text(&summary)
}

fn request(args: &OpenArgs) -> Value {
    let mut input = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            input.insert(key.to_owned(), value);
        }
    };
    set("label", args.label.as_ref().map(|label| json!(label)));
    set("profile", args.profile.as_ref().map(|profile| json!(profile)));
    set("env", args.env.as_ref().map(|env| json!(env)));
    set("ttl_seconds", args.ttl.map(|ttl| json!(ttl.as_secs().max(1))));
    set(
        "deterministic",
        args.deterministic.as_ref().map(|seed| match seed {
            Some(seed) => json!({ "seed": seed }),
            None => json!({}),
        }),
    );
    Value::Object(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_was_given_is_asked_for() {
        let mut args = OpenArgs {
            profile: None,
            env: None,
            ttl: None,
            label: None,
            deterministic: None,
            declarations: false,
            client: crate::args::ClientArgs::default(),
        };
        assert_eq!(request(&args), json!({}));
        args.ttl = Some(Duration::from_millis(1));
        args.env = Some(vec!["a/b".to_owned()]);
        args.profile = Some("p".to_owned());
        assert_eq!(request(&args), json!({"ttl_seconds": 1, "env": ["a/b"], "profile": "p"}));
    }
}
