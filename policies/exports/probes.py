"""Questions that touch every line of a set: each met once, then missed by one step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from typing import Any, Final

from policies import vocabulary
from policies.compile import PolicySet, bits
from policies.lines import NO, YES, Line
from policies.request import Cell, FlagRegistration, Request

Question = tuple[Request, Cell]
_Accepts = Mapping[str, frozenset[str]]

_NOBODY: Final = "Z9Z"  # an organisation that documents seldom name
_MOMENT: Final = timedelta(milliseconds=1)
# What a request says of each dimension, and the codes it can say.
_FIELDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "operations": ("operation", vocabulary.OPERATIONS),
    "modes": ("mode", vocabulary.MODES),
    "purposes": ("purpose", tuple(vocabulary.PURPOSES)),
    "roles": ("role", vocabulary.ROLES),
    "assurance": ("assurance", vocabulary.ASSURANCE),
}


def probes(policy_set: PolicySet, now: datetime, *, most: int) -> list[Question]:
    """At most so many questions, as evenly over the lines as that allows.

    A rule is met where something is granted, if it is anywhere. `now` is aware: asked
    at where nothing that is met has a period of its own.
    """
    grants = [policy_set.lines[index] for index in bits(policy_set.grants)]
    every = [_about(line, _partner(line, grants), now) for line in policy_set.lines]
    # The first about each line, then the second of each, and so on.
    rounds = (each for found in zip_longest(*every) for each in found)
    return list(islice((each for each in rounds if each is not None), most))


def _partner(line: Line, grants: Sequence[Line]) -> Line:
    """A grant in force that the line can meet; itself, if there is none."""
    if line.effect == "grant":
        return line
    return next((each for each in grants if each.signed and _meet(line, each)), line)


def _meet(one: Line, other: Line) -> bool:
    return all(
        accepted & other.accepts.get(dimension, accepted)
        for dimension, accepted in one.accepts.items()
    )


def _about(line: Line, partner: Line, now: datetime) -> Iterator[Question]:
    """A question both lines fit, then those that differ from it in one thing."""
    request, cell = _fitting(line, partner, partner.begins or now)
    yield request, cell
    yield from ((each, cell) for each in _requests(line, request))
    yield from ((request, each) for each in _cells(line, cell, request.recipient))
    for at in (partner.begins, partner.ends):
        if at is not None:
            yield replace(request, now=at - _MOMENT), cell
            yield replace(request, now=at), cell


def _requests(line: Line, request: Request) -> Iterator[Request]:
    for dimension, (name, codes) in _FIELDS.items():
        for value in (*_other(line.accepts, dimension, codes), ""):
            changed: dict[str, Any] = {name: value}
            yield replace(request, **changed)
    for evidence in ("none", "self-claimed"):
        yield replace(request, relationships=frozenset({evidence}))
        yield replace(request, relationships=request.relationships | {evidence})
    for agreement in (None, "no-such-agreement"):
        yield replace(request, agreement=agreement)
    for party in (*sorted(line.signed)[-1:], _NOBODY, ""):
        yield replace(request, recipient=party)
    yield replace(request, break_glass=not request.break_glass)
    yield replace(request, break_glass=True, purpose="research")


def _cells(line: Line, cell: Cell, recipient: str) -> Iterator[Cell]:
    for owner in (recipient, _NOBODY, ""):
        yield replace(cell, owner=owner)
    for category in (*_other(line.accepts, "categories", vocabulary.CATEGORIES), ""):
        yield replace(cell, category=category)
    yield replace(cell, labels="labelled")
    yield replace(cell, labels="unlabelled")
    registered: tuple[FlagRegistration, ...] = ("none", "states", "prefiltered")
    for flag in sorted({*cell.flags, *line.requires}):
        for each in registered:
            yield replace(cell, flags={**cell.flags, flag: each})


def _fitting(line: Line, partner: Line, now: datetime) -> Question:
    accepts = dict(partner.accepts)
    if partner.signed:
        accepts["recipients"] = partner.signed
    for dimension, accepted in line.accepts.items():
        both = accepted & accepts.get(dimension, accepted)
        accepts[dimension] = both or accepted
    named = accepts.get("agreements") if "agreements" in line.accepts else None
    owner = min(accepts.get("owner", ()), default=_NOBODY)
    request = Request(
        **{
            name: min(accepts.get(dimension, ()), default=codes[0])
            for dimension, (name, codes) in _FIELDS.items()
        },
        agreement=min(named) if named else None,
        recipient=_recipient(accepts, owner),
        relationships=frozenset(sorted(accepts.get("relationships", ()))[:1]),
        break_glass=accepts.get("break_glass", frozenset()) == {YES},
        now=now,
    )
    unlabelled = vocabulary.UNLABELLED in (line.labels_any or ())
    cell = Cell(
        owner=owner,
        category=min(accepts.get("categories", ()), default=vocabulary.CATEGORIES[0]),
        labels="unlabelled" if unlabelled else "labelled",
        flags=_flags(line, partner),
    )
    return request, cell


def _recipient(accepts: _Accepts, owner: str) -> str:
    """Of its own organisation, or of another, as the line wants it."""
    parties = accepts.get("recipients") or frozenset({_NOBODY})
    same = accepts.get("same_org", frozenset())
    if same == {YES}:
        parties = parties & {owner} or parties
    if same == {NO}:
        parties = parties - {owner} or parties
    return min(parties)


def _flags(line: Line, partner: Line) -> dict[str, FlagRegistration]:
    flags: dict[str, FlagRegistration] = dict.fromkeys(vocabulary.FLAGS, "prefiltered")
    flags |= dict.fromkeys(line.flags_any or (), "none")
    flags |= dict.fromkeys({*line.requires, *partner.requires}, "states")
    return flags


def _other(accepts: _Accepts, dimension: str, codes: Sequence[str]) -> list[str]:
    """One code that a line does not accept, if there is one."""
    accepted = accepts.get(dimension, frozenset())
    return [code for code in codes if code not in accepted][:1]
