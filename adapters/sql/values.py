"""Values between a database and a mapping: cells as text, identifiers as parameters."""

import uuid
from collections.abc import Callable, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, String, cast, types

from adapters import nhs_number

_LARGEST: Final = 2**63 - 1


def cell(value: Any) -> str:  # noqa: ANN401 - whatever the driver returns
    """A database value as a mapping reads it; blank for NULL."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    for kind, text in _TEXTS:
        if isinstance(value, kind):
            return text(value)
    return str(value)


def _hex(value: bytes) -> str:
    return bytes(value).hex()


def _plain(value: Decimal) -> str:
    return format(value, "f")


def _joined(values: Sequence[Any]) -> str:
    return ",".join(map(cell, values))


def _isoformat(value: date | time) -> str:
    return value.isoformat()


def _lower(value: bool) -> str:  # noqa: FBT001 - it is the value itself
    return str(value).lower()


_TEXTS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (bool, _lower),
    ((date, time), _isoformat),
    (Decimal, _plain),
    ((bytes, memoryview), _hex),
    ((list, tuple), _joined),
)


def written(system: str, value: str) -> tuple[str, ...]:
    """The ways a column may write an identifier: NHS numbers spaced or hyphened too."""
    if system not in nhs_number.SYSTEMS:
        return (value,)
    digits = nhs_number.normalise(value)
    if digits is None:
        return ()
    groups = digits[:3], digits[3:6], digits[6:]
    return digits, " ".join(groups), "-".join(groups)


def holds(
    column: ColumnElement[Any], words: Sequence[str], *, loose: bool
) -> ColumnElement[bool] | None:
    """The column holds one of these words, as parameters of its own type.

    `loose` where a column may hold text and numbers alike, as SQLite's may. None if
    no word can stand in a column of that type.
    """
    kind = column.type
    if loose:
        numbers = [n for w in words if (n := _number(w)) is not None and str(n) == w]
        return column.in_([*words, *numbers]) if words else None
    if isinstance(kind, types.Integer):
        numbers = [n for word in words if (n := _number(word)) is not None]
        return _among(column, numbers)
    if isinstance(kind, types.Uuid):
        ids = [i for word in words if (i := _uuid(word)) is not None]
        return _among(column, ids)
    if isinstance(kind, types.String):
        return _among(column, words)
    return _among(cast(column, String), words)


def _among(
    column: ColumnElement[Any], values: Sequence[Any]
) -> ColumnElement[bool] | None:
    if not values:
        return None
    if len(values) == 1:
        # Unlike an IN it is not written anew for each question.
        is_it: ColumnElement[bool] = column == values[0]
        return is_it
    return column.in_(list(values))


def _number(word: str) -> int | None:
    if not (word.isascii() and word.isdecimal()) or len(word) > 19:
        return None
    number = int(word)
    return number if number <= _LARGEST else None


def _uuid(word: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(word)
    except ValueError:
        return None
