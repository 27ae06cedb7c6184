"""What `[drops]` of a source file may say: which drop counts where several speak.

Which drop it is stands in its name or in its manifest; which row counts, in the rows.
"""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from adapters.mapping import Place
from adapters.source_file import Settings

_DATE: Final = ("year", "month", "day")
_TOLD: Final = frozenset({"period", "sequence", "created", *_DATE})

Column = Annotated[str, Field(min_length=1)]
Words = tuple[str, ...]


class Action(Settings):
    """A column that says of each row whether it states a record or takes it back."""

    column: Column
    deleted: Annotated[Words, Field(min_length=1)]
    stated: Annotated[Words, Field(min_length=1)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if set(map(plain, self.deleted)) & set(map(plain, self.stated)):
            message = "a word is in both lists. Leave it in one."
            raise ValueError(message)
        return self


class UniqueColumn(Settings):
    """A part of what makes two rows one event; `where` limits it to some rows."""

    column: Column | None = None
    first_of: Words = ()
    where: dict[str, Words] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.column is None) == (not self.first_of):
            message = "name a column, or several as first_of."
            raise ValueError(message)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of which the first that is filled counts."""
        return self.first_of or (self.column or "",)


class Preference(Settings):
    """By which column one row is kept before another: "-column" takes the greatest."""

    column: Column
    descending: bool = False
    blank: Literal["first", "last"] = "last"
    ranked: Words = ()
    reads: Literal["text", "time"] = "text"

    @model_validator(mode="after")
    def _one_order(self) -> Self:
        if self.ranked and (self.descending or self.reads == "time"):
            message = "ranked words have an order of their own; take the other out."
            raise ValueError(message)
        return self


def _unique(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _preference(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {"column": value.removeprefix("-"), "descending": value.startswith("-")}


def plain(word: str) -> str:
    """A word as words of a column are compared."""
    return word.strip().casefold()


class Drops(Settings):
    """The table `[drops]`: empty, it changes nothing."""

    name: str | None = None
    order: Literal["manifest"] | None = None
    corrects: Literal["rows", "period"] = "rows"
    numbered: Literal["period", "through"] = "period"
    first: Annotated[int, Field(ge=0)] | None = None
    deletions: Annotated[str, Field(min_length=1)] | None = None
    action: Action | None = None
    unique_by: tuple[Annotated[UniqueColumn, BeforeValidator(_unique)], ...] = ()
    prefer: tuple[Annotated[Preference, BeforeValidator(_preference)], ...] = ()

    @field_validator("name")
    @classmethod
    def _tells(cls, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            groups = set(re.compile(name).groupindex)
        except (re.error, RecursionError, OverflowError):
            message = "is no regular expression."
            raise ValueError(message) from None
        if not groups or groups - _TOLD:
            known = ", ".join(sorted(_TOLD))
            message = (
                "needs named groups, such as (?P<period>[0-9]{4}-[0-9]{2}); "
                f"known are {known}."
            )
            raise ValueError(message)
        return name

    @model_validator(mode="before")
    @classmethod
    def _one_order(cls, tables: Any) -> Any:  # noqa: ANN401 - TOML as it came
        if isinstance(tables, dict) and {"name", "order"} <= tables.keys():
            message = "the order is in the names or in the manifests: give one of both."
            raise ValueError(message)
        return tables

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        needs_order = {
            'corrects = "period"': self.corrects == "period",
            'numbered = "through"': self.numbered == "through",
            "first": self.first is not None,
        }
        for key, is_there in needs_order.items():
            if is_there and not self.is_ordered:
                message = f'{key} needs a name, or order = "manifest".'
                raise ValueError(message)
        if self.prefer and not self.unique_by:
            message = "prefer chooses among rows that are alike in unique_by; add that."
            raise ValueError(message)
        return self

    @property
    def is_ordered(self) -> bool:
        """Whether drops say themselves which they are, however they arrive."""
        return self.name is not None or self.order is not None

    @property
    def columns(self) -> tuple[tuple[Place, str], ...]:
        """Each column named here, with the key that names it."""
        found: list[tuple[Place, str]] = []
        if self.action is not None:
            found.append((("drops", "action", "column"), self.action.column))
        found += [
            (("drops", "unique_by"), column)
            for part in self.unique_by
            for column in (*part.columns, *part.where)
        ]
        found += [(("drops", "prefer"), each.column) for each in self.prefer]
        return tuple(found)


NO_RULES: Final = Drops()
