"""The fan-out: every permitted source at once, a few rounds, one deadline.

Whatever a source does, it becomes an outcome; the others never notice. What was
answered is checked for the right person and sealed before it leaves this file.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.contract import Answer, Caveat, Identifier, Identifiers, Query
from adapters.errors import AdapterError, Unavailable
from gateway.clock import Clock
from gateway.journey import identity, seal
from gateway.journey.outcome import (
    Answered,
    Asked,
    Denied,
    Failure,
    NotAsked,
    Outcome,
    Reply,
)
from gateway.sources import Source

# Another round is only worth starting with this long left.
SECOND_ROUND_S: Final = 0.5
# A local identifier may lead to an NHS number, that to another local identifier, and
# that to rows which have no other; further than this nobody has been seen to be.
MOST_ROUNDS: Final = 4
RETRY_PAUSE_S: Final = 0.1
# A wait ends a little late; without room for that a silent source would leave just
# less than a second round needs.
_LATE_S: Final = 0.1
_MANY: Final = 500  # events of one answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One source, and the query it may be asked, or why it may not."""

    source: Source
    query: Query | NotAsked | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """What became of asking all of them, and what is known of who the person is."""

    asked: tuple[Asked, ...]
    known: identity.Known


class Lanes:
    """How many questions are in flight at each source, over all journeys."""

    def __init__(self, per_source: int) -> None:
        self._per_source = per_source
        self._lanes: dict[str, asyncio.Semaphore] = {}

    def of(self, source: Source) -> asyncio.Semaphore:
        """The lane of one source; waiting in it is bounded by the deadline."""
        return self._lanes.setdefault(source.id, asyncio.Semaphore(self._per_source))


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a fan-out may use: time, and room at each source."""

    clock: Clock
    lanes: Lanes
    deadline: float  # on the clock's monotonic scale, seconds
    source_s: float  # for one call

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock.monotonic()


@dataclass(slots=True)
class _Case:
    """One source's part of the fan-out: its calls, first and again."""

    errand: Errand
    calls: list[asyncio.Task[Reply]] = field(default_factory=list)
    asked: frozenset[Identifier] = frozenset()
    out_of_time: bool = field(default=False)
    in_dispute: bool = field(default=False)

    def answers(self) -> list[Answer]:
        """The answers in hand."""
        said = [call.result().said for call in self.calls if call.done()]
        return [each for each in said if isinstance(each, Answer)]

    def fresh(self, known: frozenset[Identifier]) -> frozenset[Identifier]:
        """Those of the known identifiers that it could still usefully be asked by."""
        source, answers = self.errand.source, self.answers()
        if not isinstance(self.errand.query, Query):
            return frozenset()
        if len(answers) < len(self.calls):
            return frozenset()  # still busy or failed: once is enough
        taught = frozenset(
            each
            for answer in answers
            if source.adapter.profile.whole_person and answer.person is not None
            for each in answer.person.identifiers
        )
        return frozenset(
            each
            for each in known - taught - self.asked
            if each.system in source.identifier_systems
        )

    def lacks(self, disputed: frozenset[str]) -> bool:
        """Whether it may hold rows that only an identifier in dispute would reach."""
        source, answers = self.errand.source, self.answers()
        told_whole = source.adapter.profile.whole_person and any(
            answer.person is not None for answer in answers
        )
        return bool(answers and disputed & source.identifier_systems and not told_whole)

    def start(self, query: Query, means: Means) -> asyncio.Task[Reply]:
        """Begin to ask, and remember by what."""
        call = asyncio.create_task(_call(self.errand.source, query, means))
        self.calls.append(call)
        self.asked |= query.person.every
        return call


async def ask_all(
    errands: Sequence[Errand], person: Identifiers, means: Means
) -> FanOut:
    """Ask every errand's source about the person; one `Asked` per errand, in order.

    Never raises for what a source does. Cancelling it cancels every call.
    """
    cases = [_Case(errand) for errand in errands]
    try:
        known = await _rounds(cases, person, means)
    finally:
        for case in cases:
            for call in case.calls:
                call.cancel()
    asked = []
    for case in cases:
        asked.append(_asked(case, known))
        if any(len(answer.events) > _MANY for answer in case.answers()):
            await asyncio.sleep(0)  # all at once would hold up the other journeys
    return FanOut(asked=tuple(asked), known=known)


async def _rounds(
    cases: Sequence[_Case], person: Identifiers, means: Means
) -> identity.Known:
    """Ask all, then again by what answers taught, until nothing new is learned."""
    begun = [
        case.start(query, means)
        for case in cases
        if isinstance(query := case.errand.query, Query)
        and _askable(case.errand.source, person)
    ]
    for _ in range(MOST_ROUNDS - 1):
        await _settle(begun, means.left() - _reserve(means))
        begun = _ask_again(cases, person, means)
        if not begun:
            break
    await _settle([call for case in cases for call in case.calls], None)
    known = _known(cases, person)
    _note_unasked(cases, person, known)
    return known


def _reserve(means: Means) -> float:
    """What the first round leaves for the second while a source is silent."""
    return max(SECOND_ROUND_S + _LATE_S, min(1.0, means.left() * 0.3))


