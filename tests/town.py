"""A made-up town: sixty people and what happened to them, of every kind, as life is.

Some have no NHS number, some records name their person by one identifier alone, many
share a placeholder. Days are vague or missing, ends stand before their starts, clocks
are of elsewhere, words hold every mark that some kind of source writes with.
"""

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from adapters.conformance import Population
from adapters.contract import Code, Detail, Event, Identifier, Identifiers
from adapters.moment import LONDON, Moment, Precision
from adapters.vocabulary import CATEGORIES, KINDS, STATUSES, category_of
from tests.people import LOCAL, OLD, PLACEHOLDER, person

PEOPLE: Final = 60
STRANGER: Final = person(PEOPLE + 9)
SECTOR: Final = "acute"
_EACH: Final = 13  # events of a person
_TITLES: Final = (
    *("Fall at home", "Review, annual", 'He said "fine"', "Chest pain | left side"),
    *("A&E ^ came back ~ twice", r"Back\slash .br\ and \E\x", "Café visit of Zoë"),
    *("Łódź «naïve» ½", "=1+1", "# not a comment", "Blood pressure: 120/80; seen"),
    *("<b>&amp; bold</b>", "NULL", "Tea; two sugars", "O'Neill's hip -- 'left'"),
)
# Of records of visits alone: no other kind of source would have room for their end.
_ENDING: Final = sorted(
    kind for kind in KINDS if category_of(kind, SECTOR) == "encounters"
)
# The two readings of one autumn hour, the ends of days and years, far offsets.
_EDGES: Final = (
    *("2024-10-27T01:30:00+01:00", "2024-10-27T01:30:00+00:00"),
    *("2024-03-31T00:59:59+00:00", "2024-03-31T02:00:00+01:00"),
    *("2023-12-31T23:59:59+00:00", "2024-04-01T00:00:00+01:00"),
    *("2024-06-30T23:30:00+00:00", "2024-05-10T04:00:00+05:30"),
    *("2024-02-29T12:00:00-05:00", "2024-12-31T23:00:00-01:00"),
)


def who(nth: int) -> Identifiers:
    """The nth of the town; every tenth has no NHS number."""
    return person(nth, numbered=nth % 10 != 9)


def asked_by(nth: int) -> dict[str, Any]:
    """How a caller names them: by number, or by the local identifier."""
    return named_by(who(nth))


def named_by(someone: Identifiers) -> dict[str, Any]:
    if someone.nhs_number:
        return {"nhs_number": someone.nhs_number}
    (local,) = someone.others
    return {"identifier": {"system": local.system, "value": local.value}}


def questions(nth: int) -> list[dict[str, Any]]:
    """What is asked of the nth: all there is; of every fourth, parts of it too."""
    whole = {**asked_by(nth), "purpose": "direct-care", "limit": 5000}
    if nth % 4:
        return [whole]
    some = sorted(CATEGORIES)[nth // 4 % 3 :: 3]
    window = {"since": "2024-04-01", "until": "2024-07-01"}
    return [whole, whole | window, whole | {"categories": some}]


def town() -> Population:
    """Everything that happened, in no order; no two records share their id."""
    chance = Random(2026)  # noqa: S311 - the same town each time is what is wanted
    events = [
        _event(chance, nth, number) for nth in range(PEOPLE) for number in range(_EACH)
    ]
    return Population(events=tuple(events), key=LOCAL)


def _event(chance: Random, nth: int, number: int) -> Event:
    kinds = sorted(KINDS)
    # Everybody was in an emergency department, at a time that every kind can tell.
    first = number == 0
    kind = (
        "ed_attendance" if first else kinds[(nth * (_EACH - 1) + number) % len(kinds)]
    )
    start = _second(chance) if first else _moment(chance)
    end, caveats = _end(chance, kind, start)
    code = _code(chance)
    return Event(
        kind=kind,
        record_id=f"t-{nth:02}-{number:02}",
        title=code.display if code and code.display else chance.choice(_TITLES),
        codes=(code,) if code else (),
        status=chance.choice(sorted(STATUSES)),
        start=start,
        end=end,
        recorded=_second(chance) if start and kind == "condition" else None,
        subject=_subject(chance, nth),
        caveats=caveats,
        **_more(chance, kind),
    )


def _more(chance: Random, kind: str) -> dict[str, Any]:
    """What only some records have."""
    more: dict[str, Any] = {}
    if kind == "observation":
        value = f"{chance.randrange(3, 400, 2) / 4:g}"
        more["detail"] = (Detail(element="value", value=value, unit="mmol/L"),)
    if kind in {"allergy", "medication"} and chance.random() < 0.4:
        more["labels"] = frozenset({chance.choice(["R", "PSY"])})
    if kind == "other":
        more["kind_code"] = "TEA"
    if kind in {"ed_attendance", "inpatient_spell"} and chance.random() < 0.5:
        more["organisation"] = "Z9B07"
    if chance.random() < 0.2:
        more["version"] = str(chance.randint(2, 9))
    return more


def _subject(chance: Random, nth: int) -> frozenset[Identifier]:
    someone = who(nth)
    named = someone.others if chance.random() < 0.15 else someone.every
    if nth % 5 == 1:
        return named | {Identifier(OLD, f"O-{nth}")}
    is_waiting = nth % 7 == 3 and chance.random() < 0.5
    return named | {PLACEHOLDER} if is_waiting else named


def _code(chance: Random) -> Code | None:
    if chance.random() < 0.6:
        return None
    number = str(chance.randint(10_000_000, 99_999_999))
    return Code("http://snomed.info/sct", number, chance.choice(_TITLES))


def _second(chance: Random) -> Moment:
    offset = chance.choice([None, None, None, 0, 330, -300])
    at = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(
        seconds=chance.randrange(6 * 365 * 86_400)
    )
    zone = LONDON if offset is None else timezone(timedelta(minutes=offset))
    return _fixed(at.astimezone(zone), "second")


def _moment(chance: Random) -> Moment | None:
    shape = chance.choice(
        [*["second"] * 9, *["day"] * 4, "edge", "edge", "month", "year", "minute", ""]
    )
    if not shape:
        return None
    if shape == "edge":
        return _fixed(datetime.fromisoformat(chance.choice(_EDGES)), "second")
    if shape in {"second", "minute"}:
        found = _second(chance)
        return found if shape == "second" else _fixed(found.at, "minute")
    day = _second(chance).at
    month = 1 if shape == "year" else day.month
    first = day.day if shape == "day" else 1
    precision: Precision = shape  # type: ignore[assignment]  # one of those above
    return Moment(datetime(day.year, month, first, tzinfo=LONDON), precision)


def _fixed(at: datetime, precision: Precision) -> Moment:
    """In the offset it is written in, which is all that a record keeps of a zone."""
    offset = at.utcoffset() or timedelta()
    whole = at if precision == "second" else at.replace(second=0)
    return Moment(whole.replace(tzinfo=timezone(offset), microsecond=0), precision)


def _end(
    chance: Random, kind: str, start: Moment | None
) -> tuple[Moment | None, tuple[str, ...]]:
    """When it ended; some ends are wrong, and are told as they are."""
    if start is None or kind not in _ENDING or chance.random() < 0.4:
        return None, ()
    if start.precision not in {"second", "day"}:
        return None, ()
    is_reversed = chance.random() < 0.15
    days = -chance.randint(2, 9) if is_reversed else chance.randint(1, 40)
    moved = start.at.replace(tzinfo=None) + timedelta(days=days)
    at = moved.replace(tzinfo=start.at.tzinfo)
    return Moment(at, start.precision), ("reversed",) if is_reversed else ()
