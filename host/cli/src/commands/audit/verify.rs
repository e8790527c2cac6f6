//! `audit verify`: everything is computed again, from the folder alone.

use std::path::{Path, PathBuf};

use alknet_audit::evidence::EvidenceReport;
use alknet_audit::{Evidence, EvidenceError, SignatureState, VerifyError, VerifyOptions, VerifyReport};
use alknet_core::{Fingerprint, PublicKey};
use serde_json::{Value, json};

use super::Context;
use crate::args::VerifyArgs;
use crate::failure::{CommandError, CommandResult, chain};
use crate::input::read_text;
use crate::output::{Style, human_micros, timestamp};
use crate::project::{Layout, Project};
use crate::vault::PublicKeys;

/// A log that is what its host signed.
#[derive(Debug)]
pub(crate) struct Verified {
    report: VerifyReport,
    dir: PathBuf,
}

pub(super) async fn run(args: &VerifyArgs, context: &Context) -> CommandResult {
    if let Some(bundle) = &args.bundle {
        return verify_bundle(bundle, args, context).await;
    }
    let (dir, key) = subject(args, context)?;
    let checkpoint = args.checkpoint.as_deref().map(read_text).transpose()?;
    let verified = verify_dir(dir, key, checkpoint).await?;
    let output = context.output;
    if output.is_json() {
        output.json(&verified.to_json())
    } else {
        output.text(&verified.to_text(output.style()))
    }
}

/// Verifies evidence, which needs nothing but the file and the key.
async fn verify_bundle(file: &Path, args: &VerifyArgs, context: &Context) -> CommandResult {
    let key = match &args.key {
        Some(key) => parse_key(key)?,
        None => {
            let project = Project::find(context.config.as_deref()).map_err(CommandError::from);
            let project = project.map_err(|error| error.hint("or say whose log it is: --key ed25519:…"))?;
            PublicKeys::of(&project.layout)?.audit
        }
    };
    let text = read_text(file)?;
    let checkpoint = args.checkpoint.as_deref().map(read_text).transpose()?;
    let checked =
        tokio::task::spawn_blocking(move || Evidence::parse(&text)?.verify(&key, checkpoint.as_deref()));
    let report = match checked.await {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => return Err(refused(&error, file)),
        Err(_) => return Err(CommandError::internal("the verification broke off; this is a defect")),
    };
    if context.output.is_json() {
        return context.output.json(&evidence_json(&report, file));
    }
    context.output.text(&evidence_text(&report, file, context.output.style()))
}

fn refused(error: &EvidenceError, file: &Path) -> CommandError {
    let message = format!("{} does not verify ({}): {}", file.display(), error.reason(), chain(error));
    CommandError::verification(message).hint("keep the file as it is: it is evidence")
}

fn evidence_json(report: &EvidenceReport, file: &Path) -> Value {
    json!({
        "ok": true,
        "file": file,
        "origin": report.origin,
        "size": report.size,
        "root": report.root,
        "records": report.records,
        "sources": report.sources,
        "sources_gone": report.sources_gone,
        "attestations": report.attestations,
        "consistent": report.consistent,
    })
}

fn evidence_text(report: &EvidenceReport, file: &Path, style: Style) -> String {
    let mut lines = vec![
        format!("{}  {}", style.green("verified"), file.display()),
        format!("log       {}", report.origin),
        format!(
            "records   {}, each in the log of {} records that the key signed",
            report.records, report.size
        ),
        format!("sources   {}, each with the digest that was recorded", report.sources),
    ];
    if report.sources_gone > 0 {
        lines.push(format!("pruned    {} sources that were not kept any more", report.sources_gone));
    }
    lines.push(format!("attested  {} statements, each as the records say", report.attestations));
    lines.push(format!("root      {}", report.root));
    if report.consistent {
        lines.push("since     the log goes on from the checkpoint that was given".to_owned());
    }
    lines.join("\n")
}

