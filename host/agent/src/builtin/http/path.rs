//! The path of a request: plain, below the base URL, and below the target's prefix.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Why a path is refused. Says nothing of the path itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathRefused {
    #[error("a path begins with one `/`")]
    Start,
    #[error("a path has no empty parts (`//`)")]
    Empty,
    #[error("a path has no `?` and no `#`; use `query`")]
    Query,
    #[error("a path has no `\\`, control characters or spaces; percent-encode what needs it")]
    Character,
    #[error("a path has no `.` or `..` parts, encoded ones included")]
    Dots,
    #[error("the percent-encoding of a path is malformed or nested")]
    Encoding,
    #[error("the path is outside of what this target allows")]
    Outside,
}

/// Rounds of decoding that a path may need before nothing is left to decode.
const DECODE_ROUNDS_MAX: usize = 4;

/// The URL of a path below a base URL. The scheme, host, port and base path are the base's.
pub(super) fn join(base: &Url, prefix: Option<&str>, path: &str) -> Result<Url, PathRefused> {
    plain(path)?;
    if prefix.is_some_and(|prefix| !is_below(prefix, path)) {
        return Err(PathRefused::Outside);
    }
    let base_path = base.path().trim_end_matches('/');
    let mut url = base.clone();
    url.set_path(&format!("{base_path}{path}"));
    // What the URL parser made of it must still be what was checked.
    let same = url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
    if same && is_below(base_path, url.path()) { Ok(url) } else { Err(PathRefused::Outside) }
}

/// Whether a path is another or continues it at a `/`.
pub(super) fn is_below(above: &str, path: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Refuses whatever some server, proxy or parser could take for another path.
pub(super) fn plain(path: &str) -> Result<(), PathRefused> {
    if !path.starts_with('/') {
        return Err(PathRefused::Start);
    }
    if path.contains(['?', '#']) {
        return Err(PathRefused::Query);
    }
    if path.contains(' ') {
        return Err(PathRefused::Character);
    }
    let mut decoded = path.to_owned();
    for _ in 0..DECODE_ROUNDS_MAX {
        parts(&decoded)?;
        let bytes = percent_decode_str(&decoded);
        let next = bytes.decode_utf8().map_err(|_| PathRefused::Encoding)?.into_owned();
        if next == decoded {
            return Ok(());
        }
        decoded = next;
    }
    Err(PathRefused::Encoding)
}

fn parts(path: &str) -> Result<(), PathRefused> {
    if path.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(PathRefused::Character);
    }
    if path.contains("//") {
        return Err(PathRefused::Empty);
    }
    // Some servers cut a part at `;`, which would turn `..;x` into `..`.
    let name = |part: &str| part.split(';').next().unwrap_or_default().to_owned();
    if path.split('/').map(name).any(|part| part == "." || part == "..") {
        return Err(PathRefused::Dots);
    }
    Ok(())
}
