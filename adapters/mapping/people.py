"""Whom a row is about: identifiers, demographics and flags."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from adapters import nhs_number
from adapters.contract import FlagState, Identifier, Person
from adapters.mapping.cells import Column, Layout, Row, TimeCell
from adapters.mapping.specification import MappingSpec, PersonIdentifier
from adapters.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class NameColumn:
    """A column that names the person in one system."""

    column: Column
    system: str
    key: bool

    def value(self, row: Row) -> str | None:
        """The identifier, normalised; None if absent or an NHS number that fails."""
        text = self.column.text(row)
        if text is None or self.system != nhs_number.SYSTEM:
            return text
        return nhs_number.normalise(text)


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a row names: a value of each identifier column, and the identifiers."""

    values: tuple[str | None, ...]
    subject: frozenset[Identifier]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The identifiers a row names its person by, in the mapping's order."""

    columns: tuple[NameColumn, ...]

    @classmethod
    def of(cls, specs: Sequence[PersonIdentifier], layout: Layout) -> Self:
        return cls(
            columns=tuple(
                NameColumn(
                    column=layout.column(spec.column, spec.absent),
                    system=spec.system,
                    key=spec.key,
                )
                for spec in specs
            )
        )

    @property
    def key(self) -> int | None:
        """Which of the columns is the source's own key of a person."""
        return next((i for i, name in enumerate(self.columns) if name.key), None)

    def values(self, row: Row) -> tuple[str | None, ...]:
        return tuple([name.value(row) for name in self.columns])

    def subject(self, values: Sequence[str | None]) -> frozenset[Identifier]:
        return frozenset(
            Identifier(name.system, value)
            for name, value in zip(self.columns, values, strict=True)
            if value is not None
        )

    def of_each(self, rows: Iterable[Row]) -> Iterator[Named]:
        """Whom each row names, in their order; the same cells are read once."""
        known: dict[tuple[str, ...], Named] = {}
        for row in rows:
            cells = tuple([row[name.column.index] for name in self.columns])
            if (named := known.get(cells)) is None:
                values = self.values(row)
                named = known[cells] = Named(values, self.subject(values))
            yield named

    def invalid(self, row: Row, values: Sequence[str | None]) -> int:
        """How many cells hold an NHS number that fails its check, as `values` show."""
        return sum(
            value is None
            and name.system == nhs_number.SYSTEM
            and name.column.text(row) is not None
            for name, value in zip(self.columns, values, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonColumns:
    """Columns about the person: for the right-person check and for flags."""

    name: tuple[Column, ...]
    birth_date: TimeCell | None
    gender: Column | None
    postcode: Column | None
    flags: tuple[tuple[str, Column, frozenset[str]], ...]

    @classmethod
    def of(cls, spec: MappingSpec, layout: Layout) -> Self:
        person = spec.person

        def one(name: str | None) -> Column | None:
            return layout.column(name) if name else None

        return cls(
            name=tuple(layout.column(name) for name in person.name or ()),
            birth_date=layout.time(person.birth_date) if person.birth_date else None,
            gender=one(person.gender),
            postcode=one(person.postcode),
            flags=tuple(
                (flag.flag, layout.column(flag.column), frozenset(flag.present))
                for flag in spec.flags
            ),
        )

    def born(self, row: Row) -> str | None:
        """The birth date as written, to tell two people apart."""
        return self.birth_date.date.text(row) if self.birth_date else None

    def person(self, rows: Sequence[Row], known: Iterable[Identifier]) -> Person:
        """The person as most of these rows tell it."""
        return Person(
            identifiers=frozenset(known),
            name=_most(_joined(self.name, row) for row in rows),
            birth_date=_most_moment(map(self._birth_date, rows)),
            gender=_most(_text(self.gender, row) for row in rows),
            postcode=_most(_text(self.postcode, row) for row in rows),
        )

    def _birth_date(self, row: Row) -> Moment | None:
        if self.birth_date is None or self.birth_date.stranger(row) is not None:
            return None
        return self.birth_date.read(row).moment

    def states(self, rows: Sequence[Row], as_of: datetime) -> tuple[FlagState, ...]:
        """Each flag: present if any row says so."""
        return tuple(
            FlagState(
                flag=flag,
                present=any(column.text(row) in present for row in rows),
                as_of=as_of,
            )
            for flag, column, present in self.flags
        )


def _text(column: Column | None, row: Row) -> str | None:
    return column.text(row) if column else None


def _joined(columns: Sequence[Column], row: Row) -> str | None:
    words = [word for column in columns if (word := column.text(row))]
    return " ".join(words) or None


def _most(words: Iterable[str | None]) -> str | None:
    counted = Counter(word for word in words if word is not None)
    return counted.most_common(1)[0][0] if counted else None


def _most_moment(moments: Iterable[Moment | None]) -> Moment | None:
    known = [moment for moment in moments if moment is not None]
    if not known:
        return None
    text = _most(moment.text for moment in known)
    return next(moment for moment in known if moment.text == text)
