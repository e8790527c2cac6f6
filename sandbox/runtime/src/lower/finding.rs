//! What is wrong with a source, and how its author is told.

use oxc_diagnostics::{OxcDiagnostic, Severity};

use super::text::Index;
use crate::Diagnostic;

/// One reason against a source: where (a byte offset) and what.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) at: u32,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn new(at: u32, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// Takes over what the compiler complains about; its warnings are no reason to refuse.
pub(super) fn from_compiler(diagnostics: impl IntoIterator<Item = OxcDiagnostic>) -> Vec<Finding> {
    diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .take(FINDINGS_MAX)
        .map(|diagnostic| {
            let label =
                diagnostic.labels.iter().find(|label| label.primary()).or_else(|| diagnostic.labels.first());
            let at = label.map_or(0, |label| label.span().start);
            Finding { at, message: message(&diagnostic) }
        })
        .collect()
}

/// Findings as their author reads them: in source order, each once.
pub(super) fn diagnostics(file: &str, source: &Index<'_>, mut findings: Vec<Finding>) -> Vec<Diagnostic> {
    findings.sort_by(|a, b| (a.at, &a.message).cmp(&(b.at, &b.message)));
    findings.dedup_by(|a, b| a.at == b.at && a.message == b.message);
    findings.truncate(FINDINGS_MAX);
    findings.into_iter().map(|finding| diagnostic(file, source, finding)).collect()
}

fn diagnostic(file: &str, source: &Index<'_>, finding: Finding) -> Diagnostic {
    let place = source.position(finding.at);
    Diagnostic {
        file: file.to_owned(),
        message: cut(&finding.message, MESSAGE_CHARS_MAX),
        line: place.line,
        column: place.column,
        snippet: snippet(source.line(place.line)),
    }
}

/// A line as it is shown beside what is said about it; `None` if there is nothing on it.
pub(crate) fn snippet(line: &str) -> Option<String> {
    Some(cut(line, SNIPPET_CHARS_MAX)).filter(|snippet| !snippet.trim().is_empty())
}

/// The compiler's message, what it points at and its advice, on one line.
fn message(diagnostic: &OxcDiagnostic) -> String {
    let mut message = diagnostic.message.to_string();
    let mut labels = diagnostic.labels.iter().filter_map(|label| label.label());
    if let (Some(label), None) = (labels.next(), labels.next()) {
        message.push_str(": ");
        message.push_str(label);
    }
    for advice in [&diagnostic.help, &diagnostic.note].into_iter().flatten() {
        message.push_str(". ");
        message.push_str(advice);
    }
    message
}

/// The same with a message of bounded length.
pub(crate) fn shortened(found: Diagnostic) -> Diagnostic {
    Diagnostic { message: cut(&found.message, MESSAGE_CHARS_MAX), ..found }
}

/// `text` with control characters blanked, cut to `chars_max` characters.
fn cut(text: &str, chars_max: usize) -> String {
    let mut kept: String =
        text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(chars_max).is_some() {
        kept.push('…');
    }
    kept
}

/// Most findings told at once: more would not help an author who mends the first.
pub(super) const FINDINGS_MAX: usize = 20;

const SNIPPET_CHARS_MAX: usize = 160;

/// The compiler quotes names of any length.
const MESSAGE_CHARS_MAX: usize = 400;
