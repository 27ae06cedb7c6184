"""One town, loaded through every kind of source, gives the same journeys."""

import sys

import pytest

from adapters.vocabulary import CATEGORIES, KINDS, category_of
from tests.agreements import compared, lines
from tests.stub_fhir import StubFhir
from tests.town import PEOPLE, SECTOR, town
from tests.town_kinds import KINDS as SOURCES


def test_the_town_holds_every_kind_of_event_and_everybody():
    events = town().events
    assert {event.kind for event in events} == set(KINDS)
    assert {category_of(e.kind, SECTOR) for e in events} == CATEGORIES
    precisions = {event.start.precision for event in events if event.start}
    assert precisions == {"year", "month", "day", "minute", "second"}
    assert any(event.start is None for event in events)
    assert any("reversed" in event.caveats for event in events)
    assert len({event.subject for event in events}) > PEOPLE
    assert len({event.record_id for event in events}) == len(events)


@pytest.mark.parametrize("name", [n for n, k in SOURCES.items() if k.server == ""])
async def test_journeys_of_files_are_those_of_memory(name, tmp_path):
    await agree(name, tmp_path)


@pytest.mark.parametrize("name", [n for n, k in SOURCES.items() if k.server == "stub"])
async def test_journeys_of_a_small_server_are_those_of_memory(name, tmp_path):
    async with StubFhir([]) as server:
        await agree(name, tmp_path, server)


REAL = [n for n, k in SOURCES.items() if k.server not in {"", "stub"}]


@pytest.mark.parts
@pytest.mark.parametrize("name", REAL)
async def test_journeys_of_a_real_server_are_those_of_memory(name, tmp_path, request):
    server = request.getfixturevalue(SOURCES[name].server)
    await agree(name, tmp_path, server)


async def agree(name, folder, server=None):
    row = await compared(SOURCES[name], folder, server)
    sys.stdout.write("\n".join([*lines({name: row}), ""]))
    assert not row.wrong
    assert row.people == PEOPLE
    assert row.events > 350
