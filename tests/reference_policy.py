"""The combining rule of policy, read line by line off the documents.

Written from the specification and for tests alone: no masks, no memory, nothing shared
with deciding but documents, hashes, views and the vocabulary. `ruling` is the rule;
the rest says when a grant matches and when a veto or a constraint holds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

from policies import vocabulary
from policies.clauses import Agreement, Clause, Document, Member, Rule, Signature
from policies.documents import content_hash
from policies.obligations import FULL_VIEW, View
from policies.request import Cell, Request

LONDON = ZoneInfo("Europe/London")
NEVER = datetime.max.replace(tzinfo=UTC)
PLANNED = {"states": "pending", "prefiltered": "absent", "none": "unknown"}
DUTIES = View(notify=frozenset({"privacy-officer"}), justify=True)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is known of a person's flags, and of one item's labels.

    `flags`: present, absent or pending, by flag; one that is not named is unknown.
    """

    flags: Mapping[str, str]
    labels: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """All that speaks for and against, under one relationship, by authority."""

    grants: tuple[str, ...]
    vetoes: frozenset[str]
    constraints: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What the rule says of one cell; `under` has the reasons by relationship."""

    effect: str
    authority: str | None = None
    relationship: str | None = None
    view: View = FULL_VIEW
    under: Mapping[str, Reasons]


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One grant, veto or constraint: what it accepts, and what it makes of data."""

    name: str
    effect: str
    view: View
    accepts: dict[str, Any]
    order: tuple[Any, ...] = ()
    begins: datetime | None = None
    ends: datetime | None = None
    honours: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    cleared: frozenset[str] = frozenset()
    labels_any: frozenset[str] | None = field(default=None)
    flags_any: frozenset[str] | None = field(default=None)


def ruling(
    documents: Iterable[Document | Member],
    signatures: Iterable[Signature],
    question: tuple[Request, Cell],
    *,
    told: Told | None = None,
) -> Ruling:
    """What the rule makes of a request for a cell: as planned, if nothing is told."""
    return ruled(lines_of(documents, signatures), question, told=told)


def ruled(
    lines: Iterable[Tested], question: tuple[Request, Cell], *, told: Told | None = None
) -> Ruling:
    """The same, of lines already read: the rule itself, step by step."""
    (request, cell), known = question, told or as_planned(question[1])
    under: dict[str, Reasons] = {}
    best: tuple[Tested, str, View] | None = None
    for relationship in vocabulary.RELATIONSHIPS:  # strongest first
        if relationship not in {*request.relationships, "none"}:
            continue
        facts = {**facts_of(request, cell), "relationships": relationship}
        held = [each for each in lines if matches(each, facts, told=known)]
        grants, vetoes, constraints = (
            [each for each in held if each.effect == effect]
            for effect in ("grant", "veto", "constrain")
        )
        under[relationship] = Reasons(
            grants=tuple(each.name for each in grants),
            vetoes=frozenset(each.name for each in vetoes),
            constraints=frozenset(each.name for each in constraints),
        )
        if grants and not vetoes:
            authority = reduce(lambda a, b: b if wider(b.view, a.view) else a, grants)
            view = reduce(View.meet, [c.view for c in constraints], authority.view)
            if best is None or wider(view, best[2]):
                best = (authority, relationship, view)
    if best is None:
        return Ruling(effect="deny", under=under)
    authority, evidence, view = best
    return Ruling(
        effect="permit",
        authority=authority.name,
        relationship=evidence,
        view=view,
        under=under,
    )


def wider(one: View, other: View) -> bool:
    """Whether one view demands strictly less than the other."""
    return one != other and one.meet(other) == other


def as_planned(cell: Cell) -> Told:
    """What is known before a source has answered."""
    return Told(
        flags={flag: PLANNED[how] for flag, how in cell.flags.items()},
        labels=frozenset(() if cell.labels == "labelled" else {"unlabelled"}),
    )


def matches(line: Tested, facts: Mapping[str, Any], *, told: Told) -> bool:
    """A grant on what is known alone; a veto or a constraint on the unknown too."""
    if line.effect == "grant":
        return grants(line, facts, told=told)
    unsure = {"unlabelled", "unrecognised"}
    return (
        all(
            facts[dimension] is None or facts[dimension] in accepted
            for dimension, accepted in line.accepts.items()
        )
        and (
            line.flags_any is None
            or any(
                told.flags.get(flag, "unknown") in {"present", "unknown"}
                for flag in line.flags_any
            )
        )
        and (line.labels_any is None or bool(told.labels & (line.labels_any | unsure)))
    )


def grants(line: Tested, facts: Mapping[str, Any], *, told: Told) -> bool:
    """Whether every dimension holds with a known value, and nothing stands against."""
    assert line.begins is not None
    assert line.ends is not None
    cited = facts["agreements"]
    return (
        all(
            facts[dimension] in accepted
            for dimension, accepted in line.accepts.items()
            if dimension != "agreements"
        )
        and (cited is None or cited in line.accepts["agreements"])
        and line.begins <= facts["now"] < line.ends
        and all(told.flags.get(f) in {"absent", "pending"} for f in line.honours)
        and all(told.flags.get(f) in {"present", "pending"} for f in line.requires)
        and told.labels <= line.cleared
    )


