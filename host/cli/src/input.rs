//! What a user hands to a command: JSON as an argument, in a file or on standard input, and source files.
//!
//! Nothing of an input is repeated in an error: inputs may hold secrets.

use std::fs::File;
use std::io::{self, BufRead as _, Read};
use std::path::Path;

use alknet_core::Secret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::args::ClientArgs;
use crate::failure::{CommandError, CommandResult, chain};
use crate::project::read_secret;

/// Reads a token from a file that only its owner can read, or from standard input.
pub(crate) fn read_token(from: &Path) -> CommandResult<Secret> {
    let text = if from == Path::new("-") {
        Zeroizing::new(read_bounded("standard input", io::stdin().lock())?)
    } else {
        read_secret(from).map_err(|error| CommandError::configuration(chain(&error)))?
    };
    match text.trim() {
        "" => Err(CommandError::configuration("the token is empty")),
        token => Ok(Secret::new(token.to_owned())),
    }
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputSource<'a> {
    /// Nothing was given: an empty object.
    Empty,
    /// JSON on the command line.
    Argument(&'a str),
    /// `@FILE`.
    File(&'a Path),
    /// `-`.
    Stdin,
}

impl<'a> InputSource<'a> {
    /// Tells the forms of the argument apart.
    pub(crate) fn of(argument: Option<&'a str>) -> Self {
        match argument {
            None => Self::Empty,
            Some("-") => Self::Stdin,
            Some(text) => match text.strip_prefix('@') {
                Some(file) => Self::File(Path::new(file)),
                None => Self::Argument(text),
            },
        }
    }

    /// Refuses to read standard input twice.
    pub(crate) fn beside(self, client: &ClientArgs) -> CommandResult<Self> {
        let token_from_stdin = client.token_file.as_deref() == Some(Path::new("-"));
        if self == Self::Stdin && token_from_stdin {
            return Err(CommandError::usage("standard input is both the input and the token")
                .hint("put one of them into a file"));
        }
        Ok(self)
    }

    /// Reads the input.
    pub(crate) fn read(self) -> CommandResult<Value> {
        match self {
            Self::Empty => Ok(json!({})),
            Self::Argument(text) => parse_json("the input", text),
            Self::File(path) => read_json(path),
            Self::Stdin => {
                let text = read_bounded("standard input", io::stdin().lock())?;
                parse_json("standard input", &text)
            }
        }
    }
}

/// The lines of standard input, read on a thread of its own: a terminal may never end them.
pub(crate) struct StdinLines(tokio::sync::mpsc::Receiver<CommandResult<String>>);

impl StdinLines {
    /// Begins to read.
    pub(crate) fn start() -> Self {
        let (lines, receiver) = tokio::sync::mpsc::channel(LINES_AHEAD);
        // The thread ends with its input, or with the first line that nobody takes; a process does not wait for it.
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let line = read_line(&mut stdin);
                let is_last = !matches!(line, Ok(Some(_)));
                if line.transpose().is_none_or(|line| lines.blocking_send(line).is_err()) || is_last {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next line.
    pub(crate) async fn next(&mut self) -> Option<CommandResult<String>> {
        self.0.recv().await
    }
}

/// One line; `None` at the end.
fn read_line(from: &mut impl io::BufRead) -> CommandResult<Option<String>> {
    let mut line = Vec::new();
    let read = from.take(INPUT_BYTES_MAX).read_until(b'\n', &mut line);
    let read = read.map_err(|error| CommandError::usage(format!("cannot read standard input: {error}")))?;
    if u64::try_from(read).unwrap_or(u64::MAX) >= INPUT_BYTES_MAX {
        let mebibytes = INPUT_BYTES_MAX >> 20;
        return Err(CommandError::usage(format!("a line of standard input is larger than {mebibytes} MiB")));
    }
    let text = String::from_utf8(line);
    let text = text.map_err(|_| CommandError::usage("standard input is not UTF-8 text"))?;
    Ok((read > 0).then_some(text))
}

/// Parses JSON; `what` names it in the error, which has the line and the column.
pub(crate) fn parse_json(what: &str, text: &str) -> CommandResult<Value> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let reason = message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
        let failure = CommandError::usage(format!("{what}:{line}:{column}: not valid JSON: {reason}"));
        if text.trim_start().starts_with(['{', '[', '"']) {
            failure
        } else {
            failure
                .hint("an input is JSON like '{\"path\":\".\"}', @FILE for a file, or - for standard input")
        }
    })
}

/// Reads a file with JSON.
pub(crate) fn read_json(path: &Path) -> CommandResult<Value> {
    parse_json(&path.display().to_string(), &read_text(path)?)
}

/// Reads a text file that was named on the command line.
pub(crate) fn read_text(path: &Path) -> CommandResult<String> {
    read_bounded(&path.display().to_string(), opened(path)?)
}

/// Reads a file that need not be text.
pub(crate) fn read_bytes(path: &Path) -> CommandResult<Vec<u8>> {
    bounded_bytes(&path.display().to_string(), opened(path)?)
}

fn opened(path: &Path) -> CommandResult<File> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(CommandError::usage(format!("{} is a folder, not a file", path.display())));
    }
    Ok(file)
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    match error.kind() {
        io::ErrorKind::NotFound => CommandError::usage(format!("there is no file {}", path.display())),
        _ => CommandError::usage(format!("cannot read {}: {error}", path.display())),
    }
}

