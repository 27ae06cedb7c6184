"""Laws of times nobody meant: whatever a record is dated, its journey is told.

Each law names a seeded defect that it catches.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import FlagState
from adapters.moment import LONDON, Moment, in_utc
from gateway.journey import weave
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.journey import as_json
from gateway.journey.outcome import Entry
from tests.houses import answer, event, memory, profile, question, source
from tests.journeys import from_answers, says, told

PRECISIONS = st.sampled_from(["year", "month", "day", "minute", "second"])
FIRST = datetime(1, 1, 1)  # noqa: DTZ001 - a wall clock; zones come below
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - as above
EDGES = st.sampled_from(
    [
        FIRST,
        datetime(1, 1, 1, 23, 59, 59),  # noqa: DTZ001 - as below
        datetime(9999, 12, 31),  # noqa: DTZ001 - as above
        datetime(9999, 12, 31, 23, 59),  # noqa: DTZ001 - as above
        LAST,
    ]
)
ZONES = (
    st.just(UTC)
    | st.just(LONDON)
    | st.builds(
        lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439)
    )
)
moments = st.builds(
    lambda wall, zone, precision: Moment(wall.replace(tzinfo=zone), precision),
    EDGES | st.datetimes(),
    ZONES,
    PRECISIONS,
)
KINDS = st.sampled_from(
    ["inpatient_spell", "ed_attendance", "death", "episode_of_care", "referral"]
)


@st.composite
def dated(draw, number):
    """A record of any kind at any time that can be written."""
    made = event(
        f"r{number}",
        None,
        kind=draw(KINDS),
        status=draw(st.sampled_from(["active", "finished", "unknown"])),
        codes=["1"],
        organisation="Z9A01",
    )
    return type(made)(
        **{name: getattr(made, name) for name in made.__struct_fields__}
        | {"start": draw(moments), "end": draw(st.none() | moments)}
    )


histories = st.tuples(*(dated(number) for number in range(4)))


@given(histories)
def test_a_journey_is_told_whatever_its_records_are_dated(events):
    """Catches a time turned to another zone that the calendar has no day for."""
    everything = profile({"encounters", "demographics", "referrals"})
    ours, theirs = events[:2], events[2:]
    sources = (
        source("Z9A01.x", says(answer(*ours), of=everything)),
        source("Z9B02.x", says(answer(*theirs), of=everything)),
    )
    journey = asyncio.run(told(*sources, asked=question()))
    assert {each.provenance.record_id for each in journey.events} == {
        each.record_id for each in events
    }
    assert as_json(journey)


@given(histories)
def test_an_adapter_orders_whatever_its_records_are_dated(events):
    """Catches an order by UTC that is none at an end of the calendar."""
    held = memory(*events, held={"encounters", "demographics", "referrals"})
    journey = asyncio.run(told(source("Z9A01.x", held), asked=question()))
    assert len(journey.events) == len(events)


@given(moments)
def test_no_moment_ends_before_it_begins(moment):
    """Catches a minute added to the last minute of all."""
    assert in_utc(moment.latest) >= in_utc(moment.at)


@given(st.lists(moments, max_size=8))
def test_times_are_ordered_by_instant_to_the_ends_of_the_calendar(starts):
    """Catches a clamp to the wrong end."""
    entries = [
        Entry(SOURCE, made(n, at), BY_NHS_NUMBER, "encounters", frozenset(), None)
        for n, at in enumerate(starts)
    ]
    ordered = [each.event.start for each in weave.order(entries)]
    assert all(a.at <= b.at or a.at == b.at for a, b in pairwise(ordered) if a and b)
    weave.pairs(entries)


SOURCE = source("Z9A01.x", memory())


def made(number, at):
    found = event(f"r{number}", None)
    return type(found)(kind=found.kind, record_id=found.record_id, title="t", start=at)


@given(st.sampled_from(["as_of", "flag"]), st.sampled_from([-14, 14]))
async def test_a_source_that_speaks_out_of_time_fails_alone(where, hours):
    """Catches an as-of time that cannot be told, and so spoils all the others."""
    wall = FIRST if hours > 0 else LAST
    beyond = wall.replace(tzinfo=timezone(timedelta(hours=hours)))
    odd = answer(event("a"), as_of=beyond)
    if where == "flag":
        flag = FlagState(flag="ndo", present=False, as_of=beyond)
        odd = replace(answer(event("a")), flags=(flag,))
    journey = await told(*from_answers(Z9A01=odd, Z9B02=answer(event("b"))))
    states = {each.source: each.state for each in journey.completeness.sources}
    assert states == {"Z9A01.x": "error", "Z9B02.x": "ok"}
