//! Serves the fixture host of the conformance tests until SIGTERM, or until standard input ends.
//!
//! Standard output is one line of JSON: where it listens, and with which key. Logs go to standard error.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use alknet_conformance::{Identities, Node, NodeOptions, PeerOption};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// A host with operations whose behaviour is known to the letter, for tests of the call protocol.
#[derive(Debug, Parser)]
#[command(name = "conformance-node")]
struct Args {
    /// UDP address of direct QUIC; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Longest a call may take, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    timeout_ms: u64,
    /// A peer, its key and what it holds beside `op:register`; may be given many times.
    #[arg(long = "peer", value_name = "NAME=ed25519:HEX[:SCOPE,SCOPE]")]
    peers: Vec<PeerOption>,
    /// Also serves iroh, on loopback and without relays.
    #[arg(long)]
    iroh: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = Identities::new(&args.peers) {
        Args::command().error(ErrorKind::ValueValidation, error).exit();
    }
    report_panics();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn,alknet=info"))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false);
    subscriber.init();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot serve");
            ExitCode::FAILURE
        }
    }
}

/// The place of a panic, without its text, which may hold an input.
fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "a handler panicked");
    }));
}

fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(NodeOptions {
        listen: args.listen,
        call_timeout: Duration::from_millis(args.timeout_ms),
        peers: args.peers,
        iroh: args.iroh,
    }))
}

async fn serve(options: NodeOptions) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let input = end_of_input()?;
    let node = Node::start(&options).await?;
    announce(&node)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = input => {}
    }
    tracing::info!("stopping");
    node.stop().await;
    Ok(())
}

fn announce(node: &Node) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", node.announcement())?;
    out.flush()
}

/// Tells when standard input ends. Its thread ends with the process: reading cannot be interrupted.
fn end_of_input() -> std::io::Result<oneshot::Receiver<()>> {
    let (sender, ended) = oneshot::channel();
    let reading = move || {
        let mut buffer = [0; 1024];
        while let Ok(1..) = std::io::stdin().lock().read(&mut buffer) {}
        // Nobody waits for it once the node stops.
        sender.send(()).unwrap_or_default();
    };
    std::thread::Builder::new().name("standard input".to_owned()).spawn(reading)?;
    Ok(ended)
}
