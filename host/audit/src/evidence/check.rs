//! Proves evidence from the outside.

use std::collections::BTreeSet;

use alknet_core::PublicKey;

use super::{Evidence, Parsed, ProvenRecord, statements};
use crate::attest::{Attester, Envelope, PAYLOAD_TYPE};
use crate::canonical;
use crate::checkpoint::{Checkpoint, CheckpointFault, Which};
use crate::event::Event;
use crate::merkle::Hash;
use crate::proof::InclusionProof;
use crate::record::{Record, RecordFault};

/// What evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceReport {
    /// The log's name, from the checkpoint.
    pub origin: String,
    /// Records in the log when the checkpoint was signed.
    pub size: u64,
    /// The root of the log's tree.
    pub root: Hash,
    /// Records that were proved to be in the log.
    pub records: u64,
    /// Sources that were proved to be those of the records.
    pub sources: u64,
    /// Sources that are not kept any more.
    pub sources_gone: u64,
    /// Statements that follow from the records and are signed.
    pub attestations: u64,
    /// Whether the log was proved to go on from a checkpoint kept elsewhere.
    pub consistent: bool,
}

/// The first thing found wrong with evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// It is no evidence.
    #[error("it is no evidence: {fault}")]
    Malformed {
        /// What is wrong with it.
        fault: String,
    },
    /// It is of an unknown version.
    #[error("its format is {found:?}, which is not known")]
    UnknownFormat {
        /// The format it names.
        found: String,
    },
    /// A checkpoint does not count.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFault),
    /// The given checkpoint covers more than the evidence's own: the log was rolled back.
    #[error("the given checkpoint covers {given} records, the one in the evidence only {size}")]
    RolledBack {
        /// Records that the given checkpoint covers.
        given: u64,
        /// Records that the evidence's covers.
        size: u64,
    },
    /// Nothing shows that the log goes on from the given checkpoint.
    #[error(
        "nothing shows that the log goes on from the given checkpoint: ask for evidence from size {given}"
    )]
    NoConsistencyProof {
        /// Records that the given checkpoint covers.
        given: u64,
    },
    /// The log does not go on from the given checkpoint: it was rewritten, or is a fork.
    #[error("the log does not go on from the given checkpoint of {given} records")]
    Forked {
        /// Records that the given checkpoint covers.
        given: u64,
    },
    /// The records are not in the log's order, or one is there twice.
    #[error("record {index} is not behind the one before it")]
    Order {
        /// The record's index.
        index: u64,
    },
    /// A record is no record.
    #[error("record {index}: {fault}")]
    Record {
        /// The record's index.
        index: u64,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// A record is not where it is said to be in the log.
    #[error("record {index} is not in the log that the checkpoint signs")]
    NotIncluded {
        /// The record's index.
        index: u64,
    },
    /// A record is older than the one before.
    #[error("record {index} is older than the one before")]
    TimeWentBack {
        /// The record's index.
        index: u64,
    },
    /// A source that a registration names is not there.
    #[error("the source {digest} of record {index} is missing")]
    SourceMissing {
        /// The registration's index.
        index: u64,
        /// The source's SHA-256.
        digest: Hash,
    },
    /// A source is not the one it is said to be.
    #[error("the source under {digest} is another one")]
    SourceChanged {
        /// The SHA-256 it is under.
        digest: Hash,
    },
    /// A source is of no record.
    #[error("no record names the source {digest}")]
    SourceUnnamed {
        /// The SHA-256 it is under.
        digest: Hash,
    },
    /// An attestation is no signed in-toto Statement.
    #[error("attestation {place} is no signed in-toto Statement")]
    AttestationMalformed {
        /// Its place, from 0.
        place: usize,
    },
    /// An attestation is not signed by the log's key.
    #[error("attestation {place} is not signed by the log's key")]
    AttestationSignature {
        /// Its place, from 0.
        place: usize,
    },
    /// An attestation says something that does not follow from the records.
    #[error("attestation {place} does not follow from the records")]
    AttestationUnfounded {
        /// Its place, from 0.
        place: usize,
    },
}

impl EvidenceError {
    /// The kind of finding, in words that do not change: `tests/audit-corpus` names them.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "evidence-malformed",
            Self::UnknownFormat { .. } => "evidence-format-unknown",
            Self::Checkpoint(fault) => fault.reason(),
            Self::RolledBack { .. } => "rolled-back",
            Self::NoConsistencyProof { .. } => "consistency-proof-missing",
            Self::Forked { .. } => "forked",
            Self::Order { .. } => "record-order",
            Self::Record { fault, .. } => fault.reason(),
            Self::NotIncluded { .. } => "record-not-included",
            Self::TimeWentBack { .. } => "time-went-back",
            Self::SourceMissing { .. } => "source-missing",
            Self::SourceChanged { .. } => "source-changed",
            Self::SourceUnnamed { .. } => "source-unnamed",
            Self::AttestationMalformed { .. } => "attestation-malformed",
            Self::AttestationSignature { .. } => "attestation-signature",
            Self::AttestationUnfounded { .. } => "attestation-unfounded",
        }
    }
}

