"""Values between a database and a mapping: cells as text, identifiers as parameters."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    String,
    all_,
    and_,
    any_,
    bindparam,
    cast,
    types,
)

from adapters import nhs_number
from adapters.sql.exact import exact

_LARGEST: Final = 2**63 - 1

# How a database is asked for one of several words: as an array of the column's type
# (PostgreSQL); as anything, where a column may hold text and numbers alike (SQLite);
# or as text alone, told exactly (MariaDB and others that compare loosely).
Comparing = Literal["arrays", "anything", "text"]
COMPARING: Final[dict[str, Comparing]] = {"postgresql": "arrays", "sqlite": "anything"}


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
    column: ColumnElement[Any], name: str, *, by: Comparing
) -> ColumnElement[bool]:
    """The column holds one of what the parameter of this name brings, as a list."""
    if by == "arrays":
        own, kind = _compared(column)
        is_it: ColumnElement[bool] = own == any_(bindparam(name, type_=ARRAY(kind)))
        return is_it
    some: BindParameter[Any] = bindparam(name, expanding=True)
    if by == "anything":
        return column.in_(some)
    # Servers that take ab, AB and "ab " for one, or 123abc for 123, find by an index
    # what may be it, and then tell exactly.
    is_text = isinstance(column.type, types.String | types.NullType)
    told = exact(column).in_(some)
    return and_(column.in_(some), told) if is_text else told


def lacks(
    column: ColumnElement[Any], name: str, *, by: Comparing
) -> ColumnElement[bool]:
    """The column of text holds none of what the parameter of this name brings."""
    if by == "arrays":
        others: ColumnElement[bool] = column != all_(
            bindparam(name, type_=ARRAY(String()))
        )
        return others
    own = exact(column) if by == "text" else column
    return own.not_in(bindparam(name, expanding=True))


def parameters(
    column: ColumnElement[Any], words: Iterable[str], *, by: Comparing
) -> list[Any]:
    """Those of the words that can stand in the column, as `holds` compares them."""
    if by == "text":
        return list(words)
    if by == "anything":
        own = list(words)
        numbers = [n for w in own if (n := _number(w)) is not None and str(n) == w]
        return [*own, *numbers]
    if isinstance(column.type, types.Integer):
        return [n for word in words if (n := _number(word)) is not None]
    if isinstance(column.type, types.Uuid):
        return [i for word in words if (i := _uuid(word)) is not None]
    return list(words)


def _compared(
    column: ColumnElement[Any],
) -> tuple[ColumnElement[Any], types.TypeEngine[Any]]:
    """What is compared of a column, and as what: text, if it is no number or UUID."""
    kind = column.type
    if isinstance(kind, types.Integer):
        return column, types.BigInteger()
    if isinstance(kind, types.Uuid):
        return column, types.Uuid()
    # Without a length, at which PostgreSQL would cut a longer word and then find it.
    if isinstance(kind, types.String) and not isinstance(kind, types.Enum):
        return column, String()
    return cast(column, String), String()


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
