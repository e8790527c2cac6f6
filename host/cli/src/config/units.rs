//! Durations, sizes and points in time as the configuration writes them: the unit is part of the value.

use std::fmt;
use std::time::Duration;

use toml::value::{Datetime, Offset};

/// Reads `30s`: a whole number above 0 and `ms`, `s`, `m`, `h` or `d`. The error says what is expected.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a duration above 0 like `500ms`, `30s`, `15m`, `24h` or `30d`";
    let (number, unit) = split(text).ok_or(EXPECTED)?;
    let millis = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or(EXPECTED)?.1;
    let millis = number.checked_mul(millis).filter(|millis| *millis <= DURATION_MILLIS_MAX);
    millis.map(Duration::from_millis).ok_or("a duration of at most 36500d")
}

/// Reads `"64MiB"`: a whole number above 0 and `B`, `KiB`, `MiB` or `GiB`.
pub(super) fn bytes(text: &str) -> Result<usize, &'static str> {
    const EXPECTED: &str = "a size above 0 like `512B`, `64KiB`, `16MiB` or `1GiB`";
    let (number, unit) = split(text).ok_or(EXPECTED)?;
    let factor = BYTE_UNITS.iter().find(|(name, _)| *name == unit).ok_or(EXPECTED)?.1;
    let bytes =
        number.checked_mul(factor).filter(|bytes| *bytes <= BYTES_MAX).ok_or("a size of at most 1024GiB")?;
    usize::try_from(bytes).map_err(|_| "a size that fits this machine's memory")
}

/// Unix seconds of an offset date-time; `None` when it names no offset or lies before 1970.
pub(super) fn unix_seconds(at: &Datetime) -> Option<u64> {
    let (date, time) = (at.date?, at.time?);
    let offset_minutes = match at.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days_from_civil(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let minutes = (days * 24 + i64::from(time.hour)) * 60 + i64::from(time.minute) - offset_minutes;
    u64::try_from(minutes * 60 + i64::from(time.second.unwrap_or(0))).ok()
}

/// Unix seconds of a date-time with an offset, such as `2026-01-31T12:00:00Z`.
pub(crate) fn moment(text: &str) -> Option<u64> {
    unix_seconds(&text.parse().ok()?)
}

/// Unix seconds as a date-time in UTC, the form the configuration reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Utc(pub(crate) u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / DAY_SECONDS, self.0 % DAY_SECONDS);
        let (year, month, day) = civil_from_days(i64::try_from(days).unwrap_or_default());
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((number, unit))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH_DAYS
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, day) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// About a century: far beyond any use, and small enough to be added to a point in time.
const DURATION_MILLIS_MAX: u64 = 36_500 * 86_400_000;
const BYTE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const BYTES_MAX: u64 = 1 << 40;
const DAY_SECONDS: u64 = 86_400;
/// Days in 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
