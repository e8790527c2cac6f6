//! Takes live secrets out of what leaves the host, in the forms in which they usually come back.
//!
//! A secret is found plain, in base64 (both alphabets, at any place of a longer text), in hexadecimal, one of these
//! in another, and any of them percent-encoded, escaped as in JSON or HTML, or broken up by white space. Letters
//! match in either case. A service that is trusted with a credential and means to leak it can always do so in a form
//! that nobody foresaw: this is for those that echo.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use crate::Secret;

/// The shortest secret, in bytes: a shorter one would be found in harmless texts, and guessed.
pub const SECRET_BYTES_MIN: usize = 8;

/// What stands where a secret was.
pub const REDACTED: &str = "[REDACTED]";

/// Looks for a set of secrets. One pass over a text, whatever their number.
pub struct Scrubber {
    needles: Vec<Needle>,
    /// The first bytes of the needles, sorted, with their indices.
    windows: Vec<(u64, usize)>,
    filter: Box<[bool; FILTER_SLOTS]>,
}

/// One form of a secret, in lower case.
struct Needle {
    bytes: Zeroizing<Vec<u8>>,
    name: Arc<str>,
}

/// What was found, and what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed<T> {
    /// The content without secrets.
    pub content: T,
    /// The names of the secrets that were in it.
    pub found: BTreeSet<Arc<str>>,
}

impl Scrubber {
    /// A scrubber for these secrets by name; those shorter than [`SECRET_BYTES_MIN`] are not looked for.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a Arc<str>, &'a Secret)>) -> Self {
        let mut needles = Vec::new();
        for (name, secret) in secrets {
            let forms = forms(secret.expose_secret().as_bytes());
            needles.extend(forms.into_iter().map(|bytes| Needle { bytes, name: Arc::clone(name) }));
        }
        let mut filter = Box::new([false; FILTER_SLOTS]);
        let mut windows: Vec<(u64, usize)> = Vec::new();
        for (index, needle) in needles.iter().enumerate() {
            let Some(window) = needle.bytes.get(..WINDOW).map(window) else { continue };
            windows.push((window, index));
            if let Some(slot) = filter.get_mut(slot(window)) {
                *slot = true;
            }
        }
        windows.sort_unstable();
        Self { needles, windows, filter }
    }

    /// A text without secrets; `None` when there was none in it.
    #[must_use]
    pub fn text(&self, text: &str) -> Option<Scrubbed<String>> {
        let Scrubbed { content, found } = self.bytes(text.as_bytes())?;
        let content = String::from_utf8(content);
        let content = content.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Some(Scrubbed { content, found })
    }

    /// Bytes without secrets; `None` when there was none in them.
    #[must_use]
    pub fn bytes(&self, bytes: &[u8]) -> Option<Scrubbed<Vec<u8>>> {
        if self.needles.is_empty() || bytes.len() < WINDOW {
            return None;
        }
        let mut hits = self.hits(bytes);
        for view in views(bytes) {
            hits.extend(self.hits(&view.bytes).into_iter().map(|(range, name)| (view.original(range), name)));
        }
        if hits.is_empty() {
            return None;
        }
        hits.sort_unstable_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let found = hits.iter().map(|(_, name)| Arc::clone(name)).collect();
        Some(Scrubbed { content: without(bytes, hits.into_iter().map(|(range, _)| range)), found })
    }

    /// Where secrets are.
    fn hits(&self, bytes: &[u8]) -> Vec<(Range<usize>, Arc<str>)> {
        let mut hits = Vec::new();
        let mut window = 0_u64;
        for (end, byte) in bytes.iter().enumerate() {
            window = (window << 8) | u64::from(byte.to_ascii_lowercase());
            if end + 1 < WINDOW || self.filter.get(slot(window)) != Some(&true) {
                continue;
            }
            let start = end + 1 - WINDOW;
            let first = self.windows.partition_point(|(known, _)| *known < window);
            let same = self.windows.iter().skip(first).take_while(|(known, _)| *known == window);
            let at = bytes.get(start..).unwrap_or_default();
            let found = same.filter_map(|(_, index)| self.needles.get(*index));
            let found = found.filter(|needle| {
                at.get(..needle.bytes.len()).is_some_and(|part| part.eq_ignore_ascii_case(&needle.bytes))
            });
            let longest = found.max_by_key(|needle| needle.bytes.len());
            hits.extend(longest.map(|n| (start..start + n.bytes.len(), Arc::clone(&n.name))));
        }
        hits
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrubber({} forms)", self.needles.len())
    }
}

