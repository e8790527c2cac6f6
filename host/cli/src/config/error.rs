//! What is wrong with a configuration, and where: file, line, column and key, never a value.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A configuration that cannot be used. The message says what is expected and repeats no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    /// The configuration file.
    pub(crate) file: PathBuf,
    /// Line and column, both from 1.
    pub(crate) position: (usize, usize),
    /// The key at that place, such as `peer[1].id`.
    pub(crate) key: String,
    /// What is expected there.
    pub(crate) message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, position: (line, column), key, message } = self;
        write!(f, "{}:{line}:{column}: ", file.display())?;
        if !key.is_empty() {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(message)
    }
}

impl std::error::Error for ConfigError {}

/// Something wrong at a place of the text.
#[derive(Debug)]
pub(super) struct Problem {
    at: Range<usize>,
    message: String,
    /// Whether the place lies at a key: not so where the text cannot be read at all.
    keyed: bool,
}

impl Problem {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), keyed: true }
    }

    /// A problem of the TOML syntax, whose messages are fixed texts of the parser.
    pub(super) fn syntax(error: &toml::de::Error) -> Self {
        let keyed = error.message().starts_with("duplicate key");
        let message = format!("not TOML: {}", error.message());
        Self { keyed, ..Self::new(error.span().unwrap_or_default(), message) }
    }

    /// A key or a type that does not fit. The part of the message that shows the value is dropped.
    pub(super) fn shape(error: &toml::de::Error) -> Self {
        let message = error.message();
        let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
        let text = match expected {
            Some(keys) if message.starts_with("unknown field") => {
                format!("unknown key; the keys here are {}", tidy(keys))
            }
            Some(expected) => format!("expected {}", describe(expected)),
            None => match message.strip_prefix("missing field ") {
                Some(field) => format!("the key {field} is missing"),
                None if message.starts_with("unknown field") => {
                    "unknown key; there are no keys here".to_owned()
                }
                None => "not valid here".to_owned(),
            },
        };
        Self::new(error.span().unwrap_or_default(), text)
    }

    /// The error to show, with the position and the key looked up in the text.
    pub(super) fn locate(self, file: &Path, text: &str) -> ConfigError {
        let key = if self.keyed { key_at(&parse(text), self.at.start) } else { String::new() };
        ConfigError {
            file: file.to_owned(),
            position: position(text, self.at.start),
            key,
            message: self.message,
        }
    }
}

/// One step of a path through the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// A key of a table.
    Key(&'a str),
    /// An entry of an array.
    Index(usize),
    /// The entry of an array that is this text.
    Text(&'a str),
}

/// The place of a value, or of the nearest table around it that is in the text.
pub(super) fn place(text: &str, path: &[Step<'_>]) -> Range<usize> {
    let document = DeValue::Table(parse(text));
    let (mut at, mut value) = (0..0, &document);
    for step in path {
        let next = match *step {
            Step::Key(key) => value.as_table().and_then(|table| table.get(key)),
            Step::Index(index) => value.as_array().and_then(|array| array.get(index)),
            Step::Text(text) => {
                let is_text = |entry: &&Spanned<DeValue<'_>>| entry.get_ref().as_str() == Some(text);
                value.as_array().and_then(|array| array.iter().find(is_text))
            }
        };
        let Some(next) = next else { break };
        (at, value) = (next.span(), next.get_ref());
    }
    at
}

/// The document, without the parts that are not TOML.
fn parse(text: &str) -> DeTable<'_> {
    DeTable::parse_recoverable(text).0.into_inner()
}

/// The path of the narrowest key or value around this place.
fn key_at(document: &DeTable<'_>, offset: usize) -> String {
    let mut narrowest = (usize::MAX, String::new());
    visit_table(document, "", offset, &mut narrowest);
    narrowest.1
}

type Narrowest = (usize, String);

fn visit_table(table: &DeTable<'_>, path: &str, offset: usize, found: &mut Narrowest) {
    for (key, value) in table.iter() {
        let dot = if path.is_empty() { "" } else { "." };
        let name = format!("{path}{dot}{}", key.get_ref());
        consider(&key.span(), &name, offset, found);
        visit_value(value, &name, offset, found);
    }
}

fn visit_value(value: &Spanned<DeValue<'_>>, path: &str, offset: usize, found: &mut Narrowest) {
    consider(&value.span(), path, offset, found);
    match value.get_ref() {
        DeValue::Table(table) => visit_table(table, path, offset, found),
        DeValue::Array(array) => {
            for (index, entry) in array.iter().enumerate() {
                visit_value(entry, &format!("{path}[{index}]"), offset, found);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

fn consider(span: &Range<usize>, path: &str, offset: usize, found: &mut Narrowest) {
    if span.contains(&offset) && span.len() <= found.0 {
        *found = (span.len(), path.to_owned());
    }
}

/// Line and column of a byte, both from 1; columns count characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

/// `one of `a`, `b`` and `` `a` or `b` `` as one list.
fn tidy(keys: &str) -> String {
    keys.strip_prefix("one of ").unwrap_or(keys).replace("` or `", "`, `")
}

/// The type names of serde in words.
fn describe(expected: &str) -> String {
    let words = match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a string" | "a borrowed string" => "text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        "a TOML datetime" => "a date and time in UTC like 2030-01-31T00:00:00Z",
        other if other.starts_with("struct ") => "a table",
        other => return tidy(other),
    };
    words.to_owned()
}
