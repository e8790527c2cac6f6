//! Points in time and lengths of time, as people read them.

use serde_json::Value;

use crate::config::Utc;

/// A time in an answer of a host, as RFC 3339: numbers are Unix seconds, milliseconds or microseconds, told
/// apart by their size.
pub(crate) fn timestamp(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_u64() {
            Some(seconds @ 0..100_000_000_000) => Utc(seconds).to_string(),
            Some(millis @ 100_000_000_000..100_000_000_000_000) => to_the_millisecond(millis),
            Some(micros) => to_the_millisecond(micros / 1_000),
            None => number.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => "unknown".to_owned(),
    }
}

fn to_the_millisecond(millis: u64) -> String {
    let seconds = Utc(millis / 1_000).to_string();
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), millis % 1_000)
}

/// Microseconds with the unit that keeps the number short.
pub(crate) fn human_micros(micros: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", micros / unit, micros % unit / (unit / 10));
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{} ms", tenths(1_000)),
        100_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..120_000_000 => format!("{} s", tenths(1_000_000)),
        120_000_000..7_200_000_000 => format!("{} min", micros / 60_000_000),
        7_200_000_000..172_800_000_000 => format!("{} h", micros / 3_600_000_000),
        _ => format!("{} days", micros / 86_400_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_of_any_unit_are_read() {
        assert_eq!(timestamp(&json!(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(&json!(1_700_000_000_123_u64)), "2023-11-14T22:13:20.123Z");
        assert_eq!(timestamp(&json!(1_700_000_000_123_456_u64)), "2023-11-14T22:13:20.123Z");
        assert_eq!(timestamp(&json!("2023-11-14T22:13:20Z")), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(&json!(null)), "unknown");
    }

    #[test]
    fn micros_are_readable() {
        let cases = [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.0 ms"),
            (68_449, "68.4 ms"),
            (250_900, "250 ms"),
            (1_940_000, "1.9 s"),
            (3_600_000_000, "60 min"),
            (86_400_000_000, "24 h"),
            (259_200_000_000, "3 days"),
        ];
        for (micros, text) in cases {
            assert_eq!(human_micros(micros), text);
        }
    }
}