/// The bytes with what is in these ranges, which are in order, replaced.
fn without(bytes: &[u8], ranges: impl Iterator<Item = Range<usize>>) -> Vec<u8> {
    let (mut kept, mut done) = (Vec::with_capacity(bytes.len()), 0);
    for range in ranges {
        if range.start >= done {
            kept.extend_from_slice(bytes.get(done..range.start).unwrap_or_default());
            kept.extend_from_slice(REDACTED.as_bytes());
        }
        done = done.max(range.end);
    }
    kept.extend_from_slice(bytes.get(done..).unwrap_or_default());
    kept
}

/// Every form of a secret that is looked for.
fn forms(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    if secret.len() < SECRET_BYTES_MIN {
        return Vec::new();
    }
    let hex = |upper: bool| -> Zeroizing<Vec<u8>> {
        let text = Zeroizing::new(hex::encode(secret));
        let text = if upper { Zeroizing::new(text.to_ascii_uppercase()) } else { text };
        Zeroizing::new(text.as_bytes().to_vec())
    };
    let base64 = |url: bool| base64_at(secret, 0, url);
    let mut forms = vec![Zeroizing::new(secret.to_vec())];
    // What is encoded once more: letters are told apart inside of base64, so that both cases count.
    for inner in [Zeroizing::new(secret.to_vec()), base64(false), base64(true), hex(false), hex(true)] {
        for offset in 0..3 {
            forms.extend([base64_at(&inner, offset, false), base64_at(&inner, offset, true)]);
        }
        forms.push(Zeroizing::new(hex::encode(&*inner).into_bytes()));
    }
    for form in &mut forms {
        form.make_ascii_lowercase();
    }
    forms.retain(|form| form.len() >= WINDOW);
    forms.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
    forms.dedup();
    forms
}

/// The characters of a base64 text that depend on these bytes alone, when `offset` bytes stand before them in their
/// group of three.
fn base64_at(bytes: &[u8], offset: usize, url: bool) -> Zeroizing<Vec<u8>> {
    let alphabet = if url { BASE64_URL } else { BASE64 };
    // Whole groups of six bits: from the first that begins in the bytes to the last that ends in them.
    let first = (offset * 8).div_ceil(6);
    let last = (offset + bytes.len()) * 8 / 6;
    let bit = |at: usize| -> usize {
        let byte =
            (at / 8).checked_sub(offset).and_then(|index| bytes.get(index)).copied().unwrap_or_default();
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let sextet = |group: usize| (0..6).fold(0, |value, index| value << 1 | bit(group * 6 + index));
    Zeroizing::new((first..last).filter_map(|group| alphabet.get(sextet(group)).copied()).collect())
}

/// The bytes as somebody may read them, with where each of them was.
struct View {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl View {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), places: (0..bytes.len()).map(|at| at..at + 1).collect() }
    }

    /// What is left when each step takes some bytes and gives one or none for them.
    fn then(&self, step: impl Fn(&[u8]) -> (usize, Option<u8>)) -> Self {
        let (mut bytes, mut places, mut at) = (Vec::new(), Vec::new(), 0);
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (taken, given) = step(rest);
            let end = (at + taken.max(1)).min(self.bytes.len());
            if let Some(byte) = given {
                bytes.push(byte);
                places.push(self.original(at..end));
            }
            at = end;
        }
        Self { bytes, places }
    }

    fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.places.get(range.start).map_or(0, |place| place.start);
        let last = range.end.checked_sub(1).and_then(|last| self.places.get(last));
        start..last.map_or(start, |place| place.end)
    }
}

/// The views of a text that differ from it.
fn views(bytes: &[u8]) -> Vec<View> {
    let has = |wanted: &[u8]| bytes.iter().any(|byte| wanted.contains(byte));
    let mut views = Vec::new();
    if !has(b"%\\& \n\r\t\0:-,+") {
        return views;
    }
    let plain = View::of(bytes);
    if has(b"%") {
        let once = plain.then(percent);
        let twice = once.then(percent);
        views.extend([once, twice]);
    }
    if has(b"\\") {
        let once = plain.then(escape);
        let twice = once.then(escape);
        views.extend([once, twice]);
    }
    if has(b"&") {
        views.push(plain.then(entity));
    }
    if has(b" \n\r\t\0") {
        views.push(plain.then(|rest| (1, rest.first().copied().filter(|b| !b" \n\r\t\0".contains(b)))));
    }
    if has(b":-, ") {
        views.push(plain.then(|rest| (1, rest.first().copied().filter(|b| !b" \n\r\t\0:-,".contains(b)))));
    }
    views
}

