"""Documents taken apart into lines: one grant of one provider, one rule, one floor.

A line is an AND of "attribute in finite set" and a validity, and no more, so that
deciding, why-not and differences stay exact.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from policies.clauses import Agreement, Clause, LocalRule, Rule, When
from policies.members import SignedMember
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
_GLASS: Final = {"only": frozenset({YES}), "both": frozenset({YES, NO})}
_NOTHING: Final = frozenset[str]()
_MOST_INERT: Final = 5_000  # unsigned grants, kept to say that they are not signed
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
    is_suspended: bool = False  # signed, and inert until its provider resumes it


_Order = tuple[datetime, str, str, str, int]
_Taken = set[tuple[str, str]]  # document and organisation for whom a version stands


def lines_of(members: Iterable[SignedMember]) -> tuple[Line, ...]:
    """All lines, grants first and in the order of their authority, floors last.

    Authority: the agreement first active for that owner, then its id, then the
    clause's id. Grants nobody signed come last and are never live; beyond 5 000 they
    are left out, which changes no answer. What another version replaced for its owner
    is left out, as are rules that do not stand.
    """
    held = tuple(members)
    taken = {
        (each.document.id, organisation)
        for each in held
        for organisation in each.standing
    }
    grants: list[tuple[_Order, Line]] = []
    rules: list[Line] = []
    room = _MOST_INERT
    for each in held:
        if isinstance(each.document, Agreement):
            waiting = _waiting(each, each.document, taken, room=room)
            room -= len(waiting) * len(each.document.clauses)
            grants += _grants(each, each.document, waiting)
        elif each.standing - each.member.suspended:
            rules += _local_rules(each.document, each.member.version)
    ordered = [line for _, line in sorted(grants, key=lambda pair: pair[0])]
    return (*ordered, *rules, *FLOORS)


def start_of(day: date) -> datetime:
    """The instant a London day begins, in UTC."""
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


class _Part(NamedTuple):
    """An agreement as far as one provider's data goes."""

    agreement: Agreement
    version: int
    provider: str
    cited_as: frozenset[str]
    owner: frozenset[str]
    consent: frozenset[str]
    bound: frozenset[str]  # recipients for whom the provider's grants are live
    is_suspended: bool


def _waiting(
    held: SignedMember, agreement: Agreement, taken: _Taken, *, room: int
) -> frozenset[str]:
    """The providers who have yet to sign, as far as their grants have room."""
    unsigned = sorted(
        provider
        for provider in agreement.parties.providers - held.standing
        if (agreement.id, provider) not in taken
    )
    return frozenset(unsigned[: room // max(1, len(agreement.clauses))])


def _parts(
    held: SignedMember, agreement: Agreement, waiting: frozenset[str]
) -> Iterator[_Part]:
    member, parties = held.member, agreement.parties
    bound = parties.recipients & (held.signed.keys() | member.carried)
    cited_as, consent = (
        frozenset({agreement.id}),
        frozenset({f"consent:{agreement.id}"}),
    )
    standing = held.standing
    for provider in sorted(standing | waiting):
        stands = provider in standing
        is_suspended = stands and provider in member.suspended
        is_live = stands and not is_suspended
        yield _Part(
            agreement=agreement,
            version=member.version,
            provider=provider,
            cited_as=cited_as,
            owner=frozenset({provider}),
            consent=consent,
            bound=bound if is_live else _NOTHING,
            is_suspended=is_suspended,
        )


def _grants(
    held: SignedMember, agreement: Agreement, waiting: frozenset[str]
) -> Iterator[tuple[_Order, Line]]:
    begins = start_of(agreement.valid.from_)
    ends = start_of(agreement.valid.through + timedelta(days=1))
    for part in _parts(held, agreement, waiting):
        signed = max(begins, held.signed.get(part.provider, _NO_SIGNATURE))
        active = held.member.first_active.get(part.provider, signed)
        for clause in agreement.clauses:
            order = (active, agreement.id, clause.id, part.provider, part.version)
            yield order, _grant(part, clause, begins=begins, ends=ends)


def _grant(part: _Part, clause: Clause, *, begins: datetime, ends: datetime) -> Line:
    agreement, provider = part.agreement, part.provider
    by_consent = clause.legal_basis.confidentiality == "explicit-consent"
    return Line(
        effect="grant",
        authority=f"{agreement.id}/{clause.id}@{part.version}#{provider}",
        organisation=provider,
        why=clause.why,
        accepts={
            "purposes": clause.purposes,
            "operations": clause.operations,
            "modes": clause.modes,
            "agreements": part.cited_as,
            "recipients": agreement.parties.recipients,
            "roles": clause.roles,
            "assurance": clause.assurance,
            "relationships": clause.relationships,
            "categories": clause.categories,
            "owner": part.owner,
            "break_glass": _GLASS[clause.break_glass],
        },
        view=clause.obligations,
        signed=part.bound,
        begins=begins,
        ends=ends,
        honours=clause.honours,
        requires=part.consent if by_consent else _NOTHING,
        cleared=clause.cleared_labels,
        is_suspended=part.is_suspended,
    )


def _local_rules(document: LocalRule, version: int) -> Iterator[Line]:
    for rule in document.rules:
        # The owner is forced: whatever a rule says, it narrows its own data alone.
        accepts = {**_tested(rule.when), "owner": frozenset({document.org})}
        if rule.overridable:
            accepts["break_glass"] = frozenset({NO})
        yield _rule_line(
            rule,
            f"{document.id}/{rule.id}@{version}",
            accepts,
            organisation=document.org,
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
