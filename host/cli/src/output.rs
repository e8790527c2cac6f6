//! The only place that prints.
//!
//! Standard output carries results, standard error everything else. Text that came from a host is made harmless
//! for terminals here, whatever it passed through before.

mod diagnostic;
mod style;
mod table;
mod time;

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::failure::{CommandError, CommandErrorKind, CommandResult};

pub(crate) use diagnostic::{Diagnostic, render_diagnostics};
pub(crate) use style::Style;
pub(crate) use table::{Align, Table};
pub(crate) use time::{human_micros, timestamp};

/// Where and how results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    terminal: bool,
    colour: bool,
}

impl Output {
    /// Output to the process's streams, as JSON lines if asked for. Colours need a terminal and no `NO_COLOR`.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { json, terminal, colour: terminal && !json && colours_are_wanted() }
    }

    /// Whether results are printed as JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// The colours of the human form.
    pub(crate) fn style(self) -> Style {
        Style::new(self.colour)
    }

    /// Prints text and a line end.
    pub(crate) fn text(self, text: &str) -> CommandResult {
        write_line(&self.style().printable(text))
    }

    /// Prints a page as it is.
    pub(crate) fn raw(self, page: &str) -> CommandResult {
        write_line(page.trim_end())
    }

    /// Prints one value on one line.
    pub(crate) fn json(self, value: &Value) -> CommandResult {
        write_line(&value.to_string())
    }

    /// Prints the output of an operation: on several lines for a person at a terminal, on one for a program.
    pub(crate) fn value(self, value: &Value) -> CommandResult {
        if self.json || !self.terminal {
            return self.json(value);
        }
        let pretty = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
        self.text(&pretty)
    }

    /// Says something that is not a result. Nobody may be listening, so failure means nothing.
    pub(crate) fn note(self, text: &str) {
        eprint_line(&self.style().printable(text));
    }

    /// Says why a command failed.
    pub(crate) fn error(self, error: &CommandError) {
        if error.kind() == CommandErrorKind::BrokenPipe {
            return;
        }
        if self.json {
            eprint_line(&error.to_json().to_string());
        } else {
            eprint_line(&self.style().printable(&error.to_text()));
        }
    }
}

/// Prints what the argument parser says, in colours where it goes to a terminal that wants them.
pub(crate) fn parser_answer(coloured: &str, plain: &str, to_stderr: bool) -> CommandResult {
    let terminal = if to_stderr { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let text = if terminal && colours_are_wanted() { coloured } else { plain };
    if to_stderr {
        eprint_line(text.trim_end());
        return Ok(());
    }
    write_line(text.trim_end())
}

pub(crate) fn colours_are_wanted() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !(unwanted || dumb)
}

fn write_line(text: &str) -> CommandResult {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    written.and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => {
            CommandError::new(CommandErrorKind::BrokenPipe, "nobody reads the output")
        }
        _ => CommandError::internal(format!("cannot write to standard output: {error}")),
    })
}

fn eprint_line(text: &str) {
    let mut stderr = io::stderr().lock();
    // There is no third stream to complain on.
    let written = stderr.write_all(text.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
    written.unwrap_or_default();
}
