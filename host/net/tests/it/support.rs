//! A toy protocol, an endpoint that serves it, and peers that are known to it.

use std::sync::Arc;
use std::time::Duration;

use alknet_core::*;
use alknet_net::*;
use async_trait::async_trait;
use futures_util::stream::FuturesUnordered;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};

/// Serves commands, each on a stream of its own.
pub(crate) const COMMANDS: &[u8] = b"test/commands";
/// Greets known peers, and closes on everybody else.
pub(crate) const MEMBERS: &[u8] = b"test/members";

pub(crate) fn key(seed: u8) -> Ed25519SecretKey {
    Ed25519SecretKey::from_bytes(&[seed; 32])
}

pub(crate) fn fingerprint(seed: u8) -> Fingerprint {
    Fingerprint::from(&key(seed).public())
}

pub(crate) const SERVER: u8 = 1;
pub(crate) const ALICE: u8 = 2;
pub(crate) const MALLORY: u8 = 66;

/// An endpoint on loopback that knows Alice.
pub(crate) struct Served {
    pub(crate) endpoint: Endpoint,
    pub(crate) identities: Arc<ConfigIdentityProvider>,
    pub(crate) rates: SharedRates,
}

pub(crate) async fn serve() -> Served {
    serve_with(|_| {}).await
}

pub(crate) async fn serve_with(change: impl FnOnce(&mut EndpointConfig)) -> Served {
    let identities = Arc::new(ConfigIdentityProvider::new(alice_has(&[ALICE]), Arc::new(SystemClock)));
    let mut config = config(handlers());
    config.identities = Arc::<ConfigIdentityProvider>::clone(&identities);
    config.quic = Some(QuicConfig { listen: "127.0.0.1:0".parse().unwrap() });
    config.rates = SharedRates::new(RateLimits { connections_per_ip_max: 1000 });
    change(&mut config);
    let rates = config.rates.clone();
    Served { endpoint: Endpoint::bind(config).await.unwrap(), identities, rates }
}

/// A configuration without sources, that knows nobody.
pub(crate) fn config(handlers: HandlerRegistry) -> EndpointConfig {
    let nobody = ConfigIdentityProvider::new(Directory::default(), Arc::new(SystemClock));
    EndpointConfig::new(key(SERVER), handlers, Arc::new(nobody))
}

pub(crate) fn handlers() -> HandlerRegistry {
    let handlers = HandlerRegistry::builder().register(Arc::new(Commands)).unwrap();
    handlers.register(Arc::new(Members)).unwrap().build()
}

impl Served {
    pub(crate) async fn dial(&self, dialer: &Dialer, alpn: &[u8]) -> Result<Connection, DialError> {
        dialer.dial_quic(self.endpoint.quic_addr().unwrap(), &fingerprint(SERVER), alpn).await
    }

    /// Dials, again and again while refused: for what the server notices a moment later.
    pub(crate) async fn dial_patiently(&self, dialer: &Dialer) -> Connection {
        loop {
            match self.dial(dialer, COMMANDS).await {
                Ok(connection) => return connection,
                Err(DialError::Refused { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

pub(crate) fn alice_has(seeds: &[u8]) -> Directory {
    let alice = PeerEntry {
        peer_id: IdentityId::parse("alice").unwrap(),
        fingerprints: seeds.iter().copied().map(fingerprint).collect(),
        auth_token_hash: None,
        grants: Grants::default(),
        display_name: None,
        enabled: true,
    };
    Directory::new(AuthPolicy { peers: vec![alice], api_keys: Vec::new() }).unwrap()
}

pub(crate) fn impatient() -> NetLimits {
    NetLimits { dial_timeout: Duration::from_millis(300), ..NetLimits::default() }
}

/// Sends one command and reads the whole reply.
pub(crate) async fn call(connection: &Connection, command: &str) -> std::io::Result<String> {
    let (_, mut recv) = begin(connection, command).await;
    let mut reply = String::new();
    recv.read_to_string(&mut reply).await?;
    Ok(reply)
}

/// Sends one command and leaves the reply to the caller.
pub(crate) async fn begin(connection: &Connection, command: &str) -> (SendStream, RecvStream) {
    let (mut send, recv) = connection.open_bi().await.unwrap();
    send.write_all(command.as_bytes()).await.unwrap();
    // The end of the stream is sent on the first poll; the acknowledgement is of no interest.
    drop(futures_util::poll!(send.close()));
    (send, recv)
}

pub(crate) async fn read_exactly(recv: &mut RecvStream, expected: &str) {
    let mut read = vec![0; expected.len()];
    recv.read_exact(&mut read).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&read), expected);
}

struct Commands;

#[async_trait]
impl ProtocolHandler for Commands {
    fn alpn(&self) -> &'static [u8] {
        COMMANDS
    }

    async fn handle(
        &self,
        connection: Connection,
        auth: &AuthContext,
        drain: DrainSignal,
    ) -> Result<(), HandlerError> {
        let mut commands = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = drain.draining(), if !drain.is_draining() => {}
                stream = connection.accept_bi(), if !drain.is_draining() => {
                    commands.push(command(stream?, auth, &drain));
                }
                Some(outcome) = commands.next() => outcome?,
                else => return Ok(()),
            }
        }
    }
}

/// Serves one command on the first stream: for transports that have no other.
pub(crate) struct OneCommand;

pub(crate) const ONE_COMMAND: &[u8] = b"test/one-command";

#[async_trait]
impl ProtocolHandler for OneCommand {
    fn alpn(&self) -> &'static [u8] {
        ONE_COMMAND
    }

