"""A source's replies, checked for the right person, joined and sealed."""

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.contract import Answer, Caveat, Event, Person
from adapters.vocabulary import ABOVE_SECTOR, category_of
from gateway.journey import identity
from gateway.journey.outcome import Answered, Entry, Failure, Header, NotAsked, Reply
from gateway.sources import Source
from policies.release import Sealed
from policies.vocabulary import SECTOR_LABELS

_NOBODY: Final = Person()


def sealed(
    source: Source,
    replies: Sequence[Reply],
    known: identity.Known,
    *,
    out_of_time: bool,
) -> Answered | Failure | NotAsked:
    """One outcome for the one or two calls a source was asked.

    If only the second call failed, what the first found stands, with the caveat
    `second_round_failed`.
    """
    answers = [reply.said for reply in replies if isinstance(reply.said, Answer)]
    missed = [reply.said for reply in replies if not isinstance(reply.said, Answer)]
    if not answers:
        return missed[0]
    entries, mismatched = _theirs(source, answers, known)
    flags = {f.flag: (f.present, f.as_of) for answer in answers for f in answer.flags}
    header = Header(person=_person(answers, known), labels=_sector_label(source))
    extra = [Caveat("second_round_failed")] if missed or out_of_time else []
    return Answered(
        sealed=Sealed(entries, flags),
        header=Sealed((header,), flags),
        known=any(answer.person is not None or answer.events for answer in answers),
        mismatched=mismatched,
        held=frozenset.intersection(*(answer.held for answer in answers)),
        as_of=min(answer.as_of for answer in answers),
        retrieved_at=replies[-1].at,
        caveats=_joined([*(c for a in answers for c in a.caveats), *extra]),
    )


def _theirs(
    source: Source, answers: Iterable[Answer], known: identity.Known
) -> tuple[tuple[Entry, ...], int]:
    """The records that are the person's, once each, and how many were not."""
    mine: dict[Event, identity.Link] = {}
    strangers = 0
    for answer in answers:
        header = answer.person.identifiers if answer.person else frozenset()
        wrong_header = identity.names_another(known, header)
        for event in answer.events:
            link = None if wrong_header else identity.link(known, event.subject)
            if link is None:
                strangers += 1
            else:
                # Equal in every field: the same record, told in both rounds.
                mine.setdefault(event, link)
        strangers += wrong_header and not answer.events
    if strangers:
        # With a stranger in the answer, a record that names nobody may be theirs.
        unnamed = [event for event in mine if event.subject is None]
        strangers += len(unnamed)
        for event in unnamed:
            del mine[event]
    return tuple(_entry(source, e, link) for e, link in mine.items()), strangers


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
        person = answer.person
        if person is not None and not identity.names_another(known, person.identifiers):
            return person
    return _NOBODY


def _joined(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """One caveat a code. Two calls of one source count the same faults: the larger."""
    counts: dict[str, int] = {}
    for caveat in caveats:
        counts[caveat.code] = max(counts.get(caveat.code, 0), caveat.count)
    return tuple(Caveat(code, counts[code]) for code in sorted(counts))
