"""What the source file of an HL7 v2 feed may say: `docs/hl7v2.md` shows it whole."""

import codecs
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator, model_validator

from adapters import nhs_number
from adapters.arrivals import ArrivalSettings, Directory
from adapters.source_file import Settings
from adapters.vocabulary import KINDS

Reads = Literal[
    "ADT", "SIU", "ORU", "MDM", "REF", "VXU", "PPR", "AL1", "DG1", "PR1", "OBX"
]

# PV1-2 by the kind it tells of. Source: HL7 table 0004, and words seen in its place.
CLASSES: Final = {
    "E": "ed_attendance",
    "EMERGENCY": "ed_attendance",
    "I": "inpatient_spell",
    "INPATIENT": "inpatient_spell",
    "P": "inpatient_spell",  # preadmit
    "B": "inpatient_spell",  # obstetrics
    "D": "day_case",
    "DAYCASE": "day_case",
    "O": "outpatient",  # by the source's sector
    "OUTPATIENT": "outpatient",
    "R": "outpatient",  # recurring patient
}
_OUTPATIENT: Final = {
    "primary-care": "gp_consultation",
    "acute": "outpatient_appointment",
    "community": "community_contact",
    "mental-health": "mental_health_contact",
}
_APPOINTMENT: Final = {
    "primary-care": "gp_appointment",
    "acute": "outpatient_appointment",
}

# Whoever assigns NHS numbers, by the names seen: authority, its OID, or type of id.
_NHS: Final = ("NHS", "NHSNBR", "NHSNMBR", "NH", "2.16.840.1.113883.2.1.4.1")


def outpatient_kind(sector: str) -> str:
    """What a visit to a clinic is called in a source of this sector."""
    return _OUTPATIENT.get(sector, "encounter")


def appointment_kind(sector: str) -> str:
    """What a booking is called in a source of this sector."""
    return _APPOINTMENT.get(sector, "appointment")


def _is_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        "MSH|".encode(name).index(b"MSH|")
    except (LookupError, ValueError):
        message = "is no encoding that leaves MSH| as it is. Use utf-8 or cp1252."
        raise ValueError(message) from None
    return name


Encoding = Annotated[str, AfterValidator(_is_encoding)]


class Listener(Settings):
    """Where messages are taken in over MLLP, and how much of one sender."""

    port: Annotated[int, Field(ge=0, le=65_535)]
    host: str = "127.0.0.1"
    connections: Annotated[int, Field(ge=1, le=1000)] = 32
    message_s: Annotated[float, Field(gt=0, le=600)] = 30.0  # from its first byte on
    idle_s: Annotated[float, Field(gt=0, le=86_400)] = 3600.0  # between two messages
    certificate: Path | None = None  # PEM files, beside the source file
    key: Path | None = None
    ca: Path | None = None  # callers must then show its certificate
    unencrypted: bool = False  # on purpose, where others than this machine may call

    @model_validator(mode="after")
    def _safe_to_open(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            message = "TLS needs certificate and key, both."
            raise ValueError(message)
        if self.ca is not None and self.certificate is None:
            message = "ca needs certificate and key beside it."
            raise ValueError(message)
        is_local = self.host in {"127.0.0.1", "::1", "localhost"}
        if not is_local and self.certificate is None and not self.unencrypted:
            message = (
                "other machines may call. Give certificate and key, or "
                "unencrypted = true where the network itself is trusted."
            )
            raise ValueError(message)
        return self


class Hl7v2File(Settings):
    """Where the messages come from, how they are written, and what is read of them."""

    kind: Literal["hl7v2"]
    directory: Path | None = None
    pattern: Annotated[str, Field(min_length=1)] = "*"
    encoding: Encoding = "utf-8"  # of messages whose MSH-18 names none
    encodings: dict[str, Encoding] = Field(default_factory=dict)
    zone: str = "Europe/London"
    settle_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
    message_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 1 << 20
    reads: Annotated[tuple[Reads, ...], Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    authorities: Annotated[dict[str, str], Field(min_length=1)]
    classes: dict[str, str] = Field(default_factory=dict)
    arrival: ArrivalSettings = Directory()
    mllp: Listener | None = None

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError):
            message = "is no time zone. Use one such as Europe/London."
            raise ValueError(message) from None
        return zone

    @field_validator("pattern")
    @classmethod
    def _inside(cls, pattern: str) -> str:
        if "/" in pattern or "\\" in pattern or pattern in {".", ".."}:
            message = "names files in the directory itself; take the path out."
            raise ValueError(message)
        return pattern

    @field_validator("classes")
    @classmethod
    def _known_kinds(cls, classes: dict[str, str]) -> dict[str, str]:
        for kind in classes.values():
            if kind not in KINDS:
                message = f"{kind!r} is no kind of event. docs/mapping.md lists them."
                raise ValueError(message)
        return classes

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if self.directory is None and self.mllp is None:
            message = 'no message can come in. Give directory = "…" or [mllp].'
            raise ValueError(message)
        if self.directory is None and not isinstance(self.arrival, Directory):
            message = 'what arrives needs somewhere to lie. Give directory = "…".'
            raise ValueError(message)
        if self.key not in self.authorities.values():
            message = "key must be one of the systems that [authorities] gives."
            raise ValueError(message)
        if self.key in nhs_number.SYSTEMS:
            message = "key is the source's own number of a person, not an NHS number."
            raise ValueError(message)
        return self

    @property
    def systems(self) -> dict[str, str]:
        """Assigning authorities and types of id, and the system each stands for."""
        known = dict.fromkeys(_NHS, nhs_number.SYSTEM)
        given = {
            name: nhs_number.SYSTEM if system in nhs_number.SYSTEMS else system
            for name, system in self.authorities.items()
        }
        return known | given
