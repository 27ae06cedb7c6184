"""A mapping made ready: what each row becomes, or why it is no event.

Compiled once against the columns there are; then every row is read by position.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self
from zoneinfo import ZoneInfo

from adapters.contract import Detail, Event
from adapters.mapping.cells import (
    Column,
    Layout,
    Reading,
    Row,
    TimeCell,
    has_control,
    plain,
    shown_id,
)
from adapters.mapping.people import Naming, PersonColumns
from adapters.mapping.specification import MappingSpec
from adapters.mapping.words import Codes, Details, Labels, Title, Translated
from adapters.moment import Moment

JOINED_BY: Final = "/"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no event: a reason and the column it was found in, no values."""

    reason: str
    column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What an index must know of a row to find it again."""

    record_id: str
    names: tuple[str | None, ...]  # a value per mapped identifier
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A row as an event; `notes` are caveats on the answer that holds it."""

    event: Event
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When it started, ended and was written down."""

    start: TimeCell
    end: TimeCell | None
    recorded: TimeCell | None

    def stranger(self, row: Row) -> str | None:
        for cell in (self.start, self.end, self.recorded):
            if cell is not None and (column := cell.stranger(row)) is not None:
                return column
        return None

    def read(self, row: Row) -> dict[str, Reading]:
        cells = {"start": self.start, "end": self.end, "recorded": self.recorded}
        return {name: cell.read(row) for name, cell in cells.items() if cell}


@dataclass(frozen=True, slots=True)
class RecordId:
    """The columns that together are a row's own id; `blank` stands for an empty one."""

    columns: tuple[Column, ...]
    blank: str | None = None

    @classmethod
    def of(cls, spec: MappingSpec, layout: Layout) -> Self:
        columns = tuple(layout.column(name) for name in spec.record_id)
        return cls(columns, spec.record_id_blank)

    def read(self, row: Row) -> str | Rejected:
        parts = [column.text(row) for column in self.columns]
        if None in parts and (self.blank is None or not any(parts)):
            return Rejected("no_record_id", self.columns[parts.index(None)].name)
        return JOINED_BY.join(part or self.blank or "" for part in parts)


