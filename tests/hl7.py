"""HL7 v2 messages written by hand, and a feed of them asked about people."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.contract import (
    Answer,
    Event,
    Identifier,
    Identifiers,
    Person,
    Query,
)
from adapters.hl7v2 import Hl7v2, build
from adapters.moment import Moment
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.people import number
from tests.surroundings import in_folder

KEY = "urn:throughline:test:hospital"
OLD = "urn:throughline:test:old-number"
SOURCE = f"""\
kind = "hl7v2"
directory = "feed"
settle_s = 0
key = "{KEY}"
reads = ["ADT", "SIU", "ORU", "MDM", "REF", "VXU", "PPR", "AL1", "DG1", "PR1", "OBX"]

[authorities]
HOSP = "{KEY}"
OLD = "{OLD}"
NHS = "https://fhir.nhs.uk/Id/nhs-number"
"""


def segment(name: str, fields: dict[int, str] | None = None) -> str:
    """A segment with these fields, numbered as the standard numbers them."""
    numbered = fields or {}
    if name == "MSH":
        numbered = {n - 1: text for n, text in numbered.items()} | {1: "^~\\&"}
    last = max(numbered, default=0)
    return "|".join((name, *(numbered.get(n, "") for n in range(1, last + 1))))


def key(value: str) -> Identifier:
    return Identifier(KEY, value)


def person(value: str, nth: int | None = None) -> Identifiers:
    """By hospital number, and by the nth NHS number if there is one."""
    return Identifiers(
        nhs_number=number(nth) if nth is not None else None,
        others=frozenset({key(value)}),
    )


def person_of(*identifiers: Identifier) -> Identifiers:
    return Identifiers(others=frozenset(identifiers))


def names(value: str, nth: int | None = None) -> str:
    """A PID-3 or MRG-1 that names somebody so."""
    own = f"{value}^^^HOSP^MR"
    return own if nth is None else f"{own}~{number(nth)}^^^NHS^NH"


def pid(value: str, nth: int | None = None, **fields: str) -> str:
    """A PID; more fields by number, as `f5="Doe^Jo"`."""
    more = {int(name.removeprefix("f")): text for name, text in fields.items()}
    return segment("PID", {3: names(value, nth)} | more)


def message(
    kind: str,
    *segments: str,
    at: str = "202403090900",
    control: str = "",
    header: dict[int, str] | None = None,
) -> str:
    """A message of these segments, whole, its lines ended as the standard ends them."""
    own = {3: "APP", 4: "SITE", 7: at, 9: kind, 10: control, 11: "P", 12: "2.5"}
    return "\r".join((segment("MSH", own | (header or {})), *segments, ""))


def adt(
    trigger: str,
    who: str,
    *segments: str,
    at: str = "202403090900",
    visit: dict[int, str] | None = None,
    event: dict[int, str] | None = None,
    control: str = "",
) -> str:
    """An ADT message about a PID; `visit` are the fields of its PV1."""
    evn = segment("EVN", {1: trigger, 2: at} | (event or {}))
    pv1 = () if visit is None else (segment("PV1", visit),)
    return message(f"ADT^{trigger}", evn, who, *pv1, *segments, at=at, control=control)


def stay(
    at: str = "", *, number: str = "V1", kind: str = "I", **more: str
) -> dict[int, str]:
    """The fields of a PV1: class, number, admission; more by number."""
    fields = {2: kind, 19: number, 44: at}
    fields |= {int(name.removeprefix("f")): text for name, text in more.items()}
    return {n: text for n, text in fields.items() if text}


def lay_out(folder: Path, messages: Sequence[str], source: str = SOURCE) -> Path:
    """A feed of one file, and the source file that reads it."""
    feed = folder / "feed"
    feed.mkdir(parents=True, exist_ok=True)
    (feed / "messages.hl7").write_bytes("".join(messages).encode())
    path = folder / "source.toml"
    path.write_text(source, "utf-8")
    return path


@asynccontextmanager
async def feed(
    folder: Path,
    *messages: str,
    source: str = SOURCE,
    sector: str = "acute",
    limits: Limits | None = None,
) -> AsyncIterator[Hl7v2]:
    """An adapter on a feed of these messages."""
    around = in_folder(folder, sector=sector, limits=limits)
    adapter = build(lay_out(folder, messages, source), around)
    try:
        yield adapter
    finally:
        await adapter.aclose()
        await around.transport.aclose()


def everything(asked: Identifiers) -> Query:
    return Query(
        person=asked, since=None, until=None, categories=CATEGORIES, limit=20_000
    )


async def told(
    folder: Path,
    *messages: str,
    asked: Identifiers | None = None,
    source: str = SOURCE,
    sector: str = "acute",
) -> Answer:
    """What a feed of these messages answers; about K1 unless another is asked for."""
    async with feed(folder, *messages, source=source, sector=sector) as adapter:
        return await adapter.ask(everything(asked or person("K1")))


def of_kind(answer: Answer, kind: str) -> list[Event]:
    return [event for event in answer.events if event.kind == kind]


def only(answer: Answer, kind: str) -> Event:
    """The one event of a kind."""
    (event,) = of_kind(answer, kind)
    return event


def when(event: Event) -> tuple[str | None, str | None]:
    """Start and end as they are shown."""
    start, end = event.start, event.end
    return start.text if start else None, end.text if end else None


def detail(event: Event) -> dict[str, str | None]:
    return {each.element: each.value for each in event.detail}


def someone(answer: Answer) -> Person:
    """The person an answer describes."""
    assert answer.person is not None
    return answer.person


def text_of(moment: Moment | None) -> str:
    """A moment that is there, as it is shown."""
    assert moment is not None
    return moment.text


def count(answer: Answer, code: str) -> int:
    return sum(c.count for c in answer.caveats if c.code == code)
