//! Clients and servers that the library would never be: they show keys they do not hold, or stop half-way.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use alknet_core::{Ed25519SecretKey, PublicKey};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, alg_id};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureAlgorithm, SignatureScheme};
use tokio::net::UdpSocket;

/// Shows one key and signs with another.
#[derive(Debug, Clone)]
pub(crate) struct Impostor {
    pub(crate) shows: PublicKey,
    pub(crate) signs_with: Ed25519SecretKey,
    /// Labels the key as a raw key; otherwise as an X.509 certificate.
    pub(crate) raw: bool,
}

impl Impostor {
    fn certified(&self) -> Arc<CertifiedKey> {
        let spki = rustls::sign::public_key_to_spki(&alg_id::ED25519, self.shows.as_bytes());
        let shown = CertificateDer::from(spki.to_vec());
        Arc::new(CertifiedKey::new(vec![shown], Arc::new(self.clone())))
    }
}

impl SigningKey for Impostor {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Impostor {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.signs_with.sign(message).to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl ResolvesClientCert for Impostor {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn only_raw_public_keys(&self) -> bool {
        self.raw
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn only_raw_public_keys(&self) -> bool {
        self.raw
    }
}

/// Does not care to verify anybody.
#[derive(Debug)]
struct Careless;

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Careless {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Dials as the impostor; how the connection ends, if it does not last, is up to the caller.
pub(crate) async fn dial(
    impostor: Impostor,
    addr: SocketAddr,
    alpn: &[u8],
) -> Result<quinn::Connection, quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.connect_with(client_config(impostor, alpn), addr, "any.invalid").unwrap().await
}

fn client_config(impostor: Impostor, alpn: &[u8]) -> quinn::ClientConfig {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Careless))
        .with_client_cert_resolver(Arc::new(impostor));
    tls.alpn_protocols = vec![alpn.to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// A server run by the impostor; it must be kept, and driven by `accept`.
pub(crate) fn server(impostor: Impostor, alpn: &[u8]) -> quinn::Endpoint {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Careless))
        .with_cert_resolver(Arc::new(impostor));
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    quinn::Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
}

/// Starts `count` handshakes with `target` and never goes on with any. The socket they come from is returned.
pub(crate) async fn half_open(impostor: &Impostor, target: SocketAddr, count: usize) -> UdpSocket {
    // The first flights are taken from dials to a socket that never answers. A dial that is given up would say
    // so in its next packet, so all are kept to the end.
    let decoy = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let client = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let dial = || {
        let config = client_config(impostor.clone(), crate::support::COMMANDS);
        client.connect_with(config, decoy.local_addr().unwrap(), "any.invalid").unwrap()
    };
    let attacker = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (mut started, mut dials) = (HashSet::new(), Vec::new());
    let mut datagram = [0; 2048];
    while started.len() < count {
        dials.push(dial());
        let (len, _) = decoy.recv_from(&mut datagram).await.unwrap();
        // RFC 9000 section 17.2: flags, version, then the destination connection id with its length.
        let long_header = datagram[0] & 0xf0 == 0xc0;
        let destination = datagram[6..6 + usize::from(datagram[5])].to_vec();
        if long_header && started.insert(destination) {
            attacker.send_to(&datagram[..len], target).await.unwrap();
        }
    }
    attacker
}