    async fn handle(
        &self,
        connection: Connection,
        auth: &AuthContext,
        drain: DrainSignal,
    ) -> Result<(), HandlerError> {
        command(connection.accept_bi().await?, auth, &drain).await
    }
}

async fn command(
    (mut send, mut recv): (SendStream, RecvStream),
    auth: &AuthContext,
    drain: &DrainSignal,
) -> Result<(), HandlerError> {
    let mut command = String::new();
    if recv.read_to_string(&mut command).await.is_err() {
        return Ok(());
    }
    match command.as_str() {
        "fail closed" => return Err(HandlerError::ConnectionClosed),
        "fail stream" => return Err(HandlerError::StreamError(std::io::ErrorKind::InvalidData.into())),
        "fail auth" => return Err(HandlerError::AuthRequired),
        "fail internal" => return Err(HandlerError::Internal("no such shelf".into())),
        "panic" => panic!("on command"),
        // A client that wants no more of the reply is none of the handler's errors.
        command => drop(answer(command, &mut send, auth, drain).await),
    }
    Ok(())
}

async fn answer(
    command: &str,
    send: &mut SendStream,
    auth: &AuthContext,
    drain: &DrainSignal,
) -> std::io::Result<()> {
    match command {
        "whoami" => {
            let name = auth.identity.as_ref().map_or("nobody", |known| known.id().as_str());
            let key = auth.fingerprint.map_or_else(|| "no key".to_owned(), |key| key.to_string());
            let place = if auth.remote_addr.is_some() { "address" } else { "no address" };
            send.write_all(format!("{name}, {key}, {place}").as_bytes()).await?;
        }
        "slow" => {
            send.write_all(b"begun ").await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            send.write_all(b"done").await?;
        }
        "stuck" => {
            send.write_all(b"stuck ").await?;
            drain.draining().await;
            send.write_all(b"draining").await?;
            std::future::pending::<()>().await;
        }
        "large" => send.write_all(&[b'x'; LARGE]).await?,
        "abandon" => return send.write_all(b"half a re").await,
        other => send.write_all(other.as_bytes()).await?,
    }
    send.close().await
}

pub(crate) const LARGE: usize = 700_000;

/// What members are greeted with: many packets long.
pub(crate) fn welcome(name: &str) -> String {
    format!("welcome {name} ").repeat(20_000)
}

struct Members;

#[async_trait]
impl ProtocolHandler for Members {
    fn alpn(&self) -> &'static [u8] {
        MEMBERS
    }

    async fn handle(
        &self,
        connection: Connection,
        auth: &AuthContext,
        _: DrainSignal,
    ) -> Result<(), HandlerError> {
        let Some(identity) = &auth.identity else {
            return Err(HandlerError::AuthRequired);
        };
        let (mut send, _recv) = connection.accept_bi().await?;
        send.write_all(welcome(identity.id().as_str()).as_bytes())
            .await
            .map_err(HandlerError::StreamError)?;
        send.close().await.map_err(HandlerError::StreamError)
    }
}
