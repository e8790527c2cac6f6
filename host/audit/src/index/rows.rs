//! What the tables keep of one bundle.

use std::collections::BTreeMap;

use super::Positions;
use crate::layout::Bundle;
use crate::merkle::Hash;
use crate::reader::QueryError;
use crate::record::{Facets, Record};

/// Ids that are so close to each other are kept as one range: a question looks into the bundle for them anyhow.
const GAP_MAX: u64 = 64;

/// The records of a bundle.
#[derive(Debug)]
pub(crate) struct Records<'a>(Vec<Record<'a>>);

/// What the tables keep of one bundle: enough to know which records a question is about, or may be.
#[derive(Debug)]
pub(super) struct BundleRows<'a> {
    /// The times of the first and the last record.
    pub(super) times: (u64, u64),
    /// Which records have which names.
    pub(super) combinations: BTreeMap<Combination<'a>, Positions>,
    /// The ids that the bundle mentions.
    pub(super) ids: Vec<IdRange>,
    /// The first bytes of each record's output.
    pub(super) outputs: Vec<u8>,
}

/// The names in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Combination<'a> {
    pub(super) kind: &'a str,
    pub(super) session: Option<&'a str>,
    pub(super) caller: Option<&'a str>,
    pub(super) authority: Option<&'a str>,
    pub(super) operation: Option<&'a str>,
    pub(super) outcome: Option<&'a str>,
    pub(super) source: Option<Hash>,
}

/// What a call is to a record that mentions it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The record is of the call.
    Own,
    /// The call is above the record's own.
    Above,
}

/// Call ids of one run of a host: they count up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IdRange {
    pub(super) role: Role,
    pub(super) run: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Role {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Own => 0,
            Self::Above => 1,
        }
    }
}

impl IdRange {
    pub(super) fn of(role: Role, id: [u8; 16]) -> Self {
        let id = u128::from_be_bytes(id);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        Self { role, run: half(id >> 64), first: half(id), last: half(id) }
    }
}

impl<'a> Records<'a> {
    /// Reads the records of a bundle that begins with the record `first`.
    pub(crate) fn read(bundle: &'a Bundle, first: u64) -> Result<Self, QueryError> {
        let records = (first..).zip(bundle.records());
        let read = |(index, bytes)| Record::read(bytes).map_err(|_| QueryError::Damaged { index });
        records.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What is asked about of each record, in their order.
    pub(crate) fn facets(&self) -> impl Iterator<Item = Facets<'_>> {
        self.0.iter().map(Record::facets)
    }
}

impl<'a> BundleRows<'a> {
    pub(super) fn of(records: &'a Records<'_>) -> Self {
        let mut times: Option<(u64, u64)> = None;
        let mut combinations: BTreeMap<_, Positions> = BTreeMap::new();
        let mut ids = IdRanges::default();
        let mut outputs = Vec::new();
        for (position, facets) in records.facets().enumerate() {
            times = Some((times.map_or(facets.time, |(first, _)| first), facets.time));
            combinations.entry(Combination::of(&facets)).or_default().add(position);
            let above = facets.parent.filter(|parent| Some(*parent) != facets.root);
            facets.call.iter().for_each(|id| ids.add(Role::Own, id.0));
            [above, facets.root].iter().flatten().for_each(|id| ids.add(Role::Above, id.0));
            outputs.extend(facets.output.map_or([0; OUTPUT_BYTES], |output| output_key(&output)));
        }
        let times = times.unwrap_or_default();
        Self { times, combinations, ids: ids.joined(), outputs }
    }
}

impl<'a> Combination<'a> {
    fn of(facets: &Facets<'a>) -> Self {
        let Facets { kind, session, caller, authority, operation, outcome, source, .. } = *facets;
        Self { kind, session, caller, authority, operation, outcome, source }
    }
}

/// Bytes kept of an output's digest.
pub(super) const OUTPUT_BYTES: usize = 4;

/// What is kept of an output's digest.
pub(super) fn output_key(output: &Hash) -> [u8; OUTPUT_BYTES] {
    let [a, b, c, d, ..] = output.0;
    [a, b, c, d]
}

/// The ranges of ids that were added.
#[derive(Default)]
struct IdRanges {
    /// The one that grew last, of each role.
    growing: [Option<IdRange>; 2],
    others: Vec<IdRange>,
}

impl IdRanges {
    fn add(&mut self, role: Role, id: [u8; 16]) {
        let id = IdRange::of(role, id);
        let slot = match role {
            Role::Own => &mut self.growing[0],
            Role::Above => &mut self.growing[1],
        };
        // Ids count up, and calls that run side by side have close ones: most fit.
        if !slot.as_mut().is_some_and(|range| range.take(&id)) {
            self.others.extend(slot.replace(id));
        }
    }

    /// All of them, in order and as long as they can be.
    fn joined(self) -> Vec<IdRange> {
        let mut all = self.others;
        all.extend(self.growing.into_iter().flatten());
        all.sort_unstable();
        all.dedup_by(|next, range| range.take(next));
        all
    }
}

impl IdRange {
    /// Takes another one in, if it is that close.
    fn take(&mut self, other: &Self) -> bool {
        let is_close = other.first <= self.last.saturating_add(GAP_MAX)
            && self.first <= other.last.saturating_add(GAP_MAX);
        let takes = (self.role, self.run) == (other.role, other.run) && is_close;
        if takes {
            (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_close_become_a_range() {
        let range = |run, first, last| IdRange { role: Role::Own, run, first, last };
        let ids =
            [(2_u128, 7), (1, 100), (1, 1), (1, 101), (1, 165), (1, 230), (1, u128::from(u64::MAX)), (1, 1)];
        let expected = [
            range(1, 1, 1),
            range(1, 100, 165),
            range(1, 230, 230),
            range(1, u64::MAX, u64::MAX),
            range(2, 7, 7),
        ];
        let mut ranges = IdRanges::default();
        for (run, sequence) in ids {
            ranges.add(Role::Own, ((run << 64) | sequence).to_be_bytes());
        }
        assert_eq!(ranges.joined(), expected);
    }
}
