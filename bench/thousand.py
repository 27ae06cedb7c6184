"""A thousand clauses, a request for forty cells, and a plain loop over the clauses.

The loop reads the same documents and knows nothing of sets of bits: for each cell it
tests each clause of agreements that the cell's owner and the caller have signed.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from adapters.vocabulary import CATEGORIES
from bench.configured import ORGANISATION, clause
from policies.clauses import Agreement, Clause, Signature
from policies.decide import Request
from policies.documents import content_hash, parse_document
from policies.request import Cell, FlagRegistration

_T = TypeVar("_T")

CLAUSES: Final = 1_000
_AGREEMENTS: Final = 10
_NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_OWNERS: Final = tuple(f"Z9B{number:03d}" for number in range(5))
_PURPOSES: Final = ("direct-care", "care-coordination", "emergency-care")
_ROLES: Final = ("gp", "doctor", "nurse", "midwife", "paramedic")


def documents() -> tuple[list[Agreement], list[Signature]]:
    """Agreements of a thousand clauses, every fourth of which may hold here."""
    agreements: list[Agreement] = []
    signatures: list[Signature] = []
    categories = sorted(CATEGORIES)
    for number in range(_AGREEMENTS):
        clauses = [
            clause(
                f"c{n}",
                purposes=[_PURPOSES[n % 3]],
                roles=[_ROLES[n % 5]],
                categories=[categories[n % len(categories)]],
            )
            for n in range(CLAUSES // _AGREEMENTS)
        ]
        agreement = _parsed(_agreement(number, clauses), Agreement)
        agreements.append(agreement)
        for owner in (*_OWNERS, ORGANISATION):
            data = {
                "kind": "signature",
                "document": agreement.id,
                "hash": content_hash(agreement),
                "organisation": owner,
                "person": "Caldicott guardian (synthetic)",
                "capacity": "caldicott",
                "at": "2026-01-02T10:00:00+00:00",
            }
            signatures.append(_parsed(data, Signature))
    return agreements, signatures


def _parsed(data: dict[str, Any], kind: type[_T]) -> _T:
    document = parse_document(data, where="bench")
    if not isinstance(document, kind):
        message = "the benchmark's own document is of another kind"
        raise TypeError(message)
    return document


def _agreement(number: int, clauses: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "agreement",
        "id": f"DSA-BENCH-{number}",
        "parties": {"providers": list(_OWNERS), "recipients": [ORGANISATION]},
        "dpia": "DPIA-BENCH-1",
        "review_by": "2026-12-31",
        "valid": {"from": "2026-01-01", "through": "2026-12-31"},
        "clauses": clauses,
    }


def request() -> Request:
    """A registered person's GP, for direct care."""
    return Request(
        operation="journey.read",
        mode="identified",
        purpose="direct-care",
        agreement=None,
        recipient=ORGANISATION,
        role="gp",
        assurance="aal2",
        relationships=frozenset({"registered"}),
        break_glass=False,
        now=_NOW,
    )


def cells() -> list[Cell]:
    """Forty cells, of which half are permitted."""
    flags: dict[str, FlagRegistration] = {
        "legally-restricted": "prefiltered",
        "sensitive-record": "prefiltered",
    }
    return [
        Cell(owner=owner, category=category, labels="unlabelled", flags=flags)
        for owner in _OWNERS
        for category in sorted(CATEGORIES)[:8]
    ]


def permits(
    agreements: list[Agreement],
    signed: set[tuple[str, str]],
    *,
    request: Request,
    cell: Cell,
) -> bool:
    """Whether any clause permits, found by reading each of them."""
    found = False
    for agreement in agreements:
        for each in agreement.clauses:  # none is skipped: deciding must see them all
            found |= (
                {(agreement.id, cell.owner), (agreement.id, request.recipient)}
                <= signed
                and cell.owner in agreement.parties.providers
                and request.recipient in agreement.parties.recipients
                and _holds(each, request, cell)
            )
    return found


def _holds(one: Clause, request: Request, cell: Cell) -> bool:
    return (
        request.purpose in one.purposes
        and request.operation in one.operations
        and request.mode in one.modes
        and request.role in one.roles
        and request.assurance in one.assurance
        and bool(request.relationships & one.relationships)
        and cell.category in one.categories
        and "unlabelled" in one.cleared_labels
    )


def median_ms(work: Callable[[], object], times: int) -> float:
    """What one piece of work takes, in milliseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
