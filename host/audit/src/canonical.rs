//! The JSON Canonicalization Scheme (RFC 8785), written straight into a buffer.

use serde_json::{Map, Number, Value};

use crate::hexdigits;

/// The largest integer that every JSON reader keeps exact (RFC 8785 §3.2.2.3).
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Takes canonical bytes in pieces.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
    fn put_byte(&mut self, byte: u8);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// The canonical form of a value.
pub(crate) fn of(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    bytes
}

/// Writes any value.
pub(crate) fn write_value(value: &Value, out: &mut impl Sink) {
    match value {
        Value::Null => out.put(b"null"),
        Value::Bool(true) => out.put(b"true"),
        Value::Bool(false) => out.put(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.put_byte(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.put_byte(b',');
                }
                write_value(item, out);
            }
            out.put_byte(b']');
        }
        Value::Object(members) => write_object(members, out),
    }
}

/// Writes a string with the fewest escapes (RFC 8785 §3.2.2.2).
pub(crate) fn write_string(text: &str, out: &mut impl Sink) {
    out.put_byte(b'"');
    let mut rest = text.as_bytes();
    while let Some((at, byte)) = first_escaped(rest) {
        out.put(&rest[..at]);
        write_escape(byte, out);
        rest = &rest[at + 1..];
    }
    out.put(rest);
    out.put_byte(b'"');
}

/// The first byte that needs an escape, with its place.
pub(crate) fn first_escaped(bytes: &[u8]) -> Option<(usize, u8)> {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let plain = chunks.iter().take_while(|chunk| are_plain(chunk)).count();
    if plain == chunks.len() && (rest.is_empty() || is_end_plain(bytes)) {
        return None;
    }
    let begin = 16 * plain;
    let found = bytes[begin..].iter().enumerate().find(|(_, byte)| needs_escape(**byte));
    found.map(|(at, byte)| (begin + at, *byte))
}

/// Whether none of the last 16 bytes needs an escape. It may look at some twice.
fn is_end_plain(bytes: &[u8]) -> bool {
    let ends = || are_ends_plain::<8>(bytes).or_else(|| are_ends_plain::<4>(bytes));
    let last = bytes.last_chunk::<16>().map(are_plain);
    last.or_else(ends).unwrap_or_else(|| !bytes.iter().any(|byte| needs_escape(*byte)))
}

/// The same of the first and the last bytes, where there are so many.
fn are_ends_plain<const LENGTH: usize>(bytes: &[u8]) -> Option<bool> {
    Some(are_plain(bytes.first_chunk::<LENGTH>()?) & are_plain(bytes.last_chunk::<LENGTH>()?))
}

/// Whether no byte of so few needs an escape: they are looked at together, without a branch for each.
fn are_plain<const LENGTH: usize>(bytes: &[u8; LENGTH]) -> bool {
    !bytes.iter().fold(false, |any, byte| any | needs_escape(*byte))
}

fn needs_escape(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

/// Writes an integer no larger than [`INTEGER_MAX`].
pub(crate) fn write_integer(value: u64, out: &mut impl Sink) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        // A remainder below ten always fits.
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put(&digits[at..]);
}

fn write_escape(byte: u8, out: &mut impl Sink) {
    match byte {
        b'"' => out.put(b"\\\""),
        b'\\' => out.put(b"\\\\"),
        8 => out.put(b"\\b"),
        9 => out.put(b"\\t"),
        10 => out.put(b"\\n"),
        12 => out.put(b"\\f"),
        13 => out.put(b"\\r"),
        control => {
            let mut escape = b"\\u00".to_vec();
            hexdigits::encode(&[control], &mut escape);
            out.put(&escape);
        }
    }
}

fn write_number(number: &Number, out: &mut impl Sink) {
    if let Some(positive) = number.as_u64().filter(|n| *n <= INTEGER_MAX) {
        return write_integer(positive, out);
    }
    let negative = number.as_i64().map(i64::unsigned_abs).filter(|n| *n <= INTEGER_MAX);
    if let Some(magnitude) = negative {
        out.put(b"-");
        return write_integer(magnitude, out);
    }
    // Everything else is formatted as the double it stands for; a `Number` is always finite.
    let double = number.as_f64().unwrap_or_default();
    out.put(ryu_js::Buffer::new().format_finite(double).as_bytes());
}

fn write_object(members: &Map<String, Value>, out: &mut impl Sink) {
    let mut sorted;
    let mut in_order = members.iter();
    // UTF-8 order and UTF-16 order differ only where characters above U+D7FF meet.
    let low = |key: &String| key.is_ascii() || key.bytes().all(|byte| byte < 0xee);
    let plain = members.keys().all(low) && members.keys().is_sorted();
    let members: &mut dyn Iterator<Item = (&String, &Value)> = if plain {
        &mut in_order
    } else {
        let mut list = members.iter().collect::<Vec<_>>();
        list.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        sorted = list.into_iter();
        &mut sorted
    };
    out.put_byte(b'{');
    for (at, (key, value)) in members.enumerate() {
        if at > 0 {
            out.put_byte(b',');
        }
        write_string(key, out);
        out.put_byte(b':');
        write_value(value, out);
    }
    out.put_byte(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(value: &Value) -> String {
        let mut out = Vec::new();
        write_value(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn check(input: &str, expected: &str) {
        assert_eq!(canonical(&serde_json::from_str(input).unwrap()), expected);
    }

    #[test]
    fn rfc_8785_examples() {
        check(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
        // §3.2.3: members are sorted by UTF-16 code units.
        check(
            "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew\",\"1\":\"One\",\
             \"\\ud83d\\ude00\":\"Emoji\",\"\\u0080\":\"Control\",\"\\u00f6\":\"o\"}",
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"o\",\"€\":\"Euro Sign\",\
             \"😀\":\"Emoji\",\"\u{fb33}\":\"Hebrew\"}",
        );
    }

    /// RFC 8785 appendix B.
    #[test]
    fn rfc_8785_numbers() {
        let cases: [(u64, &str); 22] = [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ];
        for (bits, expected) in cases {
            assert_eq!(canonical(&Value::from(f64::from_bits(bits))), expected, "{bits:x}");
        }
        check("9007199254740993", "9007199254740992");
        check("18446744073709551615", "18446744073709552000");
        check("-9223372036854775808", "-9223372036854776000");
        check("1.0", "1");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn equals_the_generic_serializer(value in any_json()) {
            prop_assert_eq!(canonical(&value), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}
