"""Checks exported statements with the published packages of in-toto and DSSE."""

import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

fingerprint = json.load(open(sys.argv[1]))["key"]
raw = bytes.fromhex(fingerprint.removeprefix("ed25519:"))
key = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(raw), keyid=fingerprint)
other = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31)), keyid=fingerprint)

predicates = {}
for line in open(sys.argv[2]):
    document = json.loads(line)
    envelope = Envelope.from_dict(document)
    assert list(envelope.verify([key], 1)) == [fingerprint]
    try:
        envelope.verify([other], 1)
        sys.exit("a statement was accepted under another key")
    except VerificationError:
        pass
    assert envelope.payload_type == "application/vnd.in-toto+json"
    parsed = json_format.Parse(envelope.payload, statement_pb2.Statement())
    statement = Statement.copy_from_pb(parsed)
    statement.validate()
    predicates[parsed.predicate_type] = predicates.get(parsed.predicate_type, 0) + 1

assert predicates == {
    "https://slsa.dev/provenance/v1": 1,
    "urn:alknet-agent:attestation:call:v1": 3,
}, predicates
print("in-toto-attestation, securesystemslib:", predicates)
