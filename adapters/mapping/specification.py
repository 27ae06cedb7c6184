"""What a mapping file may say: the closed shape of `[mapping]`, checked when loaded."""

from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from adapters import nhs_number
from adapters.mapping.time_format import TimeFormat
from adapters.source_file import Settings
from adapters.vocabulary import KINDS, STATUSES

UNMAPPED_NHS_NUMBER: Final = frozenset({"nhs-number", "nhs_number", "NHS"})


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _column(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _fixed(value: object) -> object:
    return {"fixed": value} if isinstance(value, str) else value


Column = Annotated[str, Field(min_length=1)]
Many = Annotated[tuple[Column, ...], BeforeValidator(_one_or_many)]
Words = tuple[str, ...]


class Cell(Settings):
    """One column, and what in it means nothing."""

    column: Column
    absent: Words = ()


class Time(Settings):
    """A time in one column, or a date and a clock reading in two."""

    column: Column | None = None
    date: Column | None = None
    time: Column | None = None
    formats: tuple[str, ...] | None = None
    time_formats: tuple[str, ...] = ("%H:%M:%S", "%H:%M")
    absent: Words = ()
    time_absent: Words = ()
    unreadable: Literal["reject", "undated"] = "reject"

    @field_validator("formats")
    @classmethod
    def _dates(cls, formats: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return formats and _dated(formats)

    @field_validator("time_formats")
    @classmethod
    def _clocks(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for each in formats:
            if not TimeFormat.read(each).is_clock:
                message = f"{each!r} is no clock reading. Use a pattern such as %H%M."
                raise ValueError(message)
        return formats

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.column is None) == (self.date is None):
            message = "name either a column, or a date and a time column."
            raise ValueError(message)
        if self.time is not None and self.date is None:
            message = "a time column needs a date column beside it."
            raise ValueError(message)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(c for c in (self.column, self.date, self.time) if c)


class Kind(Settings):
    """A fixed kind, or one by column and translation table."""

    fixed: str | None = None
    column: Column | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None
    absent: Words = ()

    @model_validator(mode="after")
    def _closed(self) -> Self:
        _fixed_or_translated(self.fixed, self.column, self.codes)
        for kind in self.kinds:
            if kind not in KINDS:
                message = f"{kind!r} is no event kind. Use one of the vocabulary."
                raise ValueError(message)
        return self

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind the source can tell of."""
        named = (self.fixed, self.otherwise, *self.codes.values())
        return frozenset(kind for kind in named if kind is not None)


class Status(Settings):
    """A status: fixed, by column (untranslated words become `unknown`), or by end."""

    fixed: str | None = None
    ended: str | None = None  # where the row has an end
    open: str | None = None  # where it has none
    column: Column | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    absent: Words = ()

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if (self.ended is None) != (self.open is None):
            message = "give both: ended for rows with an end, open for those without."
            raise ValueError(message)
        if self.ended is None or self.fixed is not None or self.column is not None:
            _fixed_or_translated(self.fixed or self.ended, self.column, self.codes)
        named = (self.fixed, self.ended, self.open, *self.codes.values())
        for status in filter(None, named):
            if status not in STATUSES:
                known = ", ".join(sorted(STATUSES))
                message = f"{status!r} is no status. Use one of {known}."
                raise ValueError(message)
        return self


def _dated(formats: tuple[str, ...]) -> tuple[str, ...]:
    for each in formats:
        if TimeFormat.read(each).is_clock:
            message = f"{each!r} has no date. Use it as one of time_formats."
            raise ValueError(message)
    return formats


def _fixed_or_translated(
    fixed: str | None, column: str | None, codes: dict[str, str]
) -> None:
    if (fixed is None) == (column is None):
        message = "give either a fixed word, or a column with codes."
        raise ValueError(message)
    if column is not None and not codes:
        message = "a column needs a table of codes that translates it."
        raise ValueError(message)
    if column is None and codes:
        message = "codes need a column that holds them."
        raise ValueError(message)


class PersonIdentifier(Settings):
    """A column that names the person, and the system its values belong to."""

    column: Column
    system: Annotated[str, Field(min_length=1)]
    key: bool = False
    absent: Words = ()

    @field_validator("system")
    @classmethod
    def _current(cls, system: str) -> str:
        if system in UNMAPPED_NHS_NUMBER:
            message = f"use the published system of NHS numbers, {nhs_number.SYSTEM}."
            raise ValueError(message)
        return nhs_number.SYSTEM if system in nhs_number.SYSTEMS else system


class CodeColumn(Settings):
    """A column of codes, of one system or of the system another column names."""

    column: Column | None = None
    system: str | None = None
    system_column: Column | None = None
    display: Column | None = None
    split: Annotated[str, Field(min_length=1)] | None = None
    absent: Words = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.system is not None and self.system_column is not None:
            message = "name a system or a system_column, not both."
            raise ValueError(message)
        if self.column is None and self.display is None:
            message = "name a column of codes or a display column."
            raise ValueError(message)
        return self


class DetailColumn(Settings):
    """A column kept as one named element of the event's detail."""

    column: Column
    element: Annotated[str, Field(min_length=1)]
    unit: str | None = None
    unit_column: Column | None = None
    absent: Words = ()


class LabelColumn(Settings):
    """A column of labels, translated; what is not translated is kept as it is."""

    column: Column
    codes: dict[str, str] = Field(default_factory=dict)
    split: Annotated[str, Field(min_length=1)] | None = None
    absent: Words = ()


class Demographics(Settings):
    """Columns about the person: to check who it is, or to look for them by birth."""

    name: Many | None = None
    birth_date: Annotated[Time, BeforeValidator(_column)] | None = None
    gender: Column | None = None
    postcode: Column | None = None


class FlagColumn(Settings):
    """A policy flag the source states of the person."""

    flag: Annotated[str, Field(min_length=1)]
    column: Column
    present: Annotated[Words, Field(min_length=1)]


TimeColumn = Annotated[Time, BeforeValidator(_column)]
CellColumn = Annotated[Cell, BeforeValidator(_column)]


class MappingSpec(Settings):
    """The table `[mapping]` of a source file."""

    record_id: Many
    record_id_blank: Annotated[str, Field(min_length=1)] | None = None
    kind: Annotated[Kind, BeforeValidator(_fixed)]
    start: TimeColumn
    identifiers: Annotated[tuple[PersonIdentifier, ...], Field(min_length=1)]
    zone: str = "Europe/London"
    dates: Annotated[tuple[str, ...], Field(min_length=1)] = ("iso",)
    absent: Words = ()
    title: Many = ()
    status: Annotated[Status, BeforeValidator(_fixed)] = Status(fixed="unknown")
    end: TimeColumn | None = None
    recorded: TimeColumn | None = None
    organisation: CellColumn | None = None
    version: CellColumn | None = None
    kind_code: CellColumn | None = None
    labels: frozenset[str] = frozenset()
    label_column: LabelColumn | None = None
    codes: tuple[CodeColumn, ...] = ()
    detail: tuple[DetailColumn, ...] = ()
    person: Demographics = Demographics()
    flags: tuple[FlagColumn, ...] = ()

    @property
    def key_system(self) -> str | None:
        """The system of the source's own key of a person, if it has one."""
        return next((each.system for each in self.identifiers if each.key), None)

    @model_validator(mode="before")
    @classmethod
    def _needs_start(cls, tables: Any) -> Any:  # noqa: ANN401 - TOML as it came
        if isinstance(tables, dict) and "kind" in tables and "start" not in tables:
            kind = tables["kind"]
            named = kind if isinstance(kind, str) else "events"
            message = (
                f"claims {named!r} without a start column. "
                'Name the column that says when: start = "…"'
            )
            raise ValueError(message)
        return tables

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = 'no such time zone. Use a name such as "Europe/London".'
            raise ValueError(message) from None
        return zone

    @field_validator("dates")
    @classmethod
    def _readable(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        return _dated(formats)

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if sum(identifier.key for identifier in self.identifiers) > 1:
            message = "only one of the identifiers can be the key."
            raise ValueError(message)
        numbers = {i.column for i in self.identifiers if i.system == nhs_number.SYSTEM}
        if self.status.ended is not None and self.end is None:
            message = "a status by end needs an end column."
            raise ValueError(message)
        if numbers & set(self.record_id):
            message = "record_id is an NHS number; name the row's own id."
            raise ValueError(message)
        return self