pub(super) fn verify(
    evidence: &Evidence,
    key: &PublicKey,
    kept: Option<&str>,
) -> Result<EvidenceReport, EvidenceError> {
    let open = |which: Which, text: &str| {
        Checkpoint::open(text, key).map_err(|fault| CheckpointFault::Note { which, fault })
    };
    let checkpoint = open(Which::Published, &evidence.checkpoint)?;
    let kept = kept.map(|text| open(Which::Given, text)).transpose()?;
    if let Some(kept) = &kept {
        check_goes_on(evidence, kept, &checkpoint)?;
    }
    let records = check_records(&evidence.records, &checkpoint)?;
    let sources_gone = check_sources(evidence, &records)?;
    let attester = Attester { origin: &checkpoint.origin, key };
    check_attestations(&evidence.attestations, &records, &attester, key)?;
    let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
    Ok(EvidenceReport {
        size: checkpoint.size,
        root: checkpoint.root,
        records: count(records.len()),
        sources: count(evidence.sources.len() - sources_gone),
        sources_gone: count(sources_gone),
        attestations: count(evidence.attestations.len()),
        consistent: kept.is_some(),
        origin: checkpoint.origin,
    })
}

fn check_goes_on(
    evidence: &Evidence,
    kept: &Checkpoint,
    checkpoint: &Checkpoint,
) -> Result<(), EvidenceError> {
    kept.check_same_log(checkpoint)?;
    let given = kept.size;
    if given > checkpoint.size {
        return Err(EvidenceError::RolledBack { given, size: checkpoint.size });
    }
    let proved = match &evidence.consistency {
        _ if given == checkpoint.size => kept.root == checkpoint.root,
        Some(proof) if (proof.from, proof.to) == (given, checkpoint.size) => {
            proof.verify(&kept.root, &checkpoint.root)
        }
        Some(_) | None => return Err(EvidenceError::NoConsistencyProof { given }),
    };
    if proved { Ok(()) } else { Err(EvidenceError::Forked { given }) }
}

/// Proves that every record is in the log; answers them with their members.
fn check_records(records: &[ProvenRecord], checkpoint: &Checkpoint) -> Result<Vec<Parsed>, EvidenceError> {
    let (mut proved, mut scratch) = (Vec::with_capacity(records.len()), Vec::new());
    let (mut next, mut time) = (0, 0);
    for ProvenRecord { index, record, path } in records {
        let (index, bytes) = (*index, record.as_bytes());
        if index < next {
            return Err(EvidenceError::Order { index });
        }
        next = index.saturating_add(1);
        let parsed =
            Record::parse(bytes, &mut scratch).map_err(|fault| EvidenceError::Record { index, fault })?;
        let proof = InclusionProof { index, size: checkpoint.size, path: path.clone() };
        if !proof.verify(&Hash::of_leaf(bytes), &checkpoint.root) {
            return Err(EvidenceError::NotIncluded { index });
        }
        let recorded = parsed.facets().time;
        if recorded < time {
            return Err(EvidenceError::TimeWentBack { index });
        }
        time = recorded;
        let not_json = |_| EvidenceError::Record { index, fault: RecordFault::NotJson };
        proved.push(Parsed::new(index, bytes.to_vec()).map_err(not_json)?);
    }
    Ok(proved)
}

/// Checks the sources both ways; answers how many are not kept any more.
fn check_sources(evidence: &Evidence, records: &[Parsed]) -> Result<usize, EvidenceError> {
    let mut named = BTreeSet::new();
    for record in records {
        let source = record.text("source").filter(|_| record.is(Event::REGISTERED));
        let Some(digest) = source.and_then(|digest| digest.parse::<Hash>().ok()) else { continue };
        if !evidence.sources.contains_key(&digest) {
            return Err(EvidenceError::SourceMissing { index: record.index, digest });
        }
        named.insert(digest);
    }
    let mut gone = 0;
    for (digest, text) in &evidence.sources {
        let digest = *digest;
        if !named.contains(&digest) {
            return Err(EvidenceError::SourceUnnamed { digest });
        }
        match text {
            None => gone += 1,
            Some(text) if Hash::of(text.as_bytes()) == digest => {}
            Some(_) => return Err(EvidenceError::SourceChanged { digest }),
        }
    }
    Ok(gone)
}

/// Makes every statement again from the records: what an attestation says must be one of them.
fn check_attestations(
    attestations: &[Envelope],
    records: &[Parsed],
    attester: &Attester<'_>,
    key: &PublicKey,
) -> Result<(), EvidenceError> {
    let founded: BTreeSet<Vec<u8>> = statements(records, attester).map(|made| canonical::of(&made)).collect();
    for (place, envelope) in attestations.iter().enumerate() {
        let statement = envelope.payload().filter(|_| envelope.payload_type == PAYLOAD_TYPE);
        let statement = statement.ok_or(EvidenceError::AttestationMalformed { place })?;
        if !envelope.is_signed_by(key) {
            return Err(EvidenceError::AttestationSignature { place });
        }
        if !founded.contains(&statement) {
            return Err(EvidenceError::AttestationUnfounded { place });
        }
    }
    Ok(())
}
