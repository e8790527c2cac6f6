//! What the log says, as in-toto Statements in signed DSSE envelopes: for tools that know neither this log nor its
//! records.
//!
//! A registration becomes SLSA provenance (`https://slsa.dev/provenance/v1`), a finished call a predicate of our own
//! (`docs/provenance.md`). A statement follows from its records alone, so that whoever has them can make it again.

use alknet_core::{Ed25519SecretKey, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::canonical;
use crate::event::Event;
use crate::merkle::Hash;

/// The media type of an in-toto Statement (in-toto attestation framework, envelope).
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The type of every statement.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate of a registration.
const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// The predicate of a call.
const CALL: &str = "urn:alknet-agent:attestation:call:v1";
/// How a registration is made of its parameters.
const REGISTRATION: &str = "urn:alknet-agent:build:session-register:v1";

/// A signed statement (DSSE v1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// What the payload is: `application/vnd.in-toto+json`.
    pub payload_type: String,
    /// The statement, in base64.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature over an envelope's payload and its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// The fingerprint of the key.
    pub keyid: String,
    /// The Ed25519 signature, in base64.
    pub sig: String,
}

/// A record that a statement is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attested<'a> {
    pub(crate) index: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) members: &'a Map<String, Value>,
}

/// Whose log the records are in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attester<'a> {
    pub(crate) origin: &'a str,
    pub(crate) key: &'a PublicKey,
}

impl Envelope {
    /// The bytes of the statement in the envelope; its signature is not checked.
    #[must_use]
    pub fn payload(&self) -> Option<Vec<u8>> {
        BASE64.decode(&self.payload).ok()
    }

    /// Whether the key signed it, and nobody else.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let ([signature], Ok(payload)) = (self.signatures.as_slice(), BASE64.decode(&self.payload)) else {
            return false;
        };
        let bytes = BASE64.decode(&signature.sig).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        signature.keyid == key_id(key)
            && bytes.is_some_and(|bytes| key.verify(&signed_bytes(&self.payload_type, &payload), &bytes))
    }

    pub(crate) fn seal(statement: &Value, key: &Ed25519SecretKey) -> Self {
        let payload = canonical::of(statement);
        let sig = BASE64.encode(key.sign(&signed_bytes(PAYLOAD_TYPE, &payload)));
        Self {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: BASE64.encode(payload),
            signatures: vec![EnvelopeSignature { keyid: key_id(&key.public()), sig }],
        }
    }
}

/// What is signed (DSSE v1, pre-authentication encoding).
fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn key_id(key: &PublicKey) -> String {
    alknet_core::Fingerprint::from(key).to_string()
}

impl Attester<'_> {
    /// The statement of a record, with the decision on the call where it is the outcome of one; `None` for records
    /// that no statement is made of.
    pub(crate) fn statement(&self, record: &Attested<'_>, decision: Option<&Attested<'_>>) -> Option<Value> {
        match text(record.members, "kind")? {
            Event::REGISTERED => self.registration(record),
            "call.finished" => Some(self.call(record, decision?)),
            _ => None,
        }
    }

    fn registration(&self, record: &Attested<'_>) -> Option<Value> {
        let members = record.members;
        let (operation, source) = (text(members, "operation")?, text(members, "source")?);
        let parameters = [
            "authority",
            "env",
            "examples",
            "language",
            "operation",
            "operation_kind",
            "replaces",
            "session",
            "version",
        ];
        let sandbox =
            members.get("guest").map(|guest| json!({ "name": "guest", "digest": { "sha256": guest } }));
        let metadata = json!({
            "invocationId": text(members, "call").unwrap_or_default(),
            "startedOn": at(members),
            "finishedOn": at(members),
        });
        let predicate = json!({
            "buildDefinition": {
                "buildType": REGISTRATION,
                "externalParameters": pick(members, &parameters),
                "internalParameters": pick(members, &["caller", "compiler", "limits"]),
                "resolvedDependencies": sandbox.into_iter().collect::<Vec<_>>(),
            },
            "runDetails": {
                "builder": { "id": self.builder() },
                "metadata": metadata,
                "byproducts": [
                    { "name": "specification", "digest": { "sha256": members.get("spec") } },
                    self.descriptor(record),
                ],
            },
        });
        let subject = json!({ "name": operation, "digest": { "sha256": source } });
        Some(statement(&[subject], SLSA_PROVENANCE, &predicate))
    }

    fn call(&self, outcome: &Attested<'_>, decision: &Attested<'_>) -> Value {
        let members = outcome.members;
        let call = text(members, "call").unwrap_or_default();
        // The digests of inputs and outputs are keyed: only the host can tell what they are of.
        let mut subjects = vec![json!({
            "name": format!("call/{call}"),
            "digest": { "sha256": Hash::of(outcome.bytes) },
        })];
        if let Some(output) = members.get("output") {
            subjects.push(json!({ "name": "output", "digest": { "hmac-sha256": output } }));
        }
        let named = [
            "authority",
            "call",
            "caller",
            "code",
            "items",
            "layer",
            "micros",
            "operation",
            "parent",
            "peer",
            "provenance",
            "root",
            "session",
            "source",
        ];
        let predicate = json!({
            "call": pick(members, &named),
            "input": { "hmac-sha256": decision.members.get("input") },
            "decidedOn": at(decision.members),
            "finishedOn": at(members),
            "host": self.builder(),
            "records": [self.descriptor(decision), self.descriptor(outcome)],
        });
        statement(&subjects, CALL, &predicate)
    }

    fn builder(&self) -> String {
        format!("urn:alknet-agent:log:{}#{}", self.origin, key_id(self.key))
    }

    /// The record as an in-toto ResourceDescriptor.
    fn descriptor(&self, record: &Attested<'_>) -> Value {
        json!({
            "name": format!("record/{}", record.index),
            "digest": { "sha256": Hash::of(record.bytes) },
            "annotations": {
                "index": record.index, "leaf": Hash::of_leaf(record.bytes), "origin": self.origin,
            },
        })
    }
}

fn statement(subjects: &[Value], predicate_type: &str, predicate: &Value) -> Value {
    json!({
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

/// The members with these names, as far as they are there.
fn pick(members: &Map<String, Value>, names: &[&str]) -> Value {
    let picked = names.iter().filter_map(|name| Some(((*name).to_owned(), members.get(*name)?.clone())));
    Value::Object(picked.collect())
}

/// The record's time (RFC 3339).
fn at(members: &Map<String, Value>) -> Option<String> {
    let micros = members.get("time").and_then(Value::as_u64)?;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
    moment.format(&Rfc3339).ok()
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}
