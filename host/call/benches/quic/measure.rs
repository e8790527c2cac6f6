//! Time, processor time and memory.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Outcome;
use crate::hosts::{Hosts, Peer};

/// Microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Of the whole process, which is both ends.
    pub(crate) cpu_micros: f64,
}

/// As many bytes as the request of a call has.
fn frame(input: &Value) -> Vec<u8> {
    vec![b'x'; input.to_string().len() + 90]
}

/// One call after the other.
pub(crate) async fn sequential(peer: &Peer, input: &Value, calls: usize) -> Outcome<Percentiles> {
    let frame = frame(input);
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begun = Instant::now();
        peer.call(input, &frame).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |t| t.as_secs_f64() * 1e6);
    Ok(Percentiles { p50: at(50), p99: at(99) })
}

/// The round with the median p50.
pub(crate) fn median(rounds: &mut [Percentiles]) -> Percentiles {
    rounds.sort_by(|a, b| a.p50.total_cmp(&b.p50));
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

/// So many calls at once, all the time.
pub(crate) async fn concurrent(peer: &Peer, input: &Value, in_flight: usize, calls: usize) -> Outcome<Load> {
    let frame = frame(input);
    let (begun, cpu) = (Instant::now(), cpu_seconds()?);
    let mut running: FuturesUnordered<_> = (0..in_flight).map(|_| peer.call(input, &frame)).collect();
    for done in 0..calls {
        running.next().await.ok_or("no call is running")??;
        if done + in_flight < calls {
            running.push(peer.call(input, &frame));
        }
    }
    let calls = f64::from(u32::try_from(calls)?);
    Ok(Load {
        per_second: calls / begun.elapsed().as_secs_f64(),
        cpu_micros: (cpu_seconds()? - cpu) * 1e6 / calls,
    })
}

/// Processor time of this process, in its clock ticks of 10 ms (`proc_pid_stat(5)`).
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks: u32 = ticks.collect::<Result<Vec<_>, _>>()?.into_iter().sum();
    Ok(f64::from(ticks) / 100.0)
}

/// Resident memory of this process.
pub(crate) fn resident_bytes() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u32 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
    Ok(f64::from(kib) * 1024.0)
}

/// Milliseconds from the loss of a connection to the failure of the call that waits on it.
pub(crate) async fn connection_loss(hosts: &Hosts) -> Outcome<f64> {
    let client = hosts.client(&hosts.counted).await?;
    client.call(crate::hosts::OPERATION, &crate::hosts::small_payload()).await?;
    let nothing = json!({});
    let waiting = client.call("bench/never", &nothing);
    let mut waiting = std::pin::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    if early.is_ok() {
        return Err("the call did not wait".into());
    }
    let begun = Instant::now();
    hosts.counted.shutdown_now();
    match tokio::time::timeout(Duration::from_secs(10), waiting).await {
        Ok(Err(_)) => Ok(begun.elapsed().as_secs_f64() * 1e3),
        Ok(Ok(_)) => Err("the call was answered".into()),
        Err(_) => Ok(f64::INFINITY),
    }
}
