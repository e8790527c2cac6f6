//! The bars.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::Outcome;
use crate::hosts::{ALK, OURS, OURS_COUNTED, RAW_NAME};
use crate::measure::{Load, Percentiles};

/// What was measured, by size and client.
#[derive(Default)]
pub(crate) struct Report {
    latency: BTreeMap<(&'static str, &'static str), Percentiles>,
    loads: BTreeMap<(&'static str, &'static str, usize), Load>,
    /// Bytes for each finished call.
    pub(crate) retained: Option<f64>,
    /// KiB at one end.
    pub(crate) idle_connection: Option<f64>,
    pub(crate) loss_millis: Option<f64>,
}

impl Report {
    pub(crate) fn latency(&mut self, size: &'static str, peer: &'static str, value: Percentiles) {
        self.latency.insert((size, peer), value);
    }

    pub(crate) fn load(&mut self, size: &'static str, peer: &'static str, in_flight: usize, value: Load) {
        self.loads.insert((size, peer, in_flight), value);
    }

    fn p50(&self, peer: &'static str) -> f64 {
        self.latency.get(&(SMALL, peer)).map_or(f64::NAN, |value| value.p50)
    }

    fn at(&self, peer: &'static str, in_flight: usize) -> Load {
        self.loads.get(&(SMALL, peer, in_flight)).copied().unwrap_or_default()
    }

    pub(crate) fn print(&self) -> Outcome {
        let (ours, alk) = (self.at(OURS, 64), self.at(ALK, 64));
        let audit_cost = (self.p50(OURS) / self.p50(OURS_COUNTED) - 1.0) * 100.0;
        let most = [
            ("call_p50_over_raw_quic", self.p50(OURS) / self.p50(RAW_NAME), 1.3),
            ("audit_cost_on_call_p50_percent", audit_cost, 10.0),
            ("cpu_us_per_call_64_in_flight", ours.cpu_micros, 10.0),
            // Resident memory moves by whole pages: less than one byte a call is nothing.
            ("retained_bytes_per_call", self.retained.unwrap_or(f64::NAN), 1.0),
            ("idle_connection_kib", self.idle_connection.unwrap_or(f64::NAN), 50.0),
            ("connection_loss_noticed_ms", self.loss_millis.unwrap_or(f64::NAN), 1000.0),
        ];
        let least = [
            ("calls_64_over_alkcall", ours.per_second / alk.per_second, 4.0),
            ("calls_256_over_64", self.at(OURS, 256).per_second / ours.per_second, 1.0),
        ];
        let mut out = std::io::stdout();
        let verdict = |holds: bool| if holds { "ok" } else { "short" };
        for (name, value, limit) in most {
            writeln!(out, "bar {name} {value:.2} {limit} {}", verdict(value <= limit))?;
        }
        for (name, value, limit) in least {
            writeln!(out, "bar {name} {value:.2} {limit} {}", verdict(value >= limit))?;
        }
        Ok(())
    }
}

const SMALL: &str = "200 B";
