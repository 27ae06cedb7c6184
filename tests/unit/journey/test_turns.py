"""A journey of many events does not hold up the others."""

import asyncio

from tests.houses import answer, event, question
from tests.journeys import from_answers, told

SOURCES = ("Z9A01", "Z9B02", "Z9C03", "Z9D04")


async def turns_while_told(events):
    """How often others have their turn in a journey of so many events a source."""
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    said = answer(*(event(f"e{n}") for n in range(events)))
    counting = asyncio.create_task(others())
    journey = await told(
        *from_answers(**dict.fromkeys(SOURCES, said)), asked=question(limit=5_000)
    )
    counting.cancel()
    assert len(journey.events) == events * len(SOURCES)
    return turns


async def test_others_have_their_turn_between_answers_of_many_events():
    few, many = await turns_while_told(1), await turns_while_told(501)
    assert many == few + len(SOURCES)
