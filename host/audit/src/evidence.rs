//! Evidence: records taken out of a log with all that proves them, for who has no access to the log.
//!
//! It is one JSON document. Its records are the bytes of the log, each with its path to the root that the checkpoint
//! signs; sources and attestations are those of the records. [`Evidence::verify`] needs nothing else but the key.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use alknet_core::PublicKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::attest::{Attested, Attester, Envelope};
use crate::call_record::CallKind;
use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::log::AuditLog;
use crate::merkle::Hash;
use crate::proof::{self, ConsistencyProof};
use crate::query::{Filter, Page};
use crate::reader::{AuditReader, Entry, QueryError};
use crate::sources::Kept;

pub use check::{EvidenceError, EvidenceReport};

/// What the documents are called, with their version.
const FORMAT: &str = "alknet-agent/audit-evidence@v1";
/// The longest evidence that is read, in bytes.
const EVIDENCE_BYTES_MAX: usize = 64 << 20;
const ADMITTED: &str = CallKind::Admitted.as_str();
const FINISHED: &str = CallKind::Finished.as_str();

/// Records with what proves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What this is: `alknet-agent/audit-evidence@v1`.
    pub format: String,
    /// The checkpoint that the records are proved against, as a signed note (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// Shows that an earlier checkpoint's tree is the beginning of this one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<ConsistencyProof>,
    /// The records, in the log's order.
    pub records: Vec<ProvenRecord>,
    /// The sources that registrations among the records name, by their SHA-256; null where one is not kept any
    /// more.
    #[serde(default)]
    pub sources: BTreeMap<Hash, Option<String>>,
    /// in-toto Statements of the registrations and outcomes among the records.
    #[serde(default)]
    pub attestations: Vec<Envelope>,
}

/// One record with its path to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvenRecord {
    /// The record's index in the log.
    pub index: u64,
    /// The record, byte for byte: canonical JSON (RFC 8785).
    pub record: String,
    /// The sibling hashes, lowest first (RFC 6962 §2.1.1).
    pub path: Vec<Hash>,
}

/// What goes into evidence beside the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvidenceOptions {
    /// The size of an earlier checkpoint that the log must be shown to go on from.
    pub from: Option<u64>,
    /// Whether statements are made and signed.
    pub attest: bool,
}

/// One page of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidencePage {
    /// The evidence.
    pub evidence: Evidence,
    /// Where the next page goes on; `None` when this one reached the end.
    pub next: Option<u64>,
}

impl AuditLog {
    /// Takes the records that match out of the log, one page of them, with proofs against a checkpoint that is
    /// published now. It blocks on the disk.
    ///
    /// # Errors
    /// [`QueryError::OutOfRange`] when [`EvidenceOptions::from`] is no size of this log; otherwise when the log or
    /// its index cannot be read or the checkpoint cannot be published.
    pub fn evidence(
        &self,
        filter: &Filter,
        page: &Page,
        options: EvidenceOptions,
    ) -> Result<EvidencePage, QueryError> {
        let matches = self.reader().query(filter, page)?;
        let mut indexes: BTreeSet<u64> = matches.entries.iter().map(|entry| entry.index).collect();
        if options.attest {
            // The statement of an outcome needs the decision.
            indexes.append(&mut self.decisions(&matches.entries)?);
        }
        let records = self.reader().raw(indexes)?;
        let checkpoint = self.checkpoint().map_err(|_| QueryError::Unpublished)?;
        let size = Checkpoint::open_unchecked(&checkpoint).map_err(|_| QueryError::Unpublished)?.size;
        let mut tiles = self.tiles();
        let consistency = match options.from {
            Some(from) if from > size => return Err(QueryError::OutOfRange),
            Some(from) => Some(proof::consistency(&mut tiles, from, size)?),
            None => None,
        };
        let mut proven = Vec::with_capacity(records.len());
        for (index, bytes) in records {
            let path = proof::inclusion(&mut tiles, index, size)?.path;
            let record = String::from_utf8(bytes).map_err(|_| QueryError::Damaged { index })?;
            proven.push(ProvenRecord { index, record, path });
        }
        let attestations = if options.attest { self.attest(&proven)? } else { Vec::new() };
        let evidence = Evidence {
            format: FORMAT.to_owned(),
            checkpoint,
            consistency,
            sources: named_sources(self.reader(), &proven)?,
            records: proven,
            attestations,
        };
        Ok(EvidencePage { evidence, next: matches.next })
    }

