//! How many streams a peer may have open.

use std::sync::{Mutex, PoisonError};

use crate::NetLimits;

/// The streams that one peer may have open: the usual number, and more for those that were given up.
///
/// QUIC counts a stream until both ends have ended it (RFC 9000 §4.6); a peer that never ends its half is not to run
/// out of them.
pub(crate) struct Allowance {
    streams_max: u32,
    given_up_max: u32,
    given_up: Mutex<GivenUp>,
}

/// Streams of the peer that were given up while it may still hold its end.
#[derive(Default)]
struct GivenUp {
    count: u32,
    /// How many more than the usual number the peer may have open for them.
    granted: u32,
}

impl Allowance {
    pub(crate) fn new(limits: &NetLimits) -> Self {
        let (streams_max, given_up_max) = (limits.streams_per_connection_max, limits.streams_given_up_max);
        Self { streams_max, given_up_max, given_up: Mutex::default() }
    }

    /// Notes one more stream that was given up; answers how many the peer may have open, where that changes.
    pub(crate) fn give_up_stream(&self) -> Option<u32> {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.count = given_up.count.saturating_add(1);
        if given_up.count <= given_up.granted || given_up.granted >= self.given_up_max {
            return None;
        }
        // The transport tells the peer only of what is more than an eighth of all.
        let allowed = self.streams_max.saturating_add(given_up.granted);
        let more = (allowed / 6).max(self.streams_max / 2).max(1);
        given_up.granted = given_up.granted.saturating_add(more).min(self.given_up_max);
        Some(self.streams_max.saturating_add(given_up.granted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_given_up_is_made_good_until_the_most() {
        let limits =
            NetLimits { streams_per_connection_max: 8, streams_given_up_max: 50, ..NetLimits::default() };
        let allowance = Allowance::new(&limits);
        let mut allowed = 8;
        for given_up in 1..=50 {
            allowed = allowance.give_up_stream().unwrap_or(allowed);
            assert!(allowed >= 8 + given_up, "{allowed} are allowed and {given_up} were given up");
            assert!(allowed <= 8 + 50);
        }
        assert_eq!((allowed, allowance.give_up_stream()), (58, None), "there is an end to it");
    }
}
