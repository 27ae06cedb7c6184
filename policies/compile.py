"""Lines become bits: a big-int mask for each value of each dimension.

Deciding is then a handful of ANDs, whatever the number of clauses. Unsigned grants
are bits too, inert, so that a refusal can say what is missing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Final, TypeVar

from policies import vocabulary
from policies.because import Because, granted
from policies.canonical import sha256_of
from policies.clauses import Document, Member, Signature, parts_of
from policies.documents import as_data
from policies.errors import Invalid
from policies.lines import NO, YES, Line, lines_of
from policies.members import SignedMember, signed_members
from policies.obligations import View

ENGINE: Final = "1"
_MOST_CLAUSES: Final = 5_000
_MOST_GRANTS: Final = 25_000  # clauses times the providers they stand for
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
_Key = TypeVar("_Key")
_Periods = Mapping[tuple[datetime | None, datetime | None], int]
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
    reasons: dict[int, tuple[Because, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def valid_at(self, now: datetime) -> int:
        """The lines in force at an aware instant."""
        return self.spans[bisect_right(self.cuts, now)]

    def over_at(self, now: datetime) -> int:
        """The lines whose period has ended at an aware instant."""
        return self.overs[bisect_right(self.cuts, now)]

    def authority(self, grants: int) -> int:
        """Which of some grants decides: the first, or a later strictly wider one."""
        grant = (grants & -grants).bit_length() - 1
        while later := grants & self.wider[grant]:
            grant = (later & -later).bit_length() - 1
        return grant

    def granted(self, grant: int) -> tuple[Because, ...]:
        """The reason of what a grant permits."""
        reason = self.reasons.get(grant)
        if reason is None:
            reason = self.reasons[grant] = (granted(self.lines[grant]),)
        return reason

    def view(self, grant: int, constraints: int) -> tuple[View, frozenset[str]]:
        """A grant's obligations met with those of constraints; and what they demand."""
        found = self.views.get((grant, constraints))
        if found is None:
            view = self.lines[grant].view
            for index in bits(constraints):
                view = view.meet(self.lines[index].view)
            if len(self.views) >= _MOST_REMEMBERED:
                self.views.clear()
            found = self.views[grant, constraints] = (view, view.demanded)
        return found


def compile_set(
    documents: Iterable[Document | Member], signatures: Iterable[Signature]
) -> PolicySet:
    """The set these documents and signatures make, with the shipped floors.

    A document alone is its first version, standing for all who signed. A signature
    that fits no document's hash has no effect. Invalid if two documents share an id,
    two versions of one stand for one organisation, or there are more than 5 000
    clauses and rules, or 25 000 grants of one provider each, that stand for somebody.
    What stands for nobody fills no room of others.
    """
    signed = tuple(signatures)
    members = signed_members(documents, signed)
    _check_size(members)
    lines = lines_of(members)
    effects = _alike(lines, lambda line: line.effect)
    grants = effects["grant"]
    periods = _alike(lines, lambda line: (line.begins, line.ends))
    cuts = tuple(sorted({at for period in periods for at in period if at}))
    honours = _by_value(lines, lambda line: line.honours)
    requires = _by_value(lines, lambda line: line.requires)
    filters = _by_value(lines, lambda line: line.view.row_filters)
    flag_rules = _any(lines, grants, lambda line: line.flags_any)
    return PolicySet(
        version=_version(members, signed),
        lines=lines,
        dimensions={
            name: _dimension(lines, name, grants) for name in (*_CLOSED, *_OPEN)
        },
        live=_live(lines, grants),
        cuts=cuts,
        spans=_spans(periods, cuts),
        overs=_overs(periods, cuts),
        grants=grants,
        vetoes=effects["veto"],
        silent=_alike(lines, lambda line: line.is_silent)[True],
        constraints=effects["constrain"],
        wider=_wider(lines, grants),
        flags=frozenset({*honours, *requires, *filters, *flag_rules.by_value}),
        honours=honours,
        requires=requires,
        flag_rules=flag_rules,
        clears=_by_value(lines, lambda line: line.cleared),
        label_rules=_any(lines, grants, lambda line: line.labels_any),
    )


