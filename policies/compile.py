"""Lines become bits: a big-int mask for each value of each dimension.

Deciding is then a handful of ANDs, whatever the number of clauses. Unsigned grants
are bits too, inert, so that a refusal can say what is missing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Final

from policies import vocabulary
from policies.canonical import sha256_of
from policies.clauses import Agreement, LocalRule, Signature
from policies.documents import as_data, content_hash
from policies.errors import Invalid
from policies.lines import NO, YES, Line, lines_of
from policies.obligations import View

ENGINE: Final = "1"
_MOST_CLAUSES: Final = 5_000
_MOST_REMEMBERED: Final = 4_096

_CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "purposes": tuple(vocabulary.PURPOSES),
    "operations": vocabulary.OPERATIONS,
    "modes": vocabulary.MODES,
    "roles": vocabulary.ROLES,
    "assurance": vocabulary.ASSURANCE,
    "relationships": vocabulary.RELATIONSHIPS,
    "categories": vocabulary.CATEGORIES,
    "break_glass": (YES, NO),
    "same_org": (YES, NO),
}
_OPEN: Final = ("recipients", "owner", "agreements")  # codes that no list can close


@dataclass(frozen=True, slots=True)
class Dimension:
    """Which lines accept each value; `other` is for values no line names."""

    masks: Mapping[str | None, int]
    other: int
    unbound: int  # the lines that do not test this dimension
    is_open: bool  # codes that no list can close: organisations, agreements

    def at(self, value: str | None) -> int:
        """The lines that accept this value; of an unknown one, every rule."""
        return self.masks.get(value, self.other)

    def knows(self, value: str | None) -> bool:
        """Whether the value is a known one, rather than absent or no code."""
        return bool(value) and (self.is_open or value in self.masks)

    def certain(self, value: str | None) -> int:
        """The lines that hold for this value whatever an unknown may turn out."""
        return self.at(value) if self.knows(value) else self.unbound


@dataclass(frozen=True, slots=True)
class Tests:
    """Tests of the form "any of these is there", on labels or on flags."""

    by_value: Mapping[str, int]
    untested: int
    every: int

    def of(self, values: Iterable[str]) -> int:
        """Rules that do not test, or test one of these."""
        return reduce(
            or_, (self.by_value.get(value, 0) for value in values), self.untested
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """Compiled documents; immutable but for what it remembers of its own answers."""

    version: str
    lines: tuple[Line, ...]
    dimensions: Mapping[str, Dimension]
    live: Dimension  # recipients again, of grants both sides have signed
    cuts: tuple[datetime, ...]
    spans: tuple[int, ...]  # one longer than cuts: lines valid before, between, after
    overs: tuple[int, ...]  # the same, of lines whose period has ended
    grants: int
    vetoes: int
    silent: int
    constraints: int
    wider: tuple[int, ...]
    flags: frozenset[str]
    honours: Mapping[str, int]
    requires: Mapping[str, int]
    flag_rules: Tests
    clears: Mapping[str, int]
    label_rules: Tests
    views: dict[tuple[int, int], tuple[View, frozenset[str]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def valid_at(self, now: datetime) -> int:
        """The lines in force at an aware instant."""
        return self.spans[bisect_right(self.cuts, now)]

    def over_at(self, now: datetime) -> int:
        """The lines whose period has ended at an aware instant."""
        return self.overs[bisect_right(self.cuts, now)]

    def view(self, grant: int, constraints: int) -> tuple[View, frozenset[str]]:
        """A grant's obligations met with those of constraints; and their axes."""
        found = self.views.get((grant, constraints))
        if found is None:
            view = self.lines[grant].view
            for index in bits(constraints):
                view = view.meet(self.lines[index].view)
            if len(self.views) >= _MOST_REMEMBERED:
                self.views.clear()
            found = self.views[grant, constraints] = (view, view.axes)
        return found


def compile_set(
    documents: Iterable[Agreement | LocalRule], signatures: Iterable[Signature]
) -> PolicySet:
    """The set these documents and signatures make, with the shipped floors.

    A signature that fits no document's present hash has no effect. Invalid if two
    documents share an id, or there are more than 5 000 clauses and rules.
    """
    given, signed = tuple(documents), tuple(signatures)
    _check(given)
    lines = lines_of(given, signed)
    grants = _mask(lines, lambda line: line.effect == "grant")
    cuts = tuple(
        sorted({at for line in lines for at in (line.begins, line.ends) if at})
    )
    flags = frozenset(
        flag
        for line in lines
        for flag in (*line.honours, *line.requires, *(line.flags_any or ()))
    )
    return PolicySet(
        version=_version(given, signed),
        lines=lines,
        dimensions={
            name: _dimension(lines, name, known=_CLOSED.get(name))
            for name in (*_CLOSED, *_OPEN)
        },
        live=_live(lines, grants),
        cuts=cuts,
        spans=_spans(lines, cuts),
        overs=_overs(lines, cuts),
        grants=grants,
        vetoes=_mask(lines, lambda line: line.effect == "veto"),
        silent=_mask(lines, lambda line: line.is_silent),
        constraints=_mask(lines, lambda line: line.effect == "constrain"),
        wider=_wider(lines, grants),
        flags=flags,
        honours=_by_value(lines, lambda line: line.honours),
        requires=_by_value(lines, lambda line: line.requires),
        flag_rules=_any(lines, grants, lambda line: line.flags_any),
        clears=_by_value(lines, lambda line: line.cleared),
        label_rules=_any(lines, grants, lambda line: line.labels_any),
    )


