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

/// Which checkpoint an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one in the log's directory.
    Published,
    /// The one given in [`VerifyOptions`](crate::VerifyOptions).
    Given,
}

/// Why a checkpoint does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// It is malformed, by another key, or forged.
    #[error("the {which} checkpoint does not count: {fault}")]
    Note {
        /// Which checkpoint.
        which: Which,
        /// Why not.
        fault: NoteError,
    },
    /// The given checkpoint is of another log.
    #[error("the given checkpoint is of the log {found}, not of {expected}")]
    OtherLog {
        /// The origin in the given checkpoint.
        found: String,
        /// The origin in the published one.
        expected: String,
    },
}

impl CheckpointFault {
    /// The kind of finding, in words that do not change.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Note { which, fault } => fault.reason(*which),
            Self::OtherLog { .. } => "given-checkpoint-other-log",
        }
    }
}

impl Checkpoint {
    /// Whether a given checkpoint is of the log that published another.
    pub(crate) fn check_same_log(&self, published: &Self) -> Result<(), CheckpointFault> {
        if self.origin == published.origin {
            return Ok(());
        }
        let (found, expected) = (self.origin.clone(), published.origin.clone());
        Err(CheckpointFault::OtherLog { found, expected })
    }

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

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Published => "published",
            Self::Given => "given",
        })
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

    /// The example of C2SP tlog-checkpoint; that of tlog-witness, with two signatures of one name; and that of
    /// tlog-cosignature, with a witness's. The specifications do not say the keys.
    #[test]
    fn published_examples_are_read() {
        const BODY: &str =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        const SIGNATURES: [&str; 3] = [
            "— example.com/behind-the-sofa \
             Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n",
            "— example.com/behind-the-sofa \
             opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n",
            "— witness.example.com/w1 \
             jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n",
        ];
        let [own, second, witness] = SIGNATURES;
        for signatures in [own.to_owned(), [own, second].concat(), [own, witness].concat()] {
            let note = format!("{BODY}\n{signatures}");
            let read = Checkpoint::open_unchecked(&note).unwrap();
            assert_eq!((read.origin.as_str(), read.size), ("example.com/behind-the-sofa", 20_852_163));
            let root = "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62";
            assert_eq!(read.root.to_string(), root);
            // What they sign does not make them count for another key.
            let key = Ed25519SecretKey::from_bytes(&[3; 32]);
            assert_eq!(Checkpoint::open(&note, &key.public()), Err(NoteError::UnknownKey));
            // Of ours, the same body is the same text, and unknown signatures beside ours do not harm.
            let ours = read.sign(&key);
            assert!(ours.starts_with(&format!("{BODY}\n— example.com/behind-the-sofa ")));
            assert_eq!(Checkpoint::open(&format!("{ours}{signatures}"), &key.public()), Ok(read));
        }
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
