//! The corpora of the fuzz targets, and thousands of small changes to them, always the same ones.

use std::path::Path;

use alknet_vault::SeedFile;

use crate::fuzzing::{PASSWORD, PHRASE, Verdict, vault_blob, vault_path, vault_seed};

/// A sequence of numbers that looks random and is the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new("../../tests/fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
    };
    let mut all: Vec<_> = files.map(read).collect();
    all.sort();
    all
}

/// Changes, removes, repeats or replaces a few bytes.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + numbers.below(12)).min(bytes.len());
        match numbers.below(5) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            1 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let repeated = bytes[at..end].repeat(1 + numbers.below(3));
                bytes.splice(at..at, repeated).for_each(drop);
            }
            _ if !other.is_empty() => {
                let from = numbers.below(other.len());
                let piece = other[from..(from + numbers.below(40)).min(other.len())].to_vec();
                bytes.splice(at..end, piece).for_each(drop);
            }
            _ => {}
        }
    }
}

fn check(target: &str, run: fn(&[u8]) -> Verdict, mutations: usize) {
    let corpus = corpus(target);
    let mut numbers = Numbers(0x616c_6b6e);
    let mut accepted = 0;
    for (name, bytes) in &corpus {
        assert_eq!(run(bytes), Ok(name.starts_with("good_")), "{target}/{name}");
        for _ in 0..mutations {
            let (mut changed, other) = (bytes.clone(), numbers.below(corpus.len()));
            mutate(&mut changed, &corpus[other].1, &mut numbers);
            let verdict = run(&changed);
            assert!(verdict.is_ok(), "{target}: {verdict:?}: {:?}", String::from_utf8_lossy(&changed));
            accepted += usize::from(verdict == Ok(true));
        }
    }
    assert!(accepted > 20, "{target}: only {accepted} of all changes leave something to accept");
}

#[test]
fn paths_that_are_almost_right() {
    check("vault_path", vault_path, 300);
}

#[test]
fn blobs_that_are_almost_right() {
    check("vault_blob", vault_blob, 200);
}

#[test]
fn seed_files_that_are_almost_right() {
    check("vault_seed", vault_seed, 1000);
    let (_, least) = corpus("vault_seed").into_iter().find(|(name, _)| name == "good_least").unwrap();
    let opened = SeedFile::parse(&least).unwrap().open(PASSWORD).unwrap();
    assert_eq!(*opened.phrase(), PHRASE);
}
