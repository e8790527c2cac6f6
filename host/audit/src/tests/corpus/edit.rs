//! The edits of a case, as `tests/audit-corpus/README.md` describes them.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::layout;
use crate::tail_file::HEADER_BYTES;

/// One change of a subject. `file` is a path below a log's folder; evidence is a single file.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Edit {
    /// Puts one text for another, where it stands first.
    Replace { file: String, from: String, to: String },
    /// Changes one bit of a byte; a negative place counts from the end.
    Flip { file: String, at: i64 },
    /// Keeps so many bytes; a negative number takes bytes off the end.
    Truncate { file: String, to: i64 },
    /// Adds bytes at the end.
    Append { file: String, hex: String },
    /// Writes a file.
    Write { file: String, text: String },
    /// Removes a file.
    Remove { file: String },
    /// Copies a file of the subject.
    Copy { file: String, to: String },
    /// Puts a file of the corpus in place of one of the subject.
    Take { file: String, from: String },
    /// Writes other bytes as a record of a bundle.
    Record { file: String, at: usize, text: Option<String>, hex: Option<String> },
    /// Takes a record out of a bundle.
    Drop { file: String, at: usize },
    /// Puts a record of a bundle there twice.
    Double { file: String, at: usize },
    /// Changes the places of two records of a bundle.
    Swap { file: String, a: usize, b: usize },
    /// Sets a member of evidence, by its JSON pointer.
    Set { pointer: String, value: Value },
    /// Sets a member of evidence to the text of a file of the corpus.
    Quote { pointer: String, from: String },
    /// Takes an item out of a list, or a member out of an object, of evidence.
    Cut { pointer: String, name: Value },
    /// Copies a value of evidence over another.
    Clone { pointer: String, to: String },
    /// Adds a copy of a value to a list of evidence.
    Push { pointer: String, to: String },
}

impl Edit {
    /// Makes the change below `subject`.
    pub(super) fn apply(&self, subject: &Path, corpus: &Path) -> io::Result<()> {
        let place = |file: &str| if file.is_empty() { subject.to_owned() } else { subject.join(file) };
        match self {
            Self::Replace { file, from, to } => change(&place(file), |bytes| {
                let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
                bytes.splice(at.unwrap()..at.unwrap() + from.len(), to.bytes());
            }),
            Self::Flip { file, at } => change(&place(file), |bytes| {
                let at = from_either_end(*at, bytes.len());
                bytes[at] ^= 1;
            }),
            Self::Truncate { file, to } => {
                change(&place(file), |bytes| bytes.truncate(from_either_end(*to, bytes.len())))
            }
            Self::Append { file, hex } => {
                change(&place(file), |bytes| bytes.extend(hex::decode(hex).unwrap()))
            }
            Self::Write { file, text } => {
                fs::create_dir_all(place(file).parent().unwrap())?;
                fs::write(place(file), text)
            }
            Self::Remove { file } => fs::remove_file(place(file)),
            Self::Copy { file, to } => {
                fs::create_dir_all(place(to).parent().unwrap())?;
                fs::copy(place(file), place(to)).map(drop)
            }
            Self::Take { file, from } => fs::copy(corpus.join(from), place(file)).map(drop),
            Self::Record { file, at, text, hex } => reframe(&place(file), |records| {
                let bytes = hex.as_ref().map(|hex| hex::decode(hex).unwrap());
                records[*at] = bytes.or(text.as_ref().map(|text| text.clone().into_bytes())).unwrap();
            }),
            Self::Drop { file, at } => reframe(&place(file), |records| drop(records.remove(*at))),
            Self::Double { file, at } => {
                reframe(&place(file), |records| records.insert(*at, records[*at].clone()))
            }
            Self::Swap { file, a, b } => reframe(&place(file), |records| records.swap(*a, *b)),
            Self::Set { pointer, value } => {
                json(subject, |all| *all.pointer_mut(pointer).unwrap() = value.clone())
            }
            Self::Quote { pointer, from } => {
                let text = fs::read_to_string(corpus.join(from))?;
                json(subject, |all| *all.pointer_mut(pointer).unwrap() = text.into())
            }
            Self::Cut { pointer, name } => json(subject, |all| match all.pointer_mut(pointer).unwrap() {
                Value::Array(items) => drop(items.remove(usize::try_from(name.as_u64().unwrap()).unwrap())),
                Value::Object(members) => drop(members.remove(name.as_str().unwrap()).unwrap()),
                other => panic!("{other} has no parts"),
            }),
            Self::Clone { pointer, to } => json(subject, |all| {
                let value = all.pointer(pointer).unwrap().clone();
                *all.pointer_mut(to).unwrap() = value;
            }),
            Self::Push { pointer, to } => json(subject, |all| {
                let value = all.pointer(pointer).unwrap().clone();
                all.pointer_mut(to).unwrap().as_array_mut().unwrap().push(value);
            }),
        }
    }
}

fn from_either_end(at: i64, length: usize) -> usize {
    let length = i64::try_from(length).unwrap();
    usize::try_from(if at < 0 { length + at } else { at }).unwrap()
}

fn change(file: &Path, with: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
    let mut bytes = fs::read(file)?;
    with(&mut bytes);
    fs::write(file, bytes)
}

fn json(file: &Path, with: impl FnOnce(&mut Value)) -> io::Result<()> {
    let mut all = serde_json::from_slice(&fs::read(file)?)?;
    with(&mut all);
    fs::write(file, all.to_string())
}

fn reframe(file: &Path, with: impl FnOnce(&mut Vec<Vec<u8>>)) -> io::Result<()> {
    let mut framed = fs::read(file)?;
    // Bundles have no header, tails have one: it begins with a length that no record has.
    let header = if framed.starts_with(&[0, 0]) { HEADER_BYTES } else { 0 };
    let bundle = layout::Bundle::parse(framed.split_off(header), 256);
    let mut records = bundle.records().map(<[u8]>::to_vec).collect();
    with(&mut records);
    for record in records {
        framed.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        framed.extend(record);
    }
    fs::write(file, framed)
}
