//! What a tool is written in, and its text.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// Language a tool's source is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// TypeScript; types are erased, never checked.
    TypeScript,
    /// JavaScript (an ES module).
    JavaScript,
}

/// What a tool's default export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A function: a call has one output.
    Function,
    /// A generator function: a call has items.
    Generator,
}

/// One file of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// Relative path such as `lib/words.ts`, which imports and messages name; never opened.
    pub path: &'a str,
    /// The module's text, as its author wrote it.
    pub text: &'a str,
}

/// One tool's source: ES modules, of which the first has the function `(input, env) => output` as default export.
///
/// Files import one another by relative paths, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Language of every file.
    pub language: Language,
    /// The entry, then the files it may import.
    pub files: &'a [SourceFile<'a>],
}

impl<'a> Source<'a> {
    /// Bytes of text in all files.
    pub fn bytes(&self) -> usize {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.text.len()))
    }

    /// Everything that makes this source what it is, in one piece: what is to be kept of it.
    ///
    /// Of a single file that is its text alone. Of several it is a text again, made of lines that end in a line feed:
    /// [`BUNDLE_MARK`], the entry's path, then for each file in ascending order of the bytes of its path: the path,
    /// the length of its text in bytes as a decimal number, and the text itself. No module can start with the mark,
    /// so no single file is taken for a bundle.
    pub fn bundle(&self) -> Cow<'a, [u8]> {
        let [entry, _, ..] = self.files else {
            return Cow::Borrowed(self.files.first().map_or(&[], |file| file.text.as_bytes()));
        };
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|file| file.path);
        let mut bundle = format!("{BUNDLE_MARK}\n{}\n", entry.path);
        for file in files {
            bundle.push_str(&format!("{}\n{}\n", file.path, file.text.len()));
            bundle.push_str(file.text);
            bundle.push('\n');
        }
        Cow::Owned(bundle.into_bytes())
    }

    /// SHA-256 of the [`bundle`](Self::bundle), in lower-case hexadecimal.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.bundle()))
    }
}

/// First line of a [bundle](Source::bundle) of several files.
pub const BUNDLE_MARK: &str = "%alknet-tool-files 1";

/// Most files of a tool.
pub const FILES_MAX: usize = 64;

/// What lowers sources, with its version: recorded beside what was made from them.
pub const COMPILER: &str = "oxc 0.146.0";

/// What compiles components, with its version: recorded as well.
pub const COMPONENT_COMPILER: &str = "wasmtime 48.0.8";
