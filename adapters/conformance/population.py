"""A few synthetic people whose records find the edges of a window, a zone, a number.

NHS numbers are of the 999 range, which is never issued.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Code, Detail, Event, Identifier, Identifiers
from adapters.moment import Moment, read_iso

# The source's own number for a person: what tells its people apart.
KEY: Final = "urn:throughline:conformance:hospital-number"
OLD: Final = "urn:throughline:conformance:old-number"

SINCE: Final = date(2024, 4, 1)  # both ends lie in British Summer Time,
UNTIL: Final = date(2024, 7, 1)  # so an hour's mistake moves a day

PLACEHOLDER: Final = Identifier(OLD, "TO-FOLLOW")
SINGLE: Final = Identifier(OLD, "OLD-17")

ADA: Final = Identifiers(
    nhs_number="9995260182", others=frozenset({Identifier(KEY, "H-1001")})
)
BEN: Final = Identifiers(
    nhs_number="9991590838", others=frozenset({Identifier(KEY, "H-1002")})
)
CHLOE: Final = Identifiers(others=frozenset({Identifier(KEY, "H-1003")}))
NOBODY: Final = Identifiers(
    nhs_number="9990166137", others=frozenset({Identifier(KEY, "H-9999")})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Events of several people, each naming its subject, in no order."""

    events: tuple[Event, ...]
    key: str = KEY

    def by_person(self) -> "Population":
        """The same, each event under every identifier of its person.

        For sources that know identifiers of a person only. Events that name no
        key are nobody's and keep their subject.
        """
        known: dict[Identifier, frozenset[Identifier]] = {}
        for event in self.events:
            for key in self._keys(event):
                known[key] = known.get(key, frozenset()) | _named(event)
        return Population(events=tuple(self._widened(known)), key=self.key)

    def _keys(self, event: Event) -> list[Identifier]:
        return [i for i in _named(event) if i.system == self.key]

    def _widened(
        self, known: dict[Identifier, frozenset[Identifier]]
    ) -> Iterable[Event]:
        for event in self.events:
            subject = _named(event)
            for key in self._keys(event):
                subject |= known[key]
            yield msgspec.structs.replace(event, subject=subject or None)


def _named(event: Event) -> frozenset[Identifier]:
    return event.subject or frozenset()


def _at(text: str | None) -> Moment | None:
    read = read_iso(text) if text else None
    return read[0] if read else None


def _of(person: Identifiers, *more: Identifier) -> frozenset[Identifier]:
    return person.every | frozenset(more)


def _event(
    record_id: str, kind: str, start: str | None, *, end: str | None = None
) -> Event:
    return Event(
        kind=kind,
        record_id=record_id,
        title=f"Record {record_id}",
        status="finished",
        start=_at(start),
        end=_at(end),
        subject=ADA.every,
    )


def _ends_of_the_window() -> list[Event]:
    """Each instant beside an end of the window, in the wall clock and in UTC."""
    ed = "ed_attendance"
    return [
        _event("in-a-year-before", ed, "2023"),
        _event("in-the-month-before", ed, "2024-03"),
        _event("on-the-day-before", ed, "2024-03-31"),
        _event("second-before", ed, "2024-03-31T23:59:59+01:00"),
        _event("day-before-as-written", ed, "2024-03-31T23:30:00+00:00"),
        _event("first-instant", ed, "2024-04-01T00:00:00+01:00"),
        _event("on-the-first-day", ed, "2024-04-01"),
        _event("in-the-first-month", ed, "2024-04"),
        _event("in-the-year", ed, "2024"),
        _event("in-the-last-month", ed, "2024-06"),
        _event("on-the-last-day", ed, "2024-06-30"),
        _event("last-second", ed, "2024-06-30T23:59:59+01:00"),
        _event("last-day-as-written", ed, "2024-06-30T23:00:00+00:00"),
        _event("at-the-end", ed, "2024-07-01T00:00:00+01:00"),
        _event("on-the-day-after", ed, "2024-07-01"),
        _event("in-the-month-after", ed, "2024-07"),
        _event("in-a-year-after", ed, "2025"),
        _event("until-within", "inpatient_spell", "2024-03-20", end="2024-04-10"),
    ]


