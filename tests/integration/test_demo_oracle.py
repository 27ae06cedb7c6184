"""The stories are the oracle: a journey is what befell the person, all of it.

Nothing of the gateway made the chronicle, so that what is lost or invented between
a source and the caller shows.
"""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

from adapters.moment import LONDON, localise
from gateway.clock import SystemClock
from gateway.demo.chronicle import AT, Chronicle, Entry, Place, Resident
from gateway.demo.dirt import PLACEHOLDERS, UNKNOWN_HOSPITAL_NUMBER
from gateway.demo.run import DemoOptions, run_demo
from gateway.demo.telling import tell

OF_EACH_STORY = 3


class Asker:
    """Asks the running demo, with the token that it printed."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def journey(self, body: dict[str, object]) -> Any:
        asked = {"purpose": "direct-care", **body}
        response = await self._client.post("/v1/journeys", json=asked)
        assert response.status_code == 200, response.json()["type"]
        return response.json()


@asynccontextmanager
async def demo_in(folder: Path):
    said: list[str] = []
    told = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("Ctrl-C"):
            told.set()

    options = DemoOptions(
        folder=folder, clock=SystemClock(), show=lambda _: None, say=say, port=0
    )
    running = asyncio.create_task(run_demo(options))
    try:
        async with asyncio.timeout(60):
            await told.wait()
        base = next(line for line in said if line.startswith("Serving")).split()[-1]
        token = next(line for line in said if line.startswith("A token")).split()[-1]
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=base, headers=headers, timeout=20
        ) as client:
            yield Asker(client)
    finally:
        running.cancel()
        await asyncio.wait([running])


def chosen(chronicle: Chronicle) -> list[Resident]:
    """Some of each story, and everyone whose rows are dirty in a way of their own."""
    counts: Counter[str] = Counter()
    people = {chronicle.star.number: chronicle.star}
    for resident in chronicle.residents:
        counts[resident.story] += 1
        if counts[resident.story] <= OF_EACH_STORY:
            people[resident.number] = resident
    for entry in chronicle.entries:
        odd = entry.record.label or entry.record.status == "entered-in-error"
        if odd or entry.record.start is None or is_unknown(entry):
            people[entry.resident.number] = entry.resident
    return list(people.values())


def is_unknown(entry: Entry) -> bool:
    return entry.hospital_number == UNKNOWN_HOSPITAL_NUMBER


def told_ids(journey: Any) -> Counter[str]:
    ids = (event["provenance"]["record_id"] for event in journey["events"])
    return Counter(record_id.rpartition("/")[2] for record_id in ids)


def held_ids(chronicle: Chronicle, resident: Resident) -> Counter[str]:
    """All that is held of a resident but what no agreement clears."""
    return Counter(e.record_id for e in chronicle.of(resident) if not e.record.label)


def check(chronicle: Chronicle, resident: Resident, journey: Any) -> None:
    told, held = told_ids(journey), held_ids(chronicle, resident)
    assert not told - held, "somebody else's record, or one told twice"
    if any(is_unknown(entry) for entry in chronicle.of(resident)):
        # Their ambulance rows bear two hospital numbers, one of them made up: what
        # only the true one reaches may be left out, but never without a word.
        level = journey["completeness"]["level"]
        assert told == held or (journey["discrepancies"] and level == "partial")
        return
    assert told == held
    labelled = any(entry.record.label for entry in chronicle.of(resident))
    states = {s["source"]: s["state"] for s in journey["completeness"]["sources"]}
    assert states[AT[Place.GP].source] == ("withheld" if labelled else "ok")
    kinds = {entry.record_id: entry.record for entry in chronicle.of(resident)}
    for event in journey["events"]:
        record = kinds[event["provenance"]["record_id"].rpartition("/")[2]]
        assert event["kind"] == record.kind
        assert event["status"] == record.status
        assert (event["start"] is None) == (record.start is None)
        if record.start is not None and record.start.precision == "minute":
            instant = localise(record.start.at, LONDON)[0]
            assert datetime.fromisoformat(event["start"]) == instant.astimezone(UTC)


def today() -> date:
    return SystemClock().now().astimezone(LONDON).date()


async def test_a_journey_is_what_befell_the_person_and_no_placeholder_has_one(
    tmp_path,
):
    chronicle = tell(7, today())
    system = AT[Place.ACUTE].local_system
    people = chosen(chronicle)
    assert len(people) > 40
    async with demo_in(tmp_path) as asker:
        for resident in people:
            journey = await asker.journey({"nhs_number": resident.nhs_number})
            check(chronicle, resident, journey)
        for value in (*PLACEHOLDERS, UNKNOWN_HOSPITAL_NUMBER):
            asked = {"identifier": {"system": system, "value": value}}
            assert (await asker.journey(asked))["events"] == []


async def test_a_journey_by_a_local_identifier_is_as_whole_as_by_number(tmp_path):
    chronicle = tell(7, today())
    place = AT[Place.SOCIAL_CARE]
    value = chronicle.star.local_id(Place.SOCIAL_CARE)
    async with demo_in(tmp_path) as asker:
        asked = {"identifier": {"system": place.local_system, "value": value}}
        journey = await asker.journey(asked)
    assert told_ids(journey) == held_ids(chronicle, chronicle.star)
    assert journey["completeness"]["level"] == "complete"
