"""Which identifiers are one person's, by what sources stated of merges. Pure.

A statement counts while it stands: an undoing takes it back at once, and what sources
do not agree on joins nobody.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Traced

_Pair: TypeAlias = frozenset[Identifier]
# Of one person: more are no history but a placeholder's, each asked for by itself.
MOST_NUMBERS: Final = 8


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One source's word on two identifiers; `source` is its id."""

    source: str
    traced: Traced

    @property
    def pair(self) -> frozenset[Identifier]:
        """Both identifiers, in no order."""
        return frozenset({self.traced.from_, self.traced.to})


class Ties(msgspec.Struct, frozen=True, kw_only=True):
    """What the statements of all sources come to; of each source and pair, its last.

    `standing` join; `undone` did, and were taken back; `contested` are of pairs that
    sources do not agree on, or that lead where no two can be one: they join nobody.
    """

    standing: tuple[Said, ...] = ()
    undone: tuple[Said, ...] = ()
    contested: tuple[Said, ...] = ()

    def for_one(self, preferred: frozenset[Identifier]) -> dict[Identifier, Identifier]:
        """By each identifier that is another's equal, the one that stands for both.

        Of one system alone. `preferred` stand for the rest; failing those, what no
        statement says was superseded or merged away.
        """
        within = [each for each in self.standing if _is_of_one_system(each)]
        left = {each.traced.from_ for each in within}
        found: dict[Identifier, Identifier] = {}
        for group in _groups(each.pair for each in within):
            chosen = min(
                group, key=lambda i: (i not in preferred, i in left, i.system, i.value)
            )
            found |= {each: chosen for each in group if each != chosen}
        return found

    def across(self) -> list[frozenset[Identifier]]:
        """Pairs of two systems that are one person's."""
        return [each.pair for each in self.standing if not _is_of_one_system(each)]

    def on(self, identifier: Identifier) -> Said:
        """The latest standing statement on one of them; ValueError if there is none."""
        named = (each for each in self.standing if identifier in each.pair)
        return max(named, key=lambda e: (e.traced.at, e.source))

    def without(self, identifiers: frozenset[Identifier]) -> "Ties":
        """The same, with every statement that names one of these contested."""
        gone = [each for each in self.standing if each.pair & identifiers]
        return Ties(
            standing=tuple(each for each in self.standing if each not in gone),
            undone=self.undone,
            contested=(*self.contested, *gone),
        )

    @property
    def doubted(self) -> frozenset[Identifier]:
        """Every identifier that a contested statement names."""
        return frozenset[Identifier]().union(*(each.pair for each in self.contested))


NO_TIES: Final = Ties()


def weigh(told: Iterable[Said]) -> Ties:
    """What joins, what was undone, and what sources do not agree on.

    Of one source the last statement on two identifiers counts; at one instant parting
    wins. A record renumbered ties nothing: its number may have been somebody else's.
    """
    by_pair: dict[_Pair, dict[str, list[Traced]]] = {}
    for each in told:
        if _is_sound(each.traced):
            by_source = by_pair.setdefault(each.pair, {})
            by_source.setdefault(each.source, []).append(each.traced)
    by_pair = {pair: _stated(sources) for pair, sources in by_pair.items()}
    sorted_out: dict[str, list[Said]] = {"joined": [], "parted": [], "both": []}
    for sources in filter(None, by_pair.values()):
        lasts = {source: _last(said) for source, said in sources.items()}
        views = {view for view, _ in lasts.values()}
        agreed = len(views) == 1 and len(_successors(t for _, t in lasts.values())) < 2
        sorted_out[views.pop() if agreed else "both"] += [
            Said(source=source, traced=traced) for source, (_, traced) in lasts.items()
        ]
    undone, contested = sorted_out["parted"], sorted_out["both"]
    standing, clashing = _without_clashes(
        sorted_out["joined"], [each.pair for each in (*undone, *contested)]
    )
    return Ties(
        standing=_ordered(standing),
        undone=_ordered(undone),
        contested=_ordered([*contested, *clashing]),
    )


