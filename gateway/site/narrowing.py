"""What leaves a site: records released by the organisation's rules, their fields cut.

Whatever a view hides or masks is taken out here, before it leaves. Identifiers stay:
that the right person is shown rests on them, and the gateway shows them to nobody
who may not see them.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Answer, Event, Identifiers, Narrowed, Person
from adapters.moment import Moment, Precision
from adapters.vocabulary import ABOVE_SECTOR, OF_SOURCE, category_of
from gateway.site.deciding import Decided
from gateway.sources import Source
from policies.obligations import View
from policies.release import Released, Sealed, release
from policies.vocabulary import SECTOR_LABELS

HIDDEN: Final = "hidden_at_site"  # the caveat of an event that lost a field here
_PRECISIONS: Final[tuple[Precision, ...]] = ("year", "month", "day", "minute", "second")
_GRAINS: Final[Mapping[str, Precision]] = {
    "exact": "second",
    "day": "day",
    "month": "month",
    "year": "year",
}
_EVENT_FIELDS: Final[Mapping[str, Callable[[Event], Event]]] = {
    "event.title": lambda e: msgspec.structs.replace(e, title=""),
    "event.codes": lambda e: msgspec.structs.replace(e, codes=()),
    "event.kind_code": lambda e: msgspec.structs.replace(e, kind_code=None),
    "event.detail": lambda e: msgspec.structs.replace(e, detail=()),
    "event.status": lambda e: msgspec.structs.replace(e, status="unknown"),
    "event.organisation": lambda e: msgspec.structs.replace(e, organisation=None),
    "event.recorded_at": lambda e: msgspec.structs.replace(e, recorded=None),
}
_PERSON_FIELDS: Final = ("name", "birth_date", "gender", "postcode")


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event, and what a release decides on."""

    event: Event
    category: str
    labels: frozenset[str]
    earliest: datetime | None

    def __repr__(self) -> str:
        return "Item()"


class Header(msgspec.Struct, frozen=True, gc=False):
    """What the source says of the person."""

    person: Person | None
    labels: frozenset[str]
    category: str = "demographics"
    earliest: datetime | None = None

    def __repr__(self) -> str:
        return "Header()"


