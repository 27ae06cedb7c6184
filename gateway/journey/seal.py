"""A source's replies, checked for the right person, joined and sealed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from adapters.contract import (
    Answer,
    Candidate,
    Caveat,
    Event,
    Identifier,
    Narrowed,
    Person,
    Traced,
)
from adapters.moment import in_utc
from adapters.vocabulary import ABOVE_SECTOR, KINDS, category_of
from gateway.journey import identity
from gateway.journey.outcome import (
    Answered,
    Denied,
    Entry,
    Failure,
    Header,
    NotAsked,
    Reply,
)
from gateway.sources import Source
from policies.release import Sealed
from policies.vocabulary import SECTOR_LABELS

_NOBODY: Final = Person()
_STATED: Final = frozenset({"merged", "unmerged", "superseded", "renumbered"})


def sound(answer: Answer) -> Answer:
    """The answer, if the rest of the gateway can read it.

    ValueError where it breaks the contract: a kind outside the list, a time without
    a zone, an as-of time that cannot be told by UTC, or what no JSON can be made of.
    One adapter's defect must not fail the journey of all.
    """
    moments = [
        moment
        for event in answer.events
        for moment in (event.start, event.end, event.recorded)
        if moment is not None
    ]
    stamps = [answer.as_of, *(flag.as_of for flag in answer.flags)]
    if any(at.tzinfo is None for at in (*stamps, *(each.at for each in moments))):
        raise ValueError("an adapter gave a time without a zone")
    if any(in_utc(at) != at for at in stamps):
        raise ValueError("an adapter spoke of a time that the calendar has no day for")
    if any(event.kind not in KINDS for event in answer.events):
        raise ValueError("an adapter gave a kind outside the vocabulary")
    subjects = {event.subject for event in answer.events if event.subject}
    _refuse_unreadable(frozenset[Identifier]().union(*subjects))
    msgspec.json.encode(answer.events)  # a text may have half a character in it
    if answer.person is not None:
        _refuse_undescribed(answer.person)
    return answer


def sound_people(people: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """The candidates, if they can be read. ValueError where one breaks the contract."""
    for each in people:
        _refuse_undescribed(each.person)
        if any(flag.as_of.tzinfo is None for flag in each.flags):
            raise ValueError("an adapter gave a time without a zone")
    return tuple(people)


def _refuse_undescribed(person: Person) -> None:
    texts = (person.name, person.gender, person.postcode)
    if not all(text is None or isinstance(text, str) for text in texts):
        raise ValueError("an adapter gave a text that is none")
    if person.birth_date is not None and person.birth_date.at.tzinfo is None:
        raise ValueError("an adapter gave a time without a zone")
    _refuse_unreadable(person.identifiers)
    msgspec.json.encode(person)


def _refuse_unreadable(identifiers: Iterable[Identifier]) -> None:
    """They are compared and sorted with everybody else's."""
    if not all(
        isinstance(text, str)
        for each in identifiers
        for text in (each.system, each.value)
    ):
        raise ValueError("an adapter gave an identifier that is no text")


def sound_statements(said: tuple[Traced, ...]) -> tuple[Traced, ...]:
    """What was stated of merges, if it can be read. ValueError where it cannot."""
    if any(each.at.tzinfo is None for each in said):
        raise ValueError("an adapter gave a time without a zone")
    if any(each.how not in _STATED for each in said):
        raise ValueError("an adapter stated what the contract does not know")
    _refuse_unreadable(end for each in said for end in (each.from_, each.to))
    return tuple(said)


def sealed_person(source: Source, candidate: Candidate) -> Sealed[Header]:
    """Whom a source describes, to be opened by its own decision of demographics."""
    flags = {each.flag: (each.present, each.as_of) for each in candidate.flags}
    header = Header(person=candidate.person, labels=_sector_label(source))
    return Sealed((header,), flags)


def sealed(
    source: Source,
    replies: Sequence[Reply],
    known: identity.Known,
    *,
    out_of_time: bool,
) -> Answered | Failure | NotAsked | Denied:
    """One outcome for the one or two calls a source was asked.

    If only the second call failed, what the first found stands, with the caveat
    `second_round_failed`.
    """
    answers = [reply.said for reply in replies if isinstance(reply.said, Answer)]
    missed = [reply.said for reply in replies if not isinstance(reply.said, Answer)]
    if not answers:
        return missed[0]
    entries, mismatched = _theirs(source, answers, known)
    flags = _flags(answers, known)
    header = Header(person=_person(answers, known), labels=_sector_label(source))
    extra = [Caveat("second_round_failed")] if missed or out_of_time else []
    return Answered(
        sealed=Sealed(entries, flags),
        header=Sealed((header,), flags),
        known=any(answer.person is not None or answer.events for answer in answers),
        mismatched=mismatched,
        misdirected=all(_is_anothers(answer, known) for answer in answers),
        held=frozenset.intersection(*(answer.held for answer in answers)),
        as_of=min(answer.as_of for answer in answers),
        retrieved_at=replies[-1].at,
        caveats=_joined([*(c for a in answers for c in a.caveats), *extra]),
        narrowed=_narrowed(answers),
    )


