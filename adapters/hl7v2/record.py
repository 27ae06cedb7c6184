"""What the readers of messages have in common: a record on its way to an event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.contract import Code, Detail, Event, Identifier
from adapters.hl7v2.acts import Act
from adapters.hl7v2.message import Segment
from adapters.hl7v2.times import Clock, Reading
from adapters.mapping.cells import plain
from adapters.moment import Moment

# Names of code systems in HL7 v2, as they are known elsewhere. Source: HL7 table 0396.
SYSTEMS: Final[Mapping[str, str]] = {
    "SCT": "http://snomed.info/sct",
    "SNM": "http://snomed.info/sct",
    "SNM3": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "UCUM": "http://unitsofmeasure.org",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one source is read."""

    clock: Clock
    classes: Mapping[str, str]
    outpatient: str
    appointment: str
    reads: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Record:
    """An event but for whom it is about; later messages may change it."""

    kind: str
    record_id: str
    title: str | None = None
    status: str = "unknown"
    kind_code: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    recorded: Moment | None = None
    version: str | None = None
    codes: tuple[Code, ...] = ()
    detail: dict[str, Detail] = field(default_factory=dict)
    caveats: set[str] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"Record({self.kind})"

    def tell(self, element: str, value: str | None, *, unit: str | None = None) -> None:
        """Adds a detail, in place of what it was; an empty one changes nothing."""
        if value is not None:
            self.detail[element] = Detail(
                element=element, value=plain(value), unit=unit
            )

    def note(self, reading: Reading) -> Moment | None:
        """The moment of a reading; its caveat is the record's."""
        moment, caveat = reading
        if caveat is not None:
            self.caveats.add(caveat)
        return moment

    def touched_by(self, act: Act, clock: Clock) -> None:
        """Notes when and by which message it was told last."""
        event = act.message.one("EVN")
        written, _ = clock.at(event, 2)
        sent, _ = clock.at(act.message.header, 7)
        self.recorded = written or sent or self.recorded
        self.version = act.message.control or self.version
        if act.stored.cleaned:
            self.caveats.add("control_characters")

    def event(self, subject: frozenset[Identifier]) -> Event:
        caveats = self.caveats | ({"reversed"} if self._is_reversed() else set())
        return Event(
            kind=self.kind,
            record_id=self.record_id,
            title=plain(self.title or "") or named(self.kind),
            status=self.status,
            kind_code=self.kind_code,
            start=self.start,
            end=self.end,
            recorded=self.recorded,
            codes=self.codes,
            detail=tuple(self.detail.values()),
            subject=subject,
            version=self.version,
            caveats=tuple(sorted(caveats)),
        )

    def _is_reversed(self) -> bool:
        if self.start is None or self.end is None:
            return False
        return self.end.latest <= self.start.at


def named(kind: str) -> str:
    """`Inpatient spell`: what a kind is called where the source gives no words."""
    return kind.replace("_", " ").capitalize()


def codes(segment: Segment, number: int) -> tuple[Code, ...]:
    """The coded values of a field: each of CE and CWE may hold two."""
    return tuple(_codes(segment, number))


def _codes(segment: Segment, number: int) -> Iterable[Code]:
    for element in segment.each(number):
        for first in (1, 4):
            code, display = element.text(first), element.text(first + 1)
            system = element.text(first + 2)
            if code is not None or (display is not None and first == 1):
                known = SYSTEMS.get((system or "").upper(), system)
                yield Code(system=known, code=code, display=display)


def words(segment: Segment | None, number: int) -> str | None:
    """The text of a coded field, else its code; None if it says neither."""
    if segment is None:
        return None
    text = segment.text(number, 2) or segment.text(number, 5) or segment.text(number)
    return plain(text) or None if text is not None else None
