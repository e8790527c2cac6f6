//! Keyed digests of inputs and outputs: equal values can be matched by who holds the key, and by nobody else.

use std::fmt;

use alknet_core::Ed25519SecretKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::canonical::{self, Sink};
use crate::merkle::Hash;

/// What a digest key is derived with; a new meaning of the digests gets a new label.
const LABEL: &[u8] = b"alknet-audit input and output digests v1";
/// What a log's signing key is derived with.
const KEY_LABEL: &[u8] = b"alknet-audit checkpoint and attestation signing key v1";
/// Bytes collected before they are hashed.
const CHUNK: usize = 512;

/// Makes the keyed digests of one log.
#[derive(Clone)]
pub(crate) struct Digester(Hmac<Sha256>);

/// The digest key that belongs to a signing key: HMAC-SHA-256 over a fixed label, keyed with the seed.
#[must_use]
pub(crate) fn derive_digest_key(key: &Ed25519SecretKey) -> [u8; 32] {
    Digester::new(&key.to_bytes()).label(LABEL)
}

/// The log's own signing key that belongs to a host's key: HMAC-SHA-256 over a fixed label, keyed with the seed. Who
/// holds it signs checkpoints, and cannot pass for the host.
#[must_use]
pub fn log_key(host: &Ed25519SecretKey) -> Ed25519SecretKey {
    Ed25519SecretKey::from_bytes(&Digester::new(&host.to_bytes()).label(KEY_LABEL))
}

impl Digester {
    fn label(&self, label: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(label).finalize().into_bytes().into()
    }

    pub(crate) fn new(key: &[u8; 32]) -> Self {
        // HMAC pads a shorter key to the block with zeros (RFC 2104 §2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    /// HMAC-SHA-256 over the canonical form (RFC 8785) of a value.
    pub(crate) fn digest(&self, value: &Value) -> Hash {
        let mut stream = Stream { mac: self.0.clone(), chunk: [0; CHUNK], filled: 0 };
        canonical::write_value(value, &mut stream);
        Hash(stream.finish().into_bytes().into())
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester([REDACTED])")
    }
}

struct Stream {
    mac: Hmac<Sha256>,
    chunk: [u8; CHUNK],
    filled: usize,
}

impl Stream {
    fn flush(&mut self) {
        self.mac.update(&self.chunk[..self.filled]);
        self.filled = 0;
    }

    fn finish(mut self) -> hmac::digest::CtOutput<Hmac<Sha256>> {
        self.flush();
        self.mac.finalize()
    }
}

impl Sink for Stream {
    fn put(&mut self, bytes: &[u8]) {
        if self.filled + bytes.len() > CHUNK {
            self.flush();
        }
        if bytes.len() > CHUNK {
            return self.mac.update(bytes);
        }
        self.chunk[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    fn put_byte(&mut self, byte: u8) {
        if self.filled == CHUNK {
            self.flush();
        }
        self.chunk[self.filled] = byte;
        self.filled += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn is_hmac_over_the_canonical_form() {
        let key = [9; 32];
        let long = "x".repeat(2000);
        for value in [json!({"b": 1.0, "a": [null, "é"]}), json!(long), json!([long, 1, long]), json!(null)]
        {
            let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
            let expected = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(canonical).finalize();
            assert_eq!(Digester::new(&key).digest(&value), Hash(expected.into_bytes().into()));
        }
    }

    #[test]
    fn keys_matter() {
        let signing = Ed25519SecretKey::from_bytes(&[1; 32]);
        let key = derive_digest_key(&signing);
        assert_ne!(key, *signing.to_bytes());
        let log = log_key(&signing);
        assert_ne!(log.public(), signing.public());
        assert_ne!(*log.to_bytes(), key);
        assert_eq!(log.public(), log_key(&signing).public());
        assert_ne!(Digester::new(&key).digest(&json!(1)), Digester::new(&[0; 32]).digest(&json!(1)));
    }
}