def set_aside(reply: Reply) -> Reply:
    """The reply to a question that turned out to be about nobody who is known here."""
    if not isinstance(reply.said, Answer):
        return reply
    return reply._replace(said=replace(reply.said, events=(), person=None))


def _narrowed(answers: Iterable[Answer]) -> Narrowed:
    """What a site kept back: denied in one call is denied; the counts are of each."""
    told = [answer.narrowed for answer in answers if answer.narrowed is not None]
    nothing = frozenset[str]()
    return Narrowed(
        denied=nothing.union(*(each.denied for each in told)),
        withheld=sum(each.withheld for each in told),
        withheld_categories=nothing.union(*(each.withheld_categories for each in told)),
        unconfirmed=any(each.unconfirmed for each in told),
    )


def _theirs(
    source: Source, answers: Sequence[Answer], known: identity.Known
) -> tuple[tuple[Entry, ...], int]:
    """The records that are the person's, once each, and how many were not."""
    mine: list[tuple[Event, identity.Link]] = []
    strangers = 0
    for place, answer in enumerate(answers):
        wrong_header = _is_anothers(answer, known)
        stated = _stated(answer, known)
        for event in _not_told(answer.events, answers[:place], known):
            link = None if wrong_header else identity.link(known, event.subject)
            if not event.subject and stated is not None:
                link = stated
            if link is None:
                strangers += 1
            else:
                mine.append((event, link))
        strangers += wrong_header and not answer.events
    if strangers:
        # With a stranger in the answer, a record that names nobody may be theirs.
        named = [each for each in mine if each[0].subject]
        strangers += len(mine) - len(named)
        mine = named
    return tuple(_entry(source, event, link) for event, link in mine), strangers


def _stated(answer: Answer, known: identity.Known) -> identity.Link | None:
    """By which statement all of an answer is the person's, where it is by one."""
    if not known.same or answer.person is None:
        return None
    link = identity.link(known, answer.person.identifiers)
    return link if link is not None and link.source is not None else None


def _not_told(
    events: Sequence[Event], before: Sequence[Answer], known: identity.Known
) -> Sequence[Event]:
    """The events of one answer that no answer before it told.

    Equal in every field is the same record told in both rounds, under whichever of
    the person's numbers it was asked for. Twice within one answer is two: nothing is
    ever merged within a source.
    """
    if not before:
        return events
    told: Counter[Event] = Counter()
    for answer in before:
        # The most that any one answer told.
        told |= Counter(_plain(each, known) for each in answer.events)
    fresh = []
    for event in events:
        plain = _plain(event, known)
        if told[plain] > 0:
            told[plain] -= 1
        else:
            fresh.append(event)
    return fresh


def _plain(event: Event, known: identity.Known) -> Event:
    if not known.same or not event.subject:
        return event
    return msgspec.structs.replace(event, subject=known.plain(event.subject))


def _is_anothers(answer: Answer, known: identity.Known) -> bool:
    header = answer.person.identifiers if answer.person else frozenset()
    return identity.names_another(known, header)


def _flags(
    answers: Iterable[Answer], known: identity.Known
) -> dict[str, tuple[bool, datetime]]:
    """What the source states of the person: the stricter where its answers differ.

    An answer about somebody else can set a flag and never clear one.
    """
    flags: dict[str, tuple[bool, datetime]] = {}
    for answer in answers:
        anothers = _is_anothers(answer, known)
        for each in answer.flags:
            stated = (each.present, each.as_of)
            before = flags.get(each.flag, stated)
            if each.present:
                flags[each.flag] = max(stated, before)
            elif not anothers:
                # Of two that say absent the older, which is the sooner stale.
                flags[each.flag] = before if before[0] else min(stated, before)
    return flags


def _entry(source: Source, event: Event, link: identity.Link) -> Entry:
    category = category_of(event.kind, source.sector)
    labels = event.labels
    if category in ABOVE_SECTOR:
        labels |= _sector_label(source)
    earliest = event.start.at if event.start else None
    return Entry(source, event, link, category, labels, earliest)


def _sector_label(source: Source) -> frozenset[str]:
    label = SECTOR_LABELS.get(source.sector)
    return frozenset() if label is None else frozenset({label})


def _person(answers: Iterable[Answer], known: identity.Known) -> Person:
    for answer in answers:
        if answer.person is not None and not _is_anothers(answer, known):
            return answer.person
    return _NOBODY


def _joined(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """One caveat a code. Two calls of one source count the same faults: the larger."""
    counts: dict[str, int] = {}
    for caveat in caveats:
        counts[caveat.code] = max(counts.get(caveat.code, 0), caveat.count)
    return tuple(Caveat(code, counts[code]) for code in sorted(counts))
