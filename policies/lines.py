"""Documents taken apart into lines: one grant of one provider, one rule, one floor.

A line is an AND of "attribute in finite set" and a validity, and no more, so that
deciding, why-not and differences stay exact.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from policies.clauses import Agreement, Clause, LocalRule, Rule, Signature, When
from policies.documents import content_hash
from policies.obligations import FULL_VIEW, View
from policies.vocabulary import IDENTITY_FIELDS

LONDON: Final = ZoneInfo("Europe/London")
YES: Final = "yes"
NO: Final = "no"
_TESTED: Final = (
    "purposes",
    "operations",
    "modes",
    "agreements",
    "recipients",
    "roles",
    "assurance",
    "relationships",
    "categories",
)
_NO_SIGNATURE: Final = datetime.max.replace(tzinfo=UTC)

Effect = Literal["grant", "veto", "constrain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One bit of the compiled set. A dimension absent from `accepts` is open."""

    effect: Effect
    authority: str
    organisation: str | None  # whose line it is; None: a floor, everybody's
    why: str
    accepts: Mapping[str, frozenset[str]]
    view: View = FULL_VIEW
    signed: frozenset[str] = frozenset()  # recipients for whom a grant is live
    begins: datetime | None = None
    ends: datetime | None = None  # exclusive
    honours: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()  # flags that must be known present
    cleared: frozenset[str] = frozenset()
    labels_any: frozenset[str] | None = None
    flags_any: frozenset[str] | None = None
    is_silent: bool = False


def lines_of(
    documents: Iterable[Agreement | LocalRule], signatures: Iterable[Signature]
) -> tuple[Line, ...]:
    """All lines, grants first and in the order of their authority, floors last.

    Authority: the agreement first active for that owner, then its id, then the
    clause's id. Grants nobody signed come last and are never live.
    """
    signed = tuple(signatures)
    grants: list[tuple[tuple[datetime, str, str, str], Line]] = []
    rules: list[Line] = []
    for document in sorted(documents, key=lambda each: each.id):
        if isinstance(document, Agreement):
            grants += _grants(document, signed)
        else:
            rules += _local_rules(document)
    ordered = [line for _, line in sorted(grants, key=lambda pair: pair[0])]
    return (*ordered, *rules, *FLOORS)


def start_of(day: date) -> datetime:
    """The instant a London day begins, in UTC."""
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


def _grants(
    agreement: Agreement, signatures: Iterable[Signature]
) -> Iterator[tuple[tuple[datetime, str, str, str], Line]]:
    wanted = content_hash(agreement)
    first_signed: dict[str, datetime] = {}
    for signature in signatures:
        if signature.document == agreement.id and signature.hash == wanted:
            earlier = first_signed.get(signature.organisation, _NO_SIGNATURE)
            first_signed[signature.organisation] = min(signature.at, earlier)
    begins = start_of(agreement.valid.from_)
    for provider in sorted(agreement.parties.providers):
        active = max(begins, first_signed.get(provider, _NO_SIGNATURE))
        live = agreement.parties.recipients & first_signed.keys()
        signed = live if provider in first_signed else frozenset()
        for clause in agreement.clauses:
            order = (active, agreement.id, clause.id, provider)
            yield order, _grant(agreement, clause, provider=provider, signed=signed)


def _grant(
    agreement: Agreement, clause: Clause, *, provider: str, signed: frozenset[str]
) -> Line:
    glass = {YES} if clause.break_glass == "only" else {YES, NO}
    by_consent = clause.legal_basis.confidentiality == "explicit-consent"
    return Line(
        effect="grant",
        authority=f"{agreement.id}/{clause.id}@1#{provider}",
        organisation=provider,
        why=clause.why,
        accepts={
            "purposes": clause.purposes,
            "operations": clause.operations,
            "modes": clause.modes,
            "agreements": frozenset({agreement.id}),
            "recipients": agreement.parties.recipients,
            "roles": clause.roles,
            "assurance": clause.assurance,
            "relationships": clause.relationships,
            "categories": clause.categories,
            "owner": frozenset({provider}),
            "break_glass": frozenset(glass),
        },
        view=clause.obligations,
        signed=signed,
        begins=start_of(agreement.valid.from_),
        ends=start_of(agreement.valid.through + timedelta(days=1)),
        honours=clause.honours,
        requires=frozenset({f"consent:{agreement.id}"} if by_consent else ()),
        cleared=clause.cleared_labels,
    )


def _local_rules(document: LocalRule) -> Iterator[Line]:
    for rule in document.rules:
        # The owner is forced: whatever a rule says, it narrows its own data alone.
        accepts = {**_tested(rule.when), "owner": frozenset({document.org})}
        if rule.overridable:
            accepts["break_glass"] = frozenset({NO})
        yield _rule_line(
            rule, f"{document.id}/{rule.id}@1", accepts, organisation=document.org
        )


def _rule_line(
    rule: Rule,
    authority: str,
    accepts: Mapping[str, frozenset[str]],
    *,
    organisation: str | None,
    is_silent: bool = False,
) -> Line:
    return Line(
        effect=rule.effect,
        authority=authority,
        organisation=organisation,
        why=rule.why,
        accepts=accepts,
        view=rule.obligations,
        labels_any=rule.when.labels_any,
        flags_any=rule.when.flags_any,
        is_silent=is_silent,
    )


def _tested(when: When) -> dict[str, frozenset[str]]:
    tested = {name: getattr(when, name) for name in _TESTED}
    if when.same_org is not None:
        tested["same_org"] = frozenset({YES if when.same_org else NO})
    return {name: values for name, values in tested.items() if values is not None}


def _floor(rule: Rule, *, glass: bool = False, is_silent: bool = False) -> Line:
    accepts = _tested(rule.when)
    if glass:
        accepts["break_glass"] = frozenset({YES})
    return _rule_line(
        rule, f"floor/{rule.id}", accepts, organisation=None, is_silent=is_silent
    )


_DUTIES: Final = View(notify=frozenset({"privacy-officer"}), justify=True)

FLOORS: Final = (
    _floor(
        Rule(
            id="legally-restricted",
            effect="veto",
            when=When(flags_any=frozenset({"legally-restricted"})),
            overridable=False,
            why="The law forbids to show this",
        ),
        is_silent=True,
    ),
    _floor(
        Rule(
            id="sensitive-record",
            effect="veto",
            when=When(same_org=False, flags_any=frozenset({"sensitive-record"})),
            overridable=False,
            why="A sensitive record stays with its own organisation",
        ),
        is_silent=True,
    ),
    _floor(
        Rule(
            id="break-glass",
            effect="constrain",
            when=When(),
            overridable=False,
            why="Who breaks the glass says why, and the privacy officer is told",
            obligations=_DUTIES,
        ),
        glass=True,
    ),
    _floor(
        Rule(
            id="self-claimed",
            effect="constrain",
            when=When(relationships=frozenset({"self-claimed"})),
            overridable=False,
            why="A claimed relationship is justified, and the privacy officer is told",
            obligations=_DUTIES,
        )
    ),
    _floor(
        Rule(
            id="aggregate",
            effect="constrain",
            when=When(modes=frozenset({"aggregate"})),
            overridable=False,
            why="Small numbers could name a person",
            obligations=View(min_count=8),
        )
    ),
    _floor(
        Rule(
            id="pseudonymised",
            effect="constrain",
            when=When(modes=frozenset({"pseudonymised"})),
            overridable=False,
            why="A pseudonym hides who somebody is",
            obligations=View(hide_fields=IDENTITY_FIELDS),
        )
    ),
)
