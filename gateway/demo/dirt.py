"""The dirt of real systems, put in on purpose and in known amounts.

First what makes events odd (repeats, reversals, clock changes, entries in error),
then what makes identifiers odd (missing numbers, placeholders).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from random import Random
from typing import Final

from gateway.demo import terms
from gateway.demo.chronicle import Entry, Place, Record, Resident, When
from gateway.demo.dates import Calendar, after, clock_change

Told = tuple[Resident, Record]

NIGHT_CALLS: Final = 6  # for each of the two clock changes
SAME_DAY: Final = 8  # people admitted twice on one day, truly
REVERSED: Final = 15  # records that end before they start
IN_ERROR: Final = 12  # records entered in error, beside the right ones
UNDATED: Final = 5  # records without any date
RESTRICTED: Final = 6  # records under a label that no agreement clears
MISSING_SHARE: Final = 0.12  # of rows at the four places that are no FHIR server
UNREADABLE_ROWS: Final = 2  # rows of the social care drop, rejected when read
PLACEHOLDERS: Final = ("0000000000", "9999999999")
PLACEHOLDER_SHARE: Final = 0.06  # of ambulance and social care rows
UNKNOWN_HOSPITAL_NUMBER: Final = "H000000"
UNKNOWN_PATIENTS: Final = 10  # ambulance rows that share it

_ROWS: Final = (
    Place.AMBULANCE,
    Place.COMMUNITY,
    Place.MENTAL_HEALTH,
    Place.SOCIAL_CARE,
)


def events(
    told: Sequence[Told], everyone: Sequence[Resident], calendar: Calendar
) -> list[Told]:
    """The records with the odd ones among them; the first resident keeps clean."""
    draw = calendar.chance
    others = everyone[1:]
    extra = [
        *_night_calls(draw.sample(others, 2 * NIGHT_CALLS), calendar.today),
        *_same_day(draw.sample(others, SAME_DAY), calendar),
        *_restricted(draw.sample(others, RESTRICTED), calendar),
    ]
    mistaken = _chosen(
        told, draw, fits=lambda r: r.kind == "ed_attendance", count=IN_ERROR
    )
    extra += [(who, replace(r, status="entered-in-error")) for who, r in mistaken]
    whole = list(told)
    for change in _CHANGES:
        whole = change.applied(whole, draw)
    return whole + extra


def _night_calls(callers: Sequence[Resident], today: date) -> list[Told]:
    """Calls in the hour that came twice, and in the hour that never came."""
    autumn = clock_change(today.year - 1, 10)
    spring = clock_change(today.year - 1, 3)
    calls = []
    for turn, caller in enumerate(callers):
        night = autumn if turn < NIGHT_CALLS else spring
        at = datetime.combine(night, time(1, 5 + 7 * (turn % NIGHT_CALLS)))
        call = Record(
            place=Place.AMBULANCE,
            kind="ambulance_call",
            title=f"999 call: {terms.CHEST_PAIN.display}; advice given",
            start=When(at),
            end=When(after(at, minutes=6)),
            code=terms.CHEST_PAIN,
        )
        calls.append((caller, call))
    return calls


def _same_day(patients: Sequence[Resident], calendar: Calendar) -> list[Told]:
    """Two true admissions on one day: sent home in the morning, back by night."""
    stays = []
    for patient in patients:
        day = calendar.day(40, 900)
        for first, last in ((7, 11), (18, 21)):
            admitted = calendar.clock(day, first, last)
            spell = Record(
                place=Place.ACUTE,
                kind="inpatient_spell",
                title=f"Admitted: {terms.CHEST_PAIN.display}",
                start=When(admitted),
                end=When(after(admitted, minutes=150)),
                code=terms.CHEST_PAIN,
            )
            stays.append((patient, spell))
    return stays


def _restricted(patients: Sequence[Resident], calendar: Calendar) -> list[Told]:
    """Consultations under a label that the demo's agreement does not clear."""
    return [
        (
            patient,
            Record(
                place=Place.GP,
                kind="condition",
                title=terms.SEXUAL_HEALTH.display,
                start=When(calendar.working(calendar.day(30, 900))),
                status="active",
                code=terms.SEXUAL_HEALTH,
                label="STD",
            ),
        )
        for patient in patients
    ]


def _chosen(
    told: Sequence[Told], draw: Random, *, fits: Callable[[Record], bool], count: int
) -> list[Told]:
    fitting = [(who, r) for who, r in told if who.number and fits(r)]
    return draw.sample(fitting, min(count, len(fitting)))


@dataclass(frozen=True, slots=True)
class _Change:
    """What is done to how many of the records that fit."""

    fits: Callable[[Record], bool]
    make: Callable[[Record], Record]
    count: int

    def applied(self, told: Sequence[Told], draw: Random) -> list[Told]:
        places = [n for n, (who, r) in enumerate(told) if who.number and self.fits(r)]
        chosen = set(draw.sample(places, min(self.count, len(places))))
        return [
            (who, self.make(r) if n in chosen else r) for n, (who, r) in enumerate(told)
        ]


def _has_length(record: Record) -> bool:
    start, end = record.start, record.end
    return start is not None and end is not None and start.at < end.at


def _reverse(record: Record) -> Record:
    return replace(record, start=record.end, end=record.start)


def _is_visit(record: Record) -> bool:
    return record.kind == "community_contact"


def _undate(record: Record) -> Record:
    return replace(record, start=None, end=None)


_CHANGES: Final = (
    _Change(_has_length, _reverse, REVERSED),
    _Change(_is_visit, _undate, UNDATED),
)


def identifiers(
    entries: Sequence[Entry], star: Resident, draw: Random
) -> tuple[Entry, ...]:
    """The rows with numbers missing or replaced by a placeholder.

    A row loses its number only where another identifier on it leads back: its own
    place's, from an earlier row that kept the number, or the hospital's.
    """
    seen: set[tuple[int, Place]] = set()
    soiled = []
    for entry in entries:
        place = entry.record.place
        again = (entry.resident.number, place) in seen
        seen.add((entry.resident.number, place))
        leads_back = (again and entry.local_id) or entry.hospital_number
        forced = again and entry.resident is star
        soilable = place in _ROWS and leads_back
        soiled.append(_soil(entry, draw, forced=forced) if soilable else entry)
    return tuple(_shared_unknown(soiled, draw))


def _soil(entry: Entry, draw: Random, *, forced: bool) -> Entry:
    lot = draw.random()
    if forced or lot < MISSING_SHARE:
        return replace(entry, nhs_number=None)
    usual = entry.record.place in (Place.AMBULANCE, Place.SOCIAL_CARE)
    if usual and lot < MISSING_SHARE + PLACEHOLDER_SHARE:
        return replace(entry, nhs_number=draw.choice(PLACEHOLDERS))
    return entry


def _shared_unknown(entries: list[Entry], draw: Random) -> list[Entry]:
    """One made-up hospital number, typed where the crew did not learn the real one."""
    fitting = [
        n
        for n, entry in enumerate(entries)
        if entry.record.place is Place.AMBULANCE
        and entry.nhs_number == entry.resident.nhs_number
        and entry.resident.number
    ]
    for n in draw.sample(fitting, min(UNKNOWN_PATIENTS, len(fitting))):
        entries[n] = replace(entries[n], hospital_number=UNKNOWN_HOSPITAL_NUMBER)
    return entries
