"""One town through every kind of source: what a gateway shows of it, kind beside kind.

The reference is the journey that the same gateway weaves of a source in memory. Each
goes the whole way: HTTP, token, policy, audit. Every field of every event is compared;
a reason to differ that is never met is as wrong as a difference that has none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from adapters import registry
from adapters.conformance import Population
from adapters.contract import Event
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES
from tests.gateways import ask, running, write_house
from tests.people import LOCAL
from tests.town import PEOPLE, SECTOR, STRANGER, named_by, questions, town
from tests.town_kinds import KINDS, Kind

SOURCE: Final = "Z9B02.epr"
Journey = dict[str, Any]

_AS_OF: Final = datetime(2026, 1, 1, tzinfo=UTC)
# What a journey says of who brought an event, and when: that differs by its nature.
_BROUGHT: Final = frozenset({"retrieved_at", "adapter", "mapping"})


@dataclass(slots=True, kw_only=True)
class Row:
    """What was found of one kind: a line of the table."""

    people: int = 0
    journeys: int = 0
    events: int = 0
    equal: int = 0  # in every field
    otherwise: Counter[str] = field(default_factory=Counter)  # events, by field
    no_room: Counter[str] = field(default_factory=Counter)  # events of the town
    wrong: Counter[str] = field(default_factory=Counter)  # what has no reason


@contextmanager
def memory(events: Sequence[Event]) -> Iterator[None]:
    """While open, `kind = "memory"` is a kind of source, and holds these."""
    registry.KINDS["memory"] = lambda path, around: MemoryAdapter(
        events, sector=around.sector, held=CATEGORIES, as_of=_AS_OF, key=LOCAL
    )
    try:
        yield
    finally:
        del registry.KINDS["memory"]


async def journeys(
    kind: Kind, events: Sequence[Event], *, folder: Path, server: Any = None
) -> list[Journey]:
    """Every question about everybody and a stranger, put to a gateway of one source."""
    source = folder / "sources" / SOURCE
    source.mkdir(parents=True)
    await kind.write(source, events, server)
    path = write_house(folder, {SOURCE: SECTOR})
    with memory(events):
        return await answered(path)


async def answered(path: Path) -> list[Journey]:
    """The journeys of a gateway, in the order of the questions."""
    _be_patient(path)
    stranger = {**named_by(STRANGER), "purpose": "direct-care"}
    every = [one for nth in range(PEOPLE) for one in questions(nth)]
    told = []
    async with running(path) as client:
        for question in [*every, stranger]:
            response = await ask(client, question)
            assert response.status_code == 200, response.json()["type"]
            told.append(response.json())
    return told


def _be_patient(path: Path) -> None:
    """What is put to the test is what is told, not how soon."""
    text = path.read_text("utf-8").replace("source_s = 1.5", "source_s = 20")
    path.write_text(text.replace("journey_s = 2", "journey_s = 25"), "utf-8")


def loaded(kind: Kind) -> tuple[Population, Counter[str]]:
    """What of the town a kind has room for, and how many records it has none for."""
    whole = town()
    held = whole.by_person() if kind.carries.subject_of == "person" else whole
    room = [e for e in held.events if kind.carries.has_room_for(e)]
    none = Counter(
        "of its kind" if e.kind not in kind.carries.kinds else "to the minute"
        for e in held.events
        if not kind.carries.has_room_for(e)
    )
    return Population(events=tuple(room), key=LOCAL), none


async def compared(kind: Kind, folder: Path, server: Any = None) -> Row:
    """The town through a kind of source, beside the same of it through memory."""
    population, no_room = loaded(kind)
    events = population.events
    mine = await journeys(kind, events, folder=folder / "mine", server=server)
    memorys = await journeys(KINDS["memory"], events, folder=folder / "memory")
    row = Row(people=PEOPLE, journeys=len(mine), no_room=no_room)
    for one, other in zip(mine, memorys, strict=True):
        compare(row, kind, one, other)
    row.wrong += Counter(
        f"never told otherwise: {name}"
        for name in kind.otherwise
        if not row.otherwise[name]
    )
    return row


def compare(row: Row, kind: Kind, mine: Journey, memorys: Journey) -> None:
    """Event by event and field by field; then all that is said of the whole."""
    theirs = {_own_id(event): event for event in memorys["events"]}
    ours = {_own_id(event): event for event in mine["events"]}
    row.wrong["missing"] += len(theirs.keys() - ours.keys())
    row.wrong["of nobody"] += len(ours.keys() - theirs.keys())
    row.wrong["told twice"] += len(mine["events"]) - len(ours)
    row.wrong["out of order"] += _starts(mine) != _starts(memorys)
    doubtful: set[str] = set()  # what is found can differ with these alone
    for name in theirs.keys() & ours.keys():
        one, other = _flat(ours[name]), _flat(theirs[name])
        differing = {each for each in other if one[each] != other[each]}
        row.events += 1
        row.equal += not differing
        row.otherwise.update(differing)
        if differing & {"end", "status"}:
            doubtful.add(name)
        row.wrong.update(
            each
            for each in differing
            if each not in kind.otherwise or not kind.otherwise[each].holds(one, other)
        )
    found, expected = (_found(each, doubtful) for each in (mine, memorys))
    row.wrong["discrepancies"] += found != expected
    for name in ("person", "state", "withheld"):
        row.wrong[name] += _said(mine, name) != _said(memorys, name)
    row.wrong += Counter()


def _own_id(event: Journey) -> str:
    return str(event["provenance"]["record_id"]).rpartition("/")[2]


def _flat(event: Journey) -> Journey:
    """The event's own fields beside those of its provenance."""
    own = {name: value for name, value in event.items() if name != "provenance"}
    brought = event["provenance"].items()
    return own | {name: value for name, value in brought if name not in _BROUGHT}


