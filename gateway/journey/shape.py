"""From released entries to what a caller sees, with each view's obligations done.

Every field a view may hide or mask has its line here; a test holds the list equal
to the policy vocabulary's, so that no field can be promised hidden and then shown.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from adapters.contract import Code, Detail, Event, Person
from adapters.moment import Moment, Precision
from gateway.journey.identity import Link
from gateway.journey.journey import (
    EventCode,
    EventDetail,
    EventLink,
    JourneyEvent,
    JourneyPerson,
    OrganisationName,
    Provenance,
)
from gateway.journey.outcome import Entry
from gateway.sources import Source
from policies.obligations import View

REDACTED: Final = "REDACTED"
MASKED: Final = "MASKED"
_ID_DIGITS: Final = 30  # of 4 bits: nobody will see two records of one id

_GRAINS: Final[Mapping[str, int]] = {
    "exact": 9,
    "day": 2,
    "month": 1,
    "year": 0,
}
_PRECISIONS: Final[tuple[Precision, ...]] = ("year", "month", "day", "minute", "second")


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """What every event of one source has in common, made once for all of them.

    `names` are the names of registered organisations by ODS code.
    """

    source: Source
    retrieved_at: str
    as_of: datetime
    names: Mapping[str, str]
    _places: dict[str, OrganisationName] = field(default_factory=dict)
    _links: dict[Link, EventLink] = field(default_factory=dict)

    def provenance(self, entry: Entry) -> Provenance:
        """Where an event of this source comes from."""
        profile = self.source.adapter.profile
        return Provenance(
            source=self.source.id,
            organisation=self._place(entry.event.organisation),
            record_id=entry.event.record_id,
            retrieved_at=self.retrieved_at,
            adapter=profile.adapter,
            mapping=profile.mapping,
            link=self._link(entry.link),
        )

    def _place(self, told: str | None) -> OrganisationName:
        ods = told or self.source.organisation.ods
        known = self._places.get(ods)
        if known is None:
            known = OrganisationName(ods=ods, name=self.names.get(ods))
            self._places[ods] = known
        return known

    def _link(self, link: Link) -> EventLink:
        known = self._links.get(link)
        if known is None:
            known = EventLink(method=link.method, confidence=link.confidence)
            self._links[link] = known
        return known


def shape_event(
    entry: Entry,
    view: View,
    teller: Teller,
    *,
    key: str,
    same_as: list[str],
) -> JourneyEvent:
    """One event as the caller may see it; `key` and `same_as` are the weave's ids."""
    event = entry.event
    is_exact = view.date_grain == "exact"
    start, end = coarsened(event.start, view), coarsened(event.end, view)
    recorded = coarsened(event.recorded, view)
    shaped = JourneyEvent(
        id=key,
        kind=event.kind,
        kind_code=event.kind_code,
        category=entry.category,
        title=event.title,
        status=event.status,
        start=start.text if start else None,
        start_precision=start.precision if start else None,
        end=end.text if end else None,
        end_precision=end.precision if end else None,
        recorded_at=recorded.text if recorded else None,
        codes=[_code(code) for code in event.codes],
        detail=[_detail(each) for each in event.detail],
        labels=sorted(entry.labels),
        altered=[] if is_exact else _grain_stamp(view, event),
        caveats=_caveats(event, teller.as_of),
        same_as=same_as,
        provenance=teller.provenance(entry),
    )
    if view.hide_fields or view.mask_fields:
        owner = entry.source.organisation
        return _obliged(shaped, view, OrganisationName(ods=owner.ods, name=owner.name))
    return shaped


def event_id(entry: Entry, salt: str) -> str:
    """The same record has the same id in every answer, whoever else answers.

    With a secret `salt` it has another id in each: a record id that is hidden could
    be guessed and tried.
    """
    event = entry.event
    named = "\x1f".join(
        (salt, entry.source.id, event.kind, event.record_id, event.version or "")
    )
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    return f"evt_{digest[:_ID_DIGITS]}"


def coarsened(moment: Moment | None, view: View) -> Moment | None:
    """The moment at no finer a grain than the view allows."""
    if moment is None or view.date_grain == "exact":
        return moment
    allowed = _GRAINS[view.date_grain]
    if _PRECISIONS.index(moment.precision) <= allowed:
        return moment
    return Moment(moment.at, _PRECISIONS[allowed])