/// `%41`, and `+` for a space.
fn percent(rest: &[u8]) -> (usize, Option<u8>) {
    match rest {
        [b'%', high, low, ..] => match number(&[*high, *low], 16) {
            Some(byte) => (3, u8::try_from(byte).ok()),
            None => (1, Some(b'%')),
        },
        _ => (1, rest.first().copied()),
    }
}

/// `\u0041`, `\x41` and `\/`.
fn escape(rest: &[u8]) -> (usize, Option<u8>) {
    let digits = |from: usize, to: usize| rest.get(from..to).and_then(|digits| number(digits, 16));
    match rest {
        [b'\\', b'u', ..] => (6, digits(2, 6).and_then(|code| u8::try_from(code).ok())),
        [b'\\', b'x', ..] => (4, digits(2, 4).and_then(|code| u8::try_from(code).ok())),
        [b'\\', next, ..] => (2, Some(*next)),
        _ => (1, rest.first().copied()),
    }
}

/// `&#65;`, `&#x41;` and `&amp;`.
fn entity(rest: &[u8]) -> (usize, Option<u8>) {
    let plain = (1, rest.first().copied());
    let Some(end) = rest.iter().take(ENTITY_BYTES_MAX).position(|byte| *byte == b';') else {
        return plain;
    };
    let byte = match rest.get(..end).unwrap_or_default() {
        [b'&', b'#', b'x' | b'X', digits @ ..] => number(digits, 16).and_then(|code| u8::try_from(code).ok()),
        [b'&', b'#', digits @ ..] => number(digits, 10).and_then(|code| u8::try_from(code).ok()),
        b"&amp" => Some(b'&'),
        b"&lt" => Some(b'<'),
        b"&gt" => Some(b'>'),
        b"&quot" => Some(b'"'),
        b"&apos" => Some(b'\''),
        _ => None,
    };
    byte.map_or(plain, |byte| (end + 1, Some(byte)))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn window(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |window, byte| window << 8 | u64::from(*byte))
}

/// A window's place in the filter: the top bits of a multiplication (Fibonacci hashing).
fn slot(window: u64) -> usize {
    let hash = window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS);
    usize::try_from(hash).unwrap_or_default()
}

/// The secrets of a running host: those that are in use, and those that were since it started, because a value that
/// was replaced here may still be valid elsewhere. Cheap to clone.
#[derive(Clone, Default)]
pub struct LiveSecrets(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: Mutex<Vec<(Arc<str>, Secret)>>,
    scrubber: ArcSwap<Scrubber>,
    hits: Mutex<BTreeMap<Arc<str>, u64>>,
    total: AtomicU64,
}

impl LiveSecrets {
    /// Adds secrets by name. Beyond [`LiveSecrets::KEPT_MAX`] the oldest are forgotten.
    pub fn add<'a>(&self, secrets: impl IntoIterator<Item = (&'a str, &'a Secret)>) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, secret) in secrets {
            let is_known =
                known.iter().any(|(at, old)| **at == *name && old.expose_secret() == secret.expose_secret());
            if !is_known {
                known.push((Arc::from(name), secret.clone()));
            }
        }
        let surplus = known.len().saturating_sub(Self::KEPT_MAX);
        known.drain(..surplus);
        self.0.scrubber.store(Arc::new(Scrubber::new(known.iter().map(|(name, secret)| (name, secret)))));
    }

    /// The scrubber for what is known now.
    #[must_use]
    pub fn scrubber(&self) -> Arc<Scrubber> {
        self.0.scrubber.load_full()
    }

    /// Counts that something was found.
    pub fn count(&self, found: &BTreeSet<Arc<str>>) {
        let mut hits = self.0.hits.lock().unwrap_or_else(PoisonError::into_inner);
        for name in found {
            *hits.entry(Arc::clone(name)).or_default() += 1;
        }
        self.0.total.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was found.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Secrets that are looked for at once.
    pub const KEPT_MAX: usize = 256;
}

impl fmt::Debug for LiveSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveSecrets({:?})", self.scrubber())
    }
}

impl Default for Scrubber {
    fn default() -> Self {
        Self::new([])
    }
}

/// Bytes that are compared at once.
const WINDOW: usize = 8;
const FILTER_BITS: u32 = 16;
const FILTER_SLOTS: usize = 1 << 16;
const ENTITY_BYTES_MAX: usize = 10;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests;
