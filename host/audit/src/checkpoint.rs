//! Checkpoints (C2SP tlog-checkpoint): what the log was at a size, signed.

use alknet_core::{Ed25519SecretKey, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::merkle::Hash;
use crate::note::{self, Note, NoteError};

/// The state of a log at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's unique name, which is also the name of its key.
    pub origin: String,
    /// The number of records.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads a checkpoint and checks that `key`, under the name of the origin, signed it.
    ///
    /// # Errors
    /// [`NoteError`]: which of the two it fails.
    pub fn open(note: &str, key: &PublicKey) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::from_text(&note.text).ok_or(NoteError::Malformed)?;
        note.verify(&checkpoint.origin, key)?;
        Ok(checkpoint)
    }

    /// Reads a checkpoint without checking any signature.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn open_unchecked(note: &str) -> Result<Self, NoteError> {
        Self::from_text(&Note::parse(note)?.text).ok_or(NoteError::Malformed)
    }

    /// The checkpoint as a signed note.
    pub(crate) fn sign(&self, key: &Ed25519SecretKey) -> String {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()));
        note::sign(&text, &self.origin, key)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, digits, root) = (lines.next()?, lines.next()?, lines.next()?);
        // Extension lines are allowed and not looked at, but there are no empty ones.
        if origin.is_empty() || lines.any(str::is_empty) {
            return None;
        }
        let size: u64 = digits.parse().ok()?;
        if size.to_string() != digits {
            return None;
        }
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        Some(Self { origin: origin.to_owned(), size, root: Hash(root) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_signs() {
        let key = Ed25519SecretKey::from_bytes(&[3; 32]);
        let checkpoint = Checkpoint { origin: "host/log".to_owned(), size: 20_852_163, root: Hash::of(b"x") };
        let note = checkpoint.sign(&key);
        assert_eq!(Checkpoint::open(&note, &key.public()), Ok(checkpoint));
        let other = Ed25519SecretKey::from_bytes(&[4; 32]).public();
        assert_eq!(Checkpoint::open(&note, &other), Err(NoteError::UnknownKey));
    }

    #[test]
    fn text_is_strict() {
        let root = BASE64.encode([1; 32]);
        let ok = [format!("a\n0\n{root}\n"), format!("a\n7\n{root}\nextension\n")];
        for text in ok {
            assert!(Checkpoint::from_text(&text).is_some(), "{text:?}");
        }
        let bad = [
            format!("\n0\n{root}\n"),
            format!("a\n00\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n0\n{root}"),
            format!("a\n0\n{root}\n\n"),
            "a\n0\nAAAA\n".to_owned(),
            "a\n0\n".to_owned(),
        ];
        for text in bad {
            assert!(Checkpoint::from_text(&text).is_none(), "{text:?}");
        }
    }
}
