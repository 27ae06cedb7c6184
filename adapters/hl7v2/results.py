"""Reports and observations that ORU messages tell of. Source: HL7 v2.8, 7.3 and 7.4."""

from collections.abc import Iterable, Iterator
from typing import Final

from adapters.hl7v2.acts import Act
from adapters.hl7v2.message import Element, Segment
from adapters.hl7v2.record import Manner, Record, codes, words
from adapters.hl7v2.visits import made_id, shown_id
from adapters.moment import Moment

# OBR-25 and OBX-11. Source: HL7 tables 0123 and 0085.
_STATUS: Final = {
    **dict.fromkeys(("F", "C", "U", "M"), "finished"),
    **dict.fromkeys(("P", "R", "S", "A", "B", "V"), "active"),
    **dict.fromkeys(("O", "I"), "planned"),
    **dict.fromkeys(("X", "N"), "cancelled"),
    **dict.fromkeys(("D", "W"), "entered-in-error"),
}
# Types of value that are told; pictures and documents are not.
_VALUES: Final = frozenset(
    {"NM", "SN", "ST", "TX", "FT", "CE", "CWE", "CNE", "IS", "ID", "DT", "TM", "TS"}
    | {"DTM", "CF", ""}
)
_CODED: Final = frozenset({"CE", "CWE", "CNE", "CF"})
_LONGEST: Final = 4000  # characters of a value that are told


def records_of(acts: Iterable[Act], manner: Manner) -> list[Record]:
    """Each report and observation as the last message about it leaves it."""
    found: dict[tuple[str, str], Record] = {}
    for act in acts:
        kind = act.message.type
        if kind == "ORU":
            found |= {(r.kind, r.record_id): r for r in _reported(act, manner)}
        elif kind == "ADT" and "OBX" in manner.reads:
            found |= {(r.kind, r.record_id): r for r in _observed(act, manner)}
    return list(found.values())


def _reported(act: Act, manner: Manner) -> Iterator[Record]:
    """The reports of one message, each before its observations."""
    report: Record | None = None
    seen: dict[str, int] = {}
    for segment in act.message.segments:
        if segment.name == "OBR":
            report = _report(segment, act, manner)
            seen = {}
            yield report
        elif segment.name == "OBX" and report is not None:
            observation = _observation(segment, report.record_id, seen)
            if observation is not None:
                own = observation.note(manner.clock.at(segment, 14))
                yield _placed(observation, own, act, manner=manner, of=report)


def _observed(act: Act, manner: Manner) -> Iterator[Record]:
    """Observations that stand in an ADT message, under no report."""
    seen: dict[str, int] = {}
    for segment in act.message.every("OBX"):
        taken = segment.text(14) or segment.text(19) or ""
        own = made_id(act.anchor.system, act.anchor.value, "observed", taken)
        observation = _observation(segment, own, seen)
        if observation is not None:
            at = observation.note(manner.clock.at(segment, 14))
            yield _placed(observation, at, act, manner=manner)


def _report(segment: Segment, act: Act, manner: Manner) -> Record:
    record = Record(kind="diagnostic_report", record_id=_report_id(segment, act))
    record.title = words(segment, 4)
    record.codes = codes(segment, 4)
    record.start = record.note(manner.clock.at(segment, 7))
    record.end = record.note(manner.clock.at(segment, 8))
    if record.end == record.start:
        record.end = None
    record.status = _status(segment.text(25))
    record.tell("status", segment.text(25))
    record.tell("section", segment.text(24))
    record.touched_by(act, manner.clock)
    record.recorded = record.note(manner.clock.at(segment, 22)) or record.recorded
    return record


def _report_id(segment: Segment, act: Act) -> str:
    """By the filler's order number, else the placer's; else by what and when."""
    service = segment.text(4) or segment.text(4, 2) or ""
    order = segment.text(3) or segment.text(2)
    if order is not None:
        return shown_id(order, service) if service else shown_id(order)
    taken = segment.text(7) or segment.text(22) or str(act.order[0])
    return made_id(act.anchor.system, act.anchor.value, service, taken)


def _observation(segment: Segment, owner: str, seen: dict[str, int]) -> Record | None:
    """An observation; None for a line of a report's text, which is no observation."""
    name = segment.text(3) or segment.text(3, 2)
    if name is None:
        return None
    number = segment.text(4)
    own = "/".join(filter(None, (name, number)))
    seen[own] = seen.get(own, 0) + 1
    more = (own,) if seen[own] == 1 else (own, f"#{seen[own]}")
    record = Record(kind="observation", record_id=shown_id(owner, *more))
    record.title = words(segment, 3)
    record.codes = codes(segment, 3)
    _tell_value(record, segment)
    record.tell("reference_range", segment.text(7))
    record.tell("interpretation", segment.text(8))
    record.status = _status(segment.text(11))
    record.tell("status", segment.text(11))
    return record


def _tell_value(record: Record, segment: Segment) -> None:
    written = segment.text(2) or ""
    if written not in _VALUES:
        return
    values = [_value(element, written) for element in segment.each(5)]
    told = " ".join(value for value in values if value)
    unit = segment.text(6) or segment.text(6, 2)
    record.tell("value", told[:_LONGEST] or None, unit=unit)


def _value(element: Element, kind: str) -> str | None:
    if kind in _CODED:
        return element.text(2) or element.text(1)
    if kind == "SN":  # comparator, number, separator, number
        parts = [element.text(n) for n in range(1, 5)]
        return "".join(part for part in parts if part) or None
    return element.text()


def _placed(
    record: Record,
    own: Moment | None,
    act: Act,
    *,
    manner: Manner,
    of: Record | None = None,
) -> Record:
    """The observation with its time: its own, else its report's."""
    record.start = own or (of.start if of is not None else None)
    record.touched_by(act, manner.clock)
    if of is not None:
        record.recorded = of.recorded
    return record


def _status(written: str | None) -> str:
    return _STATUS.get((written or "").upper(), "unknown")
