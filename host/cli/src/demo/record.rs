//! What is left of the story: the record, and whether it can be trusted.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::stage::{Remains, Stage};
use super::steps::{ensure, text};
use super::story::{Did, Told};
use super::tools::TREE_REPORT;
use crate::commands::{account, verify_dir};
use crate::failure::{CommandError, CommandErrorKind};
use crate::output::Style;

/// Lines of the account that are shown: all but the source text.
const ACCOUNT_LINES: usize = 11;

/// An auditor asks who wrote the tool, from what, under which grant, and what it did.
pub(super) async fn provenance(stage: &Stage, session: &str) -> Did<()> {
    let auditor = stage.connect(&stage.auditor).await?;
    let name = format!("session/{}", TREE_REPORT.name);
    let request = json!({ "operation": { "name": name, "session": session } });
    let found = auditor.call("audit/provenance", &request).await;
    let refusals = json!({ "filter": { "caller": "agent", "kind": "call.refused" }, "limit": 1000 });
    let refused = auditor.call("audit/query", &refusals).await;
    auditor.close().await;
    let (found, refused) = (found?, refused?);
    ensure(text(&found, "/who") == "agent", "the author is named")?;
    ensure(text(&found, "/source/text") == TREE_REPORT.source, "the source is there, letter by letter")?;
    let served = found.pointer("/served/finished").and_then(Value::as_u64).unwrap_or_default();
    ensure(served > 1_000, "every call is counted")?;
    let refused = refused.get("entries").and_then(Value::as_array).map_or(0, Vec::len);
    ensure(refused >= 3, "the refused attempts are on record")?;
    let account = account(&found, Style::new(false));
    let mut says: Vec<String> =
        account.lines().take(ACCOUNT_LINES).filter(|line| !line.contains(" | ")).map(str::to_owned).collect();
    says.push(format!("attempts  {refused} refused calls of the agent are on record too"));
    let detail = json!({
        "who": found.get("who"), "session": found.get("session"), "served": served, "refused": refused,
        "source": found.pointer("/source/digest"), "source_state": found.pointer("/source/state"),
        "made": found.get("made"),
    });
    Ok(Told { value: (), says, detail })
}

/// Stops the host in order.
pub(super) async fn stop(stage: Stage) -> Did<Remains> {
    let remains = stage.stop().await?;
    let says = vec!["running calls ended, sessions closed, the log signed to its end".to_owned()];
    Ok(Told { value: remains, says, detail: json!({}) })
}

/// Computes everything again, without the host.
pub(super) async fn verify(remains: &Remains) -> Did<()> {
    let verified = verify_dir(remains.layout.audit_dir(), remains.key, None).await?;
    ensure(verified.is_covered(), "the host's signature covers every record")?;
    let says = vec![format!(
        "{} records, every one in the tree of hashes that the host's key signed",
        verified.records()
    )];
    Ok(Told { value: (), says, detail: verified.to_json() })
}

/// Changes one byte of the record, which must show.
pub(super) async fn tamper(remains: &Remains) -> Did<()> {
    let dir = remains.layout.audit_dir();
    let file = flip_a_byte(&dir)
        .map_err(|error| CommandError::internal(format!("cannot change the record: {error}")))?;
    let shown = file.strip_prefix(&dir).unwrap_or(&file).display().to_string();
    match verify_dir(dir, remains.key, None).await {
        Ok(_) => Err(CommandError::operation(format!("a changed byte of {shown} went unnoticed"))),
        Err(error) if error.kind() == CommandErrorKind::Verification => {
            let says = vec![format!(
                "one byte of {shown} changed: exit code {}, as it must be",
                error.kind().code()
            )];
            Ok(Told { value: (), says, detail: json!({ "file": shown, "message": error.to_string() }) })
        }
        Err(error) => Err(error),
    }
}

/// Changes a byte in the middle of the first bundle of records.
fn flip_a_byte(dir: &Path) -> std::io::Result<PathBuf> {
    let file = dir.join("tile/entries/000");
    let mut bytes = fs::read(&file)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    fs::write(&file, bytes)?;
    Ok(file)
}