def _askable(source: Source, person: Identifiers) -> bool:
    return any(each.system in source.identifier_systems for each in person.every)


async def _settle(calls: Sequence[asyncio.Task[Reply]], wait_s: float | None) -> None:
    if calls:
        # Without a bound this still ends: each call bounds itself by the deadline.
        await asyncio.wait(calls, timeout=None if wait_s is None else max(wait_s, 0))


def _known(cases: Sequence[_Case], person: Identifiers) -> identity.Known:
    if person.nhs_number is None and any(map(_is_shared_at, cases)):
        return identity.ambiguous(person)
    subjects = []
    keys = set()
    for case in cases:
        for answer in case.answers():
            if any(flag.present for flag in answer.flags):
                continue  # what is to stay unseen teaches nobody
            keys.add(case.errand.source.adapter.profile.key_system)
            subjects += _taught(answer)
    return identity.learn(
        person, subjects, frozenset(key for key in keys if key is not None)
    )


def _taught(answer: Answer) -> list[frozenset[Identifier]]:
    """The subjects of an answer, without what its source knows several people by.

    Such an identifier stands in its records and is left out of its header.
    """
    header = answer.person.identifiers if answer.person else frozenset()
    subjects = [event.subject for event in answer.events if event.subject is not None]
    return [header, *((subject & header) or subject for subject in subjects)]


def _is_shared_at(case: _Case) -> bool:
    """Whether a source said that several people share what was asked by."""
    if not case.calls or not case.calls[0].done():
        return False
    said = case.calls[0].result().said
    return isinstance(said, Answer) and any(
        caveat.code == "shared_identifier" for caveat in said.caveats
    )


def _ask_again(
    cases: Sequence[_Case], person: Identifiers, means: Means
) -> list[asyncio.Task[Reply]]:
    """Begin another round: identifiers that answers taught, where they help."""
    learned = _known(cases, person).identifiers.every - person.every
    begun = []
    for case in cases:
        query, fresh = case.errand.query, case.fresh(learned)
        if isinstance(query, Query) and fresh and means.left() >= SECOND_ROUND_S:
            narrowed = replace(query, person=identity.only(fresh))
            begun.append(case.start(narrowed, means))
    return begun


def _note_unasked(
    cases: Sequence[_Case], person: Identifiers, known: identity.Known
) -> None:
    """Mark who was not asked by all that is known now, for want of time or accord.

    Without the mark a source would seem to have told all it holds.
    """
    learned = known.identifiers.every - person.every
    for case in cases:
        case.out_of_time = bool(case.fresh(learned))
        case.in_dispute = case.lacks(known.disputed)


async def _call(source: Source, query: Query, means: Means) -> Reply:
    began = means.clock.monotonic()
    until = began + max(0.0, min(means.source_s, means.left()))
    in_lane = False
    said: Answer | Failure | NotAsked
    try:
        async with asyncio.timeout(until - began), means.lanes.of(source):
            in_lane = True
            said = seal.sound(await _patiently(source, query, means, until=until))
    except TimeoutError:
        said = (
            Failure(state="timeout", reason="deadline", domain="source")
            if in_lane
            else NotAsked(reason="overloaded")
        )
    except AdapterError as error:
        said = _failure(error)
    except Exception:  # noqa: BLE001 - an adapter's own defect may not spoil the others
        said = Failure(state="error", reason="adapter_defect", domain="adapter")
    took = round((means.clock.monotonic() - began) * 1000)
    return Reply(said, means.clock.now(), took)


async def _patiently(
    source: Source, query: Query, means: Means, *, until: float
) -> Answer:
    """Ask, and once more if the source was only unavailable and time allows."""
    try:
        return await source.adapter.ask(query)
    except Unavailable as error:
        pause = max(RETRY_PAUSE_S, error.retry_after_s or 0)
        if until - means.clock.monotonic() < pause + SECOND_ROUND_S:
            raise
        await asyncio.sleep(pause)
    return await source.adapter.ask(query)


def _failure(error: AdapterError) -> Failure:
    return Failure(
        state="unavailable" if isinstance(error, Unavailable) else "error",
        reason=error.reason,
        domain=error.domain,
        retry_after_s=error.retry_after_s,
    )


def _asked(case: _Case, known: identity.Known) -> Asked:
    source, query = case.errand.source, case.errand.query
    if not isinstance(query, Query):
        return Asked(source=source, outcome=query, categories=frozenset())
    replies = [call.result() for call in case.calls]
    if not replies:
        reason = "no_time" if case.out_of_time else "no_hint"
        return Asked(
            source=source,
            outcome=NotAsked(reason=reason),
            categories=query.categories,
            since=query.since,
        )
    outcome: Outcome = seal.sealed(source, replies, known, out_of_time=case.out_of_time)
    if case.in_dispute and isinstance(outcome, Answered):
        doubt = Caveat("identifier_disputed")
        outcome = replace(outcome, caveats=(*outcome.caveats, doubt))
    return Asked(
        source=source,
        outcome=outcome,
        categories=query.categories,
        since=query.since,
        took_ms=sum(reply.took_ms for reply in replies),
    )