def layout_of(spec: MappingSpec, columns: Sequence[str]) -> Layout:
    """Where the columns of one file stand, and how the mapping reads their cells."""
    return Layout(
        places={name: index for index, name in enumerate(columns)},
        absent=spec.absent,
        formats=spec.dates,
        zone=ZoneInfo(spec.zone),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Reads the rows of one file or table."""

    record: RecordId
    kind: Translated
    status: Translated
    by_end: tuple[str, str] | None  # status of rows with an end, and without one
    title: Title
    times: Times
    naming: Naming
    person: PersonColumns
    organisation: Column | None
    version: Column | None
    kind_code: Column | None
    labels: Labels
    codes: Codes
    details: Details

    @classmethod
    def compile(cls, spec: MappingSpec, columns: Sequence[str]) -> Self:
        """The mapping for these columns; every one it names must be among them."""
        layout = layout_of(spec, columns)

        def one(cell: object) -> Column | None:
            name = getattr(cell, "column", None)
            return layout.column(name, getattr(cell, "absent", ())) if name else None

        return cls(
            record=RecordId.of(spec, layout),
            kind=Translated.of(spec.kind, layout, otherwise=spec.kind.otherwise),
            status=Translated.of(spec.status, layout, otherwise="unknown"),
            by_end=(
                (spec.status.ended, spec.status.open)
                if spec.status.ended and spec.status.open
                else None
            ),
            title=Title.of(spec.title, layout),
            times=Times(
                start=layout.time(spec.start),
                end=layout.time(spec.end) if spec.end else None,
                recorded=layout.time(spec.recorded) if spec.recorded else None,
            ),
            naming=Naming.of(spec.identifiers, layout),
            person=PersonColumns.of(spec, layout),
            organisation=one(spec.organisation),
            version=one(spec.version),
            kind_code=one(spec.kind_code),
            labels=Labels.of(spec, layout),
            codes=Codes.of(spec.codes, layout),
            details=Details.of(spec.detail, layout),
        )

    def check(self, row: Row) -> Indexed | Rejected:
        """What an index needs of a row, or why it is no event. No dates are made."""
        record_id = self.record.read(row)
        if isinstance(record_id, Rejected):
            return record_id
        names = self.naming.values(row)
        if not any(names):
            return Rejected("no_identifier", self.naming.columns[0].column.name)
        if (column := self.times.stranger(row)) is not None:
            return Rejected("not_a_time", column)
        kind = self.kind.word(row)
        if kind is None:
            return Rejected("unknown_kind", self.kind.name)
        return Indexed(record_id=record_id, names=names, kind=kind)

    def read(self, row: Row) -> Read | Rejected:
        """The row as an event, or why it is none: the same reasons as `check`."""
        checked = self.check(row)
        if isinstance(checked, Rejected):
            return checked
        times = self.times.read(row)
        labels, untranslated = self.labels.read(row)
        kind = checked.kind
        title = self.title.read(row) or kind.replace("_", " ").capitalize()
        detail = (*self._as_written(row, times), *self.details.read(row))
        caveats = _about(times)
        if (
            untranslated
            or self.status.is_untranslated(row)
            or self.kind.is_untranslated(row)
        ):
            caveats.append("untranslated_code")
        record_id = shown_id(checked.record_id)
        if (
            record_id != checked.record_id
            or has_control(title)
            or any(has_control(d.value or "") for d in detail)
        ):
            caveats.append("control_characters")
        invalid = self.naming.invalid(row, checked.names)
        event = Event(
            kind=kind,
            record_id=record_id,
            title=plain(title),
            status=self._status(row, times),
            kind_code=self._code_of_kind(row),
            start=_moment(times, "start"),
            end=_moment(times, "end"),
            recorded=_moment(times, "recorded"),
            codes=self.codes.read(row),
            labels=labels,
            detail=tuple(map(_cleaned, detail)),
            subject=self.naming.subject(checked.names),
            organisation=self.organisation.text(row) if self.organisation else None,
            version=self.version.text(row) if self.version else None,
            caveats=tuple(sorted(set(caveats))),
        )
        return Read(event=event, notes=("invalid_number",) * invalid)

    def _status(self, row: Row, times: dict[str, Reading]) -> str:
        if self.by_end is None:
            return self.status.word(row) or "unknown"
        end = times["end"]
        if end.moment is None and end.caveats:
            return "unknown"  # an end is written, and cannot be read
        return self.by_end[end.moment is None]

    def _code_of_kind(self, row: Row) -> str | None:
        if self.kind_code is not None:
            return self.kind_code.text(row)
        return self.kind.written(row) if self.kind.is_untranslated(row) else None

    def _as_written(self, row: Row, times: dict[str, Reading]) -> Iterator[Detail]:
        written = self.status.written(row)
        if written is not None and written != self.status.word(row):
            yield Detail(element="status", value=written)
        for name, reading in times.items():
            if reading.original is not None:
                yield Detail(element=name, value=reading.original)


def _about(times: dict[str, Reading]) -> list[str]:
    caveats = [caveat for reading in times.values() for caveat in reading.caveats]
    start, end = _moment(times, "start"), _moment(times, "end")
    if start is not None and end is not None and end.latest <= start.at:
        caveats.append("reversed")
    return caveats


def _moment(times: dict[str, Reading], name: str) -> Moment | None:
    return times[name].moment if name in times else None


def _cleaned(detail: Detail) -> Detail:
    if not has_control(detail.value or ""):
        return detail
    return Detail(
        element=detail.element,
        value=plain(detail.value or ""),
        unit=detail.unit,
        code=detail.code,
    )
