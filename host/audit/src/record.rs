//! Any record: from bytes that must be canonical, and back.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::call_record::{CallHex, CallKind, CallRecord, VERSION};
use crate::canonical::{self, INTEGER_MAX};
use crate::event::Event;
use crate::hexdigits;
use crate::layout::RECORD_BYTES_MAX;
use crate::merkle::Hash;

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record<'a> {
    Call(CallRecord<'a>),
    /// An event, with all the record's members for generic use.
    Event(Event, Map<String, Value>),
}

/// What is wrong with bytes that should be a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// They are no JSON object.
    #[error("it is no JSON object")]
    NotJson,
    /// A member is there twice.
    #[error("a member is there twice")]
    DuplicateMember,
    /// The version is unknown.
    #[error("its version is unknown")]
    UnknownVersion,
    /// The kind is unknown.
    #[error("its kind is unknown")]
    UnknownKind,
    /// It is not in canonical form (RFC 8785).
    #[error("it is not in canonical form")]
    NotCanonical,
    /// It lacks a member of its kind, has one too many, or one of the wrong type.
    #[error("it does not have the members of its kind")]
    WrongShape,
}

impl RecordFault {
    /// The kind of finding, in words that do not change.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NotJson => "record-not-json",
            Self::DuplicateMember => "record-duplicate-member",
            Self::UnknownVersion => "record-version-unknown",
            Self::UnknownKind => "record-kind-unknown",
            Self::NotCanonical => "record-not-canonical",
            Self::WrongShape => "record-shape",
        }
    }
}

/// The columns of the query index.
#[derive(Debug, Default)]
pub(crate) struct Facets<'a> {
    pub(crate) time: u64,
    pub(crate) kind: &'a str,
    pub(crate) call: Option<CallHex>,
    pub(crate) parent: Option<CallHex>,
    pub(crate) root: Option<CallHex>,
    pub(crate) session: Option<&'a str>,
    pub(crate) caller: Option<&'a str>,
    pub(crate) authority: Option<&'a str>,
    pub(crate) operation: Option<&'a str>,
    pub(crate) outcome: Option<&'a str>,
    pub(crate) source: Option<Hash>,
    pub(crate) output: Option<Hash>,
}

impl<'a> Record<'a> {
    /// Parses a record, accepting nothing but its canonical form. `scratch` is reused.
    pub(crate) fn parse(bytes: &'a [u8], scratch: &mut Vec<u8>) -> Result<Self, RecordFault> {
        let call = match CallRecord::read(bytes) {
            Some(call) => call,
            None => match serde_json::from_slice(bytes) {
                Ok(call) => canonical_call(call, bytes, scratch)?,
                Err(_) => return parse_event(bytes),
            },
        };
        if !call.has_the_shape_of_its_kind() {
            return Err(RecordFault::WrongShape);
        }
        Ok(Self::Call(call))
    }

    /// Reads a record of a log that somebody else holds to its form: any members in any order may pass.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, RecordFault> {
        match CallRecord::read(bytes).or_else(|| serde_json::from_slice(bytes).ok()) {
            Some(call) => Ok(Self::Call(call)),
            None => parse_event(bytes),
        }
    }

    /// What the query index keeps of it.
    pub(crate) fn facets(&self) -> Facets<'_> {
        match self {
            Self::Call(call) => call_facets(call),
            Self::Event(_, members) => event_facets(members),
        }
    }
}

/// The call, if these bytes are its canonical form.
fn canonical_call<'a>(
    call: CallRecord<'a>,
    bytes: &[u8],
    scratch: &mut Vec<u8>,
) -> Result<CallRecord<'a>, RecordFault> {
    if call.v != VERSION {
        return Err(RecordFault::UnknownVersion);
    }
    scratch.clear();
    call.write(scratch);
    if scratch == bytes { Ok(call) } else { Err(RecordFault::NotCanonical) }
}

/// Appends an event's record in canonical form.
pub(crate) fn write_event(event: &Event, time: u64, out: &mut Vec<u8>) {
    // Serializing an event to a tree cannot fail: all its keys are strings.
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.insert("time".to_owned(), time.into());
        members.insert("v".to_owned(), VERSION.into());
    }
    saturate(&mut value);
    canonical::write_value(&value, out);
}

/// Replaces integers that other readers could not keep exact.
fn saturate(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|n| n > INTEGER_MAX) => {
            *value = INTEGER_MAX.into();
        }
        Value::Array(items) => items.iter_mut().for_each(saturate),
        Value::Object(members) => members.values_mut().for_each(saturate),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn parse_event<'a>(bytes: &[u8]) -> Result<Record<'a>, RecordFault> {
    let Value::Object(members) = read_strictly(bytes)? else {
        return Err(RecordFault::NotJson);
    };
    if members.get("v").and_then(Value::as_u64) != Some(VERSION.into()) {
        return Err(RecordFault::UnknownVersion);
    }
    let kind = members.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_call = CallKind::ALL.iter().any(|call| call.as_str() == kind);
    if !is_call && !Event::KINDS.contains(&kind) {
        return Err(RecordFault::UnknownKind);
    }
    let mut again = Vec::with_capacity(bytes.len());
    let value = Value::Object(members);
    canonical::write_value(&value, &mut again);
    if again != bytes {
        return Err(RecordFault::NotCanonical);
    }
    let Value::Object(members) = value else {
        return Err(RecordFault::NotJson);
    };
    let mut rest = members.clone();
    rest.remove("v");
    let time = rest.remove("time").and_then(|time| time.as_u64()).filter(|time| *time <= INTEGER_MAX);
    let event = serde_json::from_value(Value::Object(rest));
    match (event, time) {
        (Ok(event), Some(_)) if bytes.len() <= RECORD_BYTES_MAX => Ok(Record::Event(event, members)),
        _ => Err(RecordFault::WrongShape),
    }
}

fn call_facets<'a>(call: &'a CallRecord<'_>) -> Facets<'a> {
    Facets {
        time: call.time,
        kind: call.kind.as_str(),
        call: Some(call.call),
        parent: call.parent,
        root: Some(call.root),
        session: call.session.as_ref().map(|text| &*text.0),
        caller: call.caller.as_ref().map(|text| &*text.0),
        authority: call.authority.as_ref().map(|text| &*text.0),
        operation: Some(&*call.operation.0),
        outcome: call.code.as_ref().map(|text| &*text.0),
        source: call.source,
        output: call.output,
    }
}

fn event_facets(members: &Map<String, Value>) -> Facets<'_> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let authority = members.get("authority").and_then(|authority| authority.get("label"));
    Facets {
        time: members.get("time").and_then(Value::as_u64).unwrap_or_default(),
        kind: text("kind").unwrap_or_default(),
        call: text("call").and_then(|id| hexdigits::decode(id.as_bytes())).map(CallHex),
        session: text("session"),
        caller: text("caller"),
        authority: authority.and_then(Value::as_str),
        operation: text("operation"),
        outcome: text("outcome"),
        source: text("source").and_then(|digest| digest.parse().ok()),
        ..Facets::default()
    }
}

/// Reads JSON in which no member may be there twice.
fn read_strictly(bytes: &[u8]) -> Result<Value, RecordFault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).map_err(|error| {
        // A data error is ours: everything that is JSON fits into a value.
        if error.is_data() { RecordFault::DuplicateMember } else { RecordFault::NotJson }
    })?;
    reader.end().map_err(|_| RecordFault::NotJson)?;
    Ok(value)
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(map.into())
    }
}
