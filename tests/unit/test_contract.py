"""The contract's own arithmetic, against memory's, which was written apart from it."""

from datetime import date

import pytest

from adapters.conformance.population import ADA, POPULATION
from adapters.conformance.questions import WINDOWS
from adapters.contract import (
    Answer,
    Caveat,
    Code,
    Detail,
    Event,
    Identifier,
    Identifiers,
    Person,
    Query,
    tally,
)
from adapters.memory import MemoryAdapter
from adapters.moment import read_iso, start_of_day
from adapters.nhs_number import SYSTEM
from adapters.vocabulary import CATEGORIES

NOW = start_of_day(date(2024, 8, 1))


def everything(since: date | None = None, until: date | None = None) -> Query:
    return Query(
        person=ADA, since=since, until=until, categories=CATEGORIES, limit=1000
    )


@pytest.mark.parametrize(("since", "until"), [*WINDOWS, (None, None)])
async def test_a_window_covers_what_memory_finds_in_it(since, until):
    memory = MemoryAdapter(
        POPULATION.events, sector="acute", held=CATEGORIES, as_of=NOW
    )
    query = everything(since, until)
    theirs = [e for e in POPULATION.events if (e.subject or set()) & ADA.every]
    covered = {e.record_id for e in theirs if query.covers(e.start)}
    assert {e.record_id for e in (await memory.ask(query)).events} == covered


def test_a_record_without_a_date_is_in_no_window_but_in_all_time():
    assert everything().covers(None)
    assert not everything(since=date(2024, 1, 1)).covers(None)
    assert not everything(until=date(2024, 1, 1)).covers(None)


@pytest.mark.parametrize(
    ("written", "inside"),
    [
        ("2024-03-31T23:00:00Z", True),  # midnight in London, an hour on
        ("2024-03-31T22:59:59Z", False),
        ("2024-06-30T22:59:59Z", True),
        ("2024-06-30T23:00:00Z", False),
        ("2024-03", False),
        ("2024-04", True),
        ("2024", True),
        ("2023", False),
        ("2024-07", False),
    ],
)
def test_a_window_is_of_london_days(written, inside):
    read = read_iso(written)
    assert read is not None
    query = everything(date(2024, 4, 1), date(2024, 7, 1))
    assert query.covers(read[0]) is inside


def test_an_nhs_number_is_one_identifier_among_the_others():
    local = Identifier("urn:local", "7")
    person = Identifiers(nhs_number="9995260182", others=frozenset({local}))
    assert person.every == {local, Identifier(SYSTEM, "9995260182")}
    assert Identifiers(others=frozenset({local})).every == {local}


def test_caveats_are_counted_and_in_order():
    assert tally(["undated", "truncated", "undated"]) == (
        Caveat("truncated", 1),
        Caveat("undated", 2),
    )
    assert tally([]) == ()


def test_no_value_of_a_patient_is_in_a_repr():
    secret = "9995260182"
    local = Identifier("urn:local", secret)
    event = Event(
        kind="condition",
        record_id=secret,
        title=secret,
        codes=(Code(display=secret),),
        detail=(Detail(element="value", value=secret),),
        subject=frozenset({local}),
    )
    person = Person(identifiers=frozenset({local}), name=secret, postcode=secret)
    named = Identifiers(nhs_number=secret, others=frozenset({local}))
    answer = Answer(events=(event,), person=person, as_of=NOW, held=CATEGORIES)
    told = [event, event.detail[0], local, person, named, everything(), answer]
    assert all(secret not in repr(value) for value in told)
