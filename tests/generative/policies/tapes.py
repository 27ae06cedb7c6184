"""Documents, signatures, requests and cells read off a tape of bytes.

One cheap draw makes a whole question, so that thousands are tried in the time that
hundreds took; zeros are the plainest of everything, so that shrinking still helps.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any, TypeVar

from policies.clauses import (
    Agreement,
    Clause,
    Document,
    LegalBasis,
    LocalRule,
    Member,
    Parties,
    Period,
    Rule,
    Signature,
    When,
)
from policies.documents import content_hash
from policies.obligations import AXES, FULL_VIEW, View
from policies.request import Cell, Request

T = TypeVar("T")

ORGS = ("Z9A01", "Z9B02", "Z9C03")
PURPOSES = ("direct-care", "research")
ROLES = ("gp", "nurse")
RELATIONSHIPS = ("registered", "self-claimed", "none")
CATEGORIES = ("encounters", "medications")
LABELS = ("PSY", "STD")
CLEARED = (*LABELS, "unlabelled")
FLAGS = ("ndo", "local-dissent")
MODES = ("identified", "pseudonymised")
CONSENTS = tuple(f"consent:DSA-{number}" for number in range(3))
KEPT_BACK = ("legally-restricted", "sensitive-record")
ALL_FLAGS = ("ndo", "type1", "local-dissent", *KEPT_BACK, *CONSENTS)
SUPPORTED = frozenset(AXES)

NOON = datetime(2031, 10, 26, 12, tzinfo=UTC)  # of the day London's clocks go back
INSTANTS = (
    datetime(2031, 10, 25, 22, 59, 59, 999_999, tzinfo=UTC),
    datetime(2031, 10, 25, 23, tzinfo=UTC),
    datetime(2031, 10, 26, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2031, 10, 27, tzinfo=UTC),
    datetime(2033, 1, 1, tzinfo=UTC),
    datetime(2030, 6, 1, tzinfo=UTC),
)
LONG = Period(from_=date(2031, 1, 1), through=date(2032, 12, 31))
ONE_DAY = Period(from_=date(2031, 10, 26), through=date(2031, 10, 26))
EARLY = datetime(2031, 1, 2, 9, tzinfo=UTC)
LATE = datetime(2031, 2, 2, 8, tzinfo=UTC)
LATER = datetime(2031, 10, 26, 8, tzinfo=UTC)  # after every usual grant is active

VIEWS = (
    FULL_VIEW,
    View(max_age_days=365),
    View(max_age_days=1825),
    View(hide_fields=frozenset({"person.address"})),
    View(hide_fields=frozenset({"person.address", "person.name"}), max_age_days=1825),
    View(no_onward=True),
    View(no_onward=True, retain_seconds=60),
    View(mask_fields=frozenset({("person.birth_date", "partial")}), date_grain="day"),
    View(mask_fields=frozenset({("person.birth_date", "full")}), date_grain="year"),
    View(notify=frozenset({"owner"}), min_count=10, row_filters=frozenset({"ndo"})),
)
BASES = {
    confidentiality: LegalBasis(
        art6="6(1)(e)", art9="9(2)(h)", confidentiality=confidentiality
    )
    for confidentiality in ("implied-consent", "explicit-consent")
}
# Mostly nothing is odd, else one thing: enough is permitted to be worth asking.
ODDITIES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("operation", ("population.additive", "x")),
    ("mode", ("aggregate", "")),
    ("purpose", ("service-planning", "x")),
    ("agreement", ("DSA-0", "DSA-1", "DSA-9")),
    ("recipient", ("Z9X", "")),
    ("role", ("analyst", "x")),
    ("assurance", ("aal1", None)),
    ("break_glass", (True,)),
    ("now", INSTANTS),
)
REGISTERED = ("prefiltered", "states", "none")


def subsets(pool: Sequence[str]) -> tuple[frozenset[str], ...]:
    """Every part of a pool, the empty one first and the whole last."""
    return tuple(
        frozenset(chosen)
        for size in range(len(pool) + 1)
        for chosen in combinations(pool, size)
    )


PARTS: dict[tuple[str, ...], tuple[frozenset[str], ...]] = {
    pool: subsets(pool)
    for pool in (
        *(ORGS, ORGS[:2], PURPOSES, ROLES, RELATIONSHIPS, CATEGORIES),
        *(CLEARED, FLAGS, MODES, ("aal2", "aal3"), ("aal1", "aal2"), ("DSA-0",)),
        *(("journey.read", "population.additive"), ("ndo", "type1", "consent:DSA-1")),
        (*RELATIONSHIPS, "stale:registered", "x"),
    )
}


class Tape:
    """Choices, one byte each; when the tape has run out, always the first choice."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._at = 0

    def __repr__(self) -> str:
        return f"Tape(bytes.fromhex({self.content.hex()!r}))"

    def byte(self) -> int:
        self._at += 1
        return self.content[self._at - 1] if self._at <= len(self.content) else 0

    def pick(self, pool: Sequence[T]) -> T:
        return pool[self.byte() % len(pool)]

    def chance(self, one_in: int) -> bool:
        return self.byte() % one_in == one_in - 1

    def usually(self, usual: T, *others: T, of: int = 8) -> T:
        """The usual, but for one time in `of`."""
        byte = self.byte()
        return others[byte // of % len(others)] if byte % of == of - 1 else usual

    def some(self, pool: tuple[str, ...], *, least: int = 1) -> frozenset[str]:
        """Mostly the whole pool."""
        byte, parts = self.byte(), PARTS[pool]
        return parts[-1] if byte < 208 else parts[least + byte % (len(parts) - least)]

    def few(self, pool: tuple[str, ...]) -> frozenset[str]:
        """Mostly nothing."""
        byte, parts = self.byte(), PARTS[pool]
        return parts[0] if byte < 208 else parts[byte % len(parts)]

    def clause(self, number: int) -> Clause:
        return Clause(
            id=f"c{number}",
            purposes=self.some(PURPOSES),
            legal_basis=BASES[self.usually("implied-consent", "explicit-consent")],
            operations=frozenset({"journey.read"}),
            modes=self.some(MODES),
            roles=self.some(ROLES),
            relationships=self.some(RELATIONSHIPS),
            assurance=self.some(("aal2", "aal3")),
            categories=self.some(CATEGORIES),
            cleared_labels=self.some(CLEARED, least=0),
            honours=self.few(FLAGS),
            obligations=self.pick(VIEWS),
            break_glass=self.usually("both", "only"),
            why=f"Reason {number}",
        )

    def agreement(self, number: int, *, clauses: int | None = None) -> Agreement:
        count = 1 + self.byte() % 2 if clauses is None else clauses
        return Agreement(
            id=f"DSA-{number}",
            parties=Parties(providers=self.some(ORGS[:2]), recipients=self.some(ORGS)),
            dpia="DPIA-1",
            review_by=date(2032, 1, 1),
            valid=self.usually(LONG, ONE_DAY),
            clauses=tuple(self.clause(index) for index in range(count)),
        )

    def when(self) -> When:
        return When(
            purposes=self._tested(PURPOSES),
            modes=self._tested(MODES),
            agreements=self._tested(("DSA-0",), rarely=8),
            recipients=self._tested(ORGS),
            roles=self._tested(ROLES),
            assurance=self._tested(("aal1", "aal2")),
            relationships=self._tested(RELATIONSHIPS),
            categories=self._tested(CATEGORIES),
            operations=self._tested(("journey.read", "population.additive")),
            same_org=self.usually(None, True, False, of=4),
            labels_any=self._tested(CLEARED),
            flags_any=self._tested(("ndo", "type1", "consent:DSA-1"), rarely=4),
        )

    def _tested(
        self, pool: tuple[str, ...], *, rarely: int = 3
    ) -> frozenset[str] | None:
        if self.byte() % rarely != rarely - 1:
            return None
        return PARTS[pool][1 + self.byte() % (len(PARTS[pool]) - 1)]

    def rule(self, number: int) -> Rule:
        is_veto = self.chance(3)
        return Rule(
            id=f"r{number}",
            effect="veto" if is_veto else "constrain",
            when=self.when(),
            overridable=self.chance(2),
            why=f"Rule {number}",
            obligations=FULL_VIEW
            if is_veto
            else self.pick(VIEWS).meet(View(date_grain="month")),
        )

    def local_rule(self, number: int, *, rules: int | None = None) -> LocalRule:
        count = 1 + self.byte() % 2 if rules is None else rules
        return LocalRule(
            id=f"LR-{number}",
            org=self.pick(ORGS[:2]),
            rules=tuple(self.rule(index) for index in range(count)),
        )

    def documents(self) -> tuple[Document, ...]:
        granting = [self.agreement(number) for number in range(self.pick((1, 2, 1, 3)))]
        narrowing = [self.local_rule(0)] if self.chance(2) else []
        return (*granting, *narrowing)

    def members(self, documents: Sequence[Document]) -> tuple[Document | Member, ...]:
        """Mostly the documents alone; else suspended, or in two versions."""
        held: list[Document | Member] = []
        for each in documents:
            fate = self.byte() % 6
            some = frozenset(o for o in ORGS if self.chance(2))
            if fate == 5 and isinstance(each, Agreement):
                held += self._versions(each, some)
            elif fate == 4:
                held.append(Member(document=each, version=3, suspended=some))
            elif fate == 3:
                held.append(Member(document=each, standing=some))
            else:
                held.append(each)
        return tuple(held)

    def _versions(self, first: Agreement, some: frozenset[str]) -> tuple[Member, ...]:
        """The first for some providers, the second for others, its place kept."""
        clauses = tuple(self.clause(number) for number in range(2))
        second = replace(first, clauses=clauses)
        since = {o: self.pick((EARLY, LATE, LATER)) for o in ORGS if self.chance(2)}
        return (
            Member(document=first, standing=some),
            Member(
                document=second,
                version=2,
                standing=frozenset(ORGS) - some,
                first_active=since,
                carried=frozenset(o for o in ORGS if self.chance(3)),
            ),
        )

    def signatures(
        self, documents: Sequence[Document | Member]
    ) -> tuple[Signature, ...]:
        """By everybody, mostly."""
        return tuple(
            signature
            for each in documents
            for document in (each.document if isinstance(each, Member) else each,)
            if isinstance(document, Agreement)
            for signature in signed(document, at=self.pick((EARLY, LATE)))
            if not self.chance(16)
        )

    def request(self) -> Request:
        usual: dict[str, Any] = {
            "operation": "journey.read",
            "mode": self.usually("identified", "pseudonymised", of=4),
            "purpose": self.usually("direct-care", "research", of=4),
            "agreement": None,
            "recipient": self.pick(ORGS),
            "role": self.pick(ROLES),
            "assurance": self.pick(("aal2", "aal3")),
            "relationships": self.some((*RELATIONSHIPS, "stale:registered", "x")),
            "break_glass": False,
            "now": NOON,
        }
        for _ in range(self.usually(0, 1, 2, of=4)):
            name, values = self.pick(ODDITIES)
            usual[name] = self.pick(values)
        return Request(**usual)

    def cell(self) -> Cell:
        most = self.pick(("prefiltered", "states", "states"))
        flags: dict[str, Any] = dict.fromkeys(ALL_FLAGS, most)
        flags |= dict.fromkeys(CONSENTS, self.pick(("states", "states", "prefiltered")))
        flags |= dict.fromkeys(KEPT_BACK, self.pick(("prefiltered", "states")))
        if self.chance(4):
            flags[self.pick(ALL_FLAGS)] = self.pick(REGISTERED)
        if self.chance(16):
            del flags[self.pick(ALL_FLAGS)]
        return Cell(
            owner=self.usually(self.pick(ORGS[:2]), "Z9X", "", of=16),
            category=self.usually(self.pick(CATEGORIES), "documents", "x", of=16),
            labels=self.usually("labelled", "unlabelled", of=4),
            flags=flags,
        )


def signed(document: Agreement, *, at: datetime) -> tuple[Signature, ...]:
    """The signatures of everybody, at one instant."""
    digest = content_hash(document)
    return tuple(
        Signature(
            document=document.id,
            hash=digest,
            organisation=organisation,
            person="A Signatory",
            capacity="caldicott",
            at=at + timedelta(minutes=ORGS.index(organisation)),
        )
        for organisation in ORGS
    )