def _as_life_writes_it() -> list[Event]:
    """Repeats, reversals, far offsets, precisions, and records without a date."""
    reversed_stay = _event(
        "reversed",
        "inpatient_spell",
        "2024-05-20T10:00:00+01:00",
        end="2024-05-18T09:00:00+01:00",
    )
    return [
        _event("same-day-1", "ed_attendance", "2024-05-06"),
        _event("same-day-2", "ed_attendance", "2024-05-06"),
        _event("to-the-minute", "ed_attendance", "2024-05-05T10:30+01:00"),
        _event("far-away", "ed_attendance", "2024-05-10T09:00:00+05:30"),
        _event("winter", "day_case", "2024-01-15T08:00:00+00:00"),
        _event("undated-1", "condition", None),
        _event("undated-2", "ed_attendance", None),
        msgspec.structs.replace(reversed_stay, caveats=("reversed",)),
    ]


def _of_every_category() -> list[Event]:
    replace = msgspec.structs.replace
    asthma = Code("http://snomed.info/sct", "195967001", "Asthma")
    return [
        replace(
            _event("asthma", "condition", "2024-04-12"),
            title="Asthma",
            status="active",
            codes=(asthma,),
            recorded=_at("2024-04-13"),
            version="3",
        ),
        replace(_event("penicillin", "allergy", "2024-04-14"), labels=frozenset({"R"})),
        replace(
            _event("weight", "observation", "2024-04-15T09:10:11+01:00"),
            detail=(Detail(element="value", value="71.5", unit="kg"),),
        ),
        replace(
            _event("wrong-patient-note", "document", "2024-04-16"),
            status="entered-in-error",
        ),
        replace(
            _event("elsewhere", "ed_attendance", "2024-04-17"), organisation="Z9B02"
        ),
        replace(
            _event("clinic", "outpatient_appointment", "2024-06-03"), status="planned"
        ),
        replace(_event("own-kind", "other", "2024-06-04"), kind_code="TEA"),
        _event("aspirin", "medication", "2024-04-18"),
        _event("physio", "referral", "2024-04-19"),
        _event("falls-plan", "care_plan", "2024-04-20"),
    ]


def _of_others() -> list[Event]:
    """A second person, one known by hospital number alone, shared placeholders."""
    replace = msgspec.structs.replace
    key_only = ADA.others
    return [
        replace(_event("ada-by-key", "ed_attendance", "2024-05-30"), subject=key_only),
        replace(
            _event("ada-placeholder", "ed_attendance", "2024-05-31"),
            subject=_of(ADA, PLACEHOLDER),
        ),
        replace(
            _event("ada-old-number", "ed_attendance", "2024-06-01"),
            subject=_of(ADA, SINGLE),
        ),
        replace(_event("ben-1", "ed_attendance", "2024-05-06"), subject=_of(BEN)),
        replace(
            _event("ben-2", "condition", "2024-05-31"), subject=_of(BEN, PLACEHOLDER)
        ),
        replace(_event("chloe-1", "ed_attendance", "2024-05-07"), subject=_of(CHLOE)),
        replace(
            _event("chloe-2", "inpatient_spell", "2024-05-08", end="2024-05-09"),
            subject=_of(CHLOE, PLACEHOLDER),
        ),
    ]


POPULATION: Final = Population(
    events=(
        *_ends_of_the_window(),
        *_as_life_writes_it(),
        *_of_every_category(),
        *_of_others(),
    )
)

# Every NHS number that stands in the population, under its system.
NUMBERS: Final = frozenset(
    i.value
    for e in POPULATION.events
    for i in e.subject or ()
    if i.system == nhs_number.SYSTEM
)
