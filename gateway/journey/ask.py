"""The fan-out: every permitted source at once, two rounds, one deadline.

Whatever a source does, it becomes an outcome; the others never notice. What was
answered is checked for the right person and sealed before it leaves this file.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.contract import Answer, Identifier, Identifiers, Query
from adapters.errors import AdapterError, Unavailable
from gateway.clock import Clock
from gateway.journey import identity, seal
from gateway.journey.outcome import Asked, Denied, Failure, NotAsked, Outcome, Reply
from gateway.sources import Source

# A second round is only worth starting with this long left.
SECOND_ROUND_S: Final = 0.5
RETRY_PAUSE_S: Final = 0.1
# A wait ends a little late; without room for that a silent source would leave just
# less than a second round needs.
_LATE_S: Final = 0.1


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
    first: asyncio.Task[Reply] | None = None
    again: asyncio.Task[Reply] | None = None
    asked: frozenset[Identifier] = frozenset()
    out_of_time: bool = field(default=False)

    def answers(self) -> list[Answer]:
        """The answers in hand."""
        done = [t for t in (self.first, self.again) if t is not None and t.done()]
        said = [task.result().said for task in done]
        return [each for each in said if isinstance(each, Answer)]

    def fresh(self, known: frozenset[Identifier]) -> frozenset[Identifier]:
        """Those of the known identifiers that it could still usefully be asked by."""
        source, answers = self.errand.source, self.answers()
        if not isinstance(self.errand.query, Query):
            return frozenset()
        if self.first is not None and not answers:
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


async def ask_all(
    errands: Sequence[Errand], person: Identifiers, means: Means
) -> FanOut:
    """Ask every errand's source about the person; one `Asked` per errand, in order.

    Never raises for what a source does. Cancelling it cancels every call.
    """
    cases = [_Case(errand) for errand in errands]
    try:
        for case in cases:
            query = case.errand.query
            if isinstance(query, Query) and _askable(case.errand.source, person):
                case.first = _start(case, query, means)
                case.asked = person.every
        await _settle(cases, means.left() - _reserve(means))
        _ask_again(cases, person, means)
        await _settle(cases, None)
        _note_unasked(cases, person)
    finally:
        for case in cases:
            for task in (case.first, case.again):
                if task is not None:
                    task.cancel()
    known = _known(cases, person)
    return FanOut(asked=tuple(_asked(case, known) for case in cases), known=known)


def _reserve(means: Means) -> float:
    """What the first round leaves for the second while a source is silent."""
    return max(SECOND_ROUND_S + _LATE_S, min(1.0, means.left() * 0.3))


def _askable(source: Source, person: Identifiers) -> bool:
    return any(each.system in source.identifier_systems for each in person.every)


async def _settle(cases: Iterable[_Case], wait_s: float | None) -> None:
    tasks = [t for case in cases for t in (case.first, case.again) if t is not None]
    if tasks:
        # Without a bound this still ends: each call bounds itself by the deadline.
        await asyncio.wait(tasks, timeout=None if wait_s is None else max(wait_s, 0))


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
            subjects += [e.subject for e in answer.events if e.subject is not None]
            if answer.person is not None:
                subjects.append(answer.person.identifiers)
    return identity.learn(
        person, subjects, frozenset(key for key in keys if key is not None)
    )


def _is_shared_at(case: _Case) -> bool:
    """Whether a source said that several people share what was asked by."""
    if case.first is None or not case.first.done():
        return False
    said = case.first.result().said
    return isinstance(said, Answer) and any(
        caveat.code == "shared_identifier" for caveat in said.caveats
    )


def _ask_again(cases: Sequence[_Case], person: Identifiers, means: Means) -> None:
    """Start the second round: identifiers that answers taught, where they help."""
    learned = _known(cases, person).identifiers.every - person.every
    for case in cases:
        query, fresh = case.errand.query, case.fresh(learned)
        if isinstance(query, Query) and fresh and means.left() >= SECOND_ROUND_S:
            narrowed = replace(query, person=identity.only(fresh))
            case.again = _start(case, narrowed, means)
            case.asked |= fresh


def _note_unasked(cases: Sequence[_Case], person: Identifiers) -> None:
    """Mark who was never asked by what is known now: learned late, or no time left.

    Without the mark a source would seem to have told all it holds.
    """
    learned = _known(cases, person).identifiers.every - person.every
    for case in cases:
        case.out_of_time = bool(case.fresh(learned))


def _start(case: _Case, query: Query, means: Means) -> asyncio.Task[Reply]:
    return asyncio.create_task(_call(case.errand.source, query, means))


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
    replies = [t.result() for t in (case.first, case.again) if t is not None]
    if not replies:
        reason = "no_time" if case.out_of_time else "no_hint"
        return Asked(
            source=source,
            outcome=NotAsked(reason=reason),
            categories=query.categories,
            since=query.since,
        )
    outcome: Outcome = seal.sealed(source, replies, known, out_of_time=case.out_of_time)
    return Asked(
        source=source,
        outcome=outcome,
        categories=query.categories,
        since=query.since,
        took_ms=sum(reply.took_ms for reply in replies),
    )
