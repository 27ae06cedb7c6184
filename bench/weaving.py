"""P12: 10 000 events of 10 sources ordered and paired: CPU of `journey.weave`."""

import gc
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.contract import Answer, Code, Event, Profile, Query
from adapters.moment import Moment
from adapters.vocabulary import CATEGORIES
from bench.measured import Measured
from gateway.journey import weave
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.outcome import Entry
from gateway.sources import Organisation, Source

GOAL_MS: Final = 20.0
_SOURCES: Final = 10
_EACH: Final = 1_000
_ROUNDS: Final = 9
_FIRST: Final = datetime(2015, 1, 1, tzinfo=UTC)
_KINDS: Final = ("ed_attendance", "observation", "condition", "outpatient_appointment")


class _Silent:
    """A source that is never asked: its records are at hand."""

    profile = Profile(
        adapter="bench/1",
        mapping=None,
        held=CATEGORIES,
        identifier_systems=frozenset(),
    )

    async def ask(self, query: Query) -> Answer:
        raise NotImplementedError

    async def aclose(self) -> None: ...


def run(*, quick: bool = False) -> list[Measured]:
    """One row."""
    entries = _entries(12)
    plain = sorted(entries, key=lambda each: _start(each).astimezone(UTC))
    if [_start(each) for each in weave.order(entries)] != [_start(e) for e in plain]:
        message = "the weave orders otherwise than by instant; nothing was timed"
        raise RuntimeError(message)
    gc.freeze()
    took = []
    for _ in range(3 if quick else _ROUNDS):
        gc.collect()
        began = time.process_time()
        weave.pairs(weave.order(entries))
        took.append((time.process_time() - began) * 1000)
    gc.unfreeze()
    return [
        Measured(
            goal="P12",
            work=f"weave {_SOURCES} x {_EACH:,} events",
            ours=f"{statistics.median(took):.1f} ms CPU",
            floor=f"goal {GOAL_MS:g} ms",
            allowed=1.0,
            ratio=statistics.median(took) / GOAL_MS,
            spread=(min(took) / GOAL_MS, max(took) / GOAL_MS),
            cause="an instant in UTC, a span and a key for each event, in Python",
        )
    ]


def _start(entry: Entry) -> datetime:
    return entry.earliest or _FIRST


def _entries(seed: int) -> list[Entry]:
    chance = random.Random(seed)  # noqa: S311 - no secret is made
    entries = [
        _entry(_source(number), chance, f"r{n}")
        for number in range(_SOURCES)
        for n in range(_EACH)
    ]
    chance.shuffle(entries)
    return entries


def _source(number: int) -> Source:
    return Source(
        id=f"Z9B{number:03d}.bench",
        organisation=Organisation(ods=f"Z9B{number:03d}", name="Synthetic"),
        sector="acute",
        adapter=_Silent(),
        fresh_s=3600,
        labels="labelled",
        flags={},
        contact=None,
    )


def _entry(source: Source, chance: random.Random, key: str) -> Entry:
    # A tenth fall on one of 500 moments, so that sources do tell of the same thing.
    minutes = chance.randrange(500) * 10_000
    if chance.random() > 0.1:
        minutes = chance.randrange(5_256_000)
    start = Moment(_FIRST + timedelta(minutes=minutes), "minute")
    event = Event(
        kind=chance.choice(_KINDS),
        record_id=key,
        title="A record",
        start=start,
        codes=(Code("urn:example:codes", str(chance.randrange(5))),),
    )
    return Entry(source, event, BY_NHS_NUMBER, "encounters", frozenset(), start.at)
