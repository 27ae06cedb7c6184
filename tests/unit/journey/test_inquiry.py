"""A long journey is told beside the event loop, and told alike."""

import asyncio
import time

from gateway.journey.inquiry import inquire
from tests.houses import doctor, event, house, memory, question, source

LONG = 3_000


async def test_a_long_journey_is_whole_and_in_order():
    events = [
        event(f"r{n}", f"2026-01-05T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z")
        for n in range(LONG)
    ]
    held = house(source("Z9A01.epr", memory(*reversed(events))))
    journey = await inquire(held, doctor(), question())
    told = [each.provenance.record_id for each in journey.events]
    assert told == [each.record_id for each in events]
    assert journey.completeness.level == "complete"


async def test_a_long_journey_lets_others_go_on_while_it_is_told():
    events = [event(f"r{n}") for n in range(LONG)]
    held = house(source("Z9A01.epr", memory(*events)))
    asked = asyncio.create_task(inquire(held, doctor(), question()))
    turns = 0
    until = time.monotonic() + 10
    while not asked.done() and time.monotonic() < until:
        turns += held.telling.locked()
        await asyncio.sleep(0)
    assert turns > 1
    assert len((await asked).events) == LONG
