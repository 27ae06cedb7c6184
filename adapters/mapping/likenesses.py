"""Whom rows describe, each person once, for those who look for one by demographics."""

from collections.abc import Hashable, Iterator, Sequence
from datetime import date, datetime
from itertools import product
from typing import Final, TypeVar

from adapters.contract import Candidate, Identifier, Person, day_of_birth
from adapters.mapping.cells import Row
from adapters.mapping.compiled import Mapping
from adapters.mapping.time_format import ISO, MONTHS, TimeFormat

_ISO_ENDS: Final = (
    *("", "T00:00:00", " 00:00:00", "T00:00", " 00:00"),
    *("T00:00:00Z", "T00:00:00+00:00", " 00:00:00+00"),
)
_PIECES: Final = {"H": "00", "M": "00", "S": "00", "f": "000000", "z": "+00:00"}

Value = TypeVar("Value")


def candidates(
    mapping: Mapping, rows: Sequence[Row], born: date, *, as_of: datetime
) -> tuple[Candidate, ...]:
    """Everybody these rows describe as born on a day, in the order of their rows.

    One for each key of the source's own, or for each set of identifiers if it has
    none. What rows of one person contradict each other in is left out.
    """
    groups: dict[Hashable, list[tuple[Row, Person]]] = {}
    key = mapping.naming.key
    each = zip(rows, mapping.naming.of_each(rows), strict=True)
    for place, (row, named) in enumerate(each):
        person = mapping.person.person([row], named.subject)
        if day_of_birth(person) != born:
            continue
        own = None if key is None else named.values[key]
        whose: Hashable = own or named.subject or place
        groups.setdefault(whose, []).append((row, person))
    return tuple(
        Candidate(
            person=_one([person for _, person in group]),
            flags=mapping.person.states([row for row, _ in group], as_of),
        )
        for group in groups.values()
    )


def _one(people: Sequence[Person]) -> Person:
    identifiers = frozenset[Identifier]().union(*(each.identifiers for each in people))
    return Person(
        identifiers=identifiers,
        name=_agreed([each.name for each in people]),
        birth_date=people[0].birth_date,
        gender=_agreed([each.gender for each in people]),
        postcode=_agreed([each.postcode for each in people]),
    )


def _agreed(values: Sequence[Value | None]) -> Value | None:
    told = {each for each in values if each is not None}
    return told.pop() if len(told) == 1 else None


def written_days(born: date, formats: Sequence[TimeFormat]) -> tuple[str, ...]:
    """How cells of these formats may write a day, with or without a midnight.

    More than a format takes, perhaps: whoever finds a row by one reads its cell.
    """
    return tuple(
        dict.fromkeys(
            word
            for each in formats
            for word in (
                _of_iso(born) if each.written == ISO else _of_format(born, each.written)
            )
        )
    )


def _of_iso(born: date) -> Iterator[str]:
    for end in _ISO_ENDS:
        yield f"{born.isoformat()}{end}"


def _of_format(born: date, written: str) -> Iterator[str]:
    if "%d" not in written:
        return  # it tells no day
    for is_padded, cased in product((True, False), (str.title, str.upper, str.lower)):
        width = 2 if is_padded else 1
        pieces = {
            **_PIECES,
            "Y": f"{born.year:04d}",
            "m": f"{born.month:0{width}d}",
            "d": f"{born.day:0{width}d}",
            "b": cased(MONTHS[born.month - 1][:3]),
            "B": cased(MONTHS[born.month - 1]),
        }
        text = written
        for letter, piece in pieces.items():
            text = text.replace(f"%{letter}", piece)
        yield text
