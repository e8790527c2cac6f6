//! Inclusion and consistency proofs (RFC 6962 §2.1.1 and §2.1.2, checked as RFC 9162 §2.1.3 and §2.1.4 say).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::merkle::{Hash, TILE_WIDTH};

/// Shows that a record is in the tree a checkpoint describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InclusionProof {
    /// The record's index in the log.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
    /// The sibling hashes, lowest first.
    pub path: Vec<Hash>,
}

/// Shows that one checkpoint's tree is the beginning of another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsistencyProof {
    /// The size of the smaller tree.
    pub from: u64,
    /// The size of the larger tree.
    pub to: u64,
    /// The hashes, in the order of RFC 6962 §2.1.2.
    pub path: Vec<Hash>,
}

impl InclusionProof {
    /// Whether the proof connects the leaf to the root.
    #[must_use]
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> bool {
        if self.index >= self.size {
            return false;
        }
        let (mut index, mut last, mut hash) = (self.index, self.size - 1, *leaf);
        for sibling in &self.path {
            if last == 0 {
                return false;
            }
            if index & 1 == 1 || index == last {
                hash = Hash::of_node(sibling, &hash);
                while index & 1 == 0 && index != 0 {
                    index >>= 1;
                    last >>= 1;
                }
            } else {
                hash = Hash::of_node(&hash, sibling);
            }
            index >>= 1;
            last >>= 1;
        }
        last == 0 && hash == *root
    }
}

impl ConsistencyProof {
    /// Whether the proof connects the two roots.
    #[must_use]
    pub fn verify(&self, from_root: &Hash, to_root: &Hash) -> bool {
        if self.from == self.to {
            return self.path.is_empty() && from_root == to_root;
        }
        if self.from == 0 {
            // Every tree begins with nothing.
            return self.path.is_empty() && *from_root == Hash::of_subtrees(&[]);
        }
        if self.from > self.to {
            return false;
        }
        let mut path = self.path.iter();
        let (mut index, mut last) = (self.from - 1, self.to - 1);
        while index & 1 == 1 {
            index >>= 1;
            last >>= 1;
        }
        let first = if self.from.is_power_of_two() { Some(from_root) } else { path.next() };
        let Some(first) = first else { return false };
        let (mut old, mut new) = (*first, *first);
        for hash in path {
            if last == 0 {
                return false;
            }
            if index & 1 == 1 || index == last {
                old = Hash::of_node(hash, &old);
                new = Hash::of_node(hash, &new);
                while index & 1 == 0 && index != 0 {
                    index >>= 1;
                    last >>= 1;
                }
            } else {
                new = Hash::of_node(&new, hash);
            }
            index >>= 1;
            last >>= 1;
        }
        last == 0 && old == *from_root && new == *to_root
    }
}

/// Where a prover finds the hashes of tiles.
pub(crate) trait Tiles {
    type Error;

    /// The hashes of a tile, at least as many as the tree has there.
    fn tile(&mut self, level: u8, index: u64) -> Result<Vec<Hash>, Self::Error>;

    /// What a tile answers that is narrower than the tree needs.
    fn missing(level: u8, index: u64) -> Self::Error;
}

/// The inclusion proof of a record. The caller checks `index < size`.
pub(crate) fn inclusion<T: Tiles>(tiles: &mut T, index: u64, size: u64) -> Result<InclusionProof, T::Error> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + half(high - low);
        if index < middle {
            path.push(range(tiles, middle, high)?);
            high = middle;
        } else {
            path.push(range(tiles, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(InclusionProof { index, size, path })
}

/// The consistency proof between two sizes. The caller checks `from <= to`.
pub(crate) fn consistency<T: Tiles>(tiles: &mut T, from: u64, to: u64) -> Result<ConsistencyProof, T::Error> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, to);
    if from > 0 && from < to {
        while from != high {
            let middle = low + half(high - low);
            if from <= middle {
                path.push(range(tiles, middle, high)?);
                high = middle;
            } else {
                path.push(range(tiles, low, middle)?);
                low = middle;
            }
        }
        // The verifier knows this subtree when it is the whole smaller tree.
        if low != 0 {
            path.push(range(tiles, low, high)?);
        }
        path.reverse();
    }
    Ok(ConsistencyProof { from, to, path })
}

/// The root of the tree of the first `size` records. The caller checks that there are as many.
pub(crate) fn root<T: Tiles>(tiles: &mut T, size: u64) -> Result<Hash, T::Error> {
    if size == 0 { Ok(Hash::of_subtrees(&[])) } else { range(tiles, 0, size) }
}

/// The largest power of two below `count`, which must be at least 2.
fn half(count: u64) -> u64 {
    count.next_power_of_two() / 2
}

/// The root over the leaves `low..high`, where `low` is a multiple of the largest power of two in the range.
fn range<T: Tiles>(tiles: &mut T, low: u64, high: u64) -> Result<Hash, T::Error> {
    let count = high - low;
    if count.is_power_of_two() {
        return node(tiles, count.trailing_zeros(), low >> count.trailing_zeros());
    }
    let middle = low + half(count);
    Ok(Hash::of_node(&range(tiles, low, middle)?, &range(tiles, middle, high)?))
}

/// A perfect subtree's root, by its height and its place among those of its height.
fn node<T: Tiles>(tiles: &mut T, height: u32, place: u64) -> Result<Hash, T::Error> {
    let within = height % 8;
    let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
    let first = place << within;
    let index = first / 256;
    let start = usize::try_from(first % 256).unwrap_or(TILE_WIDTH);
    let hashes = tiles.tile(level, index)?;
    let wanted = hashes.get(start..start + (1 << within)).ok_or_else(|| T::missing(level, index))?;
    Ok(Hash::of_subtrees(wanted))
}
