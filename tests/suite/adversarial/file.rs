//! One file of the corpus: see `tests/adversarial/README.md` for its header.

use std::path::Path;

use alknet_call::CallError;
use serde_json::Value;

/// A hostile tool, and what must come of it.
pub(super) struct Hostile {
    /// Its path below `tests/adversarial`.
    pub(super) name: String,
    pub(super) language: &'static str,
    pub(super) source: String,
    pub(super) input: Value,
    /// The operations it may call.
    pub(super) env: Vec<String>,
    /// Any of these is right.
    expects: Vec<Outcome>,
}

/// What may come of a tool.
#[derive(Debug)]
enum Outcome {
    /// It answers exactly this.
    Output(Value),
    /// Calling it ends with this code. Of LIMIT_EXCEEDED the text names the limit, of others it is part of the
    /// message; an empty one fits all.
    Error { code: String, text: String },
    /// It is no tool: a diagnostic holds this text.
    Rejected(String),
    /// It is no tool: registering it reached this limit.
    RejectedByLimit(String),
}

/// What came of it.
pub(super) enum Came {
    Registered(Result<Value, CallError>),
    Refused(CallError),
}

impl Hostile {
    /// Reads a file; an error says what is wrong with its header.
    pub(super) fn read(corpus: &Path, file: &Path) -> Result<Self, String> {
        let name = file.strip_prefix(corpus).map_err(|_| "it lies elsewhere")?.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let (language, comment) = match file.extension().and_then(|ending| ending.to_str()) {
            Some("ts") => ("typescript", "// "),
            Some("js") => ("javascript", "// "),
            Some("wat") => ("wat", ";; "),
            _ => return Err("the ending of its name is none of ts, js and wat".into()),
        };
        let (header, _) = text.split_once("\n\n").ok_or("no empty line ends its header")?;
        let mut hostile = Self {
            name,
            language,
            source: text.clone(),
            input: Value::Null,
            env: Vec::new(),
            expects: Vec::new(),
        };
        let mut tries = 0;
        for line in header.lines() {
            let line = line.strip_prefix(comment).ok_or_else(|| format!("not in its header: {line:?}"))?;
            let (key, value) = line.split_once(": ").ok_or_else(|| format!("no key in {line:?}"))?;
            match key {
                "tries" => tries += 1,
                "expect" => hostile.expects.push(Outcome::parse(value)?),
                "input" => hostile.input = json(value)?,
                "env" => hostile.env = value.split(", ").map(str::to_owned).collect(),
                "repeat" => hostile.repeat(header.len(), value)?,
                _ => return Err(format!("unknown key {key:?}")),
            }
        }
        match (tries, hostile.expects.is_empty()) {
            (1, false) => Ok(hostile),
            _ => Err("its header needs one `tries` and at least one `expect`".into()),
        }
    }

    /// `MARK COUNT TEXT`: puts so many times the text in the place of the mark.
    fn repeat(&mut self, header_bytes: usize, value: &str) -> Result<(), String> {
        let mut parts = value.splitn(3, ' ');
        let (Some(mark), Some(count), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("repeat needs a mark, a number and a text: {value:?}"));
        };
        let count: usize = count.parse().map_err(|_| format!("no number: {count:?}"))?;
        // Marks in the header stay; it does not change in length.
        let (header, body) = self.source.split_at(header_bytes);
        if body.matches(mark).count() != 1 {
            return Err(format!("{mark} is not once in the source"));
        }
        self.source = format!("{header}{}", body.replace(mark, &text.repeat(count)));
        Ok(())
    }

    /// What is wrong with what came of it; `None` if nothing is.
    pub(super) fn wrong(&self, came: &Came) -> Option<String> {
        if self.expects.iter().any(|expected| expected.is(came)) {
            return None;
        }
        let came = match came {
            Came::Registered(Ok(output)) => format!("output {output}"),
            Came::Registered(Err(error)) => describe(error),
            Came::Refused(error) => format!("rejected: {}", describe(error)),
        };
        let came: String = came.chars().take(600).collect();
        Some(format!("{}: {came}\n  instead of {:?}", self.name, self.expects))
    }
}

impl Outcome {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(' ').ok_or_else(|| format!("no outcome: {text:?}"))?;
        match kind {
            "output" => Ok(Self::Output(json(rest)?)),
            "error" => {
                let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let is_code = |c: char| c.is_ascii_uppercase() || c == '_';
                if code.is_empty() || !code.chars().all(is_code) {
                    return Err(format!("no code: {code:?}"));
                }
                Ok(Self::Error { code: code.into(), text: text.into() })
            }
            "rejected" => Ok(match rest.strip_prefix("LIMIT_EXCEEDED") {
                Some(limit) => Self::RejectedByLimit(limit.trim().into()),
                None => Self::Rejected(rest.into()),
            }),
            _ => Err(format!("unknown outcome {kind:?}")),
        }
    }

    fn is(&self, came: &Came) -> bool {
        match (self, came) {
            (Self::Output(expected), Came::Registered(Ok(output))) => expected == output,
            (Self::Error { code, text }, Came::Registered(Err(error))) => {
                error.code().as_str() == code
                    && if code == LIMIT { is_limit(error, text) } else { error.message().contains(text) }
            }
            (Self::Rejected(text), Came::Refused(error)) => {
                let details = error.details().and_then(|details| details["diagnostics"].as_array());
                let mut diagnostics = details.into_iter().flatten();
                error.code().as_str() == "SOURCE_REJECTED"
                    && diagnostics.any(|found| found["message"].as_str().unwrap().contains(text))
            }
            (Self::RejectedByLimit(limit), Came::Refused(error)) => {
                error.code().as_str() == LIMIT && is_limit(error, limit)
            }
            _ => false,
        }
    }
}

fn is_limit(error: &CallError, limit: &str) -> bool {
    limit.is_empty() || error.details().is_some_and(|details| details["limit"] == limit)
}

fn describe(error: &CallError) -> String {
    let details = error.details().map(Value::to_string).unwrap_or_default();
    format!("error {} {:?} {details}", error.code(), error.message())
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {text:?}: {error}"))
}

const LIMIT: &str = "LIMIT_EXCEEDED";
