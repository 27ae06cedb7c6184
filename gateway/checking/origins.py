"""Where each field of an event comes from, as the source file says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.mapping import MappingSpec, named
from adapters.source_file import check, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A field of the journey, and what in the source it is read from."""

    field: str
    comes_from: str


# A column of these keys becomes a field of another name.
_SHOWN: Final = {"record_id": "record", "codes": "codes", "person": "person"}
_OF_KIND: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "fhir": (
        ("record", "the resource's type and id"),
        ("kind", "the resource's type, and its class"),
        ("everything else", "elements of that resource, by the table of its type"),
    ),
    "hl7v2": (
        ("record", "the visit's, placer's or message's own number"),
        ("kind", "PV1-2, or the type of the message"),
        ("everything else", "segments of the messages about it"),
    ),
}


def origins_of(file: Path) -> tuple[Origin, ...]:
    """Each field in the order of the source file; ConfigurationError if it is wrong."""
    tables = load(file)
    kind = str(tables.get("kind"))
    if kind in _OF_KIND:
        told = _OF_KIND[kind]
        return tuple(Origin(field=f, comes_from=said) for f, said in told)
    if not isinstance(tables.get("mapping"), dict):
        return ()
    return tuple(_of_mapping(check(file, tables["mapping"], MappingSpec)))


def _of_mapping(spec: MappingSpec) -> Iterator[Origin]:
    columns: dict[str, list[str]] = {}
    for place, column in named(spec):
        columns.setdefault(_field(place, spec), []).append(column)
    for shown, found in columns.items():
        told = ", ".join(repr(each) for each in dict.fromkeys(found))
        yield Origin(field=shown, comes_from=f"column {told}")
    for key, said in _fixed(spec):
        if key not in columns:
            yield Origin(field=key, comes_from=said)


def _field(place: tuple[str | int, ...], spec: MappingSpec) -> str:
    key = str(place[1])
    if key == "person":
        return f"person {place[2]}".replace("_", " ")
    if key == "identifiers":
        return f"person, as {spec.identifiers[int(place[2])].system}"
    if key == "detail":
        return f"detail {spec.detail[int(place[2])].element}"
    if key == "flags":
        return f"flag {spec.flags[int(place[2])].flag}"
    return _SHOWN.get(key, key)


def _fixed(spec: MappingSpec) -> Iterator[tuple[str, str]]:
    kind: Any = spec.kind.fixed
    yield "kind", f"fixed in the source file: {kind}"
    status = spec.status
    if status.ended is not None:
        yield "status", f"{status.ended} with an end, {status.open} without"
    else:
        yield "status", f"fixed in the source file: {status.fixed}"
    if not spec.title:
        yield "title", "the kind, for no title is mapped"
    if spec.organisation is None:
        yield "organisation", "whose source it is"
