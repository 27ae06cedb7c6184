"""The questions put to every adapter that tells what its source merged."""

# ruff: noqa: S101 - a test suite asserts
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal

import pytest

from adapters import nhs_number
from adapters.conformance.population import KEY, NOBODY
from adapters.contract import Identifier, Identifiers, Traced, Traces
from adapters.memory import MemoryAdapter


def _said(
    before: Identifier,
    after: Identifier,
    how: Literal["merged", "unmerged", "superseded"],
    *,
    day: int,
) -> Traced:
    at = datetime(2024, 3, day, 9, tzinfo=UTC)
    return Traced(from_=before, to=after, how=how, at=at)


def _key(value: str) -> Identifier:
    return Identifier(KEY, value)


SUPERSEDED: Final = Identifier(nhs_number.SYSTEM, "9990000069")
SUCCESSOR: Final = Identifier(nhs_number.SYSTEM, "9990000077")
# Dora's NHS number was replaced, and an older record of hers was merged into H-2002.
MERGED: Final = (
    _said(SUPERSEDED, SUCCESSOR, "superseded", day=1),
    _said(_key("H-2001"), _key("H-2002"), "merged", day=2),
)
# Two others were taken for one, and parted again.
UNDONE: Final = (
    _said(_key("H-3001"), _key("H-3002"), "merged", day=3),
    _said(_key("H-3001"), _key("H-3002"), "unmerged", day=4),
)


@pytest.mark.asyncio
class TracesContract:
    """Supply a fixture `history`: your adapter, whose source says MERGED and UNDONE.

    Dora is known there as H-2002 and by SUCCESSOR. A source that keeps no word of what
    was undone sets `undoes` to False, and is not loaded with it.
    """

    undoes: ClassVar[bool] = True

    @pytest.fixture
    def memory(self) -> MemoryAdapter:
        """The oracle, of which the source says the same."""
        now = datetime.now(UTC)  # noqa: TID251 - the suite stands outside the edge
        oracle = MemoryAdapter((), sector="acute", held=frozenset(), as_of=now)
        oracle.traced = MERGED + (UNDONE if self.undoes else ())
        return oracle

    @pytest.mark.parametrize(
        "end",
        [end for said in MERGED for end in (said.from_, said.to)],
        ids=range(4),
    )
    async def test_what_joins_is_told_in_both_directions(
        self, history: Traces, memory: MemoryAdapter, end: Identifier
    ) -> None:
        """At least what names whoever is asked for; and nothing memory does not say."""
        found = _ties(await history.trace(_by(end)))
        wanted = _ties(await memory.trace(_by(end)))
        everything = _ties(memory.traced)
        assert wanted <= found <= everything

    @pytest.mark.parametrize("end", ["H-3001", "H-3002"])
    async def test_what_was_undone_is_told_with_its_undoing(
        self, history: Traces, end: str
    ) -> None:
        if not self.undoes:
            pytest.skip("this kind keeps no word of what was undone")
        found = await history.trace(_by(_key(end)))
        assert [each.how for each in found] == ["merged", "unmerged"]

    async def test_statements_are_told_oldest_first_and_with_a_zone(
        self, history: Traces
    ) -> None:
        for end in (SUCCESSOR, _key("H-2002"), _key("H-3001")):
            times = [each.at for each in await history.trace(_by(end))]
            assert all(at.tzinfo is not None for at in times)
            assert times == sorted(times)

    async def test_nothing_is_told_of_nobody(self, history: Traces) -> None:
        assert await history.trace(NOBODY) == ()

    async def test_no_number_is_told_that_is_none(self, history: Traces) -> None:
        for said in await history.trace(_by(SUCCESSOR)):
            for end in (said.from_, said.to):
                if end.system in nhs_number.SYSTEMS:
                    assert end.system == nhs_number.SYSTEM
                    assert nhs_number.normalise(end.value) == end.value

    async def test_asking_again_changes_nothing(self, history: Traces) -> None:
        first, again = [await history.trace(_by(SUCCESSOR)) for _ in range(2)]
        assert _ties(first) == _ties(again)


def _by(identifier: Identifier) -> Identifiers:
    if identifier.system == nhs_number.SYSTEM:
        return Identifiers(nhs_number=identifier.value)
    return Identifiers(others=frozenset({identifier}))


def _ties(said: tuple[Traced, ...]) -> set[tuple[str, str, str]]:
    """What ties or parts; a record renumbered does neither."""
    return {
        (each.from_.value, each.to.value, each.how)
        for each in said
        if each.how != "renumbered"
    }
