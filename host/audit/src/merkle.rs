//! Hashes of an RFC 6962 Merkle tree and the right edge of a growing one.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Hashes in a full tile, and entries in a full bundle (C2SP tlog-tiles).
pub(crate) const TILE_WIDTH: usize = 256;

/// A SHA-256 hash, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub(crate) [u8; 32]);

/// A text that is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
pub struct InvalidHash;

impl Hash {
    /// The hash of some bytes, as sources and configurations are named by.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of a record as a leaf of the tree (RFC 6962 §2.1).
    #[must_use]
    pub fn of_leaf(record: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update([0]);
        hasher.update(record);
        Self(hasher.finalize().into())
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of two subtrees joined (RFC 6962 §2.1).
    pub(crate) fn of_node(left: &Self, right: &Self) -> Self {
        let mut joined = [0; 65];
        joined[0] = 1;
        joined[1..33].copy_from_slice(&left.0);
        joined[33..].copy_from_slice(&right.0);
        Self::of(&joined)
    }

    /// The root over perfect subtrees of one height; of none, the hash of nothing.
    pub(crate) fn of_subtrees(subtrees: &[Self]) -> Self {
        match subtrees {
            [] => Self::of(&[]),
            [only] => *only,
            _ => {
                let (left, right) = subtrees.split_at(split_point(subtrees.len()));
                Self::of_node(&Self::of_subtrees(left), &Self::of_subtrees(right))
            }
        }
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::hexdigits::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Hash {
    fn schema_name() -> Cow<'static, str> {
        "Hash".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        crate::hexdigits::decode(text.as_bytes()).map(Self).ok_or(InvalidHash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The largest power of two below `count`, which must be at least 2.
fn split_point(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// A tile that has just become full, with its place.
#[derive(Debug)]
pub(crate) struct FullTile {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Hash>,
}

/// The hashes right of the last full tile, level by level: enough to append and to compute the root.
///
/// Invariant: level 0 holds at most [`TILE_WIDTH`] hashes, every other level fewer; the owner calls
/// [`Frontier::carry`] when level 0 is full.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frontier {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Frontier {
    /// The edge of a tree whose tiles are full up to `size`, from what stands right of them.
    pub(crate) fn from_levels(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    /// Leaves in the tree.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Leaves in the current bundle.
    pub(crate) fn width(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// The hashes of each level's partial tile.
    pub(crate) fn levels(&self) -> &[Vec<Hash>] {
        &self.levels
    }

    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        if self.levels.is_empty() {
            self.levels.push(Vec::with_capacity(TILE_WIDTH));
        }
        self.levels[0].push(leaf);
        self.size += 1;
    }

    /// Moves full tiles into the levels above, and answers them, lowest level first.
    pub(crate) fn carry(&mut self) -> Vec<FullTile> {
        let mut full = Vec::new();
        let (mut at, mut span) = (0, self.size);
        for level in 0..u8::MAX {
            let Some(hashes) = self.levels.get_mut(at).filter(|hashes| hashes.len() >= TILE_WIDTH) else {
                break;
            };
            let hashes = std::mem::replace(hashes, Vec::with_capacity(TILE_WIDTH));
            let root = Hash::of_subtrees(&hashes);
            span >>= 8;
            full.push(FullTile { level, index: span.saturating_sub(1), hashes });
            at += 1;
            if self.levels.len() == at {
                self.levels.push(Vec::new());
            }
            self.levels[at].push(root);
        }
        full
    }

    /// The root of the tree (RFC 6962 §2.1).
    pub(crate) fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for level in &self.levels {
            let mut rest = level.as_slice();
            while !rest.is_empty() {
                // The lowest bit of the count is the height of the rightmost perfect subtree.
                let last = 1 << rest.len().trailing_zeros();
                let (left, right) = rest.split_at(rest.len() - last);
                let subtree = Hash::of_subtrees(right);
                root = Some(root.map_or(subtree, |below| Hash::of_node(&subtree, &below)));
                rest = left;
            }
        }
        root.unwrap_or_else(|| Hash::of_subtrees(&[]))
    }
}
