"""What is asked of a FHIR server, what it sent, and how far its pages bear it out.

A server says in its self link which parameters it heeded, and in `total` how many
records there are. Both are compared with what was asked and with what came: what is
not borne out is said, and every filter is applied here all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from adapters.fhir.reading import Reading
from adapters.fhir.resources import Patient

Parameters = tuple[tuple[str, str], ...]
# Whom a record is about, by either name.
_ALIASES: Final = frozenset({"subject", "patient"})
# Counts that their server does not stand by.
_INEXACT: Final = frozenset({"estimate", "none"})
_DATES: Final = ("ge", "lt")


@dataclass(slots=True, kw_only=True)
class Budget:
    """What all searches of one question may use together."""

    bytes: int
    records: int

    def spend(self, size: int, records: int) -> None:
        self.bytes -= size
        self.records -= records

    @property
    def is_spent(self) -> bool:
        return self.bytes <= 0 or self.records <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A type, what is asked of it, and the patients its records may refer to.

    An operation is asked in place of a search where its path is given: then the name
    is no type, and records of many types may come. What `stays_in_body` never travels
    in an address, neither ours nor one that the server gives.
    """

    name: str
    parameters: Parameters = field(repr=False)
    known: tuple[Patient, ...] = field(default=(), repr=False)
    is_dated: bool = False  # whether a filter by date is among the parameters
    operation: str | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)  # sent to an operation
    stays_in_body: bool = False

    @property
    def filters(self) -> frozenset[str]:
        """The parameters that narrow what is found, without their modifiers."""
        return frozenset(bare(name) for name, _ in self.filtering)

    @property
    def filtering(self) -> Parameters:
        """The parameters that narrow what is found, as they are asked."""
        return tuple(
            (name, value)
            for name, value in self.parameters
            if name == "_type" or not name.startswith("_")
        )


@dataclass(slots=True, kw_only=True)
class Found:
    """The pages of one search as they come, and what must be said of them."""

    question: Question
    pages: list[Reading] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    is_whole: bool = False

    @property
    def received(self) -> int:
        """How many records of the type asked for came, each counted once.

        What comes along to explain them is none of them, however it is marked; and
        pages that overlap bring some of them twice.
        """
        came = 0
        for page in self.pages:
            if self.question.operation is not None:
                came += page.matches - page.duplicates
            else:
                came += len(page.events) + len(page.persons) + page.rejected.total()
        if len(self.pages) < 2:
            return came
        events = [event for page in self.pages for event in page.events]
        return came - (len(events) - len(set(events)))


def bare(name: str) -> str:
    """A parameter's name without its modifier."""
    return name.partition(":")[0]


def given(url: str) -> Parameters:
    """The parameters that stand in an address."""
    return tuple(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def link(reading: Reading, relation: str) -> str | None:
    """Where a page's link of this relation leads, if it has one."""
    for one in (reading.bundle.link if reading.bundle else None) or ():
        if one.relation == relation and one.url:
            return one.url
    return None


def unborne(found: Found) -> Iterator[str]:
    """Caveats for what the pages of a search do not bear out; it has come to its end.

    Fewer records than the server counted is an answer cut short. More is a count that
    cannot be relied on, also where it is right: nothing then shows what is missing.
    """
    own = link(found.pages[0], "self")
    shown = None if own is None else given(own)
    totals = [page.bundle.total for page in found.pages if page.bundle]
    promised = max((total for total in totals if total is not None), default=None)
    is_exact = dict(shown or ()).get("_total") not in _INEXACT
    if promised is not None and is_exact:
        received = found.received
        if received < promised:
            yield "truncated"
        elif received > promised:
            yield "total_differs"
    # What was asked in a body stands in no link.
    is_shown = found.question.body is None
    if is_shown and (shown is None or not _is_heeded(found.question.filtering, shown)):
        yield "filter_unconfirmed"


def _is_heeded(asked: Parameters, shown: Parameters) -> bool:
    """Whether each parameter stands in the self link, as often as it was asked."""
    left = list(shown)
    for one in asked:
        match = next((other for other in left if _is_same(one, other)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _is_same(asked: tuple[str, str], shown: tuple[str, str]) -> bool:
    (name, value), (other, told) = asked, shown
    plain, _, modifier = other.partition(":")
    # A type may stand there as a modifier: subject:Patient.
    is_alias = name in _ALIASES and plain in _ALIASES and modifier in {"", "Patient"}
    if name != other and not is_alias:
        return False
    # Servers write people and identifiers in ways of their own, and dates in full.
    return not value.startswith(_DATES) or told.startswith(value)