def _starts(journey: Journey) -> list[str | None]:
    return [event["start"] for event in journey["events"]]


def _found(journey: Journey, without: set[str]) -> Counter[tuple[str, str]]:
    """Each discrepancy with the records it is of, unless it is of one of these."""
    own = {event["id"]: _own_id(event) for event in journey["events"]}
    named = (
        (each["code"], {own[one] for one in each["events"]})
        for each in journey["discrepancies"]
    )
    return Counter(
        (code, " ".join(sorted(events)))
        for code, events in named
        if not events & without
    )


def _said(journey: Journey, name: str) -> object:
    """Something said of the whole journey, but for what the ids are called."""
    (source,) = journey["completeness"]["sources"]
    if name == "person":
        return journey["person"]["nhs_number"], journey["person"]["agreed_by"]
    if name == "withheld":
        held = (each["meaning"] for each in journey["completeness"]["gaps"])
        return Counter(held), journey["completeness"]["level"]
    return source["state"], source["reason"], source["events"]


def lines(rows: Mapping[str, Row]) -> Iterator[str]:
    """The table of agreements."""
    heads = ("people", "journeys", "events", "equal", "no room", "wrong")
    yield f"{'kind':18}" + "".join(f"{head:>10}" for head in heads) + "  otherwise"
    for name, row in rows.items():
        figures = (row.people, row.journeys, row.events, row.equal)
        counts = (*figures, row.no_room.total(), row.wrong.total())
        said = _told(row.otherwise) or "nothing"
        yield f"{name:18}" + "".join(f"{n:>10}" for n in counts) + f"  {said}"
        if row.no_room:
            yield f"{'':18}  no room: {_told(row.no_room)}"
        if row.wrong:
            yield f"{'':18}  WRONG: {_told(row.wrong)}"


def reasons() -> Iterator[str]:
    """Why a kind tells a field otherwise, each once."""
    said = {
        f"{name}: {why.because}"
        for kind in KINDS.values()
        for name, why in kind.otherwise.items()
    }
    yield from sorted(said)


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {n}" for what, n in sorted(counts.items()))
