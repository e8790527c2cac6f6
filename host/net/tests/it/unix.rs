//! The socket for programs on the same machine.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use alknet_core::HandlerRegistry;
use alknet_net::*;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::*;

fn socket(folder: &Path) -> UnixConfig {
    UnixConfig { path: folder.join("host.sock"), alpn: ONE_COMMAND.to_vec() }
}

async fn listen(folder: &Path) -> Result<Endpoint, EndpointError> {
    let mut config =
        config(HandlerRegistry::builder().register(std::sync::Arc::new(OneCommand)).unwrap().build());
    config.unix = Some(socket(folder));
    Endpoint::bind(config).await
}

/// What a program with a standard library does.
async fn ask(path: PathBuf, command: &'static str) -> std::io::Result<String> {
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path)?;
        stream.write_all(command.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn a_program_on_the_machine_is_a_stranger_on_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = listen(folder.path()).await.unwrap();
    let path = socket(folder.path()).path;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ask(path.clone(), "hello").await.unwrap(), "hello");
    assert_eq!(ask(path.clone(), "whoami").await.unwrap(), "nobody, no key, no address");
    let connection = dial_unix(&path, ONE_COMMAND).await.unwrap();
    assert!(matches!(connection.open_bi().await, Err(alknet_core::StreamError::StreamClosed)));
    drop(connection);
    endpoint.shutdown().await;
    assert!(!path.exists(), "the file goes with the endpoint");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_is_taken_over_only_from_the_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket(folder.path()).path;
    // What a killed process leaves: a socket that nobody listens on.
    drop(UnixListener::bind(&path).unwrap());
    let endpoint = listen(folder.path()).await.unwrap();
    assert_eq!(ask(path.clone(), "hello").await.unwrap(), "hello");
    let second = listen(folder.path()).await.unwrap_err();
    assert!(
        matches!(&second, EndpointError::SocketFailed { source, .. }
        if source.kind() == std::io::ErrorKind::AddrInUse),
        "{second:?}"
    );
    assert_eq!(ask(path.clone(), "alive").await.unwrap(), "alive");
    endpoint.shutdown().await;
    std::fs::write(&path, "notes").unwrap();
    let refused = listen(folder.path()).await.unwrap_err();
    assert!(matches!(refused, EndpointError::SocketFailed { .. }));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes", "a file of somebody else is left alone");
}

#[tokio::test]
async fn a_shutdown_lets_programs_finish() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = listen(folder.path()).await.unwrap();
    let path = socket(folder.path()).path;
    let (begun, ended) = tokio::sync::oneshot::channel();
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(b"slow").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut first = [0; 6];
        stream.read_exact(&mut first).unwrap();
        begun.send(()).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        rest
    });
    ended.await.unwrap();
    endpoint.shutdown().await;
    assert_eq!(asking.await.unwrap(), "done");
}

#[tokio::test]
async fn a_peer_that_is_gone_is_noticed_while_nothing_is_said() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let connection = over_unix(ours, ONE_COMMAND).unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(recv.read(&mut [0]).await.unwrap(), 0);
    let stopped = |send: &mut alknet_core::SendStream| {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        send.poll_stopped(&mut context).is_ready()
    };
    for _ in 0..3 {
        assert!(!stopped(&mut send), "it has ended its own half only, and reads on");
        send.write_all(b"x").await.unwrap();
    }
    drop(theirs);
    let noticed = std::future::poll_fn(|context| send.poll_stopped(context));
    tokio::time::timeout(std::time::Duration::from_secs(10), noticed).await.unwrap();
}
