//! Reads call records as they are mostly written: members in canonical order, texts without escapes.
//!
//! What it accepts is canonical. What it does not know is left to the generic reader, which decides.

use std::borrow::Cow;

use super::{CallHex, CallKind, CallRecord, Text, VERSION};
use crate::canonical::{INTEGER_MAX, first_escaped};
use crate::hexdigits;
use crate::merkle::Hash;

/// A record that is written as [`CallRecord::write`] writes one without escapes.
pub(crate) fn read(bytes: &[u8]) -> Option<CallRecord<'_>> {
    let mut rest = Rest(bytes);
    rest.past(b"{")?;
    let record = CallRecord {
        authority: rest.text(b"\"authority\":\"")?,
        call: rest.hex(b"\"call\":\"")?.map(CallHex)?,
        caller: rest.text(b"\"caller\":\"")?,
        code: rest.text(b"\"code\":\"")?,
        input: rest.hex(b"\"input\":\"")?.map(Hash),
        items: rest.integer(b"\"items\":")?,
        kind: rest.kind()?,
        layer: rest.text(b"\"layer\":\"")?,
        micros: rest.integer(b"\"micros\":")?,
        operation: rest.text(b"\"operation\":\"")??,
        output: rest.hex(b"\"output\":\"")?.map(Hash),
        parent: rest.hex(b"\"parent\":\"")?.map(CallHex),
        peer: rest.text(b"\"peer\":\"")?,
        provenance: rest.text(b"\"provenance\":\"")?,
        reason: rest.text(b"\"reason\":\"")?,
        root: rest.hex(b"\"root\":\"")?.map(CallHex)?,
        session: rest.text(b"\"session\":\"")?,
        source: rest.hex(b"\"source\":\"")?.map(Hash),
        time: rest.integer(b"\"time\":")??,
        v: VERSION,
    };
    rest.past(b"\"v\":1}")?;
    rest.0.is_empty().then_some(record)
}

const _: () = assert!(VERSION == 1, "the version is part of what is read");

/// What is not read yet. Each method answers `None` for what it does not know, and `Some(None)` for a member that
/// is not there.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn past(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn text(&mut self, name: &[u8]) -> Option<Option<Text<'a>>> {
        if self.past(name).is_none() {
            return Some(None);
        }
        let (end, byte) = first_escaped(self.0)?;
        if byte != b'"' {
            return None;
        }
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        self.past(b"\",")?;
        let text = std::str::from_utf8(text).ok()?;
        Some(Some(Text(Cow::Borrowed(text))))
    }

    fn hex<const N: usize>(&mut self, name: &[u8]) -> Option<Option<[u8; N]>> {
        if self.past(name).is_none() {
            return Some(None);
        }
        let (digits, rest) = self.0.split_at_checked(2 * N)?;
        self.0 = rest;
        self.past(b"\",")?;
        hexdigits::decode(digits).map(Some)
    }

    fn integer(&mut self, name: &[u8]) -> Option<Option<u64>> {
        if self.past(name).is_none() {
            return Some(None);
        }
        let end = self.0.iter().take(DIGITS_MAX + 1).position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(end)?;
        let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
        let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        self.0 = rest;
        self.past(b",")?;
        (canonical && value <= INTEGER_MAX).then_some(Some(value))
    }

    fn kind(&mut self) -> Option<CallKind> {
        self.past(b"\"kind\":\"")?;
        let kind = CallKind::ALL.into_iter().find(|kind| self.past(kind.as_str().as_bytes()).is_some())?;
        self.past(b"\",")?;
        Some(kind)
    }
}

/// Digits of the largest integer.
const DIGITS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::any_record;
    use super::*;
    use crate::record::{Record, RecordFault};

    fn written(record: &CallRecord<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        bytes
    }

    #[test]
    fn records_without_escapes_are_known() {
        let bytes = br#"{"authority":"alice","call":"00000000000000010000000000000002","caller":"b\u00e9","kind":"call.admitted","operation":"fs/read","root":"00000000000000010000000000000002","time":17,"v":1}"#;
        assert_eq!(read(bytes), None);
        let bytes = String::from_utf8(bytes.to_vec()).unwrap().replace("\\u00e9", "é");
        let record = read(bytes.as_bytes()).unwrap();
        assert_eq!((&*record.operation.0, record.time, record.kind), ("fs/read", 17, CallKind::Admitted));
        assert_eq!(written(&record), bytes.as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_generic_reader_reads(record in any_record()) {
            let bytes = written(&record);
            if let Some(read) = read(&bytes) {
                prop_assert_eq!(read, record);
            } else {
                prop_assert!(bytes.contains(&b'\\'));
            }
        }

        #[test]
        fn what_is_read_is_canonical(record in any_record(), at: prop::sample::Index, byte: u8, cut: bool) {
            let mut bytes = written(&record);
            let at = at.index(bytes.len());
            if cut {
                bytes.remove(at);
            } else {
                bytes[at] = byte;
            }
            if let Some(read) = read(&bytes) {
                prop_assert_eq!(written(&read), bytes.clone());
                let generic = serde_json::from_slice::<CallRecord<'_>>(&bytes);
                prop_assert_eq!(generic.unwrap(), read);
            }
            let shape = Record::parse(&bytes, &mut Vec::new());
            prop_assert!(shape.is_ok() || shape != Err(RecordFault::NotCanonical) || read(&bytes).is_none());
        }
    }
}