def bits(mask: int) -> Iterable[int]:
    """The indices of a mask's bits, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _check_size(members: tuple[SignedMember, ...]) -> None:
    standing = [
        (len(parts_of(each.document)), len(each.standing))
        for each in members
        if each.standing
    ]
    if sum(parts for parts, _ in standing) > _MOST_CLAUSES:
        message = f"more than {_MOST_CLAUSES} clauses and rules. Merge or retire some."
        raise Invalid("the set", message)
    if sum(parts * owners for parts, owners in standing) > _MOST_GRANTS:
        message = (
            f"more than {_MOST_GRANTS} clauses and rules, each counted for every "
            "provider. Merge or retire some."
        )
        raise Invalid("the set", message)


def _version(
    members: tuple[SignedMember, ...], signatures: tuple[Signature, ...]
) -> str:
    documents = sorted((_as_standing(each) for each in members), key=sha256_of)
    signed = sorted((as_data(each) for each in signatures), key=sha256_of)
    return sha256_of(
        {
            "engine": ENGINE,
            "vocabulary": vocabulary.HASH,
            "documents": documents,
            "signatures": signed,
        }
    )


def _as_standing(held: SignedMember) -> dict[str, object]:
    """All that a member's part in the set depends on, as plain data."""
    member = held.member
    return {
        "hash": held.hash,
        "version": member.version,
        "first_active": {
            organisation: at.astimezone(UTC).isoformat()
            for organisation, at in member.first_active.items()
        },
        "standing": None if member.standing is None else sorted(member.standing),
        "carried": sorted(member.carried),
        "suspended": sorted(member.suspended),
    }


def _alike(
    lines: tuple[Line, ...], key: Callable[[Line], _Key], /
) -> defaultdict[_Key, int]:
    """The lines that share each key, as masks."""
    masks: defaultdict[_Key, int] = defaultdict(int)
    bit = 1
    for line in lines:
        masks[key(line)] |= bit
        bit <<= 1
    return masks


def _by_value(
    lines: tuple[Line, ...], values: Callable[[Line], Iterable[str]]
) -> dict[str, int]:
    return _spread(_alike(lines, values))


def _spread(alike: Mapping[Iterable[str], int]) -> dict[str, int]:
    # Lines of one clause share their values, so each collection is taken apart once.
    masks: defaultdict[str, int] = defaultdict(int)
    for held, mask in alike.items():
        for value in held:
            masks[value] |= mask
    return dict(masks)


def _any(
    lines: tuple[Line, ...],
    grants: int,
    tested: Callable[[Line], frozenset[str] | None],
) -> Tests:
    rules = _all(lines) & ~grants
    alike = _alike(lines, tested)
    untested = alike.pop(None, 0) & rules
    by_value = _spread({held: mask for held, mask in alike.items() if held})
    return Tests(by_value=by_value, untested=untested, every=rules)


def _dimension(lines: tuple[Line, ...], name: str, grants: int) -> Dimension:
    known = _CLOSED.get(name)
    alike = _alike(lines, lambda line: line.accepts.get(name))
    unbound = alike.pop(None, 0)
    masks = _spread({held: mask for held, mask in alike.items() if held})
    # Unknown: no grant that tests it, and every rule. Citing no agreement is the
    # caller's right and hides no grant.
    unknown = unbound | (_all(lines) & ~grants if name != "agreements" else _all(lines))
    named: dict[str | None, int] = {
        value: masks.get(value, 0) | unbound
        for value in (known if known is not None else masks)
    }
    if known is not None:
        return Dimension(named, unknown, unbound, is_open=False)
    absent: dict[str | None, int] = {None: unknown, "": unknown}
    return Dimension({**named, **absent}, unbound, unbound, is_open=True)


def _all(lines: tuple[Line, ...]) -> int:
    return (1 << len(lines)) - 1


def _live(lines: tuple[Line, ...], grants: int) -> Dimension:
    rules = _all(lines) & ~grants
    signed = _by_value(lines, lambda line: line.signed)
    masks: dict[str | None, int] = {who: mask | rules for who, mask in signed.items()}
    return Dimension(masks, rules, rules, is_open=True)


def _spans(periods: _Periods, cuts: tuple[datetime, ...]) -> tuple[int, ...]:
    changes: defaultdict[datetime | None, int] = defaultdict(int)
    for (begins, ends), mask in periods.items():
        changes[begins] ^= mask
        changes[ends] ^= mask if ends is not None else 0
    spans = [changes[None]]  # without a beginning: always
    for cut in cuts:
        spans.append(spans[-1] ^ changes[cut])
    return tuple(spans)


def _overs(periods: _Periods, cuts: tuple[datetime, ...]) -> tuple[int, ...]:
    ended: defaultdict[datetime | None, int] = defaultdict(int)
    for (_, ends), mask in periods.items():
        ended[ends] |= mask
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
