"""The floor of P3 and P4: raw ASGI, aiohttp and msgspec, without policy or audit.

Two searches at each source, all at once; their records typed, merged by instant and
written. `python -m bench.floors.app PORT BASE|TYPE ...`
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any, Final

import aiohttp
import msgspec
import uvicorn

from bench.configured import ods_of

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Coding(msgspec.Struct, gc=False):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(msgspec.Struct, gc=False):
    coding: list[Coding] = []
    text: str | None = None


class Period(msgspec.Struct, gc=False):
    start: datetime | None = None
    end: datetime | None = None


class Quantity(msgspec.Struct, gc=False):
    value: float | None = None
    unit: str | None = None


class Record(msgspec.Struct, gc=False, rename="camel"):
    resource_type: str
    id: str
    status: str = "unknown"
    code: Concept | None = None
    vaccine_code: Concept | None = None
    type: list[Concept] = []
    effective_date_time: datetime | None = None
    occurrence_date_time: datetime | None = None
    onset_date_time: datetime | None = None
    period: Period | None = None
    performed_period: Period | None = None
    value_quantity: Quantity | None = None


class Found(msgspec.Struct, gc=False):
    resource: Record


class Bundle(msgspec.Struct, gc=False):
    entry: list[Found] = []


class Provenance(msgspec.Struct, gc=False):
    source: str
    record_id: str


class Event(msgspec.Struct, gc=False):
    kind: str
    title: str | None
    status: str
    start: datetime
    end: datetime | None
    codes: list[Coding]
    detail: Quantity | None
    provenance: Provenance


class Person(msgspec.Struct, gc=False):
    id: str


class FoundPerson(msgspec.Struct, gc=False):
    resource: Person


class People(msgspec.Struct, gc=False):
    entry: list[FoundPerson] = []


class Question(msgspec.Struct, gc=False):
    nhs_number: str


_PEOPLE: Final = msgspec.json.Decoder(People)
_BUNDLE: Final = msgspec.json.Decoder(Bundle)
_QUESTION: Final = msgspec.json.Decoder(Question)
_ENCODER: Final = msgspec.json.Encoder()


class Floor:
    """An ASGI application over these sources."""

    def __init__(self, asked: list[tuple[str, str]]) -> None:
        self._asked = asked
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, _scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = await self._journey(_QUESTION.decode(body).nhs_number)
        headers = [(b"content-type", b"application/json")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer})

    async def _journey(self, number: str) -> bytes:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector)
        found = await asyncio.gather(
            *(
                self._from(ods_of(place), base, name, number=number)
                for place, (base, name) in enumerate(self._asked)
            )
        )
        events = [event for each in found for event in each]
        events.sort(key=lambda event: event.start)
        return _ENCODER.encode({"events": events})

    async def _from(
        self, source: str, base: str, name: str, *, number: str
    ) -> list[Event]:
        people = await self._search(f"{base}/Patient/_search", {"identifier": number})
        person = _PEOPLE.decode(people).entry[0].resource.id
        form = {"patient": f"Patient/{person}", "_count": "1000"}
        bundle = _BUNDLE.decode(await self._search(f"{base}/{name}/_search", form))
        return [_event(each.resource, source) for each in bundle.entry]

    async def _search(self, url: str, form: dict[str, str]) -> bytes:
        assert self._session is not None  # noqa: S101 - opened by the caller, one line above
        async with self._session.post(url, data=form) as reply:
            return await reply.read()


def _event(record: Record, source: str) -> Event:
    concept = record.code or record.vaccine_code or next(iter(record.type), Concept())
    period = record.period or record.performed_period or Period()
    start = (
        record.effective_date_time
        or record.occurrence_date_time
        or record.onset_date_time
        or period.start
    )
    if start is None:
        message = "a record of the benchmark has no start"
        raise ValueError(message)
    return Event(
        kind=record.resource_type,
        title=concept.text,
        status=record.status,
        start=start,
        end=period.end,
        codes=concept.coding,
        detail=record.value_quantity,
        provenance=Provenance(source=source, record_id=record.id),
    )


if __name__ == "__main__":
    given: list[tuple[str, str]] = []
    for each in sys.argv[2:]:
        address, _, searched = each.rpartition("|")
        given.append((address, searched))
    uvicorn.run(
        Floor(given),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