class Undecided(Exception):
    """Deciding went wrong, so nothing may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """One source's answer to one question, on its way out."""

    source: Source
    decided: Decided
    person: Identifiers
    key: bytes  # to which hidden record ids are bound, for one journey

    def narrowed(self, answer: Answer) -> Answer:
        """What of the answer may leave. Undecided if that cannot be told."""
        decided, now = self.decided, self.decided.request.now
        flags = self._flags(answer)
        items = (self._item(event) for event in answer.events)
        events = release(Sealed(items, flags), decided.decisions, now)
        header = Header(answer.person, _sector_label(self.source))
        headers = release(Sealed((header,), flags), decided.decisions, now)
        if events.failed or headers.failed:
            raise Undecided
        if events.silent:
            return _of_nobody(answer)
        denied = frozenset(decided.decisions) - decided.permitted
        return Answer(
            events=tuple(self._event(item, view) for item, view in events.items),
            person=self._person(answer.person, headers),
            as_of=answer.as_of,
            held=answer.held,
            caveats=answer.caveats,
            flags=answer.flags,
            narrowed=Narrowed(
                denied=denied,
                withheld=events.withheld,
                withheld_categories=events.withheld_categories,
                unconfirmed=events.unconfirmed,
            ),
        )

    def _flags(self, answer: Answer) -> dict[str, tuple[bool, datetime]]:
        """What the source states, the stricter first; of another, only what forbids."""
        asked = self.person.nhs_number
        header = answer.person.identifiers if answer.person else frozenset()
        numbers = {i.value for i in header if i.system == nhs_number.SYSTEM}
        is_anothers = asked is not None and bool(numbers) and asked not in numbers
        flags: dict[str, tuple[bool, datetime]] = {}
        for each in answer.flags:
            stated = (each.present, each.as_of)
            before = flags.get(each.flag, stated)
            if each.present:
                flags[each.flag] = max(stated, before)
            elif not is_anothers:
                # Of two that say absent the older, which is the sooner stale.
                flags[each.flag] = before if before[0] else min(stated, before)
        return flags

    def _item(self, event: Event) -> Item:
        category = category_of(event.kind, self.source.sector)
        labels = event.labels
        if category in ABOVE_SECTOR:
            labels |= _sector_label(self.source)
        return Item(event, category, labels, event.start.at if event.start else None)

    def _event(self, item: Item, view: View) -> Event:
        event, granted = item.event, self.decided.granted[item.category]
        hidden = _hidden(view)
        for name in sorted(hidden & _EVENT_FIELDS.keys()):
            event = _EVENT_FIELDS[name](event)
        if "event.record_id" in hidden:
            event = self._unnamed(event)
        event = msgspec.structs.replace(
            event,
            start=coarsened(event.start, view),
            end=coarsened(event.end, view),
            recorded=coarsened(event.recorded, view),
        )
        if hidden <= _hidden(granted) and view.date_grain == granted.date_grain:
            return event  # what the gateway was to hide, it says itself
        return msgspec.structs.replace(event, caveats=(*event.caveats, HIDDEN))

    def _unnamed(self, event: Event) -> Event:
        """Another record id in its place: the same for a record all journey long."""
        named = f"{event.kind}\x1f{event.record_id}\x1f{event.version or ''}"
        digest = hmac.new(
            self.key, named.encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        return msgspec.structs.replace(event, record_id=f"hidden-{digest.hexdigest()}")

    def _person(
        self, person: Person | None, headers: Released[Header]
    ) -> Person | None:
        if person is None:
            return None
        if not headers.items:
            return Person(identifiers=person.identifiers)
        ((_, view),) = headers.items
        levels = dict(view.mask_fields) | dict.fromkeys(view.hide_fields, "full")
        level = {name: levels.get(f"person.{name}", "none") for name in _PERSON_FIELDS}
        shown = {
            name: _masked(getattr(person, name), level[name])
            for name in _PERSON_FIELDS
            if name != "birth_date"
        }
        born = _masked_date(person.birth_date, level["birth_date"])
        return Person(
            identifiers=person.identifiers, birth_date=coarsened(born, view), **shown
        )


def _of_nobody(answer: Answer) -> Answer:
    """As if nobody were known: not even a count may tell otherwise."""
    return Answer(
        events=(),
        person=None,
        as_of=answer.as_of,
        held=answer.held,
        caveats=tuple(each for each in answer.caveats if each.code in OF_SOURCE),
        flags=(),
    )


def _hidden(view: View) -> frozenset[str]:
    """The fields of an event that a view hides or masks: either takes them out."""
    masked = {name for name, level in view.mask_fields if level != "none"}
    return view.hide_fields | masked


def _masked(text: str | None, level: str) -> str | None:
    """A person's text, of which initials are a part, as a journey shows them."""
    if text is None or level == "none":
        return text
    if level == "full":
        return None
    return " ".join(f"{part[0]}." for part in text.split()) or None


def _masked_date(moment: Moment | None, level: str) -> Moment | None:
    if moment is None or level == "full":
        return None
    return moment if level == "none" else coarsened(moment, View(date_grain="year"))


def coarsened(moment: Moment | None, view: View) -> Moment | None:
    """The moment at no finer a grain than the view allows, and no finer instant."""
    if moment is None:
        return None
    allowed = _PRECISIONS.index(_GRAINS[view.date_grain])
    if _PRECISIONS.index(moment.precision) <= allowed:
        return moment
    at = moment.at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if allowed <= _PRECISIONS.index("month"):
        at = at.replace(day=1)
    if allowed == _PRECISIONS.index("year"):
        at = at.replace(month=1)
    return Moment(at, _PRECISIONS[allowed])


def _sector_label(source: Source) -> frozenset[str]:
    label = SECTOR_LABELS.get(source.sector)
    return frozenset() if label is None else frozenset({label})
