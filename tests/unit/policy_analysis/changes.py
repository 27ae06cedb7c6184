"""Two sets that differ by a document, a clause or a key, each easy to state."""

from policies.compile import compile_set
from policies.documents import content_hash
from tests.reference_policy import Told, ruling
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    TRUST,
    agreement,
    clause,
    local_rule,
    read,
    rule,
    signature,
)

SIGNATORIES = (GP, HOSPITAL, TRUST)


def documents(*data):
    """Parsed documents, and every signature they need."""
    held = [read(each) for each in data]
    signatures = [
        signature(document, organisation)
        for document in held
        if hasattr(document, "parties")
        for organisation in SIGNATORIES
    ]
    return held, signatures


def compiled(*data):
    return compile_set(*documents(*data))


def alone(**changed):
    """A set of one agreement with one clause."""
    return compiled(agreement(clause(**changed)))


def vetoed(*rules, data=None):
    return compiled(data or agreement(), local_rule(*rules))


def told_by(witness):
    unlabelled = {"unlabelled"} if witness.cell.labels == "unlabelled" else set()
    return Told(flags=witness.flags, labels=frozenset(witness.labels | unlabelled))


def ruled(data, witness):
    """What the reference makes of a witness: the view, or None."""
    question = (witness.request, witness.cell)
    held, signatures = documents(*data)
    found = ruling(held, signatures, question, told=told_by(witness))
    return found.view if found.effect == "permit" else None


__all__ = [
    "GP",
    "HOSPITAL",
    "TRUST",
    "agreement",
    "alone",
    "clause",
    "compiled",
    "content_hash",
    "documents",
    "local_rule",
    "read",
    "rule",
    "ruled",
    "told_by",
    "vetoed",
]
