//! `audit checkpoint` and `audit prove`: what a third party checks with programs that are not ours.

use serde_json::{Value, json};

use super::export::write_new;
use super::{Context, explain, view};
use crate::args::{CheckpointArgs, ProveArgs};
use crate::connect::with_host;
use crate::failure::{CommandError, CommandResult};

/// The first line of a proof (C2SP tlog-proof).
const TLOG_PROOF: &str = "c2sp.org/tlog-proof@v1";

pub(super) async fn checkpoint(args: &CheckpointArgs, context: &Context) -> CommandResult {
    let answer =
        with_host(&args.client, context, async |host| Ok(host.call("audit/checkpoint", &json!({})).await?))
            .await?;
    let note = view::text(&answer, "checkpoint");
    if let Some(file) = &args.out {
        write_new(file, note)?;
    }
    if context.output.is_json() {
        return context.output.json(&answer);
    }
    let said = format!(
        "{} records of the log {}, signed by {}",
        answer.get("size").unwrap_or(&Value::Null),
        view::text(&answer, "origin"),
        view::text(&answer, "key"),
    );
    match &args.out {
        Some(file) => context.output.text(&format!("{said}: {}", file.display())),
        None => {
            context.output.note(&said);
            context.output.text(note.trim_end())
        }
    }
}

pub(super) async fn prove(args: &ProveArgs, context: &Context) -> CommandResult {
    let (answer, note) = with_host(&args.client, context, async |host| {
        let signed = host.call("audit/checkpoint", &json!({})).await?;
        let size = signed.get("size").cloned().unwrap_or_default();
        let request = match args.from {
            Some(from) => json!({ "consistency": { "from": from, "to": size } }),
            None => json!({ "inclusion": { "record": args.record, "size": size } }),
        };
        let answer = host.call("audit/prove", &request).await;
        let answer = answer.map_err(|error| explain(error, "`alknet-agent audit show` lists records"))?;
        Ok((answer, view::text(&signed, "checkpoint").to_owned()))
    })
    .await?;
    let proof = match args.from {
        None => Some(tlog_proof(&answer, &note).ok_or_else(|| {
            CommandError::internal("the host's proof is not one; it may be of another version")
        })?),
        Some(_) => None,
    };
    if let (Some(file), Some(proof)) = (&args.out, &proof) {
        write_new(file, proof)?;
    }
    if context.output.is_json() {
        let mut answer = answer;
        if let Some(members) = answer.as_object_mut() {
            members.insert("checkpoint".to_owned(), note.into());
        }
        return context.output.json(&answer);
    }
    match (proof, &args.out) {
        (Some(_), Some(file)) => context.output.text(&format!(
            "record {} is in the log that the checkpoint signs: {}",
            args.record.unwrap_or_default(),
            file.display()
        )),
        (Some(proof), None) => context.output.text(proof.trim_end()),
        (None, _) => {
            let hashes = answer.pointer("/consistency/proof/path").and_then(Value::as_array);
            let root =
                |member: &str| answer.pointer(&format!("/consistency/{member}")).and_then(Value::as_str);
            context.output.text(&format!(
                "the first {} records, root {}, are the beginning of the log, root {}: {} hashes show it (--json)",
                args.from.unwrap_or_default(),
                root("from_root").unwrap_or_default(),
                root("to_root").unwrap_or_default(),
                hashes.map_or(0, Vec::len),
            ))
        }
    }
}

/// The proof of a record's place as a text that other verifiers read (C2SP tlog-proof).
fn tlog_proof(answer: &Value, checkpoint: &str) -> Option<String> {
    let proof = answer.pointer("/inclusion/proof")?;
    let mut text = format!("{TLOG_PROOF}\nindex {}\n", proof.get("index")?.as_u64()?);
    for hash in proof.get("path")?.as_array()? {
        let bytes = hex::decode(hash.as_str()?).ok()?;
        text.push_str(&base64(&bytes));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(checkpoint);
    Some(text)
}

/// Standard base64 (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_written_as_the_specification_says() {
        let answer = json!({"inclusion": {"proof": {"index": 7, "size": 9, "path": ["00".repeat(32), "ff".repeat(32)]}}});
        let expected =
            format!("c2sp.org/tlog-proof@v1\nindex 7\n{}=\n{}8=\n\nnote\n", "A".repeat(43), "/".repeat(42),);
        assert_eq!(tlog_proof(&answer, "note\n").unwrap(), expected);
        assert_eq!(tlog_proof(&json!({}), "note\n"), None);
    }
}
