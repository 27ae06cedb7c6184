"""Whatever the order drops arrive in, they say the same."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.drop_series import (
    ACTION,
    BY_NAME,
    QUERY,
    Row,
    Sent,
    Series,
    notes,
    told_plainly,
)

ROWS = st.builds(
    Row,
    record=st.sampled_from("abcd"),
    note=st.sampled_from(["one", "two", "three"]),
    action=st.sampled_from("NUD"),
)
SENT = st.lists(
    st.builds(
        Sent,
        period=st.sampled_from(["2024-01", "2024-02", "2024-10"]),
        sequence=st.integers(1, 11),
        rows=st.lists(ROWS, min_size=1, max_size=5).map(tuple),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.name,
)


async def _told(sent: list[Sent], rules: str, *, again: int, asked: int):
    """What is told once all have arrived in this order, one of them twice."""
    with tempfile.TemporaryDirectory() as folder:
        series = Series(Path(folder), rules)
        adapter = series.open()
        try:
            answer = None
            for number, each in enumerate([*sent, sent[again % len(sent)]]):
                copy = "copy of " * (number == len(sent))
                series.arrives(f"{copy}{each.name}", each.data)
                if asked >> number & 1 or number == len(sent):
                    answer = await adapter.ask(QUERY)
            assert answer is not None
            return notes(answer)
        finally:
            await adapter.aclose()


@given(st.data(), SENT, st.integers(0, 4), st.integers(0, 31))
def test_any_order_of_arrival_tells_what_the_last_word_on_each_record_was(
    data, sent, again, asked
):
    """Catches drops taken in by when they arrived, and rows kept from an old one."""
    arrived = data.draw(st.permutations(sent))
    rules = f"{BY_NAME}\n{ACTION}"
    told = asyncio.run(_told(arrived, rules, again=again, asked=asked))
    assert told == told_plainly(sent)


@given(st.data(), SENT, st.integers(0, 4), st.integers(0, 31))
def test_any_order_of_arrival_tells_the_last_drop_of_each_period(
    data, sent, again, asked
):
    """Catches a corrected period of which an earlier drop still says something."""
    arrived = data.draw(st.permutations(sent))
    rules = f'{BY_NAME}\n{ACTION}\ncorrects = "period"'
    told = asyncio.run(_told(arrived, rules, again=again, asked=asked))
    assert told == told_plainly(sent, by_period=True)
