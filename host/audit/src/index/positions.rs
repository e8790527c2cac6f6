//! A set of records within one bundle.

/// Which of a bundle's 256 records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Positions([u64; 4]);

impl Positions {
    /// Those from `low` to before `high`, counted within the bundle.
    pub(crate) fn between(low: u64, high: u64) -> Self {
        let below = |end: u64| {
            let word = |nth: u64| match end.saturating_sub(nth * 64) {
                bits @ 0..64 => (1 << bits) - 1,
                _ => u64::MAX,
            };
            [word(0), word(1), word(2), word(3)]
        };
        let (low, high) = (below(low), below(high));
        Self(std::array::from_fn(|nth| high[nth] & !low[nth]))
    }

    pub(crate) fn add(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|nth| self.0[nth] & other.0[nth]))
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|nth| self.0[nth] | other.0[nth]))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    pub(crate) fn count(self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    pub(crate) fn contains(self, position: usize) -> bool {
        self.0.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// The positions in their order.
    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..256).filter(move |position| self.contains(*position))
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let mut positions = Self::default();
        for (place, word) in positions.0.iter_mut().zip(words) {
            *place = u64::from_le_bytes(*word);
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_positions_is_a_set(some in prop::collection::btree_set(0..256_usize, 0..40), low in 0..257_u64, high in 0..257_u64) {
            let mut positions = Positions::default();
            some.iter().for_each(|position| positions.add(*position));
            prop_assert_eq!(Positions::from_bytes(&positions.to_bytes()), positions);
            prop_assert_eq!(positions.count(), u64::try_from(some.len()).unwrap());
            prop_assert!(positions.iter().eq(some.iter().copied()));
            let range = Positions::between(low, high);
            let within = some.iter().copied().filter(|position| (low..high).contains(&u64::try_from(*position).unwrap()));
            prop_assert!(positions.and(range).iter().eq(within));
            prop_assert_eq!(positions.or(range).and(positions), positions);
        }
    }
}
