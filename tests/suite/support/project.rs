//! A project folder, made by `init`, and the commands that run in it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use alknet_core::{Ed25519SecretKey, Fingerprint};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::process::Process;
use super::program;
use super::serving::Serving;

/// A host's folder. Everything a command of it makes lies in one temporary folder, which goes with this.
pub(crate) struct Project {
    top: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// A project that listens on any free port.
    pub(crate) async fn new() -> Self {
        let project = Self::empty();
        project.run(["init"]).await.succeeds();
        project.edit(|text| {
            let listens = text.replace("#listen = \"127.0.0.1:7443\"", "listen = \"127.0.0.1:0\"");
            assert_ne!(listens, text, "the template names its port otherwise");
            listens
        });
        project
    }

    /// A project with a vault, whose password is in the file `password`.
    pub(crate) async fn with_vault(password: &str) -> Self {
        let project = Self::empty();
        project.write_private("password", &format!("{password}\n"));
        let made = project.run(["init", "--vault", "--password-file", "password", "--json"]).await.succeeds();
        assert_eq!(made.json()["words"].as_str().unwrap().split(' ').count(), 24);
        project.edit(|text| text.replace("#listen = \"127.0.0.1:7443\"", "listen = \"127.0.0.1:0\""));
        project
    }

    /// A folder in which nothing was set up yet.
    pub(crate) fn empty() -> Self {
        let top = tempfile::tempdir().unwrap();
        for folder in ["host", "tmp"] {
            std::fs::create_dir(top.path().join(folder)).unwrap();
        }
        Self { top }
    }

    /// A file in the project's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.top.path().join("host").join(name)
    }

    /// A file in the project's data folder.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.file(".alknet-agent").join(name)
    }

    /// What the commands have for temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.top.path().join("tmp")
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let file = self.file(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write_private(&self, name: &str, content: &str) -> PathBuf {
        let file = self.file(name);
        let mut options = std::fs::OpenOptions::new();
        let mut open = options.write(true).create_new(true).mode(0o600).open(&file).unwrap();
        open.write_all(content.as_bytes()).unwrap();
        file
    }

    /// The text of the configuration.
    pub(crate) fn config(&self) -> String {
        std::fs::read_to_string(self.file("alknet-agent.toml")).unwrap()
    }

    /// Changes the configuration.
    pub(crate) fn edit(&self, change: impl FnOnce(&str) -> String) {
        let text = change(&self.config());
        self.write("alknet-agent.toml", &text);
    }

    /// Puts tables in front of those the configuration has.
    pub(crate) fn add(&self, tables: &str) {
        self.edit(|text| format!("{tables}\n{text}"));
    }

    /// Lets tools make many host calls, and calls take long to end when the host stops.
    pub(crate) fn patient(&self) {
        self.edit(|text| {
            text.replace("#host_calls_max = 10000", "host_calls_max = 100000000")
                .replace("#tree_calls_max = 100000", "tree_calls_max = 100000000")
                .replace("#drain_timeout = \"2s\"", "drain_timeout = \"10m\"")
        });
    }

    /// Lets a new peer in and writes its key to `NAME.key`.
    pub(crate) fn add_peer(&self, id: &str, scopes: &[&str]) -> Ed25519SecretKey {
        let key = Ed25519SecretKey::generate().unwrap();
        let fingerprint = Fingerprint::from(&key.public());
        self.add(&format!(
            "[[peer]]\nid = {id:?}\nfingerprints = [\"{fingerprint}\"]\nscopes = {scopes:?}\n"
        ));
        self.write_private(&format!("{id}.key"), &hex::encode(*key.to_bytes()));
        key
    }

    /// The operator's private key.
    pub(crate) fn operator_key(&self) -> Ed25519SecretKey {
        secret_key(&self.data("operator.key"))
    }

    /// Runs a command in the project's folder to its end.
    pub(crate) async fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        self.run_with_input(args, "").await
    }

    /// Runs a command with this on its standard input.
    pub(crate) async fn run_with_input<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Ran {
        Ran::to_its_end(Process::start(self.command(args), input)).await
    }

    /// Runs a command from a shell, in which `"$@"` is the command.
    pub(crate) async fn run_from_shell<A: AsRef<OsStr>>(
        &self,
        script: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Ran {
        Ran::to_its_end(Process::start(self.shell(script, &self.command(args)), "")).await
    }

    /// Starts a command in the project's folder.
    pub(crate) fn begin<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Process {
        Process::start(self.command(args), "")
    }

    /// Starts the host and waits until it listens.
    pub(crate) async fn serve(&self) -> Serving {
        self.serve_with(&[]).await
    }

    /// Starts the host with further options.
    pub(crate) async fn serve_with(&self, options: &[&str]) -> Serving {
        self.copy_engine().await;
        Serving::start(self.command(["serve", "--json"].iter().chain(options))).await
    }

    /// Starts the host from a shell, in which `"$@"` is the command.
    pub(crate) async fn serve_from_shell(&self, script: &str) -> Serving {
        self.serve_from_shell_with(script, &[]).await
    }

    /// Starts the host from a shell, with further options.
    pub(crate) async fn serve_from_shell_with(&self, script: &str, options: &[&str]) -> Serving {
        self.copy_engine().await;
        let command = self.command(["serve", "--json"].iter().chain(options));
        Serving::start(self.shell(script, &command)).await
    }

    fn shell(&self, script: &str, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
        self.at_home(shell)
    }

    async fn copy_engine(&self) {
        let kept = compiled_engine().await;
        for file in std::fs::read_dir(kept).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), self.data("cache").join(file.file_name())).unwrap();
        }
    }

    fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program());
        command.args(args);
        self.at_home(command)
    }

    fn at_home(&self, mut command: Command) -> Command {
        command.current_dir(self.file("")).env("TMPDIR", self.temporary());
        command
    }
}

