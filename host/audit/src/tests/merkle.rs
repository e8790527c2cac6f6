//! The tree of the RFC 6962 test vectors (the eight leaves of the certificate-transparency reference tests).

use crate::Hash;
use crate::merkle::Frontier;
use crate::proof::{self, ConsistencyProof, InclusionProof, Tiles};

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const F: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

fn leaf(at: usize) -> Hash {
    Hash::of_leaf(&hex::decode(LEAVES[at]).unwrap())
}

fn hashes(digits: &[&str]) -> Vec<Hash> {
    digits.iter().map(|digits| digits.parse().unwrap()).collect()
}

/// All hashes of a tree, level by level.
struct AllLevels(Vec<Vec<Hash>>);

impl AllLevels {
    fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while levels[levels.len() - 1].len() >= 256 {
            let below = &levels[levels.len() - 1];
            levels.push(below.chunks_exact(256).map(Hash::of_subtrees).collect());
        }
        Self(levels)
    }
}

impl Tiles for AllLevels {
    type Error = String;

    fn tile(&mut self, level: u8, index: u64) -> Result<Vec<Hash>, String> {
        let hashes = &self.0[usize::from(level)];
        let start = usize::try_from(index).unwrap() * 256;
        Ok(hashes[start..hashes.len().min(start + 256)].to_vec())
    }

    fn missing(level: u8, index: u64) -> String {
        format!("{level}/{index}")
    }
}

#[test]
fn roots() {
    let mut frontier = Frontier::default();
    assert_eq!(
        frontier.root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (at, root) in ROOTS.iter().enumerate() {
        frontier.push(leaf(at));
        assert_eq!(frontier.root().to_string(), *root);
    }
}

#[test]
fn inclusion_proofs() {
    let cases: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[A, B, C]),
        (5, 8, &[D, E, ROOTS[3]]),
        (2, 3, &[ROOTS[1]]),
        (1, 5, &[ROOTS[0], B, D]),
    ];
    for (index, size, path) in cases {
        let count = usize::try_from(size).unwrap();
        let proof =
            proof::inclusion(&mut AllLevels::new((0..count).map(leaf).collect()), index, size).unwrap();
        assert_eq!(proof, InclusionProof { index, size, path: hashes(path) });
        let root = ROOTS[count - 1].parse().unwrap();
        assert!(proof.verify(&leaf(usize::try_from(index).unwrap()), &root));
        assert!(!proof.verify(&leaf(7 - usize::try_from(index).unwrap()), &root) || index == 7 - index);
    }
}

#[test]
fn consistency_proofs() {
    let cases: [(u64, u64, &[&str]); 4] =
        [(1, 1, &[]), (1, 8, &[A, B, C]), (6, 8, &[F, E, ROOTS[3]]), (2, 5, &[B, D])];
    for (from, to, path) in cases {
        let count = usize::try_from(to).unwrap();
        let proof =
            proof::consistency(&mut AllLevels::new((0..count).map(leaf).collect()), from, to).unwrap();
        assert_eq!(proof, ConsistencyProof { from, to, path: hashes(path) });
        let root = |size: u64| ROOTS[usize::try_from(size).unwrap() - 1].parse().unwrap();
        assert!(proof.verify(&root(from), &root(to)));
        assert!(!proof.verify(&root(to), &root(from)) || from == to);
    }
}

/// Sizes around every edge of tiles: proofs hold, and break with any change.
#[test]
fn proofs_across_tiles() {
    let leaves = (0..65_800_u32).map(|at| Hash::of_leaf(&at.to_be_bytes())).collect::<Vec<_>>();
    let sizes = [1_u64, 2, 255, 256, 257, 511, 513, 1000, 65_535, 65_536, 65_537, 65_800];
    let mut frontier = Frontier::default();
    let mut roots = std::collections::BTreeMap::new();
    for leaf in &leaves {
        frontier.push(*leaf);
        if sizes.contains(&frontier.size()) {
            roots.insert(frontier.size(), frontier.root());
        }
        frontier.carry();
    }
    let root = |size: u64| roots[&size];
    let mut tiles = AllLevels::new(leaves.clone());
    for size in sizes {
        assert_eq!(root(size), Hash::of_subtrees(&leaves[..usize::try_from(size).unwrap()]));
        for index in [0, size / 3, size / 2, size - 1] {
            let proof = proof::inclusion(&mut tiles, index, size).unwrap();
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert!(proof.verify(&leaf, &root(size)), "{index} of {size}");
            let other = InclusionProof { index: index ^ 1, ..proof.clone() };
            assert!(size == 1 || !other.verify(&leaf, &root(size)), "{index} of {size}");
            for at in 0..proof.path.len() {
                let mut broken = proof.clone();
                broken.path[at].0[0] ^= 1;
                assert!(!broken.verify(&leaf, &root(size)));
                broken = proof.clone();
                broken.path.remove(at);
                assert!(!broken.verify(&leaf, &root(size)));
            }
        }
        for from in sizes.into_iter().filter(|from| *from <= size) {
            let proof = proof::consistency(&mut tiles, from, size).unwrap();
            assert!(proof.verify(&root(from), &root(size)), "{from} to {size}");
            assert!(from == size || !proof.verify(&leaves[0], &root(size)) || from == 1);
            assert!(!proof.verify(&root(from), &leaves[1]));
            let mut longer = proof.clone();
            longer.path.push(leaves[0]);
            assert!(!longer.verify(&root(from), &root(size)));
        }
    }
}
