"""What a mapping might say of a sample, each part with its reason. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.onboarding.dates import DateReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Columns that may play a part; `because` never holds a cell of a person."""

    columns: tuple[str, ...]
    is_sure: bool
    because: str

    @property
    def column(self) -> str:
        return self.columns[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGuess:
    """A time, in one column or in two."""

    column: str
    is_sure: bool
    because: str
    reading: DateReading
    clock: str | None = None
    clock_formats: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    clock_absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusGuess:
    """A column of statuses: the words translated, and those nobody could."""

    column: str
    because: str
    codes: Mapping[str, str]
    untranslated: tuple[str, ...]  # shared by several people each
    others: int  # rows of words that are not shown: fewer people have them


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeGuess:
    """A column of codes."""

    column: str
    system: str | None
    display: str | None
    is_sure: bool
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A value of an identifier column that several people share."""

    column: str
    value: str = field(repr=False)
    people: int
    is_number: bool  # may be somebody's NHS number, so it is never written down


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Everything guessed of one file or table."""

    rows: int
    kind: Guess  # its one "column" is a kind of the vocabulary
    nhs_number: Guess | None = None
    person_key: Guess | None = None
    record_id: Guess | None = None
    start: TimeGuess | None = None
    end: TimeGuess | None = None
    recorded: TimeGuess | None = None
    birth_date: TimeGuess | None = None
    status: StatusGuess | None = None
    title: Guess | None = None
    codes: tuple[CodeGuess, ...] = ()
    organisation: Guess | None = None
    version: Guess | None = None
    name: Guess | None = None
    gender: Guess | None = None
    postcode: Guess | None = None
    absent: tuple[str, ...] = ()
    placeholders: tuple[Placeholder, ...] = ()
    unmapped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    times: Mapping[str, TimeGuess] = field(default_factory=dict)  # every time column

    @property
    def start_column(self) -> str | None:
        return self.start.column if self.start else None
