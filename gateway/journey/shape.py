"""From released entries to what a caller sees, with each view's obligations done.

Every field a view may hide or mask has its line here; a test holds the list equal
to the policy vocabulary's, so that no field can be promised hidden and then shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from adapters.contract import Event, Person
from adapters.moment import Moment, Precision
from gateway.journey.identity import BY_DEMOGRAPHICS, Link
from gateway.journey.journey import (
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
    # Whoever may be named as having stated something, and how that is dated.
    telling: Mapping[str, View | None] = field(default_factory=dict)
    _places: dict[str, OrganisationName] = field(default_factory=dict)
    _links: dict[Link, EventLink] = field(default_factory=dict)
    # By the view's own id, which is sooner had than its hash; a shaper keeps its view.
    _shapers: "dict[int, Shaper]" = field(default_factory=dict)

    def under(self, view: View) -> "Shaper":
        """What tells this source's events as a view lets them be seen."""
        known = self._shapers.get(id(view))
        if known is None:
            known = self._shapers[id(view)] = Shaper(self, view)
        return known

    def place(self, told: str | None) -> OrganisationName:
        """Where an event happened: at its owner's, unless the record says otherwise."""
        ods = told or self.source.organisation.ods
        known = self._places.get(ods)
        if known is None:
            known = OrganisationName(ods=ods, name=self.names.get(ods))
            self._places[ods] = known
        return known

    def link(self, link: Link) -> EventLink:
        """How a record was tied to the person."""
        known = self._links.get(link)
        if known is None:
            known = EventLink(
                method=link.method,
                confidence=link.confidence,
                grade=link.grade,  # type: ignore[arg-type]  # a Grade: identity stands below what makes one
                agreed=link.agreed,
                said_by=link.source if link.source in self.telling else None,
                said_at=self._dated(link),
            )
            self._links[link] = known
        return known

    def _dated(self, link: Link) -> str | None:
        view = self.telling.get(link.source) if link.source else None
        return dated(link.at, view) if link.at else None


class Shaper:
    """Tells the events of one source under one view; what they share is made once."""

    __slots__ = (
        "_adapter",
        "_altered",
        "_is_exact",
        "_mapping",
        "_owners",
        "_source",
        "_taken_out",
        "_teller",
        "_view",
        "hides_record",
    )

    def __init__(self, teller: Teller, view: View) -> None:
        profile = teller.source.adapter.profile
        named = view.hide_fields | {name for name, _ in view.mask_fields}
        masked = {name for name, level in view.mask_fields if level != "none"}
        taken_out = sorted((view.hide_fields | masked) & EVENT_FIELDS)
        self._adapter, self._mapping = profile.adapter, profile.mapping
        self._source = teller.source.id
        self._owners = teller.place(None)
        self._teller = teller
        self._view = view
        self._is_exact = view.date_grain == "exact"
        self._taken_out = tuple(taken_out)
        self._altered = tuple(
            f"{name} {REDACTED if name in view.hide_fields else MASKED}"
            for name in taken_out
        )
        self.hides_record = "event.record_id" in named

    def event(
        self, entry: Entry, *, key: str, same_as: tuple[str, ...]
    ) -> JourneyEvent:
        """An event as the caller may see it; `key` and `same_as` are the weave's."""
        event = entry.event
        if self._is_exact:
            start, end, recorded = event.start, event.end, event.recorded
            altered: tuple[str, ...] = ()
        else:
            start, end, recorded = (
                coarsened(moment, self._view)
                for moment in (event.start, event.end, event.recorded)
            )
            altered = _grain_stamp(self._view, event)
        # Most records tell one moment twice or thrice; writing it is not cheap.
        started = start.text if start else None
        shaped = JourneyEvent(
            id=key,
            kind=event.kind,
            kind_code=event.kind_code,
            category=entry.category,
            title=event.title,
            status=event.status,
            start=started,
            start_precision=start.precision if start else None,
            end=started if end is start else end.text if end else None,
            end_precision=end.precision if end else None,
            recorded_at=started
            if recorded is start
            else recorded.text
            if recorded
            else None,
            codes=event.codes,  # type: ignore[arg-type]  # the contract's, field for field: a test holds it
            detail=event.detail,  # type: ignore[arg-type]  # the contract's, field for field: a test holds it
            labels=tuple(sorted(entry.labels)) if entry.labels else (),
            altered=altered,
            caveats=_caveats(entry, self._teller.as_of),
            same_as=same_as,
            provenance=self._provenance(entry),
        )
        return self._obliged(shaped) if self._taken_out else shaped

    def _provenance(self, entry: Entry) -> Provenance:
        """Where an event of this source comes from."""
        teller = self._teller
        event = entry.event
        place = event.organisation
        return Provenance(
            source=self._source,
            organisation=teller.place(place) if place else self._owners,
            record_id=event.record_id,
            retrieved_at=teller.retrieved_at,
            adapter=self._adapter,
            mapping=self._mapping,
            link=teller.link(entry.link),
        )

    def _obliged(self, event: JourneyEvent) -> JourneyEvent:
        """Without what the view hides or masks, and saying so."""
        for name in self._taken_out:
            if name == "event.organisation":
                # The owner is known from the source; where it happened is hidden.
                owner = self._teller.source.organisation
                place = OrganisationName(ods=owner.ods, name=owner.name)
                shown = msgspec.structs.replace(event.provenance, organisation=place)
                event = msgspec.structs.replace(event, provenance=shown)
            else:
                event = _TAKE_OUT[name](event)
        return msgspec.structs.replace(event, altered=event.altered + self._altered)


