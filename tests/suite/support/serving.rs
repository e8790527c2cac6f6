//! A host that runs as a process of its own.

use std::net::SocketAddr;
use std::process::ExitStatus;

use alknet_core::{ALPN_CALL, Connection, Ed25519SecretKey, Fingerprint};
use alknet_net::{DialError, Dialer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Peer;
use super::project::Project;
use super::{program, soon};

/// A running host; killed when it is dropped.
pub(crate) struct Serving {
    child: Child,
    /// What it said on standard output when it began to listen.
    pub(crate) listening: Value,
    stdout: BufReader<ChildStdout>,
    log: watch::Receiver<String>,
    readers: JoinSet<()>,
}

/// How a host ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it said on standard output after the announcement.
    pub(crate) stdout: String,
    pub(crate) log: String,
}

impl Serving {
    /// Starts the host of a project and waits for its announcement.
    pub(super) async fn start(project: &Project, options: &[&str]) -> Self {
        let args = ["serve", "--json"].iter().chain(options);
        let mut child = project.command(args).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (written, log) = watch::channel(String::new());
        let mut readers = JoinSet::new();
        readers.spawn(gather(child.stderr.take().unwrap(), written));
        let mut line = String::new();
        let read = soon("the host's announcement", stdout.read_line(&mut line)).await;
        read.unwrap();
        let listening = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("no announcement: {line:?}; log: {}", log.borrow().as_str()));
        Self {
            child,
            listening,
            stdout,
            log,
            readers,
        }
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
    pub(crate) async fn dial(&self, key: Option<Ed25519SecretKey>) -> Result<(Dialer, Connection), DialError> {
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
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the host has ended").to_string();
        let mut kill = tokio::process::Command::new("sh");
        let sent = kill.args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(soon("a signal", sent).await.unwrap().success());
    }

    /// Waits until the host has logged this so many times.
    pub(crate) async fn logs(&self, text: &str, times: usize) {
        let mut log = self.log.clone();
        let logged = log.wait_for(|log| log.matches(text).count() >= times);
        let what = format!("the host logs {text:?}");
        let found = soon(&what, logged).await.is_ok();
        assert!(found, "{what}; it ended with {}", self.log.borrow().as_str());
    }

    /// Waits for the end of the host, which must have been asked to end.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = soon("the end of the host", self.child.wait()).await.unwrap();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).await.unwrap();
        soon("the last of the log", self.readers.join_next()).await;
        let log = self.log.borrow().clone();
        Ended { status, stdout, log }
    }

    /// Stops the host in order.
    pub(crate) async fn stop(self) -> Ended {
        self.signal("TERM").await;
        let ended = self.ended().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        ended
    }

    /// Ends the host as a power failure would, as far as a process can tell.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        soon("the end of a killed host", self.child.wait()).await.unwrap();
    }

    /// The process that serves.
    pub(crate) fn is_the_program(&self) -> bool {
        let link = format!("/proc/{}/exe", self.listening["pid"]);
        std::fs::read_link(link).is_ok_and(|exe| exe == program())
    }
}

async fn gather(stderr: ChildStderr, log: watch::Sender<String>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.send_modify(|log| {
            log.push_str(&line);
            log.push('\n');
        });
    }
}
