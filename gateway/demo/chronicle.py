"""The values the demo's stories are told in: residents, records, and who holds what.

Pure and frozen. Times are London wall clocks, as people at the organisations read
them; a writer decides how its kind of system spells them.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from adapters.moment import Precision


class Place(StrEnum):
    """The six organisations, by the setting of care each gives."""

    GP = "gp"
    AMBULANCE = "ambulance"
    ACUTE = "acute"
    COMMUNITY = "community"
    MENTAL_HEALTH = "mental-health"
    SOCIAL_CARE = "social-care"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One of the six: `kind` is that of its adapter, `source` its source's id."""

    place: Place
    ods: str
    name: str
    sector: str
    kind: str
    source: str
    local_system: str
    record_prefix: str


_LOCAL: Final = "urn:throughline:demo:"

ORGANISATIONS: Final = (
    Organisation(
        place=Place.GP,
        ods="Z9A01",
        name="Larkfield Surgery (synthetic)",
        sector="primary-care",
        kind="fhir",
        source="Z9A01.gp",
        local_system=f"{_LOCAL}gp-record",
        record_prefix="gp",
    ),
    Organisation(
        place=Place.AMBULANCE,
        ods="Z9B02",
        name="Fenmoor Ambulance Service (synthetic)",
        sector="ambulance",
        kind="csv_drop",
        source="Z9B02.cad",
        local_system=f"{_LOCAL}hospital-number",
        record_prefix="CAD",
    ),
    Organisation(
        place=Place.ACUTE,
        ods="Z9C03",
        name="Aldermere Hospital (synthetic)",
        sector="acute",
        kind="fhir",
        source="Z9C03.epr",
        local_system=f"{_LOCAL}hospital-number",
        record_prefix="epr",
    ),
    Organisation(
        place=Place.COMMUNITY,
        ods="Z9D04",
        name="Brackenwold Community Health (synthetic)",
        sector="community",
        kind="sql",
        source="Z9D04.community",
        local_system=f"{_LOCAL}community-id",
        record_prefix="COM",
    ),
    Organisation(
        place=Place.MENTAL_HEALTH,
        ods="Z9E05",
        name="Calderhope Mental Health (synthetic)",
        sector="mental-health",
        kind="sql",
        source="Z9E05.mh",
        local_system=f"{_LOCAL}mental-health-id",
        record_prefix="MHC",
    ),
    Organisation(
        place=Place.SOCIAL_CARE,
        ods="Z9F06",
        name="Westholm Council Adult Social Care (synthetic)",
        sector="social-care",
        kind="csv_drop",
        source="Z9F06.asc",
        local_system=f"{_LOCAL}social-care-id",
        record_prefix="ASC",
    ),
)

AT: Final = {organisation.place: organisation for organisation in ORGANISATIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A synthetic person; `number` counts from 0 and makes the local identifiers."""

    number: int
    nhs_number: str
    family: str
    given: str
    gender: str  # "female" or "male", as FHIR spells them
    birth_date: date
    address: str
    postcode: str
    story: str

    def __repr__(self) -> str:
        return f"Resident({self.number})"

    def local_id(self, place: Place) -> str:
        """The resident's own identifier at a place; the ambulance has none."""
        match place:
            case Place.GP:
                return f"LS{10_000 + self.number * 7}"
            case Place.AMBULANCE | Place.ACUTE:
                return f"H{400_000 + self.number * 13}"
            case Place.COMMUNITY:
                return f"BC-{7_000 + self.number * 3}"
            case Place.MENTAL_HEALTH:
                return f"M{52_000 + self.number * 11}"
            case Place.SOCIAL_CARE:
                return f"W{310_000 + self.number * 17}"


@dataclass(frozen=True, slots=True)
class When:
    """A London wall clock and how precisely it was written down."""

    at: datetime
    precision: Precision = "minute"


@dataclass(frozen=True, slots=True)
class Coded:
    """A SNOMED CT concept, or words alone where `code` is None."""

    display: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One measured or recorded detail of a record."""

    element: str
    value: str
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened, as one organisation wrote it down.

    `about` is another organisation whose event this is a copy of; `label` a
    confidentiality label of the record.
    """

    place: Place
    kind: str
    title: str
    start: When | None
    end: When | None = None
    status: str = "finished"
    code: Coded | None = None
    facts: tuple[Fact, ...] = ()
    about: Place | None = None
    label: str | None = None

    def __repr__(self) -> str:
        return f"Record({self.place}, {self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record as it stands in a system: its id, and the identifiers written on it.

    `nhs_number`, `local_id` and `hospital_number` are what the row says, which may
    be nothing, a placeholder, or wrong.
    """

    record_id: str
    resident: Resident
    record: Record
    nhs_number: str | None
    local_id: str | None
    hospital_number: str | None

    def __repr__(self) -> str:
        return f"Entry({self.record.place}, {self.record.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chronicle:
    """Everything the six organisations hold, and the resident worth asking for."""

    today: date
    residents: tuple[Resident, ...]
    entries: tuple[Entry, ...]
    star: Resident

    def at(self, place: Place) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.record.place is place)

    def of(self, resident: Resident) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.resident is resident)
