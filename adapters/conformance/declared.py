"""What a kind of source can carry, and what it cannot do yet: said, never skipped."""

from dataclasses import dataclass
from typing import Final, Literal

from adapters import vocabulary
from adapters.contract import Event

# `zone` is the offset a time was written in; without it, instants are compared.
FIELDS: Final = frozenset(
    {
        "kind",
        "kind_code",
        "title",
        "status",
        "start",
        "end",
        "recorded",
        "zone",
        "codes",
        "labels",
        "detail",
        "subject",
        "organisation",
        "version",
        "caveats",
    }
)
PRECISIONS: Final = frozenset({"year", "month", "day", "minute", "second"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Carries:
    """What this kind of source has room for.

    Events of other kinds or precisions are not loaded into it; other fields are
    loaded as far as they go and must indeed differ from memory's, so that a field
    which begins to be carried has to be declared. `subject_of` is "person" where a
    source knows identifiers of a person only, not of each record.
    """

    kinds: frozenset[str] = frozenset(vocabulary.KINDS)
    precisions: frozenset[str] = PRECISIONS
    fields: frozenset[str] = FIELDS
    subject_of: Literal["record", "person"] = "record"
    undated: bool = True

    def has_room_for(self, event: Event) -> bool:
        """Whether an event can be loaded at all without being changed."""
        moments = [m for m in (event.start, event.end, event.recorded) if m is not None]
        return (
            event.kind in self.kinds
            and all(m.precision in self.precisions for m in moments)
            and (self.undated or event.start is not None)
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A question this kind of source fails, how lasting that is, and why."""

    lasting: Literal["never", "notyet", "notimpl"]
    because: str


def never(because: str) -> Gap:
    """The source itself cannot: nothing to be done."""
    return Gap("never", because)


def notyet(because: str) -> Gap:
    """The source does not now; a later version of it may."""
    return Gap("notyet", because)


def notimpl(because: str) -> Gap:
    """The source can; the adapter has not been written to."""
    return Gap("notimpl", because)
