//! Signed notes (C2SP signed-note) with Ed25519 signatures.

use alknet_core::{Ed25519SecretKey, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::checkpoint::Which;

/// The signature type of plain Ed25519 (C2SP signed-note).
const ED25519: u8 = 1;
/// The longest note that is looked at, in bytes.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// A text and the signatures under it, none of them checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// What is signed, with its final newline.
    pub(crate) text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// Why a note does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no signed note.
    #[error("it is no signed note")]
    Malformed,
    /// No signature is by the expected key.
    #[error("it is not signed by the expected key")]
    UnknownKey,
    /// The expected key's signature is wrong.
    #[error("its signature is wrong")]
    WrongSignature,
}

impl NoteError {
    /// The kind of finding about a checkpoint, in words that do not change.
    pub(crate) fn reason(self, which: Which) -> &'static str {
        match (self, which) {
            (Self::Malformed, Which::Published) => "checkpoint-malformed",
            (Self::UnknownKey, Which::Published) => "checkpoint-other-key",
            (Self::WrongSignature, Which::Published) => "checkpoint-signature",
            (Self::Malformed, Which::Given) => "given-checkpoint-malformed",
            (Self::UnknownKey, Which::Given) => "given-checkpoint-other-key",
            (Self::WrongSignature, Which::Given) => "given-checkpoint-signature",
        }
    }
}

impl Note {
    /// Parses a note.
    pub(crate) fn parse(note: &str) -> Result<Self, NoteError> {
        let control = |c: char| c.is_ascii_control() && c != '\n' && c != '\u{7f}';
        if note.len() > NOTE_BYTES_MAX || note.contains(control) {
            return Err(NoteError::Malformed);
        }
        // The text may have empty lines: the last one separates it from the signatures.
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, rest) = (&note[..=at], &note[at + 2..]);
        let lines = rest.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let signatures = lines.split('\n').map(parse_signature).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(NoteError::Malformed)?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Whether the key of this name signed the note.
    pub(crate) fn verify(&self, name: &str, key: &PublicKey) -> Result<(), NoteError> {
        let id = key_id(name, key);
        let mut known = self.signatures.iter().filter(|s| s.name == name && s.key_id == id).peekable();
        if known.peek().is_none() {
            return Err(NoteError::UnknownKey);
        }
        let good = |s: &Signature| {
            s.bytes.as_slice().try_into().is_ok_and(|bytes| key.verify(self.text.as_bytes(), bytes))
        };
        if known.all(good) { Ok(()) } else { Err(NoteError::WrongSignature) }
    }
}

/// Signs a text, which must end in a newline, and returns the note.
pub(crate) fn sign(text: &str, name: &str, key: &Ed25519SecretKey) -> String {
    let mut signature = key_id(name, &key.public()).to_vec();
    signature.extend_from_slice(&key.sign(text.as_bytes()));
    format!("{text}\n— {name} {}\n", BASE64.encode(signature))
}

/// Whether a text can name a key: not empty, no spaces, no plus, no control characters.
pub(crate) fn is_key_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.len() <= 255 && !name.contains(forbidden)
}

/// The key in the form other verifiers take: `name+id+key`.
pub(crate) fn verifier_key(name: &str, key: &PublicKey) -> String {
    let mut typed = vec![ED25519];
    typed.extend_from_slice(key.as_bytes());
    format!("{name}+{}+{}", hex::encode(key_id(name, key)), BASE64.encode(typed))
}

/// The first four bytes of SHA-256 over name, newline, signature type and key.
fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', ED25519]);
    hasher.update(key.as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
    [a, b, c, d]
}

fn parse_signature(line: &str) -> Option<Signature> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let decoded = BASE64.decode(encoded).ok()?;
    let (key_id, bytes) = decoded.split_first_chunk::<4>()?;
    let signature = Signature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() };
    (is_key_name(name) && !bytes.is_empty()).then_some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(vkey: &str) -> (String, PublicKey) {
        let mut parts = vkey.splitn(3, '+');
        let name = parts.next().unwrap().to_owned();
        parts.next().unwrap();
        let key = BASE64.decode(parts.next().unwrap()).unwrap();
        (name, PublicKey::from_bytes(key[1..].try_into().unwrap()))
    }

    /// The examples of C2SP signed-note implementations: the specification's and the one of Go's
    /// `golang.org/x/mod/sumdb/note`.
    const EXAMPLES: [(&str, &str); 2] = [
        (
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "This is an example message.\n\n— example.com/foo \
             Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
        ),
        (
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "If you think cryptography is the answer to your problem,\n\
             then you don't know what your problem is.\n\n— PeterNeumann \
             x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
        ),
    ];

    #[test]
    fn published_examples_verify() {
        for (vkey, text) in EXAMPLES {
            let (name, key) = public(vkey);
            assert_eq!(verifier_key(&name, &key), vkey);
            assert_eq!(Note::parse(text).unwrap().verify(&name, &key), Ok(()));
        }
    }

    /// The example at the top of C2SP signed-note, which does not say the key: the text ends at the last empty line.
    #[test]
    fn a_text_may_have_empty_lines() {
        let text =
            "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n";
        let signature = "— quasimodo.example/salvatore \
                         NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = Note::parse(&format!("{text}\n{signature}")).unwrap();
        assert_eq!(note.text, text);
        let [only] = &note.signatures[..] else { panic!("one signature") };
        assert_eq!(
            (only.name.as_str(), only.key_id, only.bytes.len()),
            ("quasimodo.example/salvatore", [0x36, 0x7b, 0xa0, 0x4b], 64)
        );
    }

    #[test]
    fn signing_gives_what_verifies() {
        let key = Ed25519SecretKey::from_bytes(&[7; 32]);
        let note = sign("one\n\ntwo\n", "host/log", &key);
        let parsed = Note::parse(&note).unwrap();
        assert_eq!(parsed.text, "one\n\ntwo\n");
        assert_eq!(parsed.verify("host/log", &key.public()), Ok(()));
        assert_eq!(parsed.verify("host/other", &key.public()), Err(NoteError::UnknownKey));
        let other = Ed25519SecretKey::from_bytes(&[8; 32]).public();
        assert_eq!(parsed.verify("host/log", &other), Err(NoteError::UnknownKey));
        let forged = Note::parse(&note.replace("two", "six")).unwrap();
        assert_eq!(forged.verify("host/log", &key.public()), Err(NoteError::WrongSignature));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let key = Ed25519SecretKey::from_bytes(&[7; 32]);
        let good = sign("text\n", "host/log", &key);
        let cases = [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            good.trim_end().to_owned(),
            good.replace("— ", "- "),
            good.replace("host/log", "host+log"),
            good.replace("text", "te\txt"),
            good.replace("\n\n", "\n"),
            format!("{good}trailing"),
            "text\n\n— host/log AAAA\n".to_owned(),
        ];
        for case in cases {
            assert_eq!(Note::parse(&case), Err(NoteError::Malformed), "{case:?}");
        }
    }
}
