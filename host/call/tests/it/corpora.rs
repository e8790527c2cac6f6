//! The corpora of the fuzz targets, and thousands of small changes to them, always the same ones.

use std::path::Path;

use alknet_call::fuzzing::{Verdict, call_envelope, call_frame, call_spec_import};

use crate::property::Dice;

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

/// Replaces, removes, repeats or moves a few bytes, or puts a piece of another file in.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(12)).min(bytes.len());
        match dice.below(5) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let repeated = bytes[at..end].repeat(1 + dice.below(4));
                bytes.splice(at..at, repeated).for_each(drop);
            }
            3 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            _ if !other.is_empty() => {
                let from = dice.below(other.len());
                let piece = other[from..(from + dice.below(40)).min(other.len())].to_vec();
                bytes.splice(at..at, piece).for_each(drop);
            }
            _ => {}
        }
    }
}

fn check(target: &str, run: fn(&[u8]) -> Verdict, mutations: usize) {
    let corpus = corpus(target);
    let mut dice = Dice::new(0x616c_6b6e);
    let mut accepted = 0;
    for (name, bytes) in &corpus {
        assert_eq!(run(bytes), Ok(name.starts_with("good_")), "{target}/{name}");
        for _ in 0..mutations {
            let (mut changed, other) = (bytes.clone(), dice.below(corpus.len()));
            mutate(&mut changed, &corpus[other].1, &mut dice);
            let verdict = run(&changed);
            assert!(verdict.is_ok(), "{target}: {verdict:?}: {:?}", String::from_utf8_lossy(&changed));
            accepted += usize::from(verdict == Ok(true));
        }
    }
    assert!(accepted > 20, "{target}: only {accepted} of all changes leave something to accept");
}

#[test]
fn streams_of_frames_that_are_almost_right() {
    check("call_frame", call_frame, 200);
}

#[test]
fn envelopes_that_are_almost_right() {
    check("call_envelope", call_envelope, 500);
}

#[test]
fn specifications_that_are_almost_right() {
    check("call_spec_import", call_spec_import, 100);
}
