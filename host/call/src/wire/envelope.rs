//! The envelope of every frame, read in one pass whatever order its members come in (call.md section 2).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A frame's members. Unknown members are ignored; a missing, mistyped or repeated one is a fault of the frame.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) kind: Cow<'a, str>,
    pub(crate) id: Cow<'a, str>,
    pub(crate) payload: Payload,
}

/// Every payload member any event knows; which of them count depends on the event.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) operation_id: Member<Text>,
    pub(crate) auth_token: Member<Text>,
    pub(crate) forwarded_for: Member<Value>,
    pub(crate) code: Member<Text>,
    pub(crate) message: Member<Text>,
    pub(crate) retryable: Member<Value>,
    pub(crate) input: Member<Value>,
    pub(crate) output: Member<Value>,
    pub(crate) details: Member<Value>,
    /// A known member came twice: which one counts would be anybody's guess.
    pub(crate) ambiguous: bool,
}

/// A payload member.
pub(crate) type Member<T> = Option<T>;

/// A member that should be a string.
#[derive(Debug)]
pub(crate) enum Text {
    String(String),
    Mistyped,
}

impl Text {
    pub(crate) fn into_string(self) -> Option<String> {
        match self {
            Self::String(text) => Some(text),
            Self::Mistyped => None,
        }
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut kind, mut id, mut payload) = (None, None, None);
        while let Some(Borrowed(key)) = map.next_key()? {
            let repeated = match &*key {
                "type" => kind.replace(map.next_value::<Borrowed<'de>>()?.0).is_some(),
                "id" => id.replace(map.next_value::<Borrowed<'de>>()?.0).is_some(),
                "payload" => payload.replace(map.next_value::<Payload>()?).is_some(),
                _ => {
                    map.next_value::<Skipped>()?;
                    false
                }
            };
            if repeated {
                return Err(A::Error::custom("repeated member"));
            }
        }
        let missing = || A::Error::custom("missing member");
        Ok(Envelope {
            kind: kind.ok_or_else(missing)?,
            id: id.ok_or_else(missing)?,
            payload: payload.ok_or_else(missing)?,
        })
    }
}

/// A string, borrowed from the frame unless it holds escapes.
struct Borrowed<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Borrowed<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(PayloadMembers))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(TextOnly))
    }
}

/// What to make of one JSON shape; every other shape gives the fallback.
trait Shape<'de> {
    type Value;
    fn other(self) -> Self::Value;
    fn text(self, text: &str) -> Self::Value;
    fn map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error>;
}

struct AnyVisitor<S>(S);

impl<'de, S: Shape<'de>> Visitor<'de> for AnyVisitor<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(self.0.other())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(self.0.other())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(self.0.other())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(self.0.other())
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.0.other())
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<Skipped>()?.is_some() {}
        Ok(self.0.other())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.map(map)
    }
}

struct TextOnly;

impl<'de> Shape<'de> for TextOnly {
    type Value = Text;
    fn other(self) -> Text {
        Text::Mistyped
    }
    fn text(self, text: &str) -> Text {
        Text::String(text.to_owned())
    }
    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<Skipped, Skipped>()?.is_some() {}
        Ok(Text::Mistyped)
    }
}

/// A value that nobody looks at. It is held to the same depth as every other, which serde's own kind of it is not.
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(Self))
    }
}

impl<'de> Shape<'de> for Skipped {
    type Value = Self;
    fn other(self) -> Self {
        self
    }
    fn text(self, _: &str) -> Self {
        self
    }
    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

struct PayloadMembers;

impl<'de> Shape<'de> for PayloadMembers {
    type Value = Payload;
    fn other(self) -> Payload {
        Payload::default()
    }
    fn text(self, _: &str) -> Payload {
        Payload::default()
    }
    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
        let mut payload = Payload::default();
        while let Some(Borrowed(key)) = map.next_key()? {
            payload.ambiguous |= match &*key {
                "operationId" => payload.operation_id.replace(map.next_value()?).is_some(),
                "auth_token" => payload.auth_token.replace(map.next_value()?).is_some(),
                "forwarded_for" => payload.forwarded_for.replace(map.next_value()?).is_some(),
                "code" => payload.code.replace(map.next_value()?).is_some(),
                "message" => payload.message.replace(map.next_value()?).is_some(),
                "retryable" => payload.retryable.replace(map.next_value()?).is_some(),
                "input" => payload.input.replace(map.next_value()?).is_some(),
                "output" => payload.output.replace(map.next_value()?).is_some(),
                "details" => payload.details.replace(map.next_value()?).is_some(),
                _ => {
                    map.next_value::<Skipped>()?;
                    false
                }
            };
        }
        Ok(payload)
    }
}
