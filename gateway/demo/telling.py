"""From a seed to a chronicle: residents, their stories told, their records numbered."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from gateway.demo import dirt
from gateway.demo.chronicle import (
    AT,
    Chronicle,
    Entry,
    Place,
    Record,
    Resident,
)
from gateway.demo.dates import Calendar, chance
from gateway.demo.population import residents, story_of
from gateway.demo.stories import everyday_life, shared_by_all

PEOPLE: Final = 500
_WITH_HOSPITAL_NUMBER: Final = (Place.AMBULANCE, Place.ACUTE, Place.COMMUNITY)


def tell(seed: int, today: date, *, people: int = PEOPLE) -> Chronicle:
    """Everything that happened, as the six organisations hold it, dirt included.

    The same seed and day give the same chronicle. Source of every value: chance.
    """
    everyone = residents(seed, today, count=people)
    clean = [
        (resident, record)
        for resident in everyone
        for record in told_of(
            resident, Calendar(today, chance(seed, "life", resident.number))
        )
    ]
    soiled = dirt.events(clean, everyone, Calendar(today, chance(seed, "dirt")))
    entries = _numbered(soiled)
    return Chronicle(
        today=today,
        residents=everyone,
        entries=dirt.identifiers(entries, everyone[0], chance(seed, "identifiers")),
        star=everyone[0],
    )


def told_of(resident: Resident, calendar: Calendar) -> Iterator[Record]:
    """One resident's records, before any dirt."""
    story = story_of(resident.story)
    yield from (story.tell if story else shared_by_all)(calendar)
    yield from everyday_life(calendar)


def _numbered(told: list[tuple[Resident, Record]]) -> list[Entry]:
    counts = dict.fromkeys(Place, 0)
    known = {resident.number for resident, r in told if r.place is Place.ACUTE}
    entries = []
    for resident, record in told:
        place = record.place
        counts[place] += 1
        has_hospital_number = (
            place in _WITH_HOSPITAL_NUMBER and resident.number in known
        )
        entries.append(
            Entry(
                record_id=f"{AT[place].record_prefix}-{counts[place]:06d}",
                resident=resident,
                record=record,
                nhs_number=resident.nhs_number,
                local_id=None if place is Place.AMBULANCE else resident.local_id(place),
                hospital_number=(
                    resident.local_id(Place.ACUTE) if has_hospital_number else None
                ),
            )
        )
    return entries