def event_id(entry: Entry, salt: str) -> str:
    """The same record has the same id in every answer, whoever else answers.

    With a secret `salt` it has another id in each: a record id that is hidden could
    be guessed and tried.
    """
    event = entry.event
    named = "\x1f".join(
        (salt, entry.source.id, event.kind, event.record_id, event.version or "")
    )
    digest = sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    return f"evt_{digest[:_ID_DIGITS]}"


def coarsened(moment: Moment | None, view: View) -> Moment | None:
    """The moment at no finer a grain than the view allows."""
    if moment is None or view.date_grain == "exact":
        return moment
    allowed = _GRAINS[view.date_grain]
    if _PRECISIONS.index(moment.precision) <= allowed:
        return moment
    return Moment(moment.at, _PRECISIONS[allowed])


def dated(at: datetime, view: View | None) -> str | None:
    """A time that a source said, as its view lets it be told."""
    if view is None:
        return None
    moment = coarsened(Moment(at, "second"), view)
    return moment.text if moment else None


def _grain_stamp(view: View, event: Event) -> tuple[str, ...]:
    return tuple(
        f"event.{name} {MASKED}"
        for name, moment in (
            ("start", event.start),
            ("end", event.end),
            ("recorded_at", event.recorded),
        )
        if coarsened(moment, view) is not moment
    )


def _caveats(entry: Entry, as_of: datetime) -> tuple[str, ...]:
    event = entry.event
    told = event.caveats
    if entry.link.method == BY_DEMOGRAPHICS:
        told = (*told, "tied_by_demographics")
    ahead = (
        event.start is not None
        and event.start.at > as_of
        and event.status not in {"planned", "cancelled", "entered-in-error"}
    )
    return (*told, "after_as_of") if ahead else told


# How each field of the policy vocabulary is taken out of an event. Fields that a
# journey never carries need nothing done.
_TAKE_OUT: Final[Mapping[str, Callable[[JourneyEvent], JourneyEvent]]] = {
    "event.record_id": lambda e: msgspec.structs.replace(
        e, provenance=msgspec.structs.replace(e.provenance, record_id=None)
    ),
    "event.title": lambda e: msgspec.structs.replace(e, title=None),
    "event.codes": lambda e: msgspec.structs.replace(e, codes=()),
    "event.kind_code": lambda e: msgspec.structs.replace(e, kind_code=None),
    "event.detail": lambda e: msgspec.structs.replace(e, detail=()),
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
