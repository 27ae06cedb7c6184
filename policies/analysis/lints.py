"""Clauses and rules that do nothing, or more than anybody is likely to mean.

What a clause can grant is asked of a set in which every agreement counts as signed;
what its provider has suspended is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from policies import vocabulary
from policies.analysis.boxes import Budget, Space, TooManyBoxes
from policies.analysis.difference import owners_of
from policies.analysis.findings import Lint, Place, Severity, as_member, places_of
from policies.analysis.outcomes import Ground, evidenced_ground
from policies.analysis.terrain import UNCITED, Sketch, Survey, Terrain
from policies.clauses import Agreement, Clause, Document, Member, Signature
from policies.compile import PolicySet, compile_set

_BROAD: Final = 2  # dimensions with every value, from which a clause is too broad
_MOST_NAMED: Final = 3
_ALLERGIES: Final = "allergies"
_DEAD: Final = "dead_clause"
_SHADOWED: Final = "shadowed_clause"
_IDLE: Final = "idle_rule"


def lints(
    documents: Iterable[Document | Member],
    signatures: Iterable[Signature] = (),
    *,
    now: datetime | None = None,
    organisations: frozenset[str] = frozenset(),
) -> tuple[Lint, ...]:
    """All there is to say about these documents as one set, document by document.

    From `now` on, or ever. `organisations`: all there are; if none, all the documents
    name. Invalid as `compile_set` raises it.
    """
    members = [as_member(each) for each in documents]
    policy_set = compile_set(members, signatures)
    known = organisations or _named(members)
    said = {**_of_clauses(policy_set, now), **_of_rules(policy_set)}
    found: list[Lint] = []
    for place in places_of(members):
        if place.name in said:
            found.append(place.lint(*said[place.name]))
        found += (*_broad(place, known), *_on_allergies(place))
    return tuple(found)


_Said = tuple[Severity, str, str]


def _of_clauses(policy_set: PolicySet, now: datetime | None) -> dict[str, _Said]:
    """What to say of clauses that do nothing for any provider, by their names."""
    found: defaultdict[str, list[_Said | None]] = defaultdict(list)
    for owner in sorted(owners_of(policy_set)):
        survey = Survey((policy_set,), owner, since=now, as_signed=True)
        terrain = survey.terrain(policy_set)
        ground = evidenced_ground(terrain, Budget())
        drawn = {each.index: each for each in terrain.grants}
        for index, line in enumerate(policy_set.lines):
            is_asked = line.effect == "grant" and line.organisation == owner
            if is_asked and not line.is_suspended:
                name, _, _ = line.authority.partition("#")
                found[name].append(_of_grant(terrain, ground, drawn.get(index)))
    return {name: _mildest(said) for name, said in found.items() if all(said)}


def _mildest(said: Iterable[_Said | None]) -> _Said:
    """Dead for one provider and shadowed for another is shadowed."""
    return max(each for each in said if each is not None)


def _of_grant(terrain: Terrain, ground: Ground, sketch: Sketch | None) -> _Said | None:
    """What to say of one provider's grant; None if some request turns on it."""
    if sketch is None:
        message = "its period is over. Give its agreement a later one, or remove it."
        return "refuse", _DEAD, message
    budget = Budget()
    try:
        if not terrain.space.outside_all(sketch.boxes[0], terrain.denied, budget):
            return "refuse", _DEAD, _deadly(terrain, sketch)
        deciding = _instead_of(terrain.space, replace(ground, budget=budget), sketch)
    except TooManyBoxes:
        return None
    if deciding is None:
        return None
    named = ", ".join(deciding[:_MOST_NAMED])
    message = f"it never decides, as {named} always do. Remove it, or narrow those."
    return "warn", _SHADOWED, message


def _deadly(terrain: Terrain, sketch: Sketch) -> str:
    space, box = terrain.space, sketch.boxes[0]
    if not space.outside_all(box, [terrain.impossible], Budget()):
        return (
            "nobody breaks the glass for its purposes. "
            "Take one of individual care, or open it without broken glass."
        )
    vetoes = [
        veto.line.authority
        for veto in terrain.vetoes
        if veto.line.organisation is not None
        and any(not space.is_empty(box & each) for each in veto.boxes)
    ]
    return f"always vetoed by {', '.join(vetoes)}. Remove it, or narrow the veto."


def _instead_of(space: Space, ground: Ground, sketch: Sketch) -> tuple[str, ...] | None:
    """The grants that decide wherever this one could, citing none; None if it does."""
    box = sketch.boxes[0] & space.box({"agreements": (UNCITED,)})
    deciding: set[str] = set()
    for _, outcome in ground.split(box):
        if outcome is None:
            continue
        if outcome.authority is sketch.line:
            return None
        name, _, _ = outcome.authority.authority.partition("#")
        deciding.add(name)
    # Where it is denied unless its agreement is cited, nobody decides instead.
    return tuple(sorted(deciding)) or None


def _of_rules(policy_set: PolicySet) -> dict[str, _Said]:
    """What to say of rules that no grant ever meets, by their names."""
    owned: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, line in enumerate(policy_set.lines):
        if line.effect != "grant" and line.organisation is not None:
            owned[line.organisation].append((index, line.authority))
    found: dict[str, _Said] = {}
    for owner, rules in sorted(owned.items()):
        terrain = Survey((policy_set,), owner, as_signed=True).terrain(policy_set)
        drawn = {each.index: each for each in (*terrain.vetoes, *terrain.constraints)}
        for index, name in rules:
            if index not in drawn or not _is_met(terrain, drawn[index]):
                message = (
                    "no grant is ever met by it. Remove it, or widen what it tests."
                )
                found[name] = "warn", _IDLE, message
    return found


def _is_met(terrain: Terrain, rule: Sketch) -> bool:
    return any(
        not terrain.space.is_empty(box & grant.boxes[0])
        for box in rule.boxes
        for grant in terrain.grants
    )


def _named(members: Iterable[Member]) -> frozenset[str]:
    """All organisations that the documents give a part."""
    agreements = (
        each.document for each in members if isinstance(each.document, Agreement)
    )
    return frozenset(
        party
        for each in agreements
        for party in each.parties.providers | each.parties.recipients
    )


def _broad(place: Place, organisations: frozenset[str]) -> Iterator[Lint]:
    clause, document = place.part, place.member.document
    if not isinstance(clause, Clause) or not isinstance(document, Agreement):
        return
    whole = {
        "role": clause.roles >= set(vocabulary.ROLES),
        "relationship": clause.relationships >= set(vocabulary.RELATIONSHIPS),
        "category": clause.categories >= set(vocabulary.CATEGORIES),
        "recipient": document.parties.recipients >= organisations,
    }
    open_ = [name for name, is_whole in whole.items() if is_whole]
    if len(open_) >= _BROAD:
        message = f"it takes every {' and every '.join(open_)}. Name those it is for."
        yield place.lint("warn", "over_broad", message)


def _on_allergies(place: Place) -> Iterator[Lint]:
    part = place.part
    tested = part.categories if isinstance(part, Clause) else part.when.categories
    reaches = tested is None or _ALLERGIES in tested
    if reaches and part.obligations.max_age_days is not None:
        message = "it hides old allergies, which still harm. Leave allergies out of it."
        yield place.lint(
            "warn", "max_age_on_allergies", message, at="obligations.max_age_days"
        )
