"""What the oracle does with identifiers that reach several people."""

from datetime import UTC, datetime

from adapters.contract import Caveat, Event, Identifiers, Query
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES
from tests.people import LOCAL, PLACEHOLDER, person

NOW = datetime(2024, 8, 1, tzinfo=UTC)
SHARED = Identifiers(others=frozenset({PLACEHOLDER}))


def memory(*, key: str | None) -> MemoryAdapter:
    events = [
        Event(
            kind="condition",
            record_id=f"r-{nth}",
            title="A record",
            subject=person(nth).every | {PLACEHOLDER},
        )
        for nth in range(2)
    ]
    return MemoryAdapter(events, sector="acute", held=CATEGORIES, as_of=NOW, key=key)


def about(someone: Identifiers) -> Query:
    return Query(
        person=someone, since=None, until=None, categories=CATEGORIES, limit=10
    )


async def test_with_a_key_a_shared_identifier_links_nobody():
    answer = await memory(key=LOCAL).ask(about(SHARED))
    assert (answer.events, answer.person) == ((), None)
    assert answer.caveats == (Caveat("shared_identifier"),)


async def test_with_a_key_a_shared_identifier_is_not_passed_on():
    answer = await memory(key=LOCAL).ask(about(person(0)))
    assert answer.person is not None
    assert answer.person.identifiers == person(0).every


async def test_without_a_key_every_identifier_is_believed():
    answer = await memory(key=None).ask(about(SHARED))
    assert [e.record_id for e in answer.events] == ["r-0", "r-1"]
