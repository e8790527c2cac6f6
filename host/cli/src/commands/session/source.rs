//! The files of a tool: what is sent to the host, and where complaints about them are shown.

use std::path::{Path, PathBuf};

use alknet_call::CallError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::explain;
use crate::failure::{CommandError, CommandResult};
use crate::input::{read_bytes, read_text};
use crate::output::{Diagnostic, render_diagnostics};

/// The language of a source, by the ending of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    TypeScript,
    JavaScript,
    Wat,
    Component,
}

/// The files of one tool, the entry first.
#[derive(Debug)]
pub(super) struct Sources {
    language: Language,
    files: Vec<SourceFile>,
}

#[derive(Debug)]
struct SourceFile {
    /// As other files import it, and the host names it.
    name: String,
    /// As the user wrote it.
    shown: String,
    text: String,
}

impl Sources {
    /// Reads the tool's file and those it comes with.
    pub(super) fn read(entry: &Path, others: &[PathBuf]) -> CommandResult<Self> {
        let language = Language::of(entry)?;
        if language == Language::Component {
            let text = STANDARD.encode(read_bytes(entry)?);
            return Ok(Self { language, files: vec![SourceFile::new(entry, String::new(), text)] });
        }
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let mut files = vec![SourceFile::new(entry, name, read_text(entry)?)];
        let folder = entry.parent().unwrap_or(Path::new(""));
        for other in others {
            if Language::of(other)? != language {
                let message = format!("{}: all files of a tool are in one language", other.display());
                return Err(CommandError::usage(message));
            }
            let name = other.strip_prefix(folder).ok().and_then(Path::to_str).ok_or_else(|| {
                let (other, folder) = (other.display(), folder.display());
                CommandError::usage(format!("{other}: it is not below {folder}, the folder of the tool"))
            })?;
            files.push(SourceFile::new(other, name.replace('\\', "/"), read_text(other)?));
        }
        Ok(Self { language, files })
    }

    /// Adds the members that `session/register` and `session/run` know sources by.
    pub(super) fn put(&self, request: &mut Map<String, Value>) {
        request.insert("language".to_owned(), json!(self.language.name()));
        match self.files.as_slice() {
            [entry] => {
                request.insert("source".to_owned(), json!(entry.text));
            }
            files => {
                let named = files.iter().map(|file| (file.name.clone(), json!(file.text)));
                request.insert("files".to_owned(), Value::Object(named.collect()));
                request.insert("entry".to_owned(), json!(files.first().map(|entry| &entry.name)));
            }
        }
    }

    /// An answer about a source: complaints are shown at their place in it.
    pub(super) fn explain(&self, error: CallError) -> CommandError {
        if error.code().as_str() != "SOURCE_REJECTED" {
            return explain(error);
        }
        let diagnostics = error.details().and_then(|details| details.get("diagnostics")).cloned();
        let diagnostics: Vec<Diagnostic> =
            diagnostics.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
        if diagnostics.is_empty() {
            return explain(error);
        }
        let rendered = self.render(&diagnostics);
        CommandError::from(error).rendered(rendered)
    }

    /// The complaints, each in its file.
    pub(super) fn render(&self, diagnostics: &[Diagnostic]) -> String {
        let rendered = diagnostics.iter().map(|diagnostic| {
            let (shown, text) = self.file(diagnostic.file.as_deref());
            render_diagnostics(shown, text, std::slice::from_ref(diagnostic))
        });
        rendered.collect::<Vec<_>>().join("\n")
    }

    /// What a file of the tool is called here, and its text. A single file has whatever name the host gave it.
    fn file(&self, name: Option<&str>) -> (&str, &str) {
        let named = self.files.iter().find(|file| Some(file.name.as_str()) == name);
        let file = named.or(self.files.first().filter(|_| self.files.len() == 1));
        let text = |file: &'_ SourceFile| self.language != Language::Component && !file.text.is_empty();
        match file {
            Some(file) if text(file) => (&file.shown, &file.text),
            Some(file) => (&file.shown, ""),
            None => (self.files.first().map_or("", |file| &file.shown), ""),
        }
    }
}

impl SourceFile {
    fn new(path: &Path, name: String, text: String) -> Self {
        Self { name, shown: path.display().to_string(), text }
    }
}

impl Language {
    pub(super) fn of(file: &Path) -> CommandResult<Self> {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("ts" | "mts") => Ok(Self::TypeScript),
            Some("js" | "mjs") => Ok(Self::JavaScript),
            Some("wat") => Ok(Self::Wat),
            Some("wasm") => Ok(Self::Component),
            _ => Err(CommandError::usage(format!("{}: the language is told by the ending", file.display()))
                .hint("name the file .ts or .mts for TypeScript, .js or .mjs for JavaScript, .wat for WebAssembly text, .wasm for a component")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::TypeScript => "typescript",
            Self::JavaScript => "javascript",
            Self::Wat => "wat",
            Self::Component => "component",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_told_by_the_ending() {
        assert_eq!(Language::of(Path::new("a.ts")).unwrap(), Language::TypeScript);
        assert_eq!(Language::of(Path::new("a.mjs")).unwrap(), Language::JavaScript);
        assert_eq!(Language::of(Path::new("a.wat")).unwrap(), Language::Wat);
        assert_eq!(Language::of(Path::new("a.wasm")).unwrap(), Language::Component);
        assert_eq!(Language::of(Path::new("a.py")).unwrap_err().kind().code(), 2);
        assert!(Language::of(Path::new("a")).is_err());
    }

    #[test]
    fn files_are_named_from_the_folder_of_the_tool() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [("main.ts", "import './lib/a';"), ("lib/a.ts", "x("), ("b.js", "")] {
            std::fs::write(at(name), text).unwrap();
        }
        std::fs::write(at("c.wasm"), b"\0asm").unwrap();
        let put = |sources: &Sources| {
            let mut request = Map::new();
            sources.put(&mut request);
            Value::Object(request)
        };
        let sources = Sources::read(&at("main.ts"), &[at("lib/a.ts")]).unwrap();
        let expected = json!({
            "language": "typescript", "entry": "main.ts",
            "files": { "main.ts": "import './lib/a';", "lib/a.ts": "x(" },
        });
        assert_eq!(put(&sources), expected);

        let details = json!({"diagnostics": [
            {"message": "expected `)`", "file": "lib/a.ts", "line": 1, "column": 3, "snippet": "x("},
            {"message": "somewhere"},
        ]});
        let error = CallError::new("SOURCE_REJECTED", "no").with_details(details);
        let text = sources.explain(error).to_text();
        let (main, lib) = (at("main.ts").display().to_string(), at("lib/a.ts").display().to_string());
        assert_eq!(
            text,
            format!("{lib}:1:3: error: expected `)`\n   |\n 1 | x(\n   |   ^\n{main}: error: somewhere")
        );

        let component = Sources::read(&at("c.wasm"), &[]).unwrap();
        assert_eq!(put(&component), json!({ "language": "component", "source": "AGFzbQ==" }));
        let mixed = Sources::read(&at("main.ts"), &[at("b.js")]).unwrap_err().to_text();
        assert!(mixed.ends_with("b.js: all files of a tool are in one language"), "{mixed}");
        let outside = Sources::read(&at("lib/a.ts"), &[at("main.ts")]).unwrap_err().to_text();
        assert!(outside.contains("it is not below"), "{outside}");
    }
}
