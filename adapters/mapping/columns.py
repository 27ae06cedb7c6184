"""Which columns a mapping names, where it names them, and which are not there."""

from collections.abc import Iterator, Sequence
from typing import Final

from adapters.mapping.specification import MappingSpec, Time
from adapters.mapping.words import holes

Place = tuple[str | int, ...]

_TIMES: Final = ("start", "end", "recorded")
_CELLS: Final = ("kind", "status", "organisation", "version", "kind_code")
_LISTS: Final = {
    "identifiers": ("column",),
    "codes": ("column", "system_column", "display"),
    "detail": ("column", "unit_column"),
    "flags": ("column",),
}


def named(spec: MappingSpec) -> Iterator[tuple[Place, str]]:
    """Each column the mapping names, with the key that names it."""
    for column in spec.record_id:
        yield ("mapping", "record_id"), column
    for template in spec.title:
        yield from ((("mapping", "title"), column) for column in holes(template))
    for key in _TIMES:
        yield from _of_time(("mapping", key), getattr(spec, key))
    for key in (*_CELLS, "label_column"):
        single: str | None = getattr(getattr(spec, key), "column", None)
        if single is not None:
            yield ("mapping", key), single
    for key, fields in _LISTS.items():
        for index, item in enumerate(getattr(spec, key)):
            for field in fields:
                if (column := getattr(item, field)) is not None:
                    yield ("mapping", key, index, field), column
    yield from _of_person(spec)


def _of_time(place: Place, time: Time | None) -> Iterator[tuple[Place, str]]:
    for column in time.columns if time else ():
        yield place, column


def _of_person(spec: MappingSpec) -> Iterator[tuple[Place, str]]:
    person = spec.person
    for column in person.name or ():
        yield ("mapping", "person", "name"), column
    yield from _of_time(("mapping", "person", "birth_date"), person.birth_date)
    for key in ("gender", "postcode"):
        if (column := getattr(person, key)) is not None:
            yield ("mapping", "person", key), column


def missing(spec: MappingSpec, columns: Sequence[str]) -> tuple[tuple[Place, str], ...]:
    """Each named column that is not there, or is there twice, with its key."""
    return tuple(
        (place, column) for place, column in named(spec) if columns.count(column) != 1
    )


def looks_foreign(spec: MappingSpec, columns: Sequence[str]) -> bool:
    """Whether so few mapped columns are there that this is no header of this source.

    Such a line may be data, so none of it may be repeated in a message.
    """
    mapped = {column for _, column in named(spec)}
    return 2 * len(mapped & set(columns)) < len(mapped)


def not_there(column: str, columns: Sequence[str]) -> str:
    """What to tell an engineer whose mapping names a column that is not there."""
    if columns.count(column) > 1:
        return f"there are two columns {column!r}. Rename one of them."
    there = ", ".join(columns)
    return f"there is no column {column!r}. There are: {there}. Correct the mapping."
