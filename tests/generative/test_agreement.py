"""Every kind of source tells, of any history, what memory tells of it.

Catches what no example was written for: a day taken in UTC, a `<=` at the end of a
window, a page not followed, a placeholder believed, a quote that ends a row.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.conformance import Carries, Population, comparable
from adapters.contract import Adapter, Answer, Event, Query
from adapters.fhir.tables import TYPES
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES
from tests import feeds, fhir_records, stu3
from tests.drops import Style
from tests.histories import History, histories
from tests.opened import (
    FHIR_CARRIES,
    open_csv_drop,
    open_fhir,
    open_mariadb,
    open_postgres,
    open_sqlite,
)
from tests.people import LOCAL, PLACEHOLDER
from tests.stub_fhir import Misbehaviour, telling_everything

NOW = datetime(2026, 1, 1, tzinfo=UTC)

Opened = Callable[[Path, Sequence[Event]], AbstractAsyncContextManager[Adapter]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of source: what it carries, and how it is opened with events in it."""

    carries: Carries
    opened: Opened
    known_as: Callable[[Event], str] = lambda event: event.record_id
    fields: frozenset[str] = frozenset({"kind", "title", "start", "subject"})
    knows_placeholders: bool = True
    is_asked_whole: bool = False  # each question also for all there is


# What a row says of an event; FHIR has no word for some of the statuses.
ROWS = frozenset({"kind", "title", "status", "start", "subject"})
QUOTED = Style(delimiter="|", bom=True, quote_all=True, line_end="\r\n")

AT_ONCE = Misbehaviour(capabilities=telling_everything(TYPES))

KINDS = {
    "fhir": Kind(
        carries=FHIR_CARRIES,
        opened=open_fhir,
        known_as=fhir_records.record_id,
    ),
    "fhir, $everything": Kind(
        carries=FHIR_CARRIES,
        opened=partial(open_fhir, page_size=4, wrong=AT_ONCE),
        known_as=fhir_records.record_id,
        is_asked_whole=True,
    ),
    "fhir, STU3": Kind(
        carries=FHIR_CARRIES, opened=stu3.open_stu3, known_as=stu3.record_id
    ),
    "csv_drop": Kind(
        carries=Carries(), opened=partial(open_csv_drop, key=LOCAL), fields=ROWS
    ),
    "csv_drop, quoted pipes": Kind(
        carries=Carries(),
        opened=partial(open_csv_drop, key=LOCAL, style=QUOTED),
        fields=ROWS,
    ),
    "hl7v2": Kind(carries=feeds.CARRIES, opened=partial(feeds.open_feed, key=LOCAL)),
    "hl7v2, other marks": Kind(
        carries=feeds.CARRIES,
        opened=partial(feeds.open_feed, key=LOCAL, style=feeds.UNUSUAL),
    ),
    "sqlite": Kind(
        carries=Carries(), opened=partial(open_sqlite, key=LOCAL), fields=ROWS
    ),
}


def told(answer: Answer, fields: frozenset[str]) -> list[dict[str, object]]:
    events = [comparable(event, fields | {"zone"}) for event in answer.events]
    return sorted(events, key=lambda event: str(event["record_id"]))


def starts(answer: Answer) -> list[datetime | None]:
    return [e.start.at.astimezone(UTC) if e.start else None for e in answer.events]


def count(answer: Answer, code: str) -> int:
    return sum(c.count for c in answer.caveats if c.code == code)


def assert_agree(kind: Kind, mine: Answer, memorys: Answer) -> None:
    """Cut short, the two may differ in which of one instant's events they tell."""
    if count(memorys, "truncated"):
        assert starts(mine) == starts(memorys)
    else:
        assert told(mine, kind.fields) == told(memorys, kind.fields)
    assert bool(count(mine, "truncated")) == bool(count(memorys, "truncated"))
    assert count(mine, "undated") == count(memorys, "undated")
    assert (mine.person is None) == (memorys.person is None)


def asked(kind: Kind, queries: Sequence[Query]) -> list[Query]:
    wholly = [
        replace(query, since=None, until=None, categories=CATEGORIES)
        for query in queries
        if kind.is_asked_whole
    ]
    return [*queries, *wholly]


def askable(kind: Kind, query: Query) -> bool:
    return kind.knows_placeholders or PLACEHOLDER not in query.person.every


async def compare(kind: Kind, history: History, folder: Path) -> None:
    population = Population(events=history.events, key=history.key)
    if kind.carries.subject_of == "person":
        population = population.by_person()
    renamed = [
        msgspec.structs.replace(event, record_id=kind.known_as(event))
        for event in population.events
    ]
    memory = MemoryAdapter(
        renamed, sector="acute", held=CATEGORIES, as_of=NOW, key=history.key
    )
    async with kind.opened(folder, population.events) as adapter:
        for query in asked(kind, history.queries):
            if askable(kind, query):
                mine, memorys = await adapter.ask(query), await memory.ask(query)
                assert_agree(kind, mine, memorys)


@pytest.mark.parametrize("name", list(KINDS))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_kind_agrees_with_memory(name, data):
    kind = KINDS[name]
    history = data.draw(histories(kind.carries))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(kind, history, Path(folder)))


@pytest.mark.parts
@given(history=histories(Carries()))
def test_postgres_agrees_with_memory(postgres, history):
    opened = partial(open_postgres, key=LOCAL, url=postgres.url)
    kind = Kind(carries=Carries(), opened=opened, fields=ROWS)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(kind, history, Path(folder)))


@pytest.mark.parts
@given(history=histories(Carries()))
def test_mariadb_agrees_with_memory(mariadb, history):
    opened = partial(open_mariadb, key=LOCAL, server=mariadb)
    kind = Kind(carries=Carries(), opened=opened, fields=ROWS)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(kind, history, Path(folder)))
