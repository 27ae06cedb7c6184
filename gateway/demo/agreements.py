"""The demo's policy: one agreement of all six, two local rules, and the signatures."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import yaml

from adapters.moment import LONDON
from adapters.vocabulary import CATEGORIES
from gateway.demo.chronicle import AT, ORGANISATIONS, Place
from policies.documents import content_hash

_AGREEMENT: Final = "DSA-DEMO-1"
_LETTERS_OF_DAYS: Final = 1_825


def documents(today: date) -> tuple[dict[str, Any], ...]:
    """The agreement and the local rules, as the plain values a file holds."""
    return (_agreement(today), *_local_rules())


def signatures(today: date) -> Iterator[dict[str, Any]]:
    """Each of the six signs the agreement, as provider and as recipient."""
    signed = datetime.combine(today - timedelta(days=200), time(10), tzinfo=LONDON)
    fingerprint = content_hash(_agreement(today))
    for organisation in ORGANISATIONS:
        yield {
            "kind": "signature",
            "document": _AGREEMENT,
            "hash": fingerprint,
            "organisation": organisation.ods,
            "person": f"Caldicott guardian of {organisation.ods} (synthetic)",
            "capacity": "caldicott",
            "at": signed.isoformat(),
        }


def as_yaml(values: tuple[dict[str, Any], ...]) -> str:
    """Several YAML documents of one file, with keys in the order given."""
    text: str = yaml.safe_dump_all(
        values, sort_keys=False, allow_unicode=True, explicit_start=True
    )
    return text


def _agreement(today: date) -> dict[str, Any]:
    everyone = [organisation.ods for organisation in ORGANISATIONS]
    first = today - timedelta(days=200)
    last = today + timedelta(days=700)
    return {
        "kind": "agreement",
        "id": _AGREEMENT,
        # Two lists: YAML would write one list shared as an alias, which is not read.
        "parties": {"providers": everyone, "recipients": [*everyone]},
        "dpia": "DPIA-DEMO-1",
        "review_by": last.isoformat(),
        "valid": {"from": first.isoformat(), "through": last.isoformat()},
        "clauses": [_clause()],
    }


def _clause() -> dict[str, Any]:
    return {
        "id": "c1",
        "purposes": ["direct-care", "care-coordination", "emergency-care"],
        "legal_basis": {
            "art6": "6(1)(e)",
            "art9": "9(2)(h)",
            "confidentiality": "implied-consent",
        },
        "operations": ["journey.read"],
        "modes": ["identified"],
        "roles": [
            *("gp", "doctor", "nurse", "midwife", "paramedic", "allied-health"),
            *("mental-health-practitioner", "social-worker", "care-coordinator"),
        ],
        "relationships": [
            *("active-encounter", "registered", "referral", "caseload", "care-team"),
        ],
        "assurance": ["aal2", "aal3"],
        "categories": sorted(CATEGORIES),
        "cleared_labels": ["PSY", "unlabelled"],
        "why": "Care shared by the six organisations of the demo",
    }


def _local_rules() -> tuple[dict[str, Any], ...]:
    surgery = AT[Place.GP].ods
    mental_health = AT[Place.MENTAL_HEALTH].ods
    return (
        {
            "kind": "local-rule",
            "id": f"LR-{surgery}-1",
            "org": surgery,
            "rules": [
                {
                    "id": "k1",
                    "effect": "constrain",
                    "when": {"categories": ["documents"]},
                    "overridable": True,
                    "obligations": {"max_age_days": _LETTERS_OF_DAYS},
                    "why": "Letters older than five years stay at the surgery",
                }
            ],
        },
        {
            "kind": "local-rule",
            "id": f"LR-{mental_health}-1",
            "org": mental_health,
            "rules": [
                {
                    "id": "v1",
                    "effect": "veto",
                    "when": {"roles": ["administrator", "analyst"]},
                    "overridable": False,
                    "why": "Clinical roles alone, by decision of the board",
                }
            ],
        },
    )
