//! The records of calls: the hot path, written and read without a tree in between.

mod reader;

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::canonical::{INTEGER_MAX, write_integer, write_string};
use crate::hexdigits;
use crate::merkle::Hash;

/// The version of the record format.
pub(crate) const VERSION: u8 = 1;
/// The code of a call that succeeded.
pub(crate) const CODE_OK: &str = "OK";

/// One decision on a call, or its outcome.
///
/// Members are in canonical order. Which optional members a kind has: [`CallRecord::has_the_shape_of_its_kind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallRecord<'a> {
    /// What the call was decided on: the caller's identity, or the composer's authority. Absent: anonymous.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<Text<'a>>,
    /// The call.
    pub(crate) call: CallHex,
    /// The identity behind the root call. Absent: anonymous.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<Text<'a>>,
    /// `OK`, or the code the caller got.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Text<'a>>,
    /// Keyed digest of the input: HMAC-SHA-256 over its canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Hash>,
    /// How many items a subscription answered with; it has no one output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<u64>,
    /// Which kind of record this is.
    pub(crate) kind: CallKind,
    /// The layer that answered the lookup.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<Text<'a>>,
    /// Microseconds from the decision to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) micros: Option<u64>,
    /// The operation's name as asked for.
    #[serde(borrow)]
    pub(crate) operation: Text<'a>,
    /// Keyed digest of the output: HMAC-SHA-256 over its canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Hash>,
    /// The call that composed this one. Absent: this is a root call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<CallHex>,
    /// The peer that serves the operation.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<Text<'a>>,
    /// Where the operation came from.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) provenance: Option<Text<'a>>,
    /// The class of the reason for a refusal.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Text<'a>>,
    /// The call at the root of the tree.
    pub(crate) root: CallHex,
    /// The session the tree runs in.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Text<'a>>,
    /// SHA-256 of the source of a session operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Hash>,
    /// Microseconds since the Unix epoch; never less than in the record before.
    pub(crate) time: u64,
    /// The version of the record format.
    pub(crate) v: u8,
}

/// The kinds of call records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) enum CallKind {
    /// A call may run.
    #[serde(rename = "call.admitted")]
    Admitted,
    /// A call may not run.
    #[serde(rename = "call.refused")]
    Refused,
    /// An admitted call ended.
    #[serde(rename = "call.finished")]
    Finished,
}

/// A call id: 16 bytes, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(transparent, inline)]
pub(crate) struct CallHex(
    #[schemars(with = "String", regex(pattern = "^[0-9a-f]{32}$"))] pub(crate) [u8; 16],
);

/// A text that borrows from the record wherever it has no escapes.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, inline)]
pub(crate) struct Text<'a>(#[schemars(with = "String")] pub(crate) Cow<'a, str>);

impl CallKind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Admitted, Self::Refused, Self::Finished];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "call.admitted",
            Self::Refused => "call.refused",
            Self::Finished => "call.finished",
        }
    }
}

