//! A host that runs as a process of its own.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus};

use alknet_core::{ALPN_CALL, Connection, Ed25519SecretKey, Fingerprint};
use alknet_net::{DialError, Dialer};
use serde_json::Value;

use super::client::Peer;
use super::process::Process;
use super::{program, soon};

/// A running host; killed when it is dropped.
pub(crate) struct Serving {
    process: Process,
    /// What it said on standard output when it began to listen.
    pub(crate) listening: Value,
}

/// How a host ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// All that it said on standard output.
    pub(crate) stdout: String,
    pub(crate) log: String,
}

impl Serving {
    /// Starts a host and waits for its announcement.
    pub(super) async fn start(command: Command) -> Self {
        let process = Process::start(command, "");
        process.says(|text| text.ends_with('\n')).await;
        let line = process.stdout();
        let listening = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("no announcement: {line:?}; log: {}", process.stderr()));
        Self { process, listening }
    }

    /// The address of direct QUIC.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.listening["quic"].as_str().unwrap().parse().unwrap()
    }

    /// The host's fingerprint.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.listening["fingerprint"].as_str().unwrap().parse().unwrap()
    }

    /// A connection that shows this key, or none.
    pub(crate) async fn dial(
        &self,
        key: Option<Ed25519SecretKey>,
    ) -> Result<(Dialer, Connection), DialError> {
        self.dial_as(key, ALPN_CALL).await
    }

    /// A connection for another protocol.
    pub(crate) async fn dial_as(
        &self,
        key: Option<Ed25519SecretKey>,
        alpn: &[u8],
    ) -> Result<(Dialer, Connection), DialError> {
        let dialer = Dialer::new(key);
        let pin = self.fingerprint();
        let dialed = soon("a dial", dialer.dial_quic(self.addr(), &pin, alpn)).await;
        dialed.map(|connection| (dialer, connection))
    }

    /// A client that shows this key, or none.
    pub(crate) async fn client(&self, key: Option<Ed25519SecretKey>) -> Peer {
        let (dialer, connection) = self.dial(key).await.unwrap();
        Peer::new(dialer, connection)
    }

    /// Sends the host a signal by its name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until the host has logged this so many times.
    pub(crate) async fn logs(&self, text: &str, times: usize) {
        let what = format!("the host logs {text:?}");
        let logged = self.process.logs(&what, |log| log.matches(text).count() >= times).await;
        assert!(logged, "{what}; it ended with {}", self.process.stderr());
    }

    /// Waits for the end of the host, which must have been asked to end.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = self.process.ended().await;
        let (stdout, log) = (self.process.stdout(), self.process.stderr());
        Ended { status, stdout, log }
    }

    /// Stops the host in order.
    pub(crate) async fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.ended().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        ended
    }

    /// Ends the host as a power failure would, as far as a process can tell.
    pub(crate) async fn kill(mut self) {
        self.process.kill();
        self.process.ended().await;
    }

    /// The process that serves.
    pub(crate) fn is_the_program(&self) -> bool {
        let link = format!("/proc/{}/exe", self.listening["pid"]);
        std::fs::read_link(link).is_ok_and(|exe| exe == program())
    }
}
