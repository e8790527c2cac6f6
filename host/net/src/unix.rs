//! A Unix socket for programs on the same machine: one byte stream for each connection, private to the socket's owner.
//!
//! Whoever may open the socket is a stranger all the same until a token says otherwise; only the file's mode (0600)
//! stands before it. There is no TLS and no negotiation: the socket speaks one protocol.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use alknet_core::{Connection, RecvStream, SendStream, WatchedWrite};
use futures_io::AsyncWrite;
use tokio::io::Interest;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

use crate::gate::Origin;
use crate::source::{Attempt, Established, Listen};
use crate::{DialError, EndpointError, UnixConfig};

/// The listening side. The socket's file goes with it.
pub(crate) struct Listener {
    socket: UnixListener,
    file: SocketFile,
    alpn: Vec<u8>,
}

/// The socket's file, removed when this is dropped, unless somebody has put another in its place.
struct SocketFile {
    path: PathBuf,
    /// Device and number of the file.
    node: (u64, u64),
}

impl Listener {
    /// Binds the socket. A socket that nobody listens on any more is replaced; any other file is left alone.
    pub(crate) fn bind(config: &UnixConfig) -> Result<Self, EndpointError> {
        let failed = |source| EndpointError::SocketFailed { path: config.path.clone(), source };
        remove_stale(&config.path).map_err(failed)?;
        let (socket, file) = bind_private(&config.path).map_err(failed)?;
        Ok(Self { socket, file, alpn: config.alpn.clone() })
    }
}

/// Binds under a name that nobody knows, makes the file private, and only then gives it its name: at no time can
/// somebody else open it.
fn bind_private(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    let hidden = PathBuf::from(hidden);
    match fs::remove_file(&hidden) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = UnixListener::bind(&hidden)?;
    let named = fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&hidden, path))
        .and_then(|()| fs::symlink_metadata(path));
    match named {
        Ok(made) => {
            let file = SocketFile { path: path.to_owned(), node: (made.dev(), made.ino()) };
            Ok((socket, file))
        }
        Err(error) => {
            drop(fs::remove_file(&hidden));
            Err(error)
        }
    }
}

/// Removes the socket that a process left which did not end in order.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let own = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.node);
        if own && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the socket's file was not removed");
        }
    }
}

impl Listen for Listener {
    type Attempt = Accepted;

    async fn accept(&self) -> Option<Accepted> {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => return Some(Accepted { stream, alpn: self.alpn.clone() }),
                // Out of file descriptors, or a client that was gone again: neither ends the socket.
                Err(error) => {
                    tracing::warn!(%error, "a connection to the socket was lost");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn close(&self) {
        tracing::debug!(path = %self.file.path.display(), "closing the socket");
        std::future::ready(()).await;
    }
}

/// A program that has opened the socket.
pub(crate) struct Accepted {
    stream: UnixStream,
    alpn: Vec<u8>,
}

impl Attempt for Accepted {
    fn origin(&self) -> Origin {
        Origin::Local
    }

    fn validated(&self) -> bool {
        true
    }

    fn challenge(self) {}

    fn refuse(self) {}

    async fn handshake(self) -> Result<Established, io::Error> {
        std::future::ready(()).await;
        Ok(Established { connection: connection(self.stream, self.alpn)?, fingerprint: None })
    }
}

/// The calls of a connection end with its peer, so a peer that is gone has to be noticed while nothing is read or
/// written.
fn connection(stream: UnixStream, alpn: Vec<u8>) -> io::Result<Connection> {
    let watch = stream.as_fd().try_clone_to_owned()?;
    let watch = UnixStream::from_std(watch.into())?;
    let (recv, send) = stream.into_split();
    let send = SendStream::watched(Watched { send: send.compat_write(), watch });
    Ok(Connection::from_stream(send, RecvStream::new(recv.compat()), alpn, None))
}

/// The writing half of a socket, and a second handle of it with a readiness of its own to wait for.
struct Watched {
    send: Compat<OwnedWriteHalf>,
    watch: UnixStream,
}

impl WatchedWrite for Watched {
    /// A peer that has only ended its own half still reads; one that has closed the socket makes even an empty write
    /// fail.
    fn poll_stopped(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(self.watch.poll_write_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            if self.watch.try_write(&[]).is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
                return Poll::Ready(());
            }
            // Nothing but another event of the socket is to wake this again.
            let used: io::Result<()> =
                self.watch.try_io(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into()));
            drop(used);
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_close(cx)
    }
}

/// A connection over one end of a pair of sockets, or over a socket that was opened elsewhere.
///
/// # Errors
/// When the socket cannot be registered with the runtime.
pub fn over_unix(stream: std::os::unix::net::UnixStream, alpn: &[u8]) -> io::Result<Connection> {
    stream.set_nonblocking(true)?;
    connection(UnixStream::from_std(stream)?, alpn.to_vec())
}

/// Opens the socket of a host on this machine. The host is whoever could make a file there: the folder must be private.
///
/// # Errors
/// [`DialError::Transport`].
pub async fn dial_unix(path: &Path, alpn: &[u8]) -> Result<Connection, DialError> {
    let stream = UnixStream::connect(path).await.map_err(DialError::Transport)?;
    connection(stream, alpn.to_vec()).map_err(DialError::Transport)
}

/// How long accepting rests after a failure, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