def are_one(identifiers: Iterable[Identifier], traced: Sequence[Traced]) -> bool:
    """Whether one source's statements join all of these, over others if need be."""
    wanted = set(identifiers)
    if len(wanted) < 2:
        return True
    ties = weigh(Said(source="", traced=each) for each in traced)
    return any(wanted <= group for group in _groups(e.pair for e in ties.standing))


def _is_sound(traced: Traced) -> bool:
    """Whether it can tie anything: two different identifiers, NHS numbers valid."""
    ends = (traced.from_, traced.to)
    return traced.from_ != traced.to and not any(
        each.system in nhs_number.SYSTEMS
        and (each.system, nhs_number.normalise(each.value))
        != (nhs_number.SYSTEM, each.value)
        for each in ends
    )


def _stated(sources: dict[str, list[Traced]]) -> dict[str, list[Traced]]:
    """Without those who only tell of a record renumbered: that ties nothing."""
    return {
        source: said
        for source, said in sources.items()
        if any(each.how != "renumbered" for each in said)
    }


def _is_of_one_system(said: Said) -> bool:
    return said.traced.from_.system == said.traced.to.system


def _last(
    said: Sequence[Traced],
) -> tuple[Literal["joined", "parted", "both"], Traced]:
    """Where one source's word on one pair ends: `both` where it contradicts itself.

    Each of two as the other's successor is no statement that can be followed, nor is
    one after which a record was given the earlier number again.
    """
    ways: set[Identifier] = set()
    ordered = sorted(said, key=_by_time)
    for each in ordered:
        if each.how == "unmerged":
            ways = set()
        elif each.how != "renumbered" or ways:
            ways.add(each.to)
    stated = [each for each in ordered if each.how != "renumbered"]
    if not ways:
        return "parted", stated[-1]
    return "both" if len(ways) > 1 else "joined", stated[-1]


def _successors(said: Iterable[Traced]) -> set[Identifier]:
    return {each.to for each in said if each.how == "superseded"}


def _by_time(traced: Traced) -> tuple[datetime, bool]:
    return traced.at, traced.how == "unmerged"


def _without_clashes(
    joined: Sequence[Said], apart: Iterable[_Pair]
) -> tuple[list[Said], list[Said]]:
    """The statements that lead to no contradiction, and those that do.

    A contradiction is two who were parted, or whom sources differ on, joined over
    others; one who became two that nothing else says are one; and more NHS numbers
    than anybody has. It spoils all that hangs together with it: which of the
    statements is wrong, nobody said.
    """
    never = [*apart, *_forks(joined)]
    spoilt = frozenset[Identifier]().union(
        *(
            group
            for group in _groups(each.pair for each in joined)
            if _numbers_in(group) > MOST_NUMBERS or any(each <= group for each in never)
        )
    )
    return (
        [each for each in joined if not each.pair & spoilt],
        [each for each in joined if each.pair & spoilt],
    )


def _numbers_in(group: _Pair) -> int:
    return sum(each.system == nhs_number.SYSTEM for each in group)


def _forks(joined: Sequence[Said]) -> list[frozenset[Identifier]]:
    """One, and those of its system that it became, where nothing else joins them."""
    became: dict[Identifier, set[Identifier]] = {}
    for each in joined:
        if _is_of_one_system(each):
            became.setdefault(each.traced.from_, set()).add(each.traced.to)
    found = []
    for start, ends in became.items():
        others = (each.pair for each in joined if start not in each.pair)
        if len(ends) > 1 and not any(ends <= group for group in _groups(others)):
            found.append(frozenset({start, *ends}))
    return found


def _groups(pairs: Iterable[_Pair]) -> list[frozenset[Identifier]]:
    """All that hangs together, once each."""
    groups: list[frozenset[Identifier]] = []
    for pair in pairs:
        touched = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair]
        groups.append(pair.union(*touched))
    return groups


def _ordered(said: Sequence[Said]) -> tuple[Said, ...]:
    return tuple(sorted(said, key=lambda e: (e.traced.at, e.source, e.traced.how)))
