//! How the story is told: a line and a time for each step, or a JSON object.

use std::path::Path;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::failure::{CommandError, CommandResult};
use crate::output::{Output, Style, human_micros};

/// A step: its name in JSON, and what it does in words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    name: &'static str,
    title: &'static str,
}

pub(super) const HOST: Step = Step { name: "host", title: "start a host on loopback" };
pub(super) const DISCOVER: Step = Step { name: "discover", title: "the agent looks around" };
pub(super) const OPEN: Step = Step { name: "open", title: "it opens a session" };
pub(super) const REGISTER: Step = Step { name: "register", title: "it registers a tool it wrote" };
pub(super) const INVOKE: Step = Step { name: "invoke", title: "it invokes the tool" };
pub(super) const MANY: Step = Step { name: "invoke_1000", title: "1,000 more times" };
pub(super) const RUN: Step = Step { name: "run", title: "it runs one script, 20 calls at once" };
pub(super) const BEYOND_ENV: Step = Step { name: "attack_beyond_env", title: "attack: beyond its grant" };
pub(super) const ADMIN: Step = Step { name: "attack_admin", title: "attack: an admin operation" };
pub(super) const INTERNAL: Step = Step { name: "attack_internal", title: "attack: a tool, from outside" };
pub(super) const FOREIGN: Step = Step { name: "attack_foreign_session", title: "attack: another's session" };
pub(super) const ENDLESS: Step = Step { name: "attack_endless_loop", title: "attack: an endless loop" };
pub(super) const PROVENANCE: Step = Step { name: "provenance", title: "an auditor asks about the tool" };
pub(super) const STOP: Step = Step { name: "stop", title: "stop the host" };
pub(super) const VERIFY: Step = Step { name: "verify", title: "verify the record, offline" };
pub(super) const TAMPER: Step = Step { name: "tamper", title: "change one byte, verify again" };

/// What a step did.
pub(super) struct Told<T> {
    /// What later steps need.
    pub(super) value: T,
    /// What people read.
    pub(super) says: Vec<String>,
    /// What programs read.
    pub(super) detail: Value,
}

/// What a step did, or what went otherwise than it says.
pub(super) type Did<T> = Result<Told<T>, CommandError>;

/// The story so far.
pub(super) struct Story {
    output: Output,
    begun: Instant,
    told: usize,
    failed: Vec<&'static str>,
    /// Why nobody can be told any more: nothing is begun then.
    unheard: Option<CommandError>,
}

impl Story {
    pub(super) fn begin(dir: &Path, output: Output) -> CommandResult<Self> {
        if !output.is_json() {
            output.text(&format!("An agent at work on {}, which is only read.\n", dir.display()))?;
        }
        Ok(Self { output, begun: Instant::now(), told: 0, failed: Vec::new(), unheard: None })
    }

    /// Does a step and tells it; `None` when it failed.
    pub(super) async fn step<T>(&mut self, step: Step, work: impl Future<Output = Did<T>>) -> Option<T> {
        if self.unheard.is_some() {
            return None;
        }
        let begun = Instant::now();
        let did = work.await;
        let micros = micros_since(begun);
        self.told += 1;
        let (value, says, detail) = match did {
            Ok(Told { value, says, detail }) => (Some(value), says, detail),
            Err(error) => {
                self.failed.push(step.name);
                (None, error.to_text().lines().map(str::to_owned).collect(), error.to_json())
            }
        };
        let ok = value.is_some();
        let told = if self.output.is_json() {
            self.output.json(&json!({ "step": step.name, "ok": ok, "micros": micros, "detail": detail }))
        } else {
            let style = self.output.style();
            let says = says.iter().map(|line| format!("\n     {}", style.dim(line))).collect::<String>();
            self.output.text(&format!("{}{says}", headline(self.told, step, ok, micros, style)))
        };
        self.unheard = told.err();
        value
    }

    /// Whether nobody can be told any more.
    pub(super) fn is_unheard(&self) -> bool {
        self.unheard.is_some()
    }

    /// Tells how it ended.
    pub(super) fn end(self) -> CommandResult {
        if let Some(unheard) = self.unheard {
            return Err(unheard);
        }
        let micros = micros_since(self.begun);
        let ok = self.failed.is_empty();
        if self.output.is_json() {
            let detail = json!({ "steps": self.told, "failed": self.failed });
            self.output.json(&json!({ "step": "summary", "ok": ok, "micros": micros, "detail": detail }))?;
        } else if ok {
            let text = format!("All {} steps did what they say, in {}.", self.told, human_micros(micros));
            self.output.text(&format!("\n{}", self.output.style().green(&text)))?;
        }
        if ok {
            return Ok(());
        }
        Err(CommandError::operation(format!("the demo failed at: {}", self.failed.join(", "))))
    }
}

fn headline(number: usize, step: Step, ok: bool, micros: u64, style: Style) -> String {
    let mark = if ok { style.green("ok") } else { style.red("FAILED") };
    let title = style.bold(&format!("{:<38}", step.title));
    format!("{number:>3}  {title} {:>8}  {mark}", human_micros(micros))
}

/// Microseconds since an instant.
pub(super) fn micros_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headlines_are_aligned() {
        let plain = Style::new(false);
        let first = headline(1, HOST, true, 1_500_000, plain);
        assert_eq!(first, "  1  start a host on loopback                  1.5 s  ok");
        let other = headline(12, ENDLESS, false, 42, plain);
        assert_eq!(other, " 12  attack: an endless loop                   42 µs  FAILED");
    }

    #[test]
    fn every_title_fits() {
        let steps = [
            HOST, DISCOVER, OPEN, REGISTER, INVOKE, MANY, RUN, BEYOND_ENV, ADMIN, INTERNAL, FOREIGN, ENDLESS,
        ];
        for step in steps.into_iter().chain([PROVENANCE, STOP, VERIFY, TAMPER]) {
            assert!(step.title.chars().count() <= 38, "{}", step.title);
        }
    }
}
