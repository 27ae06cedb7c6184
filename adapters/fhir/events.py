"""A sketch made an event: times, subject, labels, record id and honest caveats."""

import hashlib
import unicodedata
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Code, Detail, Event
from adapters.fhir.elements import Meta, Resource
from adapters.fhir.references import Index
from adapters.fhir.sketch import Dated, Sketch
from adapters.fhir.times import Times, is_reversed
from adapters.moment import Moment

_NO_LABELS: Final[frozenset[str]] = frozenset()
_NO_META: Final = Meta()
# Control characters can only stand in JSON as escapes, so bytes tell where they are.
_ESCAPED: Final = (b"\\u00", b"\\b", b"\\f")
# It may stand anywhere in a record, and changes the meaning of what it stands in.
MODIFIER: Final = b'"modifierExtension"'
_ABSENT: Final = b"data-absent-reason"


@dataclass(slots=True)
class Notes:
    """What is noticed while one record is read: caveats, and words kept as given."""

    caveats: list[str] = field(default_factory=list)
    told: list[Detail] = field(default_factory=list)


class Maker:
    """Completes the sketches of one reading."""

    def __init__(self, index: Index, *, has_modifiers: bool) -> None:
        self._index = index
        self._has_modifiers = has_modifiers
        self._times = Times(index.scope.zone)

    def event(
        self, name: str, sketch: Sketch, *, record: Resource, raw: msgspec.Raw
    ) -> Event:
        """The event. Unresolvable where the record hides whom it is about."""
        own = bytes(raw)
        notes = Notes()
        caveats = notes.caveats
        subject, doubt = self._index.subject(sketch.about, record.contained)
        if doubt:
            caveats.append(doubt)
        start = self._start(sketch.starts, notes)
        end = self._moment("end", sketch.end, notes)
        recorded = self._moment("recorded", sketch.recorded, notes)
        if is_reversed(start, end):
            caveats.append("reversed")
        if sketch.is_untranslated:
            caveats.append("untranslated_code")
        meta = record.meta or _NO_META
        title = _title(sketch)
        if record.implicit_rules or (self._has_modifiers and MODIFIER in own):
            caveats.append("modifier_not_understood")
            title = f"{title} (not fully understood)"
        if start is None and _ABSENT in own:
            caveats.append("unknown_time")
        concept = sketch.concept
        codes = sketch.codes
        if codes is None:
            codes = concept.codes if concept is not None else ()
        event = Event(
            kind=sketch.kind,
            record_id=f"{name}/{_own_id(record, own)}",
            title=title,
            status=sketch.status,
            kind_code=sketch.kind_code,
            start=start,
            end=end,
            recorded=recorded,
            codes=codes,
            labels=self._labels(meta, sketch),
            detail=(*sketch.detail, *notes.told) if notes.told else sketch.detail,
            subject=subject,
            organisation=self._index.organisation(sketch.keeper, record.contained),
            version=meta.version_id,
            caveats=tuple(dict.fromkeys(caveats)) if caveats else (),
        )
        if not title.isprintable() or _has_escapes(own):
            return _without_controls(event)
        return event

    def _start(self, starts: tuple[Dated, ...], notes: Notes) -> Moment | None:
        """The first time that can be read; a lesser one is named for what it is."""
        for element, text in starts:
            moment = self._moment("start", text, notes)
            if moment is not None:
                if element != starts[0][0] or element in _SECOND_BEST:
                    notes.told.append(Detail(element="dated_by", value=element))
                return moment
        return None

    def _moment(self, element: str, text: str | None, notes: Notes) -> Moment | None:
        if not text:
            return None
        moment, caveat = self._times.read(text)
        if caveat:
            notes.caveats.append(caveat)
            notes.told.append(Detail(element=element, value=text))
        return moment

    def _labels(self, meta: Meta, sketch: Sketch) -> frozenset[str]:
        of_source = self._index.scope.labels
        if not meta.security and not sketch.labels:
            return of_source or _NO_LABELS
        given: tuple[Code, ...] = (*(meta.security or ()), *sketch.labels)
        return of_source | {one.code for one in given if one.code}


# Times that are not of the event itself, only of its being written down.
_SECOND_BEST: Final = frozenset(
    {"recordedDate", "recorded", "issued", "dateAsserted", "created", "context"}
)


def _title(sketch: Sketch) -> str:
    concept = sketch.concept
    plain = (concept.plain if concept is not None else None) or sketch.title
    plain = plain or sketch.kind
    return f"{sketch.prefix}: {plain}" if sketch.prefix else plain


def _own_id(record: Resource, written: bytes) -> str:
    """The record's id; a digest of it where it has none or it is an NHS number."""
    own = record.id
    # An NHS number has ten digits, and at most a few spaces or hyphens between them.
    if own and not (10 <= len(own) <= 16 and nhs_number.normalise(own)):
        return own
    return f"sha256-{hashlib.sha256(written).hexdigest()[:32]}"


def _has_escapes(written: bytes) -> bool:
    return b"\\" in written and any(one in written for one in _ESCAPED)


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
