"""What can be asked only of somebody the source holds: a synthetic test person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Event, Identifiers
from adapters.moment import LONDON, Moment
from adapters.vocabulary import CAVEATS, INCOMPLETE, KINDS, STATUSES, category_of
from gateway.checking.asking import Asker, Told
from gateway.checking.registered import Checked
from gateway.checking.report import Finding, not_asked, ok, wrong
from gateway.journey import identity

QUESTIONS: Final = (
    "known-person",
    "nobody-else",
    "record-ids",
    "time-zones",
    "closed-lists",
    "held-told",
    "order",
    "flags-stated",
    "window-ends",
    "one-category",
    "limit-kept",
    "asking-again",
)
# Whatever breaks these cannot be compared with anything.
_FIRST: Final = frozenset({"time-zones", "closed-lists"})
Window = tuple[date | None, date | None]


async def of_person(checked: Checked, asker: Asker, number: str) -> list[Finding]:
    """Every question about one person, by NHS number (ten digits)."""
    person = Identifiers(nhs_number=number)
    told = await asker.put("known-person", person)
    if isinstance(told, Finding):
        return [told]
    if told.answer.person is None and not told.answer.events:
        unknown = wrong(
            "known-person",
            "the source does not know the number given",
            where="--nhs-number",
            remedy="Give that of a synthetic person whom the source holds.",
        )
        return [unknown, *not_asked(QUESTIONS[1:], "nobody is known")]
    found = [ok("known-person", "is known"), *_judged(checked, told, number)]
    if any(each.result == "wrong" and each.question in _FIRST for each in found):
        rest = QUESTIONS[QUESTIONS.index("held-told") :]
        return [*found, *not_asked(rest, "what came cannot be compared")]
    found += _compared(checked, told.answer)
    return found + await _asked_again(checked, asker, told)


def _judged(checked: Checked, told: Told, number: str) -> list[Finding]:
    answer, place = told.answer, checked.registered.file
    return [
        _verdict(
            "nobody-else",
            _strangers(answer, number),
            "records are somebody else's, or name another NHS number",
            remedy=f"See how {place} finds people; until then, ask it for nobody.",
        ),
        _verdict(
            "record-ids",
            sum(_is_no_id(event.record_id) for event in answer.events),
            "record ids are empty, or are NHS numbers",
            remedy="Map the record id to the source's own key.",
        ),
        _verdict(
            "time-zones",
            sum(at.tzinfo is None for at in _instants(answer)),
            "times have no zone",
            remedy="Give aware instants alone.",
        ),
        _verdict(
            "closed-lists",
            sum(_is_off_list(event) for event in answer.events)
            + sum(caveat.code not in CAVEATS for caveat in answer.caveats),
            "kinds, statuses or caveats are not of the vocabulary",
            remedy="Use the codes of adapters/vocabulary.json alone.",
        ),
    ]


def _compared(checked: Checked, answer: Answer) -> list[Finding]:
    sector = checked.source.sector
    starts = [_when(event) for event in answer.events]
    categories = {category_of(event.kind, sector) for event in answer.events}
    return [
        _verdict(
            "held-told",
            len(categories - answer.held),
            "categories are told that it does not say it holds",
            remedy="Map the kind, so that it is held.",
        ),
        _verdict(
            "order",
            sum(a > b for a, b in pairwise(starts)),
            "records stand before an earlier one",
            remedy="Order by start; the undated come last.",
        ),
        _flags(checked, answer),
    ]


def _verdict(question: str, faults: int, what: str, *, remedy: str) -> Finding:
    """`what` is said with how many; nothing else of a record is."""
    if faults:
        return wrong(question, f"{faults} {what}", where="the answer", remedy=remedy)
    return ok(question, "as they should be")


def _strangers(answer: Answer, number: str) -> int:
    header = answer.person.identifiers if answer.person else frozenset()
    known = identity.Known(
        asked=Identifiers(nhs_number=number),
        nhs_number=number,
        learned=frozenset(i for i in header if i.system not in nhs_number.SYSTEMS),
    )
    if identity.names_another(known, header):
        return max(1, len(answer.events))
    return sum(identity.link(known, event.subject) is None for event in answer.events)


def _is_no_id(record_id: str) -> bool:
    return not record_id.strip() or nhs_number.normalise(record_id) is not None


def _instants(answer: Answer) -> Iterator[datetime]:
    yield answer.as_of
    yield from (flag.as_of for flag in answer.flags)
    for event in answer.events:
        for moment in (event.start, event.end, event.recorded):
            if moment is not None:
                yield moment.at


def _is_off_list(event: Event) -> bool:
    caveats = set(event.caveats) <= set(CAVEATS)
    return event.kind not in KINDS or event.status not in STATUSES or not caveats


def _when(event: Event) -> tuple[bool, float]:
    """In seconds, since two London readings of one autumn hour compare by the clock."""
    return (True, 0.0) if event.start is None else (False, event.start.at.timestamp())


def _flags(checked: Checked, answer: Answer) -> Finding:
    promised = {f for f, how in checked.source.flags.items() if how == "states"}
    missing = sorted(promised - {flag.flag for flag in answer.flags})
    if missing:
        return wrong(
            "flags-stated",
            f"is registered to state {', '.join(missing)}, and does not: "
            "everything is withheld",
            where=checked.registered.at("flags", missing[0]),
            remedy="Map the flag in the source file, or register what is so.",
        )
    return ok("flags-stated", f"states {len(promised)} of {len(promised)} promised")


async def _asked_again(checked: Checked, asker: Asker, whole: Told) -> list[Finding]:
    """Narrower questions, each compared with the whole answer."""
    if _is_part(whole.answer):
        why = "its whole answer was cut short or is incomplete"
        return not_asked(QUESTIONS[-4:], why)
    found = [
        await _window_ends(asker, whole),
        await _one_category(checked, asker, whole),
        await _limit(asker, whole),
    ]
    again = await asker.put("asking-again", whole.query.person)
    if isinstance(again, Finding):
        return [*found, again]
    same = _ids(again.answer.events) == _ids(whole.answer.events)
    changed = wrong(
        "asking-again",
        "the same question was answered differently",
        where="the source",
        remedy="If records were being written, check again; else report it.",
    )
    return [*found, ok("asking-again", "changes nothing") if same else changed]


def _is_part(answer: Answer) -> bool:
    return any(caveat.code in INCOMPLETE for caveat in answer.caveats)


def _ids(events: Sequence[Event]) -> Counter[str]:
    return Counter(event.record_id for event in events)


async def _window_ends(asker: Asker, whole: Told) -> Finding:
    days = sorted(day for e in whole.answer.events if (day := _day(e.start)))
    if not days:
        return not_asked(["window-ends"], "none of the person's records has a day")[0]
    day = days[len(days) // 2]
    after = day + timedelta(days=1)
    windows: tuple[Window, ...] = ((day, day), (day, after), (None, day), (after, None))
    wrongly = 0
    for since, until in windows:
        told = await asker.put(
            "window-ends", whole.query.person, since=since, until=until
        )
        if isinstance(told, Finding):
            return told
        wrongly += _misplaced(whole.answer, told)
    return _verdict(
        "window-ends",
        wrongly,
        "records are missing from a window, or told outside it",
        remedy="A window is London days, from since up to but without until.",
    )


def _misplaced(whole: Answer, told: Told) -> int:
    query = told.query
    inside = _ids([e for e in whole.events if query.covers(e.start)])
    here = _ids(told.answer.events)
    # Whether a vague date lies in a window of no day, sources may see differently.
    lost = Counter[str]() if query.since == query.until else inside - here
    return (lost + (here - inside)).total()


def _day(start: Moment | None) -> date | None:
    """The London day, where one is known and has neighbours."""
    if start is None or start.precision in {"year", "month"}:
        return None
    if not 1 < start.at.year < 9999:
        return None
    return start.at.astimezone(LONDON).date()


async def _one_category(checked: Checked, asker: Asker, whole: Told) -> Finding:
    question, sector = "one-category", checked.source.sector
    told_of = sorted({category_of(e.kind, sector) for e in whole.answer.events})
    if not told_of:
        return not_asked([question], "the person has no record")[0]
    wanted = frozenset({told_of[0]})
    told = await asker.put(question, whole.query.person, categories=wanted)
    if isinstance(told, Finding):
        return told
    right = [e for e in whole.answer.events if category_of(e.kind, sector) in wanted]
    here = told.answer.events
    differing = (_ids(right) - _ids(here)) + (_ids(here) - _ids(right))
    return _verdict(
        question,
        differing.total(),
        "records are missing from the one category asked, or are of another",
        remedy="Tell the categories asked for, and no other.",
    )


async def _limit(asker: Asker, whole: Told) -> Finding:
    question, where = "limit-kept", "the adapter"
    if len(whole.answer.events) < 2:
        return not_asked([question], "the person has too few records")[0]
    told = await asker.put(question, whole.query.person, limit=1)
    if isinstance(told, Finding):
        return told
    if len(told.answer.events) > 1:
        return wrong(
            question,
            "told more records than asked for",
            where=where,
            remedy="Cut the answer to the limit.",
        )
    if all(caveat.code != "truncated" for caveat in told.answer.caveats):
        return wrong(
            question,
            "an answer cut short does not say so",
            where=where,
            remedy="Add the caveat truncated.",
        )
    return ok(question, "cut short, and said so")