fn read_bounded(what: &str, from: impl Read) -> CommandResult<String> {
    let text = String::from_utf8(bounded_bytes(what, from)?);
    text.map_err(|_| CommandError::usage(format!("{what} is not UTF-8 text")))
}

fn bounded_bytes(what: &str, from: impl Read) -> CommandResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| CommandError::usage(format!("cannot read {what}: {error}")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > INPUT_BYTES_MAX {
        let mebibytes = INPUT_BYTES_MAX >> 20;
        return Err(CommandError::usage(format!("{what} is larger than {mebibytes} MiB")));
    }
    Ok(bytes)
}

/// Lines that are read before they are fed.
const LINES_AHEAD: usize = 64;
/// Nothing larger fits into a frame of the call protocol.
const INPUT_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_an_input_are_told_apart() {
        assert_eq!(InputSource::of(None), InputSource::Empty);
        assert_eq!(InputSource::of(Some("-")), InputSource::Stdin);
        assert_eq!(InputSource::of(Some("@a b.json")), InputSource::File(Path::new("a b.json")));
        assert_eq!(InputSource::of(Some("{}")), InputSource::Argument("{}"));
        assert_eq!(InputSource::Empty.read().unwrap(), json!({}));
        assert_eq!(InputSource::Argument(" [1] ").read().unwrap(), json!([1]));
    }

    fn error_of(text: &str) -> String {
        let error = parse_json("the input", text).unwrap_err();
        assert_eq!(error.kind().code(), 2);
        error.to_text()
    }

    #[test]
    fn errors_have_line_and_column_and_repeat_nothing() {
        assert_eq!(error_of("{\"token\": s3cret}"), "error: the input:1:11: not valid JSON: expected value");
        assert_eq!(error_of("{\n\"a\": 1,\n}"), "error: the input:3:1: not valid JSON: trailing comma");
        assert!(error_of("{\"a\":").starts_with("error: the input:1:5: not valid JSON: EOF while parsing"));
        assert!(error_of("s3cret").contains("hint: an input is JSON like"), "{}", error_of("s3cret"));
        assert!(!error_of("s3cret").contains("s3cret"));
        assert!(error_of("").contains(":1:0: not valid JSON"));
    }

    #[test]
    fn files_are_read_or_the_error_names_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("in.json");
        std::fs::write(&file, "{\"a\": [1, 2]}").unwrap();
        assert_eq!(read_json(&file).unwrap(), json!({"a": [1, 2]}));

        std::fs::write(&file, [b'"', 0xff, b'"']).unwrap();
        assert!(read_json(&file).unwrap_err().to_text().ends_with("in.json is not UTF-8 text"));
        let missing = read_json(&dir.path().join("none.json")).unwrap_err();
        assert!(missing.to_text().starts_with("error: there is no file "), "{missing}");
        assert!(read_text(dir.path()).unwrap_err().to_text().ends_with("is a folder, not a file"));
    }
}
