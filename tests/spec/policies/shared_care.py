"""One agreement, its signatures, a request and a cell, each easy to vary by a field."""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime

from policies.compile import compile_set
from policies.decide import Cell, Request, decide
from policies.documents import content_hash, parse_document
from policies.obligations import AXES
from policies.release import Sealed, release

GP, HOSPITAL, TRUST = "Z9A01", "Z9B", "Z9C"
NOW = datetime(2031, 6, 1, 12, tzinfo=UTC)
EVERY_AXIS = frozenset(AXES)
PREFILTERED = {"legally-restricted": "prefiltered", "sensitive-record": "prefiltered"}

CLAUSE = {
    "id": "c1",
    "purposes": ["direct-care", "care-coordination"],
    "legal_basis": {
        "art6": "6(1)(e)",
        "art9": "9(2)(h)",
        "confidentiality": "implied-consent",
    },
    "operations": ["journey.read"],
    "modes": ["identified"],
    "roles": ["gp", "doctor", "nurse"],
    "relationships": ["active-encounter", "registered"],
    "assurance": ["aal2", "aal3"],
    "categories": ["encounters", "medications"],
    "cleared_labels": ["PSY", "unlabelled"],
    "honours": ["local-dissent"],
    "obligations": {"hide_fields": ["person.address"]},
    "why": "Shared frail patients",
}


def clause(**changed):
    return {**copy.deepcopy(CLAUSE), **changed}


def agreement(*clauses, **changed):
    return {
        "kind": "agreement",
        "id": "DSA-2031-017",
        "parties": {
            "providers": [GP, HOSPITAL],
            "recipients": [GP, HOSPITAL, TRUST],
        },
        "dpia": "DPIA-88",
        "review_by": "2032-04-01",
        "valid": {"from": "2031-04-01", "through": "2033-03-31"},
        "clauses": list(clauses) or [clause()],
        **changed,
    }


def rule(**changed):
    return {
        "id": "v1",
        "effect": "veto",
        "when": {},
        "overridable": "false",
        "why": "Board",
        **changed,
    }


def local_rule(*rules, **changed):
    return {
        "kind": "local-rule",
        "id": "LR-Z9B-1",
        "org": HOSPITAL,
        "rules": list(rules) or [rule()],
        **changed,
    }


def read(data):
    return parse_document(data, where="policy/a.yaml")


def signature(document, organisation, /, **changed):
    return read(
        {
            "kind": "signature",
            "document": document.id,
            "hash": content_hash(document),
            "organisation": organisation,
            "person": "A Signatory",
            "capacity": "caldicott",
            "at": "2031-03-01T09:00:00Z",
            **changed,
        }
    )


def signed(*data, by=(GP, HOSPITAL, TRUST)):
    """The compiled set of these documents, each agreement signed by these."""
    documents = [read(each) for each in data]
    signatures = [
        signature(document, organisation)
        for document, each in zip(documents, data, strict=True)
        if each["kind"] == "agreement"
        for organisation in by
    ]
    return compile_set(documents, signatures)


def request(**changed):
    asked = {
        "operation": "journey.read",
        "mode": "identified",
        "purpose": "direct-care",
        "agreement": None,
        "recipient": GP,
        "role": "doctor",
        "assurance": "aal2",
        "relationships": frozenset({"registered"}),
        "break_glass": False,
        "now": NOW,
        **changed,
    }
    return Request(**asked)


def cell(**changed):
    flags = {**PREFILTERED, "local-dissent": "prefiltered", **changed.pop("flags", {})}
    held = {
        "owner": HOSPITAL,
        "category": "encounters",
        "labels": "labelled",
        "flags": flags,
        **changed,
    }
    return Cell(**held)


def decided(policy_set, asked=None, at=None, *, supported=EVERY_AXIS):
    return decide(policy_set, asked or request(), at or cell(), supported=supported)


def codes(decision):
    return [because.code for because in decision.because]


@dataclass(frozen=True, kw_only=True)
class Thing:
    """The plainest item that release can weigh."""

    category: str = "encounters"
    labels: frozenset[str] = frozenset()
    earliest: datetime | None = NOW


def opened(decision, *things, flags=None, now=NOW):
    sealed = Sealed(things or [Thing()], flags or {})
    return release(sealed, {decision.category: decision}, now)
