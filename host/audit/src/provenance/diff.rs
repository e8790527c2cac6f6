//! What one registration says otherwise than another.

use std::time::Duration;

use serde_json::Value;
use similar::TextDiff;

/// The longest source that is compared, in bytes.
const COMPARED_BYTES_MAX: usize = 256 << 10;
/// Time after which a shorter diff is no longer looked for.
const SEARCH_MAX: Duration = Duration::from_millis(200);
/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// How a source became another, as a unified diff; `None` when one of them is too long.
pub(super) fn unified(old: &str, new: &str) -> Option<String> {
    if old.len().max(new.len()) > COMPARED_BYTES_MAX {
        return None;
    }
    let mut config = TextDiff::configure();
    let compared = config.timeout(SEARCH_MAX).diff_lines(old, new);
    Some(compared.unified_diff().context_radius(CONTEXT_LINES).to_string())
}

/// The members of two registrations that are not the same, but for those that always differ.
pub(super) fn changed_members(old: &Value, new: &Value) -> Vec<String> {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return Vec::new();
    };
    let own = ["call", "examples", "replaces", "source", "time", "version"];
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let changed =
        names.into_iter().filter(|name| !own.contains(&name.as_str()) && old.get(*name) != new.get(*name));
    changed.cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diff_shows_the_lines_that_changed() {
        let old = "one\ntwo\nthree\n";
        assert_eq!(unified(old, "one\n2\nthree\n").unwrap(), "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n");
        assert_eq!(unified(old, old).unwrap(), "");
        assert_eq!(unified(old, &"x".repeat(COMPARED_BYTES_MAX + 1)), None);
    }

    #[test]
    fn members_that_always_differ_are_left_out() {
        let old = json!({ "version": 1, "time": 1, "env": ["a/b"], "guest": "x", "language": "typescript" });
        let new = json!({ "version": 2, "time": 2, "env": [], "language": "typescript" });
        assert_eq!(changed_members(&old, &new), ["env", "guest"]);
    }
}
