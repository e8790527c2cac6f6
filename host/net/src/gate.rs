//! Decides about a connection attempt before any cryptography is spent on it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{NetLimits, SharedRates};

/// Where an attempt comes from, as far as counting goes: an IPv4 address, an IPv6 /64 network (one subscriber
/// has all of it), or a peer behind a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    V4(Ipv4Addr),
    V6([u16; 4]),
    #[cfg_attr(not(feature = "iroh"), expect(dead_code, reason = "only iroh has relays"))]
    Relayed([u8; 32]),
    /// A program on this machine, through a socket that only the host's owner can open.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has such sockets"))]
    Local,
}

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Counts what is open and says no.
#[derive(Debug)]
pub(crate) struct Gate {
    rates: SharedRates,
    limits: NetLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    live: u32,
    half_open: u32,
    by_origin: HashMap<Origin, u32>,
}

/// The answer to an attempt.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Go ahead; the connection counts until the first guard drops, as a handshake until the second does.
    Admit(Slot, HalfOpen),
    /// Prove the address first.
    Challenge,
    /// No, for this reason.
    Refuse(&'static str),
}

/// One live connection, counted until dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Gate>, Origin);

/// One handshake under way, counted until dropped.
#[derive(Debug)]
pub(crate) struct HalfOpen(Arc<Gate>);

impl Gate {
    pub(crate) fn new(rates: SharedRates, limits: NetLimits) -> Arc<Self> {
        Arc::new(Self { rates, limits, counts: Mutex::default() })
    }

    /// Judges one attempt. An address that is not validated may be forged, so it can take no more than half
    /// of what its true owner is allowed.
    pub(crate) fn judge(self: &Arc<Self>, origin: Origin, validated: bool) -> Verdict {
        let per_origin_max = self.rates.get().connections_per_ip_max;
        let mut counts = self.counts();
        let from_origin = counts.by_origin.get(&origin).copied().unwrap_or(0);
        if counts.live >= self.limits.connections_max {
            return Verdict::Refuse("too many connections");
        }
        if counts.half_open >= self.limits.handshakes_max {
            return Verdict::Refuse("too many handshakes");
        }
        if from_origin >= per_origin_max {
            return Verdict::Refuse("too many connections from one address");
        }
        let crowded = counts.half_open >= self.limits.handshakes_unvalidated_max
            || from_origin > per_origin_max.saturating_div(2);
        if crowded && !validated {
            return Verdict::Challenge;
        }
        counts.live += 1;
        counts.half_open += 1;
        *counts.by_origin.entry(origin).or_insert(0) += 1;
        Verdict::Admit(Slot(Arc::clone(self), origin), HalfOpen(Arc::clone(self)))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        counts.live -= 1;
        let left = counts.by_origin.get(&self.1).map_or(0, |count| count - 1);
        if left == 0 {
            counts.by_origin.remove(&self.1);
        } else {
            counts.by_origin.insert(self.1, left);
        }
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.0.counts().half_open -= 1;
    }
}

#[cfg(test)]
mod tests {
    use alknet_core::RateLimits;

    use super::*;

    fn gate(per_ip: u32, limits: NetLimits) -> Arc<Gate> {
        let rates = RateLimits { connections_per_ip_max: per_ip };
        Gate::new(SharedRates::new(rates), limits)
    }

    fn admit(gate: &Arc<Gate>, ip: &str) -> (Slot, HalfOpen) {
        match gate.judge(origin(ip), true) {
            Verdict::Admit(slot, half_open) => (slot, half_open),
            other => panic!("{other:?}"),
        }
    }

    fn origin(ip: &str) -> Origin {
        Origin::from(ip.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn an_address_gets_its_share_back_when_connections_end() {
        let gate = gate(2, NetLimits::default());
        let first = admit(&gate, "192.0.2.1");
        let _second = admit(&gate, "::ffff:192.0.2.1");
        assert!(matches!(gate.judge(origin("192.0.2.1"), true), Verdict::Refuse(_)));
        let _other = admit(&gate, "192.0.2.2");
        drop(first);
        let _third = admit(&gate, "192.0.2.1");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let gate = gate(1, NetLimits::default());
        let _first = admit(&gate, "2001:db8:0:1::1");
        assert!(matches!(gate.judge(origin("2001:db8:0:1:ffff::2"), true), Verdict::Refuse(_)));
        let _next_network = admit(&gate, "2001:db8:0:2::1");
    }

    #[test]
    fn totals_are_bounded() {
        let gate = gate(9, NetLimits { connections_max: 2, handshakes_max: 1, ..NetLimits::default() });
        let (first, half_open) = admit(&gate, "192.0.2.1");
        assert!(matches!(gate.judge(origin("192.0.2.2"), true), Verdict::Refuse("too many handshakes")));
        drop(half_open);
        let (_second, half_open) = admit(&gate, "192.0.2.2");
        drop(half_open);
        assert!(matches!(gate.judge(origin("192.0.2.3"), true), Verdict::Refuse("too many connections")));
        drop(first);
        let _third = admit(&gate, "192.0.2.3");
    }

    #[test]
    fn forged_addresses_cannot_use_up_the_share_of_their_owner() {
        let gate = gate(4, NetLimits::default());
        let mut held = Vec::new();
        while let Verdict::Admit(slot, half_open) = gate.judge(origin("192.0.2.1"), false) {
            held.push((slot, half_open));
        }
        assert_eq!(held.len(), 3);
        assert!(matches!(gate.judge(origin("192.0.2.1"), false), Verdict::Challenge));
        held.push(admit(&gate, "192.0.2.1"));
    }

    #[test]
    fn a_crowd_of_handshakes_must_prove_its_addresses() {
        let gate = gate(9, NetLimits { handshakes_unvalidated_max: 1, ..NetLimits::default() });
        let _first = admit(&gate, "192.0.2.1");
        assert!(matches!(gate.judge(origin("192.0.2.2"), false), Verdict::Challenge));
        let _validated = admit(&gate, "192.0.2.2");
    }
}
