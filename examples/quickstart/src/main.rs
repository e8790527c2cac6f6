//! A host with one operation of its own, and a client that calls it over QUIC: `cargo run -p quickstart`.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use alknet_call::{CallAdapter, Client, Dispatcher, Limits, NoAudit, OperationSpec, Registration, Registry};
use alknet_core::{
    ALPN_CALL, ConfigIdentityProvider, Directory, Ed25519SecretKey, Fingerprint, HandlerRegistry,
};
use alknet_net::{Dialer, Endpoint, EndpointConfig, QuicConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Who to greet.
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The host: one typed operation, discovery, a QUIC endpoint with a fresh key.
    let spec = OperationSpec::query::<Greet, Greeting>("demo/greet")?.describe("Greets somebody.");
    let greet = alknet_call::typed_handler(|input: Greet, _scope| async move {
        Ok(Greeting { text: format!("Hello, {}!", input.name) })
    });
    let registry = Registry::builder().register(Registration::local(spec, greet))?;
    let registry = alknet_call::with_discovery(registry)?.build();
    let clock = Arc::new(alknet_core::SystemClock);
    let identities = Arc::new(ConfigIdentityProvider::new(Directory::default(), clock.clone()));
    let dispatcher = Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), clock);
    let adapter = CallAdapter::new(dispatcher, identities.clone());
    let handlers = adapter.register(HandlerRegistry::builder())?.build();
    let mut config = EndpointConfig::new(Ed25519SecretKey::generate()?, handlers, identities);
    config.quic = Some(QuicConfig { listen: "127.0.0.1:0".parse()? });
    let host = Endpoint::bind(config).await?;

    // The client: pins the host's key and calls.
    let dialer = Dialer::new(None);
    let addr = host.quic_addr().ok_or("the host listens on no address")?;
    let connection = dialer.dial_quic(addr, &Fingerprint::from(&host.public_key()), ALPN_CALL).await?;
    let client = Client::new(connection, Limits::default());
    let answer = client.call("demo/greet", &serde_json::json!({ "name": "world" })).await?;
    writeln!(std::io::stdout(), "{}", answer["text"].as_str().unwrap_or_default())?;
    client.close().await;
    host.shutdown().await;
    Ok(())
}
