//! TLS 1.3 with raw Ed25519 public keys in both directions (RFC 7250), and nothing else.
//!
//! *Invariant:* whoever shows a key proves to hold it. Which keys are welcome is decided elsewhere: the client
//! pins the server's key here, the server looks up the client's key after the handshake.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use alknet_core::{Ed25519SecretKey, Fingerprint, PublicKey};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, alg_id};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureAlgorithm,
    SignatureScheme,
};

/// The name clients put into their configuration. It is neither sent nor checked: the pin is the identity.
pub(crate) const SERVER_NAME: &str = "alknet.invalid";

/// The server side: shows `key`, asks for a client key, and accepts clients that have none.
pub(crate) fn server(key: &Ed25519SecretKey, alpns: Vec<Vec<u8>>) -> io::Result<QuicServerConfig> {
    let provider = provider();
    let verifier = AnyClientKey { provider: Arc::clone(&provider) };
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(key))));
    tls.alpn_protocols = alpns;
    // Every connection proves its key anew, and no early data can be replayed.
    tls.max_early_data_size = 0;
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    QuicServerConfig::try_from(tls).map_err(io::Error::other)
}

/// The client side: accepts the server with the pinned key, and shows `key` if there is one. The cell receives
/// the key of a server that has another one.
pub(crate) fn client(
    pin: [u8; 32],
    key: Option<&Ed25519SecretKey>,
    alpn: &[u8],
) -> io::Result<(QuicClientConfig, Arc<OnceLock<Fingerprint>>)> {
    let provider = provider();
    let shown = Arc::new(OnceLock::new());
    let verifier = PinnedServerKey { pin, shown: Arc::clone(&shown), provider: Arc::clone(&provider) };
    let resolver: Arc<dyn ResolvesClientCert> = match key {
        Some(key) => Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(key))),
        None => Arc::new(NoClientKey),
    };
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(resolver);
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.enable_sni = false;
    tls.enable_early_data = false;
    tls.resumption = rustls::client::Resumption::disabled();
    Ok((QuicClientConfig::try_from(tls).map_err(io::Error::other)?, shown))
}

/// The key in a raw "certificate", which is the DER of its SubjectPublicKeyInfo (RFC 8410 section 4: 44 bytes,
/// of which the last 32 are the key). `None` for anything else.
pub(crate) fn raw_key(certificate: &CertificateDer<'_>) -> Option<PublicKey> {
    let (_, key) = certificate.split_last_chunk::<32>()?;
    let same = rustls::sign::public_key_to_spki(&alg_id::ED25519, key).as_ref() == certificate.as_ref();
    same.then(|| PublicKey::from_bytes(*key))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certified(key: &Ed25519SecretKey) -> Arc<CertifiedKey> {
    let spki = spki(key);
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], Arc::new(HostKey(key.clone()))))
}

fn spki(key: &Ed25519SecretKey) -> SubjectPublicKeyInfoDer<'static> {
    rustls::sign::public_key_to_spki(&alg_id::ED25519, key.public().as_bytes())
}

/// Accepts every client key: a stranger with a key is still a stranger.
#[derive(Debug)]
struct AnyClientKey {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClientKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        single_raw_key(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proof_of_possession(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts one server key.
#[derive(Debug)]
struct PinnedServerKey {
    pin: [u8; 32],
    shown: Arc<OnceLock<Fingerprint>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedServerKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = single_raw_key(end_entity, intermediates)?;
        if *key.as_bytes() != self.pin {
            self.shown.get_or_init(|| Fingerprint::from(&key));
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        proof_of_possession(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn single_raw_key(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<PublicKey, Error> {
    let key = raw_key(end_entity).filter(|_| intermediates.is_empty());
    key.ok_or_else(|| CertificateError::BadEncoding.into())
}

/// Whether the handshake was signed with the private half of the key that was shown.
fn proof_of_possession(
    provider: &CryptoProvider,
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let spki = SubjectPublicKeyInfoDer::from(cert.as_ref());
    verify_tls13_signature_with_raw_key(message, &spki, dss, &provider.signature_verification_algorithms)
}

/// Offers the raw key type, which the server insists on, and then shows no key.
#[derive(Debug)]
struct NoClientKey;

impl ResolvesClientCert for NoClientKey {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// The host's key as TLS wants it. It signs in place; the private bytes are never copied into another format.
#[derive(Clone)]
struct HostKey(Ed25519SecretKey);

impl SigningKey for HostKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let offered = offered.contains(&SignatureScheme::ED25519);
        offered.then(|| -> Box<dyn Signer> { Box::new(self.clone()) })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(spki(&self.0))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for HostKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKey([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_der_of_an_ed25519_key_is_a_raw_key() {
        let key = Ed25519SecretKey::from_bytes(&[7; 32]);
        let der = spki(&key).to_vec();
        assert_eq!(der.len(), 44);
        assert_eq!(raw_key(&CertificateDer::from(der.clone())), Some(key.public()));

        let longer: Vec<u8> = [&[0][..], &der].concat();
        let mut other_algorithm = der.clone();
        other_algorithm[8] ^= 1;
        for bad in [vec![], der[1..].to_vec(), der[12..].to_vec(), longer, other_algorithm] {
            assert_eq!(raw_key(&CertificateDer::from(bad.clone())), None, "{bad:?}");
        }
    }

    #[test]
    fn the_signer_does_not_print_its_key() {
        let key = Ed25519SecretKey::from_bytes(&[7; 32]);
        assert_eq!(format!("{:?}", HostKey(key.clone())), "HostKey([REDACTED])");
    }
}
