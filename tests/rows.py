"""Events as rows with a mapping, such that reading the rows gives equal events.

Carried: every field of an event but `caveats` (those arise from the rows themselves)
and the `code` of a detail. Texts must not be blank or have space at their ends.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.contract import Event
from adapters.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Columns, a row per event in the order given, and the `[mapping]` of both."""

    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    mapping: str


def as_rows(events: Sequence[Event], *, key: str | None = None) -> Rows:
    """Rows of these events; `key` is the system of the source's own person key."""
    names = _names(events)
    codes = max((len(e.codes) for e in events), default=0)
    details = sorted({(n, d.element) for e in events for n, d in enumerate(e.detail)})
    columns = [*_PLAIN, *names]
    columns += [f"{part}{n}" for n in range(codes) for part in _CODE]
    columns += [f"{part} {n} {element}" for n, element in details for part in _DETAIL]
    cells = []
    for event in events:
        row = [*_plain(event), *_named(event, names)]
        for n in range(codes):
            code = event.codes[n] if n < len(event.codes) else None
            row += [code.code, code.system, code.display] if code else [None] * 3
        for n, element in details:
            detail = event.detail[n] if n < len(event.detail) else None
            here = detail is not None and detail.element == element
            row += [detail.value, detail.unit] if here and detail else [None] * 2
        cells.append(tuple(cell or "" for cell in row))
    mapping = _mapping(events, names, key)
    mapping += "".join(_code_table(n) for n in range(codes))
    mapping += "".join(_detail_table(n, element) for n, element in details)
    return Rows(columns=tuple(columns), cells=tuple(cells), mapping=mapping)


_PLAIN = (
    *("record id", "kind", "kind code", "title", "status", "start", "end"),
    *("recorded", "organisation", "version", "labels"),
)
_CODE = ("code", "system", "display")
_DETAIL = ("value", "unit")
LABELS_SPLIT = ";"


def _plain(event: Event) -> list[str | None]:
    return [
        event.record_id,
        event.kind,
        event.kind_code,
        event.title,
        event.status,
        written(event.start),
        written(event.end),
        written(event.recorded),
        event.organisation,
        event.version,
        LABELS_SPLIT.join(sorted(event.labels)),
    ]


def written(moment: Moment | None) -> str | None:
    """A moment as a cell, to its own precision and in its own offset."""
    if moment is None:
        return None
    if moment.precision == "minute":
        return moment.at.isoformat(timespec="minutes")
    return moment.text


def _names(events: Iterable[Event]) -> dict[str, tuple[str, int]]:
    most: Counter[str] = Counter()
    for event in events:
        here = Counter(i.system for i in event.subject or ())
        most |= here
    return {
        f"{system} {n}": (system, n)
        for system, count in sorted(most.items())
        for n in range(count)
    }


def _named(event: Event, names: dict[str, tuple[str, int]]) -> list[str | None]:
    row: list[str | None] = []
    for system, n in names.values():
        values = sorted(i.value for i in event.subject or () if i.system == system)
        row.append(values[n] if n < len(values) else None)
    return row


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _mapping(
    events: Sequence[Event], names: dict[str, tuple[str, int]], key: str | None
) -> str:
    kinds = sorted({event.kind for event in events}) or ["other"]
    statuses = sorted({event.status for event in events}) or ["unknown"]
    lines = [
        "[mapping]",
        'record_id = "record id"',
        'title = "{title}"',
        'start = "start"',
        'end = "end"',
        'recorded = "recorded"',
        'organisation = "organisation"',
        'version = "version"',
        'kind_code = "kind code"',
        "[mapping.kind]",
        'column = "kind"',
        f"codes = {{ {', '.join(f'{_text(k)} = {_text(k)}' for k in kinds)} }}",
        "[mapping.status]",
        'column = "status"',
        f"codes = {{ {', '.join(f'{_text(s)} = {_text(s)}' for s in statuses)} }}",
        "[mapping.label_column]",
        'column = "labels"',
        f"split = {_text(LABELS_SPLIT)}",
    ]
    # A mapping without any identifier is none, so nobody's rows still name a column.
    for column, (system, n) in (names or {"record id": ("urn:none", 0)}).items():
        lines += ["[[mapping.identifiers]]", f"column = {_text(column)}"]
        lines += [f"system = {_text(system)}"]
        lines += ["key = true"] if system == key and n == 0 else []
    return "\n".join(lines) + "\n"


def _code_table(n: int) -> str:
    return (
        f'[[mapping.codes]]\ncolumn = "code{n}"\n'
        f'system_column = "system{n}"\ndisplay = "display{n}"\n'
    )


def _detail_table(n: int, element: str) -> str:
    return (
        f"[[mapping.detail]]\ncolumn = {_text(f'value {n} {element}')}\n"
        f"element = {_text(element)}\nunit_column = {_text(f'unit {n} {element}')}\n"
    )
