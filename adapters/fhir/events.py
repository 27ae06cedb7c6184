"""A sketch made an event: times, subject, labels, record id and honest caveats."""

import hashlib
import unicodedata
from typing import Final

import msgspec

from adapters.contract import Code, Detail, Event
from adapters.fhir.elements import Concept, Meta, Resource
from adapters.fhir.opening import Written
from adapters.fhir.references import LONGEST, Index, is_number
from adapters.fhir.sketch import Dated, Sketch
from adapters.fhir.times import Times, is_reversed
from adapters.moment import Moment

_NO_META: Final = Meta()
_NO_CONCEPT: Final = Concept()
# Times that are not of the event itself, only of its being written down.
_SECOND_BEST: Final = frozenset(
    {"recordedDate", "recorded", "issued", "dateAsserted", "created", "context"}
)


class Notes:
    """What is noticed while one record is read: caveats, and words kept as given."""

    __slots__ = ("caveats", "told")

    def __init__(self) -> None:
        self.caveats: list[str] = []
        self.told: list[Detail] = []

    def add(self, caveat: str, element: str, text: str) -> None:
        self.caveats.append(caveat)
        self.told.append(Detail(element=element, value=text))


class Maker:
    """Completes the sketches of one reading."""

    def __init__(self, index: Index, written: Written) -> None:
        self._index = index
        self._written = written
        self._is_odd = written.is_odd
        self._times = Times(index.scope.zone)
        self._notes = Notes()

    def event(
        self, name: str, sketch: Sketch, *, record: Resource, position: int
    ) -> Event:
        """The event. Unresolvable where the record hides whom it is about."""
        notes = self._blank()
        contained = record.contained
        subject, doubt = self._index.subject(sketch.about, contained)
        if doubt:
            notes.caveats.append(doubt)
        if sketch.caveats:
            notes.caveats += sketch.caveats
        start = self._start(sketch.starts, notes)
        end = self._moment("end", sketch.end, notes) if sketch.end else None
        written = sketch.recorded
        recorded = self._moment("recorded", written, notes) if written else None
        if end is not None and end is not start and is_reversed(start, end):
            notes.caveats.append("reversed")
        if sketch.is_untranslated:
            notes.caveats.append("untranslated_code")
        concept = sketch.concept or _NO_CONCEPT
        title = concept.text or concept.plain or sketch.title or sketch.kind
        if sketch.prefix:
            title = f"{sketch.prefix}: {title}"
        if record.implicit_rules or (
            self._is_odd and self._written.has_modifier(position)
        ):
            notes.caveats.append("modifier_not_understood")
            title = f"{title} (not fully understood)"
        if start is None and self._written.is_absent(position):
            notes.caveats.append("unknown_time")
        meta = record.meta or _NO_META
        keeper = sketch.keeper
        event = Event(
            kind=sketch.kind,
            record_id=f"{name}/{self._own_id(record.id, position)}",
            title=title,
            status=sketch.status,
            kind_code=sketch.kind_code,
            start=start,
            end=end,
            recorded=recorded,
            codes=concept.codes if sketch.codes is None else sketch.codes,
            labels=self._labels(meta.security, sketch.labels)
            if meta.security or sketch.labels
            else self._index.scope.labels,
            detail=(*sketch.detail, *notes.told) if notes.told else sketch.detail,
            subject=subject,
            organisation=self._index.organisation(keeper, contained)
            if keeper
            else None,
            version=meta.version_id,
            caveats=tuple(dict.fromkeys(notes.caveats)) if notes.caveats else (),
        )
        if not title.isprintable() or (
            self._is_odd and self._written.has_escapes(position)
        ):
            return _without_controls(event)
        return event

    def _blank(self) -> Notes:
        """Notes without a word: most records leave them so, for the next to use."""
        if self._notes.caveats or self._notes.told:
            self._notes = Notes()
        return self._notes

    def _start(self, starts: tuple[Dated, ...], notes: Notes) -> Moment | None:
        """The first time that can be read; a lesser one is named for what it is."""
        first: str | None = None
        times = self._times
        for element, text in starts:
            if not text:
                continue
            first = first or element
            moment, caveat = times[text]
            if caveat:
                notes.add(caveat, "start", text)
            if moment is not None:
                if element != first or element in _SECOND_BEST:
                    notes.told.append(Detail(element="dated_by", value=element))
                return moment
        return None

    def _moment(self, element: str, text: str, notes: Notes) -> Moment | None:
        moment, caveat = self._times[text]
        if caveat:
            notes.add(caveat, element, text)
        return moment

    def _labels(
        self, security: tuple[Code, ...] | None, others: tuple[Code, ...]
    ) -> frozenset[str]:
        given: tuple[Code, ...] = (*(security or ()), *others)
        return self._index.scope.labels | {one.code for one in given if one.code}

    def _own_id(self, own: str | None, position: int) -> str:
        """The record's id; a digest of it where it has none or it is an NHS number."""
        if own and (len(own) > LONGEST or not is_number(own)):
            return own
        digest = hashlib.sha256(self._written.of(position)).hexdigest()
        return f"sha256-{digest[:32]}"


def _without_controls(event: Event) -> Event:
    clean = msgspec.structs.replace(
        event,
        title=cleaned(event.title) or event.kind,
        codes=tuple(_clean_code(code) for code in event.codes),
        detail=tuple(_clean_detail(detail) for detail in event.detail),
    )
    if all(
        _is_spaced(text)
        for text in (event.title, *(detail.value for detail in event.detail))
    ):
        return clean
    caveats = dict.fromkeys((*event.caveats, "control_characters"))
    return msgspec.structs.replace(clean, caveats=tuple(caveats))


def _is_spaced(text: str | None) -> bool:
    """Whether a text holds no control character but white space."""
    return text is None or not any(
        unicodedata.category(one) == "Cc" and not one.isspace() for one in text
    )


def cleaned(text: str) -> str:
    """On one line, without control characters."""
    kept = (one for one in text if one.isspace() or unicodedata.category(one) != "Cc")
    return " ".join("".join(kept).split())


def _clean_code(code: Code) -> Code:
    if code.display is None:
        return code
    return Code(code.system, code.code, cleaned(code.display))


def _clean_detail(detail: Detail) -> Detail:
    return Detail(
        element=detail.element,
        value=None if detail.value is None else cleaned(detail.value),
        unit=None if detail.unit is None else cleaned(detail.unit),
        code=None if detail.code is None else _clean_code(detail.code),
    )
