"""RFC 8785 of the part of JSON that records use, so that a hash means one record.

ASCII names; strings, integers below 2^53, booleans, null, lists and objects. No
floats: two languages may print one float in two ways.
"""

import json
from collections.abc import Mapping
from typing import Final, TypeAlias

Json: TypeAlias = (
    "str | int | bool | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"
)

_LIMIT: Final = 2**53
# For ASCII names, sorting by code point is RFC 8785's sorting by UTF-16 unit, and
# the standard library escapes strings as it asks.
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)


def canon(record: Mapping[str, Json]) -> bytes:
    """The one encoding of a record. TypeError or ValueError for anything outside."""
    _check(record)
    return _ENCODER.encode(record).encode("utf-8")


def _check(value: object) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) >= _LIMIT:
                raise ValueError("an integer is too large to be read alike everywhere")
        case list() | tuple():
            for item in value:
                _check(item)
        case dict():
            for name, item in value.items():
                if not isinstance(name, str) or not name.isascii():
                    raise TypeError("a name is not ASCII")
                _check(item)
        case _:
            raise TypeError("a value has no canonical form")
