//! The files of a tool: what they may be called, and which one an import means.

use crate::source::FILES_MAX;

/// Paths of a tool's files, the entry's first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    paths: &'a [&'a str],
}

impl<'a> Files<'a> {
    pub(super) fn new(paths: &'a [&'a str]) -> Self {
        Self { paths }
    }

    /// Why these cannot be the files of a tool: the path it is about, and what is wrong.
    pub(super) fn refusal(self) -> Option<(&'a str, String)> {
        let first = self.paths.first().copied().unwrap_or("");
        if self.paths.is_empty() || self.paths.len() > FILES_MAX {
            let count = self.paths.len();
            return Some((first, format!("a tool has 1 to {FILES_MAX} files, not {count}")));
        }
        for (at, &path) in self.paths.iter().enumerate() {
            if let Some(fault) = path_fault(path) {
                return Some((path, format!("a file cannot be called `{}`: {fault}", shortened(path))));
            }
            if self.paths.iter().take(at).any(|&other| other == path) {
                return Some((path, "there are two files with this path".into()));
            }
        }
        None
    }

    /// Path of the file that an import of `specifier` in `from` means, or why there is none.
    pub(super) fn resolve(self, from: &str, specifier: &str) -> Result<&'a str, String> {
        if !(specifier.starts_with("./") || specifier.starts_with("../")) {
            return Err(format!("{IMPORT}. `{}` is not relative. {}", shortened(specifier), self.listed()));
        }
        let Some(wanted) = joined(from, specifier) else {
            return Err(format!("`{}` leads out of the tool. {}", shortened(specifier), self.listed()));
        };
        let script = wanted.strip_suffix(".js").map(|stem| format!("{stem}.ts"));
        let candidates =
            [Some(wanted.clone()), script, Some(format!("{wanted}.ts")), Some(format!("{wanted}.js"))];
        let found =
            candidates.iter().flatten().find_map(|path| self.paths.iter().find(|known| *known == path));
        found
            .copied()
            .ok_or_else(|| format!("`{}` is no file of this tool. {}", shortened(specifier), self.listed()))
    }

    /// All paths, for an author who named another.
    fn listed(self) -> String {
        let shown: Vec<_> = self.paths.iter().take(LISTED_MAX).map(|path| format!("`{path}`")).collect();
        let more = self.paths.len().saturating_sub(LISTED_MAX);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let is = if self.paths.len() == 1 { "Its only file is" } else { "Its files are" };
        format!("{is} {}{rest}", shown.join(", "))
    }
}

/// Path that `specifier` leads to from the file `from`; `None` if out of the tool.
fn joined(from: &str, specifier: &str) -> Option<String> {
    let mut segments: Vec<_> = from.split('/').collect();
    segments.pop();
    for segment in specifier.split('/') {
        match segment {
            "." | "" => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}

fn path_fault(path: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        Some("a path has 1 to 100 characters")
    } else if !path.bytes().all(allowed) {
        Some("a path is made of A-Z a-z 0-9 . _ - and /")
    } else if path.starts_with('/') {
        Some("a path is relative: it does not start with /")
    } else if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        Some("a path has no empty segment and none that is . or ..")
    } else {
        None
    }
}

/// What an author wrote, short enough to be quoted.
fn shortened(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

const IMPORT: &str = "a tool cannot import anything but its own files, by relative paths such as `./a.ts`. Everything \
     else it may use is in `env`, the function's second parameter; types can come from `import type`";

/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 100;

/// Most files named in a message.
const LISTED_MAX: usize = 10;

const QUOTED_CHARS_MAX: usize = 60;
