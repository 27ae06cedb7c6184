"""The questions put to every adapter that tells whom it holds of a day of birth."""

# ruff: noqa: S101 - a test suite asserts
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest

from adapters import nhs_number
from adapters.conformance.population import KEY
from adapters.contract import (
    Candidate,
    Identifier,
    Matches,
    Person,
    day_of_birth,
)
from adapters.memory import MemoryAdapter
from adapters.moment import read_iso


def _described(
    key: str, name: str, born: str, *, gender: str = "female", number: str | None = None
) -> Person:
    read = read_iso(born)
    identifiers = {Identifier(KEY, key)}
    if number is not None:
        identifiers.add(Identifier(nhs_number.SYSTEM, number))
    return Person(
        identifiers=frozenset(identifiers),
        name=name,
        birth_date=read[0] if read else None,
        gender=gender,
        postcode="QZ1 4AB",
    )


REGISTER: Final = (
    _described("H-1", "Ada Marham", "1956-03-14", number="9995260182"),
    _described("H-2", "Ben Marham", "1956-03-14", gender="male"),
    _described("H-3", "Chloe Marham", "1956-03-14"),
    _described("H-4", "Dan Marham", "1965-03-14", gender="male"),
    _described("H-5", "Eve Marham", "1956-03-15", number="9991590838"),
    _described("H-6", "Fay Marham", "1956-03"),
    _described("H-7", "Gus Marham", "1956-01-01", gender="male"),
)


def comparable_person(person: Person) -> dict[str, Any]:
    """A person as a flat value: equal for two adapters that describe the same."""
    return {
        "identifiers": sorted((i.system, i.value) for i in person.identifiers),
        "name": person.name,
        "born": day_of_birth(person),
        "gender": person.gender,
        "postcode": person.postcode,
    }


@pytest.mark.asyncio
class MatchesContract:
    """Supply a fixture `register`: your adapter, loaded with the people of REGISTER.

    Each has a key of the system KEY, and some an NHS number.
    """

    @pytest.fixture
    def memory(self) -> MemoryAdapter:
        """The oracle, which describes the same people."""
        now = datetime.now(UTC)  # noqa: TID251 - the suite stands outside the edge
        oracle = MemoryAdapter((), sector="acute", held=frozenset(), as_of=now)
        oracle.people = tuple(Candidate(person=each) for each in REGISTER)
        return oracle

    async def agreed(
        self, register: Matches, memory: Matches, described: Person
    ) -> list[dict[str, Any]]:
        """Whom the adapter describes, found to be whom memory describes."""
        found = await register.match(described, limit=20)
        oracle = await memory.match(described, limit=20)
        mine = [comparable_person(each.person) for each in found]
        assert sorted(mine, key=str) == sorted(
            (comparable_person(each.person) for each in oracle), key=str
        )
        return mine

    @pytest.mark.parametrize("person", REGISTER, ids=range(len(REGISTER)))
    async def test_those_of_one_day_of_birth_are_told(
        self, register: Matches, memory: MemoryAdapter, person: Person
    ) -> None:
        found = await self.agreed(register, memory, person)
        assert bool(found) is (day_of_birth(person) is not None)

    async def test_somebody_of_another_day_is_nobody(
        self, register: Matches, memory: MemoryAdapter
    ) -> None:
        stranger = _described("H-9", "Ada Marham", "1990-07-01")
        assert day_of_birth(stranger) == date(1990, 7, 1)
        assert await self.agreed(register, memory, stranger) == []

    async def test_without_a_day_of_birth_nobody_is_told(
        self, register: Matches
    ) -> None:
        assert await register.match(Person(name="Ada Marham"), limit=20) == ()

    @pytest.mark.parametrize(("limit", "told"), [(1, 2), (2, 3), (3, 3)])
    async def test_more_than_the_limit_is_one_more(
        self, register: Matches, limit: int, told: int
    ) -> None:
        assert len(await register.match(REGISTER[0], limit=limit)) == told
