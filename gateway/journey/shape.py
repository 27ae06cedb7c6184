"""From released entries to what a caller sees, with each view's obligations done.

Every field a view may hide or mask has its line here; a test holds the list equal
to the policy vocabulary's, so that no field can be promised hidden and then shown.
"""

import hashlib
from base64 import b32encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from adapters.contract import Code, Event, Person
from adapters.moment import Moment, Precision
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
from policies.obligations import View

REDACTED: Final = "REDACTED"
MASKED: Final = "MASKED"

_GRAINS: Final[Mapping[str, int]] = {
    "exact": 9,
    "day": 2,
    "month": 1,
    "year": 0,
}
_PRECISIONS: Final[tuple[Precision, ...]] = ("year", "month", "day", "minute", "second")


def shape_event(
    entry: Entry,
    view: View,
    *,
    retrieved_at: str,
    as_of: datetime,
    names: Mapping[str, str],
) -> JourneyEvent:
    """One event as the caller may see it; `id` and `same_as` are the weave's to fill.

    `names` are the names of registered organisations by ODS code.
    """
    event, source = entry.event, entry.source
    profile = source.adapter.profile
    start, end = coarsened(event.start, view), coarsened(event.end, view)
    recorded = coarsened(event.recorded, view)
    place = event.organisation or source.organisation.ods
    shaped = JourneyEvent(
        id="",
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
        detail=[
            EventDetail(
                element=each.element,
                value=each.value,
                unit=each.unit,
                code=_code(each.code) if each.code else None,
            )
            for each in event.detail
        ],
        labels=sorted(entry.labels),
        altered=_grain_stamp(view, event),
        caveats=_caveats(event, as_of),
        same_as=[],
        provenance=Provenance(
            source=source.id,
            organisation=OrganisationName(ods=place, name=names.get(place)),
            record_id=event.record_id,
            retrieved_at=retrieved_at,
            adapter=profile.adapter,
            mapping=profile.mapping,
            link=EventLink(method=entry.link.method, confidence=entry.link.confidence),
        ),
    )
    if view.hide_fields or view.mask_fields:
        owner = source.organisation
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
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()
    return f"evt_{b32encode(digest[:15]).decode().lower()}"


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