/// Verifies the log in a folder against the key that must have signed it.
///
/// # Errors
/// Of kind Verification when the log is not what was signed, with the first thing found wrong.
pub(crate) async fn verify_dir(
    dir: PathBuf,
    key: PublicKey,
    checkpoint: Option<String>,
) -> CommandResult<Verified> {
    let options = VerifyOptions { key: Some(key), checkpoint };
    let place = dir.clone();
    let checked = tokio::task::spawn_blocking(move || alknet_audit::verify(&place, &options)).await;
    match checked {
        Ok(Ok(report)) => Ok(Verified { report, dir }),
        Ok(Err(error)) => Err(failure(&error, &dir)),
        Err(_) => Err(CommandError::internal("the verification broke off; this is a defect")),
    }
}

fn failure(error: &VerifyError, dir: &Path) -> CommandError {
    let message = chain(error);
    match error {
        VerifyError::Io { .. } => CommandError::configuration(message),
        // Every log has a checkpoint from its first moment: without one, other files show that it was taken away.
        VerifyError::CheckpointMissing { .. } if is_empty(dir) => {
            CommandError::configuration(format!("there is no log in {}", dir.display()))
                .hint("a host writes one once it runs: `alknet-agent serve`")
        }
        // The index is no evidence: it can be made again.
        VerifyError::Index { .. } => CommandError::verification(does_not_verify(error, dir))
            .hint("`alknet-agent audit reindex` makes it anew from the log"),
        _ => CommandError::verification(does_not_verify(error, dir))
            .hint("keep the folder as it is: it is evidence"),
    }
}

fn does_not_verify(error: &VerifyError, dir: &Path) -> String {
    format!("the log in {} does not verify: {} ({})", dir.display(), chain(error), error.reason())
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}

/// Which folder, and whose signature.
fn subject(args: &VerifyArgs, context: &Context) -> CommandResult<(PathBuf, PublicKey)> {
    let dir_and_key = match (&args.dir, &args.key) {
        (Some(dir), Some(key)) => (dir.clone(), parse_key(key)?),
        (dir, key) => {
            let layout = Project::find(context.config.as_deref()).map_err(CommandError::from);
            let layout =
                layout.map_err(|error| error.hint("or say what to verify: --dir DIR and --key ed25519:…"))?;
            from_project(dir.clone(), key.as_deref(), &layout.layout)?
        }
    };
    if !dir_and_key.0.is_dir() {
        return Err(CommandError::configuration(format!("there is no folder {}", dir_and_key.0.display())));
    }
    Ok(dir_and_key)
}

fn from_project(
    dir: Option<PathBuf>,
    key: Option<&str>,
    layout: &Layout,
) -> CommandResult<(PathBuf, PublicKey)> {
    let key = match key {
        Some(key) => parse_key(key)?,
        None => PublicKeys::of(layout)?.audit,
    };
    Ok((dir.unwrap_or_else(|| layout.audit_dir()), key))
}

/// A fingerprint, or a file that holds one.
fn parse_key(text: &str) -> CommandResult<PublicKey> {
    let fingerprint = match text.trim().parse() {
        Ok(fingerprint) => fingerprint,
        Err(_) => read_text(Path::new(text))?
            .trim()
            .parse::<Fingerprint>()
            .map_err(|error| CommandError::usage(format!("{text} does not hold a public key: {error}")))?,
    };
    match fingerprint {
        Fingerprint::Ed25519(bytes) => Ok(PublicKey::from_bytes(bytes)),
        Fingerprint::Sha256(_) => Err(CommandError::usage("a log is signed by an `ed25519:` key")),
    }
}

impl Verified {
    /// How many records were checked.
    pub(crate) fn records(&self) -> u64 {
        self.report.records
    }

    /// Whether the signature covers every record.
    pub(crate) fn is_covered(&self) -> bool {
        self.report.covered == self.report.records
    }

    /// What was checked, for programs.
    pub(crate) fn to_json(&self) -> Value {
        let report = &self.report;
        json!({
            "ok": true,
            "dir": self.dir,
            "origin": report.origin,
            "signed": report.signature == SignatureState::Valid,
            "records": report.records,
            "covered": report.covered,
            "root": report.root,
            "bytes": report.bytes,
            "torn_bytes": report.torn_bytes,
            "admitted": report.admitted,
            "refused": report.refused,
            "finished": report.finished,
            "unfinished": report.unfinished,
            "sources": report.sources,
            "pruned": report.pruned,
            "indexed": report.indexed,
            "first_at": report.times.map(|(first, _)| first),
            "last_at": report.times.map(|(_, last)| last),
            "micros": self.micros(),
        })
    }