def bits(mask: int) -> Iterable[int]:
    """The indices of a mask's bits, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _check(documents: tuple[Agreement | LocalRule, ...]) -> None:
    seen: set[str] = set()
    clauses = 0
    for document in documents:
        if document.id in seen:
            message = "another document has this id. Give each its own."
            raise Invalid(document.id, message)
        seen.add(document.id)
        held = document.clauses if isinstance(document, Agreement) else document.rules
        clauses += len(held)
    if clauses > _MOST_CLAUSES:
        message = f"more than {_MOST_CLAUSES} clauses and rules. Merge or retire some."
        raise Invalid("the set", message)


def _version(
    documents: tuple[Agreement | LocalRule, ...], signatures: tuple[Signature, ...]
) -> str:
    by_hash = sorted(content_hash(document) for document in documents)
    signed = sorted((as_data(each) for each in signatures), key=sha256_of)
    return sha256_of(
        {
            "engine": ENGINE,
            "vocabulary": vocabulary.HASH,
            "documents": by_hash,
            "signatures": signed,
            "suspensions": [],
        }
    )


def _mask(lines: tuple[Line, ...], holds: Callable[[Line], bool]) -> int:
    return sum(1 << index for index, line in enumerate(lines) if holds(line))


def _by_value(
    lines: tuple[Line, ...], values: Callable[[Line], Iterable[str]]
) -> dict[str, int]:
    masks: defaultdict[str, int] = defaultdict(int)
    for index, line in enumerate(lines):
        for value in values(line):
            masks[value] |= 1 << index
    return dict(masks)


def _any(
    lines: tuple[Line, ...],
    grants: int,
    tested: Callable[[Line], frozenset[str] | None],
) -> Tests:
    every = ((1 << len(lines)) - 1) & ~grants
    testing = _mask(lines, lambda line: tested(line) is not None)
    return Tests(
        by_value=_by_value(lines, lambda line: tested(line) or ()),
        untested=every & ~testing,
        every=every,
    )


def _dimension(
    lines: tuple[Line, ...], name: str, *, known: tuple[str, ...] | None
) -> Dimension:
    masks = _by_value(lines, lambda line: line.accepts.get(name, ()))
    unbound = _mask(lines, lambda line: name not in line.accepts)
    # Unknown: no grant that tests it, and every rule. Citing no agreement is the
    # caller's right and hides no grant.
    unknown = unbound | _mask(
        lines, lambda line: line.effect != "grant" or name == "agreements"
    )
    named: dict[str | None, int] = {
        value: masks.get(value, 0) | unbound
        for value in (known if known is not None else masks)
    }
    if known is not None:
        return Dimension(named, unknown, unbound, is_open=False)
    absent: dict[str | None, int] = {None: unknown, "": unknown}
    return Dimension({**named, **absent}, unbound, unbound, is_open=True)


def _live(lines: tuple[Line, ...], grants: int) -> Dimension:
    rules = ((1 << len(lines)) - 1) & ~grants
    signed = _by_value(lines, lambda line: line.signed)
    masks: dict[str | None, int] = {who: mask | rules for who, mask in signed.items()}
    return Dimension(masks, rules, rules, is_open=True)


def _spans(lines: tuple[Line, ...], cuts: tuple[datetime, ...]) -> tuple[int, ...]:
    always = _mask(lines, lambda line: line.begins is None)
    changes: defaultdict[datetime, int] = defaultdict(int)
    for index, line in enumerate(lines):
        if line.begins is not None and line.ends is not None:
            changes[line.begins] ^= 1 << index
            changes[line.ends] ^= 1 << index
    spans = [always]
    for cut in cuts:
        spans.append(spans[-1] ^ changes[cut])
    return tuple(spans)


def _overs(lines: tuple[Line, ...], cuts: tuple[datetime, ...]) -> tuple[int, ...]:
    ended: defaultdict[datetime, int] = defaultdict(int)
    for index, line in enumerate(lines):
        if line.ends is not None:
            ended[line.ends] |= 1 << index
    overs = [0]
    for cut in cuts:
        overs.append(overs[-1] | ended[cut])
    return tuple(overs)


def _wider(lines: tuple[Line, ...], grants: int) -> tuple[int, ...]:
    """For each grant, the later ones with a strictly more permissive view."""
    by_view: defaultdict[View, int] = defaultdict(int)
    for index in bits(grants):
        by_view[lines[index].view] |= 1 << index
    above = {
        view: reduce(
            or_,
            (mask for other, mask in by_view.items() if other.more_permissive(view)),
            0,
        )
        for view in by_view
    }
    return tuple(above[lines[index].view] & (-1 << index) for index in bits(grants))
