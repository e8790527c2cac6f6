//! What an agent brings to be made a tool: a script of one file or several, WebAssembly text, or a component.

use std::borrow::Cow;
use std::collections::BTreeMap;

use alknet_call::CallError;
use alknet_sandbox::{Binary, Limits, Sandbox, Source, SourceFile, Tool};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{rejected, source_rejected};

/// A language that tools are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// TypeScript; types are erased, not checked.
    TypeScript,
    /// JavaScript.
    JavaScript,
    /// WebAssembly text, of a module or a component: see `schemas/wit/tool.wit`.
    Wat,
    /// A WebAssembly component, or a core module that can be made one, in base64.
    Component,
}

/// The members of an input that say what is brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brought<'a> {
    pub(super) language: Language,
    pub(super) source: Option<&'a str>,
    pub(super) files: Option<&'a BTreeMap<String, String>>,
    pub(super) entry: Option<&'a str>,
}

/// A source, ready to be loaded.
#[derive(Debug)]
pub(super) enum Code<'a> {
    /// The entry first.
    Script(alknet_sandbox::Language, Vec<(Cow<'a, str>, &'a str)>),
    Text(&'a str),
    /// The text it was brought as, and what that means.
    Component(&'a str, Vec<u8>),
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TypeScript, Self::JavaScript, Self::Wat, Self::Component];

    /// Its name in schemas, configurations and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TypeScript => "typescript",
            Self::JavaScript => "javascript",
            Self::Wat => "wat",
            Self::Component => "component",
        }
    }
}

impl<'a> Brought<'a> {
    /// The source; `name` is what a single file is called in messages.
    pub(super) fn code(self, name: &str) -> Result<Code<'a>, CallError> {
        let (script, ending) = match self.language {
            Language::TypeScript => (alknet_sandbox::Language::TypeScript, "ts"),
            Language::JavaScript => (alknet_sandbox::Language::JavaScript, "js"),
            Language::Wat => return Ok(Code::Text(self.single()?)),
            Language::Component => {
                let text = self.single()?;
                let bytes = STANDARD.decode(text).map_err(|error| {
                    source_rejected(&format!("the component is not standard base64: {error}"))
                })?;
                return Ok(Code::Component(text, bytes));
            }
        };
        let Some(files) = self.files else {
            let file = Cow::Owned(format!("{name}.{ending}"));
            return Ok(Code::Script(script, vec![(file, self.single()?)]));
        };
        if self.source.is_some() {
            return Err(CallError::invalid_input("give either source or files"));
        }
        let entry = entry(files, self.entry, ending)?;
        let listed = |(path, text): (&'a String, &'a String)| (Cow::Borrowed(path.as_str()), text.as_str());
        let others = files.iter().filter(|(path, _)| **path != *entry);
        let all = files.get_key_value(entry).into_iter().chain(others).map(listed);
        Ok(Code::Script(script, all.collect()))
    }

    fn single(self) -> Result<&'a str, CallError> {
        if self.files.is_some() || self.entry.is_some() {
            let language = self.language.name();
            let message = format!("with language {language}, a single text in `source` is expected here");
            return Err(CallError::invalid_input(message));
        }
        self.source.ok_or_else(|| CallError::invalid_input("give the text of the tool as `source`"))
    }
}

/// The file whose default export is the tool.
fn entry<'a>(
    files: &'a BTreeMap<String, String>,
    asked: Option<&str>,
    ending: &str,
) -> Result<&'a str, CallError> {
    let named = |name: &str| files.get_key_value(name).map(|(name, _)| name.as_str());
    if let Some(asked) = asked {
        return named(asked).ok_or_else(|| CallError::invalid_input("entry: `files` has no such file"));
    }
    let usual = ["main", "index"].iter().find_map(|stem| named(&format!("{stem}.{ending}")));
    let only = files.keys().next().filter(|_| files.len() == 1).map(String::as_str);
    usual.or(only).ok_or_else(|| {
        CallError::invalid_input(format!(
            "which file is the tool? name it main.{ending} or index.{ending}, or say it with `entry`"
        ))
    })
}

impl Code<'_> {
    /// Makes a tool of it, which finds `env`; a component is called by `name`.
    pub(super) async fn load(
        &self,
        sandbox: &Sandbox,
        (name, env): (&str, &[String]),
        limits: &Limits,
    ) -> Result<Tool, CallError> {
        let loaded = match self {
            Self::Script(language, files) => {
                let files: Vec<SourceFile<'_>> = source_files(files).collect();
                sandbox.register(Source { language: *language, files: &files }, env, limits).await
            }
            Self::Text(text) => sandbox.register_component(name, Binary::Text(text), limits).await,
            Self::Component(_, bytes) => sandbox.register_component(name, Binary::Bytes(bytes), limits).await,
        };
        loaded.map_err(rejected)
    }

    /// What is kept of it, and what its digest is of: the text as it was brought; of several files, their bundle.
    pub(super) fn kept(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Script(language, files) => {
                let files: Vec<SourceFile<'_>> = source_files(files).collect();
                Cow::Owned(Source { language: *language, files: &files }.bundle().into_owned())
            }
            Self::Text(text) | Self::Component(text, _) => Cow::Borrowed(text.as_bytes()),
        }
    }

    /// What made it into what ran, with its version.
    pub(super) fn compiler(&self) -> &'static str {
        match self {
            Self::Script(..) => alknet_sandbox::COMPILER,
            Self::Text(_) | Self::Component(..) => alknet_sandbox::COMPONENT_COMPILER,
        }
    }

    /// Whether the script engine runs it.
    pub(super) fn is_script(&self) -> bool {
        matches!(self, Self::Script(..))
    }
}

fn source_files<'f>(files: &'f [(Cow<'_, str>, &'f str)]) -> impl Iterator<Item = SourceFile<'f>> {
    files.iter().map(|(path, text)| SourceFile { path, text })
}
