//! Random bytes for guests: the operating system's, or a stream that a seed fixes.

use sha2::{Digest as _, Sha256};

use crate::host::Seed;

/// Where a call's random bytes come from.
#[derive(Debug)]
pub(crate) enum Random {
    /// Nowhere: what a module's top level leaves behind is shared by all calls, so nothing in it may be random.
    Unavailable,
    /// From the operating system.
    System,
    /// From a seed, so that they are the same again.
    Seeded(Stream),
}

/// SHA-256 of the seed and a counter, block after block. It is a tool's own seed: nobody else's secrets hang on it.
#[derive(Debug)]
pub(crate) struct Stream {
    seed: Seed,
    blocks: u64,
}

impl Random {
    pub(crate) fn of(determinism: Option<Seed>) -> Self {
        determinism.map_or(Self::System, |seed| Self::Seeded(Stream { seed, blocks: 0 }))
    }

    /// Fills `bytes`; false when there are none to be had.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> bool {
        match self {
            Self::Unavailable => false,
            Self::System => getrandom::fill(bytes).is_ok(),
            Self::Seeded(stream) => {
                stream.fill(bytes);
                true
            }
        }
    }
}

impl Stream {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(BLOCK_BYTES) {
            let block =
                Sha256::new().chain_update(self.seed).chain_update(self.blocks.to_le_bytes()).finalize();
            self.blocks = self.blocks.wrapping_add(1);
            for (byte, random) in chunk.iter_mut().zip(block) {
                *byte = random;
            }
        }
    }
}

const BLOCK_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_seed_others() {
        let draw = |seed: Option<[u8; 32]>| {
            let (mut random, mut bytes) = (Random::of(seed), [0; 100]);
            assert!(random.fill(&mut bytes));
            let mut more = [0; 7];
            assert!(random.fill(&mut more));
            assert_ne!(bytes.get(..7), more.get(..));
            bytes
        };
        assert_eq!(draw(Some([1; 32])), draw(Some([1; 32])));
        assert_ne!(draw(Some([1; 32])), draw(Some([2; 32])));
        assert_ne!(draw(None), draw(None));
        assert!(!Random::Unavailable.fill(&mut [0; 4]));
    }
}
