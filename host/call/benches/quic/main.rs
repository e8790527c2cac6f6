//! Calls over QUIC against a raw echo of the same bytes and against the published crate `alkcall`, on loopback, on one
//! connection each, in one process and one run. `cargo bench -p alknet-call --bench quic`.
//!
//! A call includes everything a user gets: envelope parsing, identity, the gate, access control, the input schema, two
//! records in the audit log (durability `os`), and the reply. Beside it the same with a sink that only counts, which
//! shows what the log costs. `alkcall` serves and calls the same operation with the same schema in its single-stream
//! mode, over streams of the same endpoint; it has no audit log. All clients hold parsed JSON at both ends, and all use
//! the allocator of the program, with which `alkcall` takes half the processor time that it takes with the system's.

mod alk;
mod hosts;
mod measure;
mod report;

use std::error::Error;
use std::io::Write as _;

use alknet_call::Client;
use serde_json::Value;

use hosts::{Hosts, Peer};
use measure::{Load, Percentiles};
use report::Report;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is measured at one size of the payload.
struct Size {
    name: &'static str,
    input: Value,
    sequential: usize,
    concurrent: usize,
    rounds: usize,
}

fn main() -> Outcome {
    // One worker for each side, as two hosts would have.
    let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (server, client) = (build()?, build()?);
    let hosts = server.block_on(Hosts::start())?;
    let report = client.block_on(client.spawn(run(hosts)))??;
    report.print()
}

async fn run(hosts: Hosts) -> Outcome<Report> {
    let mut report = Report::default();
    let small = Size {
        name: "200 B",
        input: hosts::small_payload(),
        sequential: 5000,
        concurrent: 40_000,
        rounds: 5,
    };
    let large =
        Size { name: "64 KiB", input: hosts::large_payload(), sequential: 300, concurrent: 2000, rounds: 3 };
    idle(&hosts, &mut report).await?;
    for size in [small, large] {
        compare(&hosts, &size, &mut report).await?;
    }
    lasting(&hosts, &mut report).await?;
    hosts.stop().await?;
    Ok(report)
}

/// One size: latency one call at a time, then calls a second at several loads.
async fn compare(hosts: &Hosts, size: &Size, report: &mut Report) -> Outcome {
    let peers = hosts.connect().await?;
    let mut out = std::io::stdout();
    writeln!(out, "== {}", size.name)?;
    for peer in &peers {
        measure::sequential(peer, &size.input, size.sequential / 5).await?;
    }
    let mut rounds: Vec<Vec<Percentiles>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..size.rounds {
        for (peer, rounds) in peers.iter().zip(&mut rounds) {
            rounds.push(measure::sequential(peer, &size.input, size.sequential).await?);
        }
    }
    for (peer, rounds) in peers.iter().zip(&mut rounds) {
        let median = measure::median(rounds);
        writeln!(out, "{:<22} p50 {:7.1} us   p99 {:7.1} us", peer.name(), median.p50, median.p99)?;
        report.latency(size.name, peer.name(), median);
    }
    for in_flight in [1, 16, 64, 256] {
        for peer in peers.iter().filter(|peer| !matches!(peer, Peer::Raw(_))) {
            let load = measure::concurrent(peer, &size.input, in_flight, size.concurrent).await?;
            let Load { per_second, cpu_micros } = load;
            writeln!(
                out,
                "{:<22} {in_flight:>3} in flight: {per_second:8.0} calls/s, {cpu_micros:6.1} us of CPU a call",
                peer.name()
            )?;
            report.load(size.name, peer.name(), in_flight, load);
        }
    }
    for peer in peers {
        peer.close().await;
    }
    Ok(())
}

/// Memory of idle connections: first of all, while no freed memory lies about that they could take.
async fn idle(hosts: &Hosts, report: &mut Report) -> Outcome {
    let input = hosts::small_payload();
    hosts.client(&hosts.counted).await?.call(hosts::OPERATION, &input).await?;
    let before = measure::resident_bytes()?;
    let mut idle: Vec<Client> = Vec::new();
    for _ in 0..IDLE_CONNECTIONS {
        let client = hosts.client(&hosts.counted).await?;
        client.call(hosts::OPERATION, &input).await?;
        idle.push(client);
    }
    let bytes = (measure::resident_bytes()? - before) / f64::from(u32::try_from(IDLE_CONNECTIONS)?);
    // Both ends of each connection are in this process.
    report.idle_connection = Some(bytes / 2.0 / 1024.0);
    drop(idle);
    Ok(())
}

/// What stays: memory of finished calls, and the time until a lost connection is noticed.
async fn lasting(hosts: &Hosts, report: &mut Report) -> Outcome {
    let input = hosts::small_payload();
    let peer = Peer::Ours("calls", hosts.client(&hosts.counted).await?);
    measure::concurrent(&peer, &input, 64, 50_000).await?;
    let before = measure::resident_bytes()?;
    measure::concurrent(&peer, &input, 64, RETAINED_CALLS).await?;
    report.retained = Some((measure::resident_bytes()? - before) / f64::from(u32::try_from(RETAINED_CALLS)?));
    peer.close().await;
    report.loss_millis = Some(measure::connection_loss(hosts).await?);
    Ok(())
}

const RETAINED_CALLS: usize = 200_000;
const IDLE_CONNECTIONS: usize = 80;