def _grain_stamp(view: View, event: Event) -> list[str]:
    return [
        f"event.{name} {MASKED}"
        for name, moment in (
            ("start", event.start),
            ("end", event.end),
            ("recorded_at", event.recorded),
        )
        if coarsened(moment, view) is not moment
    ]


def _caveats(event: Event, as_of: datetime) -> list[str]:
    ahead = (
        event.start is not None
        and event.start.at > as_of
        and event.status not in {"planned", "cancelled", "entered-in-error"}
    )
    return [*event.caveats, "after_as_of"] if ahead else list(event.caveats)


def _detail(detail: Detail) -> EventDetail:
    return EventDetail(
        element=detail.element,
        value=detail.value,
        unit=detail.unit,
        code=_code(detail.code) if detail.code else None,
    )


def _code(code: Code) -> EventCode:
    return EventCode(system=code.system, code=code.code, display=code.display)


# How each field of the policy vocabulary is taken out of an event. Fields that a
# journey never carries need nothing done.
_TAKE_OUT: Final[Mapping[str, Callable[[JourneyEvent], JourneyEvent]]] = {
    "event.record_id": lambda e: msgspec.structs.replace(
        e, provenance=msgspec.structs.replace(e.provenance, record_id=None)
    ),
    "event.title": lambda e: msgspec.structs.replace(e, title=None),
    "event.codes": lambda e: msgspec.structs.replace(e, codes=[]),
    "event.kind_code": lambda e: msgspec.structs.replace(e, kind_code=None),
    "event.detail": lambda e: msgspec.structs.replace(e, detail=[]),
    "event.status": lambda e: msgspec.structs.replace(e, status="unknown"),
    "event.recorded_at": lambda e: msgspec.structs.replace(e, recorded_at=None),
}
NEVER_CARRIED: Final = frozenset(
    {
        "event.location",
        "event.practitioner",
        "person.identifiers",
        "person.gender",
        "person.address",
        "person.postcode",
        "person.telephone",
        "person.email",
        "person.next_of_kin",
    }
)
PERSON_FIELDS: Final = frozenset(
    {"person.nhs_number", "person.name", "person.birth_date"}
)
EVENT_FIELDS: Final = frozenset(_TAKE_OUT) | {"event.organisation"}


def _obliged(event: JourneyEvent, view: View, owner: OrganisationName) -> JourneyEvent:
    masked = {name for name, level in view.mask_fields if level != "none"}
    altered = list(event.altered)
    for name in sorted((view.hide_fields | masked) & EVENT_FIELDS):
        altered.append(f"{name} {REDACTED if name in view.hide_fields else MASKED}")
        if name == "event.organisation":
            # The owner is known from the source; only where it happened is hidden.
            event = msgspec.structs.replace(
                event,
                provenance=msgspec.structs.replace(
                    event.provenance, organisation=owner
                ),
            )
        else:
            event = _TAKE_OUT[name](event)
    return msgspec.structs.replace(event, altered=altered)


def shape_person(
    person: Person | None,
    view: View,
    nhs_number: str | None,
    *,
    agreed_by: int,
) -> JourneyPerson:
    """The person as the caller may see them; `nhs_number` None if it is not known."""
    name = person.name if person else None
    born = coarsened(person.birth_date, view) if person else None
    name_level, born_level, number_level = (
        _level(view, f"person.{field}")
        for field in ("name", "birth_date", "nhs_number")
    )
    if name and name_level == "partial":
        name = " ".join(f"{part[0]}." for part in name.split())
    if born and born_level == "partial":
        born = Moment(born.at, "year")
    return JourneyPerson(
        nhs_number=nhs_number if number_level == "none" else None,
        name=None if name_level == "full" else name,
        birth_date=born.text if born and born_level != "full" else None,
        agreed_by=agreed_by,
    )


def shows(view: View, field: str) -> bool:
    """Whether a view leaves a field of the person as it is."""
    return _level(view, field) == "none"


def _level(view: View, field: str) -> str:
    """How far a field of the person is masked; hidden is as far as it goes."""
    if field in view.hide_fields:
        return "full"
    return dict(view.mask_fields).get(field, "none")