    /// The statements of the records, signed.
    fn attest(&self, records: &[ProvenRecord]) -> Result<Vec<Envelope>, QueryError> {
        let (key, public) = (&self.shared().setup.key, self.shared().setup.key.public());
        let attester = Attester { origin: &self.shared().setup.origin, key: &public };
        let parsed = records.iter().map(Parsed::of).collect::<Result<Vec<_>, _>>()?;
        Ok(statements(&parsed, &attester).map(|statement| Envelope::seal(&statement, key)).collect())
    }

    /// The decisions on the calls whose outcomes are among the entries.
    fn decisions(&self, entries: &[Entry]) -> Result<BTreeSet<u64>, QueryError> {
        let mut decisions = BTreeSet::new();
        let text = |entry: &Entry, member: &str| entry.record.get(member)?.as_str().map(str::to_owned);
        for entry in entries.iter().filter(|entry| text(entry, "kind").as_deref() == Some(FINISHED)) {
            let filter =
                Filter { kind: Some(ADMITTED.to_owned()), call: text(entry, "call"), ..Filter::default() };
            let found = self.reader().query(&filter, &Page { limit: 1, ..Page::default() })?;
            decisions.extend(found.entries.iter().map(|entry| entry.index));
        }
        Ok(decisions)
    }
}

impl Evidence {
    /// Reads evidence.
    ///
    /// # Errors
    /// [`EvidenceError::Malformed`] when it is too long, or no evidence of a known version.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        if text.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::Malformed { fault: "it is too long".to_owned() });
        }
        let evidence: Self = serde_json::from_str(text)
            .map_err(|error| EvidenceError::Malformed { fault: error.to_string() })?;
        if evidence.format != FORMAT {
            return Err(EvidenceError::UnknownFormat { found: evidence.format });
        }
        Ok(evidence)
    }

    /// Proves everything in it: the checkpoint's signature, every record's place in the log, the sources, the
    /// attestations. With a checkpoint kept elsewhere, also that the log still begins with what that one covers.
    ///
    /// # Errors
    /// [`EvidenceError`]: the first thing found wrong.
    pub fn verify(&self, key: &PublicKey, kept: Option<&str>) -> Result<EvidenceReport, EvidenceError> {
        check::verify(self, key, kept)
    }
}

/// A record with its members.
#[derive(Debug)]
struct Parsed {
    index: u64,
    bytes: Vec<u8>,
    members: Map<String, Value>,
}

impl Parsed {
    fn new(index: u64, bytes: Vec<u8>) -> Result<Self, QueryError> {
        let members = serde_json::from_slice(&bytes).map_err(|_| QueryError::Damaged { index })?;
        Ok(Self { index, bytes, members })
    }

    fn of(record: &ProvenRecord) -> Result<Self, QueryError> {
        Self::new(record.index, record.record.clone().into_bytes())
    }

    fn attested(&self) -> Attested<'_> {
        Attested { index: self.index, bytes: &self.bytes, members: &self.members }
    }

    fn is(&self, kind: &str) -> bool {
        self.text("kind") == Some(kind)
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member)?.as_str()
    }
}

/// The statements that follow from the records.
fn statements(records: &[Parsed], attester: &Attester<'_>) -> impl Iterator<Item = Value> {
    let admitted = records.iter().filter(|record| record.is(ADMITTED));
    let decisions: BTreeMap<_, _> = admitted.map(|record| (record.text("call"), record)).collect();
    records.iter().filter_map(move |record| {
        let decision = decisions.get(&record.text("call")).map(|decision| decision.attested());
        attester.statement(&record.attested(), decision.as_ref())
    })
}

/// The sources that registrations among the records name.
fn named_sources(
    reader: &AuditReader,
    records: &[ProvenRecord],
) -> Result<BTreeMap<Hash, Option<String>>, QueryError> {
    let mut digests = BTreeSet::new();
    for record in records {
        let record = Parsed::of(record)?;
        if record.is(Event::REGISTERED) {
            digests.extend(record.text("source").and_then(|digest| digest.parse::<Hash>().ok()));
        }
    }
    let mut sources = BTreeMap::new();
    for digest in digests {
        let text = match reader.kept(&digest)? {
            Kept::Text(text) => Some(text),
            Kept::Missing | Kept::Changed => None,
        };
        sources.insert(digest, text);
    }
    Ok(sources)
}
