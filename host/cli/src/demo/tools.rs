//! The tools the scripted agent writes.

use serde_json::{Map, Value};

use crate::failure::{CommandError, CommandResult};

/// A tool: its source, and what the host needs to know of it.
pub(super) struct ToolSource {
    pub(super) name: &'static str,
    pub(super) language: &'static str,
    pub(super) source: &'static str,
    about: &'static str,
}

pub(super) const TREE_REPORT: ToolSource = ToolSource {
    name: "tree_report",
    language: "typescript",
    source: include_str!("../../../../examples/agent-tools/tree_report.ts"),
    about: include_str!("../../../../examples/agent-tools/tree_report.schema.json"),
};

pub(super) const FILE_KINDS: ToolSource = ToolSource {
    name: "file_kinds",
    language: "typescript",
    source: include_str!("../../../../examples/agent-tools/file_kinds.ts"),
    about: include_str!("../../../../examples/agent-tools/file_kinds.schema.json"),
};

pub(super) const RUNAWAY: ToolSource = ToolSource {
    name: "runaway",
    language: "javascript",
    source: include_str!("../../../../examples/agent-tools/runaway.js"),
    about: include_str!("../../../../examples/agent-tools/runaway.schema.json"),
};

impl ToolSource {
    /// The input of `session/register`.
    pub(super) fn registration(&self, session: &str) -> CommandResult<Map<String, Value>> {
        let mut request: Map<String, Value> = serde_json::from_str(self.about)
            .map_err(|error| CommandError::internal(format!("{}.schema.json: {error}", self.name)))?;
        let members =
            [("session", session), ("name", self.name), ("language", self.language), ("source", self.source)];
        request.extend(members.map(|(key, value)| (key.to_owned(), Value::from(value))));
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_can_be_registered() {
        for tool in [TREE_REPORT, FILE_KINDS, RUNAWAY] {
            let request = tool.registration("s").unwrap();
            for member in
                ["session", "name", "language", "source", "description", "input_schema", "output_schema"]
            {
                assert!(request.contains_key(member), "{}: {member}", tool.name);
            }
        }
    }
}