impl CallRecord<'_> {
    /// Whether the record has the members of its kind and no others.
    pub(crate) fn has_the_shape_of_its_kind(&self) -> bool {
        let ended_well = self.code.as_ref().is_some_and(|code| &*code.0 == CODE_OK);
        let has = (
            self.input.is_some(),
            self.reason.is_some(),
            self.code.is_some(),
            self.micros.is_some(),
            self.output.is_some() || self.items.is_some(),
        );
        let fits = match self.kind {
            CallKind::Admitted => has == (true, false, false, false, false),
            CallKind::Refused => has == (false, true, true, false, false),
            CallKind::Finished => has == (false, false, true, true, ended_well),
        };
        let one_answer = self.output.is_none() || self.items.is_none();
        let exact = |number: Option<u64>| number.is_none_or(|number| number <= INTEGER_MAX);
        fits && one_answer && self.time <= INTEGER_MAX && exact(self.micros) && exact(self.items)
    }

    /// Reads a record that is in canonical form, and has no escapes; `None` leaves it to the generic reader.
    pub(crate) fn read(bytes: &[u8]) -> Option<CallRecord<'_>> {
        reader::read(bytes)
    }

    /// Appends the canonical form (RFC 8785): members in order, no spaces, fewest escapes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        text(out, b"\"authority\":", self.authority.as_ref());
        id(out, b"\"call\":\"", Some(self.call));
        text(out, b"\"caller\":", self.caller.as_ref());
        text(out, b"\"code\":", self.code.as_ref());
        hash(out, b"\"input\":\"", self.input);
        integer(out, b"\"items\":", self.items);
        out.extend_from_slice(b"\"kind\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(b"\",");
        text(out, b"\"layer\":", self.layer.as_ref());
        integer(out, b"\"micros\":", self.micros);
        text(out, b"\"operation\":", Some(&self.operation));
        hash(out, b"\"output\":\"", self.output);
        id(out, b"\"parent\":\"", self.parent);
        text(out, b"\"peer\":", self.peer.as_ref());
        text(out, b"\"provenance\":", self.provenance.as_ref());
        text(out, b"\"reason\":", self.reason.as_ref());
        id(out, b"\"root\":\"", Some(self.root));
        text(out, b"\"session\":", self.session.as_ref());
        hash(out, b"\"source\":\"", self.source);
        integer(out, b"\"time\":", Some(self.time));
        out.extend_from_slice(b"\"v\":");
        write_integer(self.v.into(), out);
        out.push(b'}');
    }
}

// Each writes a member with the comma behind it; the last member, `v`, is always there.

fn text(out: &mut Vec<u8>, name: &[u8], value: Option<&Text<'_>>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        write_string(&value.0, out);
        out.push(b',');
    }
}

fn id(out: &mut Vec<u8>, name: &[u8], value: Option<CallHex>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        hexdigits::encode(&value.0, out);
        out.extend_from_slice(b"\",");
    }
}

fn hash(out: &mut Vec<u8>, name: &[u8], value: Option<Hash>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        hexdigits::encode(value.as_bytes(), out);
        out.extend_from_slice(b"\",");
    }
}

fn integer(out: &mut Vec<u8>, name: &[u8], value: Option<u64>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        write_integer(value, out);
        out.push(b',');
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;

        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Borrowing)
    }
}

impl Serialize for CallHex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for CallHex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hexdigits::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_text() -> impl Strategy<Value = Text<'static>> {
        any::<String>().prop_map(|text| Text(Cow::Owned(text)))
    }

    fn any_texts() -> impl Strategy<Value = [Option<Text<'static>>; 8]> {
        prop::array::uniform8(prop::option::of(any_text()))
    }

    pub(crate) fn any_record() -> impl Strategy<Value = CallRecord<'static>> {
        let kind = prop_oneof![Just(CallKind::Admitted), Just(CallKind::Refused), Just(CallKind::Finished)];
        let ids = (any::<[u8; 16]>(), prop::option::of(any::<[u8; 16]>()), any::<[u8; 16]>());
        let digests = prop::array::uniform3(prop::option::of(any::<[u8; 32]>()));
        let optional = || prop::option::of(0..=INTEGER_MAX);
        let numbers = (0..=INTEGER_MAX, optional(), optional());
        (kind, any_texts(), any_text(), ids, digests, numbers).prop_map(
            |(kind, texts, operation, (call, parent, root), digests, (time, micros, items))| {
                let [authority, caller, code, layer, peer, provenance, reason, session] = texts;
                let [input, output, source] = digests.map(|digest| digest.map(Hash));
                CallRecord {
                    authority,
                    call: CallHex(call),
                    caller,
                    code,
                    input,
                    items,
                    kind,
                    layer,
                    micros,
                    operation,
                    output,
                    parent: parent.map(CallHex),
                    peer,
                    provenance,
                    reason,
                    root: CallHex(root),
                    session,
                    source,
                    time,
                    v: VERSION,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn the_fast_writer_equals_the_generic_serializer(record in any_record()) {
            let mut out = Vec::new();
            record.write(&mut out);
            prop_assert_eq!(&out, &serde_json_canonicalizer::to_vec(&record).unwrap());
            prop_assert_eq!(serde_json::from_slice::<CallRecord<'_>>(&out).unwrap(), record);
        }
    }
}