    /// What was checked, for people.
    fn to_text(&self, style: Style) -> String {
        let report = &self.report;
        let mut lines = vec![
            format!("{}  {}", style.green("verified"), self.dir.display()),
            format!("log       {}", report.origin),
            format!("records   {}, each in canonical form and in the tree of hashes", report.records),
        ];
        if let Some((first, last)) = report.times {
            lines.push(format!("from      {} to {}", timestamp(&json!(first)), timestamp(&json!(last))));
        }
        lines.push(format!(
            "calls     {} admitted, {} refused, {} ended",
            report.admitted, report.refused, report.finished
        ));
        lines.push(format!("sources   {}, each with the digest that was recorded", report.sources));
        if report.pruned > 0 {
            lines.push(format!("pruned    {} records: hashes are left, and the log says so", report.pruned));
        }
        if let Some(indexed) = report.indexed {
            lines.push(format!("index     {indexed} records, each as the log has it"));
        }
        lines.push(format!("root      {}", report.root));
        lines.push(format!(
            "signed    {} of {} records, by the key that was asked for",
            report.covered, report.records
        ));
        let unsigned = report.records.saturating_sub(report.covered);
        if unsigned > 0 {
            lines.push(format!("unsigned  {unsigned} records: the host still runs, or was killed"));
        }
        if report.unfinished > 0 {
            lines.push(format!(
                "open      {} calls without an end: they still run, or the host was killed",
                report.unfinished
            ));
        }
        if report.torn_bytes > 0 {
            lines.push(format!(
                "torn      {} bytes of a record that was never acknowledged",
                report.torn_bytes
            ));
        }
        lines.push(format!("took      {}", human_micros(self.micros())));
        lines.join("\n")
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.report.elapsed.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alknet_audit::event::{ConfigLoaded, ConfigOutcome};
    use alknet_audit::{AuditLog, Event, Hash, Options};
    use alknet_core::{Ed25519SecretKey, SystemClock};

    fn log(dir: &Path) -> Ed25519SecretKey {
        let key = Ed25519SecretKey::generate().unwrap();
        let log = AuditLog::open(dir, Options::new(key.clone(), std::sync::Arc::new(SystemClock))).unwrap();
        let event = ConfigLoaded { config: Hash::of(b"x"), outcome: ConfigOutcome::Accepted };
        log.append(&Event::ConfigLoaded(event)).unwrap();
        log.close().unwrap();
        key
    }

    #[tokio::test]
    async fn an_untouched_log_verifies_and_a_changed_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = log(dir.path());
        let verified = verify_dir(dir.path().to_owned(), key.public(), None).await.unwrap();
        assert_eq!(verified.to_json()["ok"], true);
        assert!(
            verified.to_text(Style::new(false)).starts_with("verified  "),
            "{}",
            verified.to_text(Style::new(false))
        );

        let other = Ed25519SecretKey::generate().unwrap();
        let error = verify_dir(dir.path().to_owned(), other.public(), None).await.unwrap_err();
        assert_eq!(error.kind().code(), 5);
        std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
        let error = verify_dir(dir.path().to_owned(), key.public(), None).await.unwrap_err();
        assert_eq!(error.kind().code(), 5, "{error}");
    }

    #[tokio::test]
    async fn no_log_is_not_a_forged_log() {
        let dir = tempfile::tempdir().unwrap();
        let key = Ed25519SecretKey::generate().unwrap().public();
        let error = verify_dir(dir.path().to_owned(), key, None).await.unwrap_err();
        assert_eq!(error.kind().code(), 3);
    }

    #[test]
    fn keys_come_as_text_or_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("ed25519:{}", "0a".repeat(32));
        let file = dir.path().join("host.pub");
        std::fs::write(&file, format!("{text}\n")).unwrap();
        for source in [text.as_str(), file.to_str().unwrap()] {
            assert_eq!(parse_key(source).unwrap(), PublicKey::from_bytes([10; 32]));
        }
        assert_eq!(parse_key("no/such/file").unwrap_err().kind().code(), 2);
        assert!(parse_key(&format!("SHA256:{}", "0a".repeat(32))).is_err());
    }
}