/// A private key as a key file holds it.
pub(crate) fn secret_key(file: &Path) -> Ed25519SecretKey {
    let text = std::fs::read_to_string(file).unwrap();
    let seed: [u8; 32] = hex::decode(text.trim()).unwrap().try_into().unwrap();
    Ed25519SecretKey::from_bytes(&seed)
}

/// A folder with the sandbox's engine, compiled. The first host to start compiles it, which takes seconds; later
/// ones, of later runs too, begin with a copy. A host refuses a copy that does not fit it.
async fn compiled_engine() -> &'static Path {
    static KEPT: OnceCell<PathBuf> = OnceCell::const_new();
    KEPT.get_or_init(|| async {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine");
        std::fs::create_dir_all(&kept).unwrap();
        let project = Box::pin(Project::new()).await;
        for file in std::fs::read_dir(&kept).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), project.data("cache").join(file.file_name())).unwrap();
        }
        let host = Serving::start(project.command(["serve", "--json"])).await;
        drop(host);
        let written = std::fs::read_dir(project.data("cache")).unwrap();
        let newest = written
            .map(Result::unwrap)
            .filter(|file| file.file_name().to_string_lossy().ends_with(".cwasm"))
            .max_by_key(|file| file.metadata().unwrap().modified().unwrap())
            .unwrap();
        // Another run of these tests may look at the folder at the same time.
        let fresh = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::copy(newest.path(), fresh.path()).unwrap();
        fresh.persist(kept.join(newest.file_name())).unwrap();
        kept
    })
    .await
}

impl Ran {
    async fn to_its_end(mut process: Process) -> Self {
        let status = process.ended().await;
        Self {
            code: status.code().expect("ended by a signal"),
            stdout: process.stdout(),
            stderr: process.stderr(),
        }
    }

    /// The command, which must have succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// The command, which must have failed with this exit code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert_eq!(self.stdout, "", "a failed command has no result");
        self
    }

    /// The result, of a command that printed exactly one line of JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.trim_end().lines().count(), 1, "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:#?}"))
    }

    /// The error object, of a command that failed with `--json`.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let error: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("{self:#?}"));
        let mut members: Vec<&String> = error.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["code", "details", "message", "retryable"]);
        error
    }

    /// The code of the error object.
    #[track_caller]
    pub(crate) fn error_code(&self) -> String {
        self.error()["code"].as_str().unwrap().to_owned()
    }
}