def facts_of(request: Request, cell: Cell) -> dict[str, Any]:
    """Each attribute's value; None where it is unknown."""

    def coded(value: str | None, codes: Iterable[str]) -> str | None:
        return value if value in tuple(codes) else None

    recipient, owner = request.recipient or None, cell.owner or None
    is_care = request.purpose in vocabulary.INDIVIDUAL
    return {
        "operations": coded(request.operation, vocabulary.OPERATIONS),
        "modes": coded(request.mode, vocabulary.MODES),
        "purposes": coded(request.purpose, vocabulary.PURPOSES),
        "agreements": request.agreement or None,
        "recipients": recipient,
        "roles": coded(request.role, vocabulary.ROLES),
        "assurance": coded(request.assurance, vocabulary.ASSURANCE),
        "owner": owner,
        "categories": coded(cell.category, vocabulary.CATEGORIES),
        "same_org": recipient == owner if recipient and owner else None,
        "break_glass": None
        if request.break_glass and not is_care
        # Glass is broken for individual care alone: with another purpose it is unknown.
        else request.break_glass,
        "now": request.now.astimezone(UTC),
    }


def lines_of(
    documents: Iterable[Document | Member], signatures: Iterable[Signature]
) -> list[Tested]:
    """Grants in the order of their authority, then rules, then the shipped floors."""
    members = [d if isinstance(d, Member) else Member(document=d) for d in documents]
    granted: list[Tested] = []
    rules: list[Tested] = []
    signed = tuple(signatures)
    for member in members:
        document = member.document
        if isinstance(document, Agreement):
            granted += _granted(member, document, signed)
        elif _counts(member, document.org):
            for rule in document.rules:
                name = f"{document.id}/{rule.id}@{member.version}"
                rules.append(_ruled(name, rule, owner=document.org))
    return [*sorted(granted, key=lambda each: each.order), *rules, *FLOORS]


def _counts(member: Member, organisation: str) -> bool:
    stands = member.standing is None or organisation in member.standing
    return stands and organisation not in member.suspended


def _granted(
    member: Member, agreement: Agreement, signatures: tuple[Signature, ...]
) -> Iterator[Tested]:
    digest = content_hash(agreement)
    fitting = [s for s in signatures if (s.document, s.hash) == (agreement.id, digest)]
    signed = {each.organisation for each in fitting}
    for provider in agreement.parties.providers & signed:
        if _counts(member, provider):
            at = min(s.at for s in fitting if s.organisation == provider)
            active = max(at, midnight(agreement.valid.from_))
            active = member.first_active.get(provider, active)
            recipients = agreement.parties.recipients & (signed | member.carried)
            for clause in agreement.clauses:
                order = (active, agreement.id, clause.id, member.version)
                accepts = {"owner": {provider}, "recipients": recipients}
                name = f"{agreement.id}/{clause.id}@{member.version}#{provider}"
                yield _clause(clause, agreement, (name, order, accepts))


def _clause(
    clause: Clause,
    agreement: Agreement,
    place: tuple[str, tuple[Any, ...], dict[str, Any]],
) -> Tested:
    name, order, accepts = place
    by_consent = clause.legal_basis.confidentiality == "explicit-consent"
    return Tested(
        name=name,
        effect="grant",
        view=clause.obligations,
        accepts=accepts
        | {
            dimension: getattr(clause, dimension)
            for dimension in (
                *("purposes", "operations", "modes", "roles"),
                *("relationships", "assurance", "categories"),
            )
        }
        | {
            "agreements": {agreement.id},
            "break_glass": {True} if clause.break_glass == "only" else {True, False},
        },
        order=order,
        begins=midnight(agreement.valid.from_),
        ends=midnight(agreement.valid.through + timedelta(days=1)),
        honours=clause.honours,
        requires=frozenset({f"consent:{agreement.id}"} if by_consent else ()),
        cleared=clause.cleared_labels,
    )


def _ruled(name: str, rule: Rule, *, owner: str | None) -> Tested:
    when = rule.when
    accepts = {
        dimension: getattr(when, dimension)
        for dimension in (
            *("purposes", "operations", "modes", "agreements", "recipients"),
            *("roles", "assurance", "relationships", "categories"),
        )
        if getattr(when, dimension) is not None
    }
    if when.same_org is not None:
        accepts["same_org"] = {when.same_org}
    if owner is not None:
        accepts["owner"] = {owner}
    if rule.overridable:
        accepts["break_glass"] = {False}
    return Tested(
        name=name,
        effect=rule.effect,
        view=rule.obligations,
        accepts=accepts,
        labels_any=when.labels_any,
        flags_any=when.flags_any,
    )


def midnight(day: date) -> datetime:
    """The instant a London day begins."""
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


def _floor(name: str, effect: str, /, view: View = FULL_VIEW, **told: Any) -> Tested:
    flags = told.pop("flags_any", None)
    return Tested(
        name=f"floor/{name}", effect=effect, view=view, accepts=told, flags_any=flags
    )


FLOORS = (
    _floor("legally-restricted", "veto", flags_any=frozenset({"legally-restricted"})),
    _floor(
        "sensitive-record",
        "veto",
        same_org={False},
        flags_any=frozenset({"sensitive-record"}),
    ),
    _floor("break-glass", "constrain", view=DUTIES, break_glass={True}),
    _floor("self-claimed", "constrain", view=DUTIES, relationships={"self-claimed"}),
    _floor("aggregate", "constrain", view=View(min_count=8), modes={"aggregate"}),
    _floor(
        "pseudonymised",
        "constrain",
        view=View(hide_fields=vocabulary.IDENTITY_FIELDS),
        modes={"pseudonymised"},
    ),
)
