"""A small population over memory, a database and a FHIR server, asked in journeys.

Whoever is tied by demographics must be the person asked for: each record's id tells
whom it is truly about.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from adapters import nhs_number
from adapters.contract import Candidate, Event, Identifier, Identifiers, Person
from adapters.memory import MemoryAdapter
from bench.linkage_population import population
from gateway.journey.inquiry import House, inquire
from gateway.linking import Linkage
from tests import registers
from tests.houses import doctor, house, policy_of, question, source

PEOPLE = 300
FRESH_S = 10**9
ASKED = 120
LOCAL = "urn:throughline:bench:"
OWNERS = ("Z9A01", "Z9B02", "Z9C03", "Z9D04")
NOW = datetime.now(UTC)


def hidden(person: Person) -> Person:
    """The description without its NHS number: only demographics may tie it."""
    kept = {i for i in person.identifiers if i.system != nhs_number.SYSTEM}
    return msgspec.structs.replace(person, identifiers=frozenset(kept))


def local(person: Person) -> str:
    (own,) = [i for i in person.identifiers if i.system != nhs_number.SYSTEM]
    return own.value


class Known(MemoryAdapter):
    """A memory that describes whomever it answers about."""

    def __init__(self, people: Sequence[Person], system: str) -> None:
        events = [
            Event(
                kind="encounter",
                record_id=f"r-{local(each)}",
                title="Encounter",
                start=registers.moment("2026-01-05"),
                subject=each.identifiers,
            )
            for each in people
        ]
        held = frozenset({"encounters"})
        super().__init__(events, sector="other", held=held, as_of=NOW, key=system)
        self.profile = replace(
            self.profile, identifier_systems=frozenset({nhs_number.SYSTEM, system})
        )
        self.people = tuple(Candidate(person=each) for each in people)
        self.by = {i: each for each in people for i in each.identifiers}

    async def ask(self, query):
        found = await super().ask(query)
        known = [self.by[i] for i in query.person.every if i in self.by]
        return replace(found, person=known[0]) if found.person and known else found


class Labelled:
    """Who is truly who, and a house of four sources that describe them."""

    def __init__(self) -> None:
        told = population(7, people=PEOPLE)
        self.people = told.people
        by_source: dict[str, list[Person]] = {}
        for each in told.records:
            by_source.setdefault(each.source, []).append(each.person)
        self.practice = by_source["gp"]
        self.wards = [hidden(each) for each in by_source["acute"]]
        self.nurses = [hidden(each) for each in by_source["community"]]
        self.crews = by_source["ambulance"]  # as the rates have it: some have a number

    async def opened(self, stack: AsyncExitStack, folder) -> House:
        acute, community = f"{LOCAL}acute", f"{LOCAL}community"
        table = await stack.enter_async_context(
            registers.open_sqlite(folder / "sql", self.wards, acute)
        )
        (folder / "fhir").mkdir()
        server, _ = await stack.enter_async_context(
            registers.open_fhir(folder / "fhir", self.nurses, community)
        )
        return replace(
            house(
                source("Z9A01.gp", Known(self.practice, f"{LOCAL}gp"), fresh_s=FRESH_S),
                source("Z9B02.pas", table, fresh_s=FRESH_S),
                source("Z9C03.nurse", server, fresh_s=FRESH_S),
                source(
                    "Z9D04.crew",
                    Known(self.crews, f"{LOCAL}ambulance"),
                    fresh_s=FRESH_S,
                ),
                policy=policy_of(OWNERS, recipients=OWNERS),
            ),
            linkage=Linkage(demographics="on"),
        )


@pytest.fixture(scope="module")
def labelled():
    return Labelled()


async def test_who_is_tied_by_demographics_is_the_person(labelled, tmp_path, capsys):
    tied: list[tuple[str, bool]] = []
    possible = 0
    theirs = {f"r-{local(each)}" for each in (*labelled.wards, *labelled.nurses)}
    due = 0
    async with AsyncExitStack() as stack:
        asked = await labelled.opened(stack, tmp_path)
        for someone in labelled.people[:ASKED]:
            person = Identifiers(nhs_number=someone.number)
            journey = await inquire(asked, doctor(), question(person))
            for event in journey.events:
                if event.provenance.link.method == "demographics":
                    record = (event.provenance.record_id or "").rpartition("/")[2]
                    is_theirs = record.rpartition("-")[2] == str(someone.id)
                    tied.append((event.provenance.source, is_theirs))
            possible += sum(
                caveat.count
                for each in journey.completeness.sources
                for caveat in each.caveats
                if caveat.code == "possible_match"
            )
            mine = {f"r-acute-{someone.id}", f"r-community-{someone.id}"}
            due += len(mine & theirs)
            assert sum(e.provenance.source == "Z9A01.gp" for e in journey.events) == 1
    found = sum(source_id in {"Z9B02.pas", "Z9C03.nurse"} for source_id, _ in tied)
    assert all(is_theirs for _, is_theirs in tied)
    with capsys.disabled():
        said = f"{len(tied)} tied, {possible} possible, recall {found / due:.2f}"
        print(f"\ndemographics: precision 1, {said}")  # noqa: T201 - it is looked at
    assert {source_id for source_id, _ in tied} >= {"Z9B02.pas", "Z9C03.nurse"}
    assert found / due > 0.75


async def test_switched_on_no_journey_loses_an_event(labelled, tmp_path):
    async with AsyncExitStack() as stack:
        asked = await labelled.opened(stack, tmp_path)
        for someone in labelled.people[ASKED : ASKED + 15]:
            person = Identifiers(nhs_number=someone.number)
            shown = []
            for demographics in ("off", "possible-only", "on"):
                knob = Linkage(demographics=demographics)
                turned = replace(asked, linkage=knob)
                journey = await inquire(turned, doctor(), question(person))
                shown.append({event.id for event in journey.events})
            assert shown[0] == shown[1] <= shown[2]


def test_the_person_is_looked_for_by_no_identifier(labelled):
    for each in (*labelled.wards, *labelled.nurses):
        assert all(i.system.startswith(LOCAL) for i in each.identifiers)
    assert Identifier(nhs_number.SYSTEM, labelled.people[0].number) in (
        labelled.practice[0].identifiers
    )
