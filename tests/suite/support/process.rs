//! A child process whose output is gathered while it runs, and which does not outlive its test.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::soon;

/// A running process; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Gathered,
    stderr: Gathered,
}

/// What a process has written so far.
struct Gathered {
    text: watch::Receiver<String>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a process with this on its standard input.
    pub(crate) fn start(command: Command, input: &str) -> Self {
        let (process, mut stdin) = Self::start_open(command);
        // A process that does not read its input may be gone already.
        stdin.write_all(input.as_bytes()).unwrap_or_default();
        process
    }

    /// Starts a process whose standard input stays open until the second half is dropped.
    pub(crate) fn start_open(mut command: Command) -> (Self, ChildStdin) {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        (Self { stdout: Gathered::of(stdout), stderr: Gathered::of(stderr), child }, stdin)
    }

    /// Sends it a signal by its name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// What it wrote on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text.borrow().clone()
    }

    /// Waits until standard output holds this; false when it ended before.
    pub(crate) async fn says(&self, holds: impl FnMut(&String) -> bool) -> bool {
        self.stdout.says("a word of a process", holds).await
    }

    /// What it wrote on standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text.borrow().clone()
    }

    /// Waits until standard error holds this; false when it ended before.
    pub(crate) async fn logs(&self, what: &str, holds: impl FnMut(&String) -> bool) -> bool {
        self.stderr.says(what, holds).await
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end and for all it wrote.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let status = soon("the end of a process", ended).await;
        for output in [&mut self.stdout, &mut self.stderr] {
            output.reader.take().unwrap().join().unwrap();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Gathered {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let (sender, text) = watch::channel(String::new());
        let reader = std::thread::spawn(move || {
            // Bytes that are no text yet: the beginning of a character.
            let mut rest = Vec::new();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..read]);
                let whole = rest.utf8_chunks().map(|chunk| chunk.valid().len()).next();
                let part: Vec<u8> = rest.drain(..whole.unwrap_or_default()).collect();
                sender.send_modify(|text| text.push_str(std::str::from_utf8(&part).unwrap()));
            }
            assert!(rest.is_empty(), "a process wrote what is no text");
        });
        Self { text, reader: Some(reader) }
    }

    async fn says(&self, what: &str, holds: impl FnMut(&String) -> bool) -> bool {
        let mut text = self.text.clone();
        soon(what, text.wait_for(holds)).await.is_ok()
    }
}
