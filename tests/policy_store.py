"""Administrators of several organisations, their documents, and a store for both."""

from collections.abc import Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from gateway.access.requester import Requester
from gateway.audit.trail import Trail
from gateway.policy.approvals import Yes
from gateway.policy.lifecycle import PolicyAdmin
from gateway.policy.occasion import Stored
from gateway.problems import RequestError
from gateway.store.database import Database
from policies.documents import Agreement, LocalRule, parse_document
from tests.fakes import FakeClock
from tests.trails import trail_at

A, B, R, S = "Z9A01", "Z9B02", "Z9R01", "Z9S01"
SCOPES = frozenset({"policy:read", "policy:write", "policy:approve"})
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def person(
    organisation: str, name: str = "ann", *capacities: str, **said: object
) -> Requester:
    """An administrator of an organisation; a Caldicott Guardian if it is said."""
    given: dict[str, object] = {
        "issuer": "urn:test",
        "subject": f"{name}-{organisation}",
        "client_id": "admin-app",
        "kind": "user",
        "organisation": organisation,
        "role": "privacy-officer",
        "assurance": "aal2",
        "purposes": frozenset(),
        "scopes": SCOPES,
        "capacities": frozenset(capacities),
        "token_id": "t1",
    }
    return Requester(**(given | said))  # type: ignore[arg-type]  # a test's own defaults


def author(organisation: str) -> Requester:
    return person(organisation, "author")


def guardian(organisation: str) -> Requester:
    return person(organisation, "guardian", "caldicott")


def second(organisation: str) -> Requester:
    return person(organisation, "second")


def clause(**changed: object) -> dict[str, object]:
    return {
        "id": "c1",
        "purposes": ["direct-care"],
        "legal_basis": {
            "art6": "6(1)(e)",
            "art9": "9(2)(h)",
            "confidentiality": "implied-consent",
        },
        "operations": ["journey.read"],
        "modes": ["identified"],
        "roles": ["doctor", "nurse"],
        "relationships": ["registered"],
        "assurance": ["aal2"],
        "categories": ["encounters", "medications"],
        "cleared_labels": ["unlabelled"],
        "why": "Shared care",
    } | changed


def agreement(
    *clauses: dict[str, object],
    providers: tuple[str, ...] = (A, B),
    recipients: tuple[str, ...] = (R,),
    first: str = "2026-01-01",
    through: str = "2027-12-31",
    **changed: object,
) -> Agreement:
    found = parse_document(
        {
            "kind": "agreement",
            "id": "DSA-1",
            "parties": {"providers": list(providers), "recipients": list(recipients)},
            "dpia": "DPIA-1",
            "review_by": "2027-01-01",
            "valid": {"from": first, "through": through},
            "clauses": list(clauses or (clause(),)),
        }
        | changed,
        where="test",
    )
    assert isinstance(found, Agreement)
    return found


def rule(org: str = A, *rules: dict[str, object], **changed: object) -> LocalRule:
    veto = {
        "id": "v1",
        "effect": "veto",
        "when": {"categories": ["medications"]},
        "overridable": False,
        "why": "Board",
    }
    found = parse_document(
        {"kind": "local-rule", "id": f"LR-{org}", "org": org, "rules": rules or (veto,)}
        | changed,
        where="test",
    )
    assert isinstance(found, LocalRule)
    return found


@dataclass(kw_only=True)
class Office:
    """A store, its trail and its administration, on a clock that moves when told."""

    url: URL
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    trail: Trail = field(init=False)
    database: Database = field(init=False)
    admin: PolicyAdmin = field(init=False)

    def __post_init__(self) -> None:
        self.trail = trail_at(self.url, self.clock, write_s=5)
        self.database = Database(self.url, busy_s=5)
        self.admin = PolicyAdmin(self.database, self.trail, self.clock)

    async def offered(self, document: Agreement | LocalRule, by: Requester) -> Stored:
        return await offered(self.admin, document, by)

    async def signed(self, stored: Stored, *who: Requester) -> Stored:
        return await signed(self.admin, stored, *who)

    async def agreed(self, document: Agreement | LocalRule, by: Requester) -> Stored:
        return await agreed(self.admin, document, by)

    async def now(self, stored: Stored, by: Requester) -> Stored:
        """A version as it is by now."""
        return await self.admin.read(
            stored.kind, stored.id, actor=by, version=stored.version
        )

    async def tamper(self, *statements: str) -> None:
        """Do this to the store behind everybody's back."""

        def spoil(connection):
            for statement in statements:
                connection.execute(text(statement))

        await self.database.transact(spoil)


async def offered(
    admin: PolicyAdmin, document: Agreement | LocalRule, by: Requester
) -> Stored:
    """A document drafted and submitted."""
    kind = kind_of(document)
    made = await admin.create(kind, document, actor=by)
    return await admin.submit(kind, document.id, actor=by, if_match=made.etag)


async def signed(admin: PolicyAdmin, stored: Stored, *who: Requester) -> Stored:
    """The same after these have signed it, one after the other."""
    for each in who:
        now = await admin.read(
            stored.kind, stored.id, actor=each, version=stored.version
        )
        stored = await admin.approve(
            stored.kind, stored.id, actor=each, if_match=now.etag, yes=Yes()
        )
    return stored


async def agreed(
    admin: PolicyAdmin, document: Agreement | LocalRule, by: Requester
) -> Stored:
    """A document in force: drafted, submitted, and signed by all it needs."""
    stored = await offered(admin, document, by)
    while stored.waiting_for:
        owed = stored.waiting_for[0].organisation
        given = {each.person for each in stored.signatures}
        people = [guardian(owed), second(owed)]
        who = next(p for p in people if f"{p.issuer}#{p.subject}" not in given)
        stored = await signed(admin, stored, who)
    return stored


async def refused(doing: Awaitable[object]) -> str:
    """The code with which it is refused."""
    with pytest.raises(RequestError) as caught:
        await doing
    return caught.value.code


def kind_of(document: Agreement | LocalRule):
    return "agreement" if isinstance(document, Agreement) else "local-rule"


@asynccontextmanager
async def office_at(url: URL, **how: object):
    """An office that was opened, and is closed."""
    office = Office(url=url, **how)  # type: ignore[arg-type]  # a clock, if anything
    await office.trail.start("0.1.0")
    try:
        await office.admin.start()
        yield office
    finally:
        await office.database.aclose()
        await office.trail.aclose()
