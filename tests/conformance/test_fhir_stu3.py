"""FHIR servers of STU3, searched and asked at once, with the published population."""

from datetime import UTC, datetime
from typing import ClassVar

import pytest
from msgspec.structs import replace

from adapters.conformance import AdapterContract, Gap, notyet
from adapters.conformance.population import (
    ADA,
    BEN,
    KEY,
    NOBODY,
    POPULATION,
    SINCE,
    UNTIL,
)
from adapters.conformance.questions import comparable
from adapters.contract import Identifiers, Query
from adapters.fhir.areas import TYPES
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES
from tests import stu3
from tests.opened import FHIR_CARRIES
from tests.stub_practice import StubPractice


class TestFhirStu3(AdapterContract):
    page_size = 200
    carries = FHIR_CARRIES
    gaps: ClassVar[dict[str, Gap]] = {
        "a_placeholder_is_not_passed_on": notyet(
            "to know that another Patient has an identifier too takes one more search"
        )
    }

    def known_as(self, event):
        return stu3.record_id(event)

    @pytest.fixture
    async def adapter(self, tmp_path):
        events = self.population().events
        async with stu3.open_stu3(
            tmp_path, events, page_size=self.page_size
        ) as adapter:
            yield adapter


class TestFhirStu3PageByPage(TestFhirStu3):
    """The same, with more pages than answers fit in."""

    page_size = 3


def given_at_once():
    """The population's events of the types that a structured record brings."""
    events = POPULATION.by_person().events
    return [
        event
        for event in events
        if FHIR_CARRIES.has_room_for(event)
        and stu3.record_id(event).partition("/")[0] in TYPES
    ]


WINDOWS = [(None, None), (SINCE, UNTIL), (None, SINCE), (UNTIL, None)]


@pytest.mark.parametrize("categories", [CATEGORIES, *({c} for c in sorted(CATEGORIES))])
async def test_a_practices_record_agrees_with_memory(tmp_path, categories):
    """A practice knows people by their NHS number alone, so only those are asked of."""
    events = given_at_once()
    renamed = [replace(event, record_id=stu3.record_id(event)) for event in events]
    memory = MemoryAdapter(
        renamed, sector="acute", held=CATEGORIES, as_of=datetime.now(UTC), key=KEY
    )
    async with (
        StubPractice(stu3.resources(events)) as practice,
        stu3.open_practice(tmp_path, practice) as adapter,
    ):
        for person in (ADA, BEN, NOBODY):
            for since, until in WINDOWS:
                query = Query(
                    person=Identifiers(nhs_number=person.nhs_number),
                    since=since,
                    until=until,
                    categories=frozenset(categories),
                    limit=1000,
                )
                mine, memorys = await adapter.ask(query), await memory.ask(query)
                fields = FHIR_CARRIES.fields - {"caveats"}
                assert [comparable(e, fields) for e in mine.events] == [
                    comparable(e, fields) for e in memorys.events
                ]
                assert (mine.person is None) == (memorys.person is None)
