"""The fan-out: every permitted source at once, a few rounds, one deadline.

Whatever a source does, it becomes an outcome; the others never notice. What was
answered is checked for the right person and sealed before it leaves this file.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from adapters.contract import (
    Answer,
    Candidate,
    Caveat,
    Identifier,
    Identifiers,
    Matches,
    Person,
    Query,
    Traced,
    Traces,
)
from gateway.journey import identity, seal, tying
from gateway.journey.calling import (
    SECOND_ROUND_S,
    Lanes,
    Means,
    Missed,
    Told,
    call,
    likenesses,
    trace,
)
from gateway.journey.contradiction import contradicts
from gateway.journey.in_hand import in_hand
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

__all__ = [
    "MOST_ROUNDS",
    "SECOND_ROUND_S",
    "Errand",
    "FanOut",
    "Lanes",
    "Means",
    "Missed",
    "ask_all",
    "ask_tied",
    "match_all",
]

# A local identifier may lead to an NHS number, that to another local identifier, and
# that to rows which have no other; further than this nobody has been seen to be.
MOST_ROUNDS: Final = 4
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
    cases: "tuple[_Case, ...]" = field(default=(), repr=False)  # for this file alone


_Work = asyncio.Task[Reply] | asyncio.Task[Told]


@dataclass(slots=True)
class _Case:
    """One source's part of the fan-out: its calls, first and again."""

    errand: Errand
    before: "Sequence[_Case]" = ()  # of another fan-out about the same person
    calls: list[asyncio.Task[Reply]] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)  # of the calls
    # What it says of merges, by whom it was asked of.
    traces: dict[Identifiers, asyncio.Task[Told]] = field(default_factory=dict)
    asked: frozenset[Identifier] = frozenset()
    out_of_time: bool = field(default=False)
    in_dispute: bool = field(default=False)

    def answers(self) -> list[Answer]:
        """The answers in hand."""
        said = [call.result().said for call in self.calls if call.done()]
        return [each for each in said if isinstance(each, Answer)]

    def contradicted(self, known: identity.Known) -> bool:
        """Whether it told, by its own word, of another than it was asked about."""
        return any(
            isinstance(said := call.result().said, Answer)
            and contradicts(query.person, said, known)
            for query, call in zip(self.queries, self.calls, strict=True)
            if call.done()
        )

    def fresh(self, known: frozenset[Identifier]) -> frozenset[Identifier]:
        """Those of the known identifiers that it could still usefully be asked by."""
        source, answers = self.errand.source, self.answers()
        if not isinstance(self.errand.query, Query):
            return frozenset()
        if len(answers) < len(self.calls):
            return frozenset()  # still busy or failed: once is enough
        taught = (
            self._told_whole() if source.adapter.profile.whole_person else frozenset()
        )
        return frozenset(
            each
            for each in known - taught - self.asked
            if each.system in source.identifier_systems
        )

    def _told_whole(self) -> frozenset[Identifier]:
        """By what is known whom an answer told all of: not whom it was not asked of."""
        said = [
            (q, c.result().said) for q, c in zip(self.queries, self.calls, strict=True)
        ]
        return frozenset(
            each
            for query, answer in said
            if isinstance(answer, Answer) and answer.person is not None
            if not _is_flagged(answer)
            if not identity.names_another(
                identity.first_known(query.person), answer.person.identifiers
            )
            for each in answer.person.identifiers
        )

    def lacks(self, disputed: frozenset[str]) -> bool:
        """Whether it may hold rows that only an identifier in dispute would reach."""
        source, answers = self.errand.source, self.answers()
        told_whole = source.adapter.profile.whole_person and any(
            answer.person is not None and not _is_flagged(answer) for answer in answers
        )
        return bool(answers and disputed & source.identifier_systems and not told_whole)

    def doubts(self, strange: frozenset[Identifier]) -> bool:
        """Whether it may hold records under what may, or may not, be the person's."""
        known = self.errand.source.identifier_systems
        return bool(self.answers()) and any(each.system in known for each in strange)

    def work(self) -> list[_Work]:
        """All that was begun."""
        return [*self.calls, *self.traces.values()]

    def statements(self) -> list[Traced]:
        """What it stated of merges, as far as it is in hand."""
        told = [each.result() for each in self.traces.values() if each.done()]
        return [each for said in told if isinstance(said, tuple) for each in said]

    def begin(self, query: Query, means: Means) -> list[_Work]:
        """`start`, and ask it beside that what it merged, if it can tell."""
        source, person = self.errand.source, query.person
        begun: list[_Work] = [self.start(query, means)]
        tracer = source.adapter
        if not source.traces or not isinstance(tracer, Traces):
            return begun
        in_hand = (
            c.traces.get(person) for c in self.before if c.errand.source is source
        )
        tracing = next(filter(None, in_hand), None)
        if tracing is None:
            tracing = asyncio.create_task(trace(source, person, means, tracer=tracer))
        self.traces[person] = tracing
        return [*begun, tracing]

    def start(self, query: Query, means: Means) -> asyncio.Task[Reply]:
        """Begin to ask, and remember by what; what is in hand is not asked again."""
        source = self.errand.source
        had = in_hand(source, query, _had(source, self.before))
        asking = _given(had) if had else call(source, query, means)
        calling = asyncio.create_task(asking)
        self.calls.append(calling)
        self.queries.append(query)
        self.asked |= query.person.every
        return calling


async def ask_all(
    errands: Sequence[Errand],
    person: Identifiers,
    means: Means,
    *,
    before: FanOut | None = None,
) -> FanOut:
    """Ask every errand's source about the person; one `Asked` per errand, in order.

    What was answered `before`, of the same person and under the same set, is not
    asked again. Never raises for what a source does. Cancelling it cancels every call.
    """
    earlier = before.cases if before is not None else ()
    cases = [_Case(errand, earlier) for errand in errands]
    try:
        known = await _rounds(cases, person, means)
    finally:
        for case in cases:
            for work in case.work():
                work.cancel()
    asked = []
    for case in cases:
        asked.append(_asked(case, known))
        if any(len(answer.events) > _MANY for answer in case.answers()):
            await asyncio.sleep(0)  # all at once would hold up the other journeys
    return FanOut(asked=tuple(asked), known=known, cases=tuple(cases))


async def _rounds(
    cases: Sequence[_Case], person: Identifiers, means: Means
) -> identity.Known:
    """Ask all, then again by what answers taught, until nothing new is learned."""
    begun = [
        work
        for case in cases
        if isinstance(query := case.errand.query, Query)
        and _askable(case.errand.source, person)
        for work in case.begin(query, means)
    ]
    for _ in range(MOST_ROUNDS - 1):
        await _settle(begun, means.left() - _reserve(means))
        begun = _ask_again(cases, person, means)
        if not begun:
            break
    await _settle([work for case in cases for work in case.work()], None)
    known = _known(cases, person)
    _note_unasked(cases, person, known)
    return known


def _had(source: Source, earlier: "Sequence[_Case]") -> Iterator[tuple[Query, Reply]]:
    """What a source replied in another fan-out, each to its query."""
    for case in earlier:
        if case.errand.source is source:
            for query, call in zip(case.queries, case.calls, strict=True):
                yield query, call.result()


async def _given(reply: Reply) -> Reply:
    return reply


def _reserve(means: Means) -> float:
    """What the first round leaves for the second while a source is silent."""
    return max(SECOND_ROUND_S + _LATE_S, min(1.0, means.left() * 0.3))


def _askable(source: Source, person: Identifiers) -> bool:
    return any(each.system in source.identifier_systems for each in person.every)


async def _settle(work: Sequence[_Work], wait_s: float | None) -> None:
    if work:
        # Without a bound this still ends: each bounds itself by the deadline.
        await asyncio.wait(work, timeout=None if wait_s is None else max(wait_s, 0))


def _known(cases: Sequence[_Case], person: Identifiers) -> identity.Known:
    if person.nhs_number is None and any(map(_is_shared_at, cases)):
        return identity.ambiguous(person)
    subjects = []
    keys = set()
    people = []
    for case in cases:
        for answer in case.answers():
            if _is_flagged(answer):
                continue
            keys.add(case.errand.source.adapter.profile.key_system)
            subjects += _taught(answer)
            people += [answer.person] if answer.person is not None else []
    learn = partial(
        identity.learn, person, subjects, frozenset(k for k in keys if k is not None)
    )
    ties = tying.ties((c.errand.source.id, c.answers(), c.statements()) for c in cases)
    known = learn(ties=ties)
    astray = tying.contradicted(known, people) if known.same else frozenset()
    return learn(ties=ties.without(astray)) if astray else known


def _is_flagged(answer: Answer) -> bool:
    """What is to stay unseen teaches nobody, and is asked for as a stranger is."""
    return any(flag.present for flag in answer.flags)


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
) -> list[_Work]:
    """Begin another round: identifiers that answers taught, where they help."""
    known = _known(cases, person)
    learned = known.identifiers.every - person.every
    begun = []
    for case in cases:
        query, fresh = case.errand.query, case.fresh(learned)
        if isinstance(query, Query) and fresh and means.left() >= SECOND_ROUND_S:
            for asking in identity.askings(known, fresh):
                begun += case.begin(replace(query, person=asking), means)
    return begun


def _note_unasked(
    cases: Sequence[_Case], person: Identifiers, known: identity.Known
) -> None:
    """Mark who was not asked by all that is known now, for want of time or accord.

    Without the mark a source would seem to have told all it holds.
    """
    learned = known.identifiers.every - person.every
    strange = tying.strange(known)
    for case in cases:
        case.out_of_time = bool(case.fresh(learned))
        case.in_dispute = case.lacks(known.disputed) or case.doubts(strange)


async def ask_tied(
    before: FanOut, tied: Mapping[str, identity.Known], means: Means
) -> FanOut:
    """Ask sources, by id, once more: by the identifiers that demographics led to.

    What they say is joined to what they said. Where nothing is found by those, or
    some of it turns out to be another's, the source's earlier answer stands as it was;
    but where it told of another than it was asked about, that counts against it.
    """
    begun = {}
    for case in before.cases:
        source_id, query = case.errand.source.id, case.errand.query
        if source_id in tied and isinstance(query, Query):
            own = Identifiers(others=tied[source_id].tied)
            case.start(replace(query, person=own), means)
            begun[source_id] = case
    try:
        await _settle([case.calls[-1] for case in begun.values()], None)
    finally:
        for case in begun.values():
            case.calls[-1].cancel()
    asked = tuple(
        _joined(each, begun[each.source.id], tied[each.source.id])
        if each.source.id in begun
        else each
        for each in before.asked
    )
    return replace(before, asked=asked)


def _joined(earlier: Asked, case: _Case, known: identity.Known) -> Asked:
    """What became of a source, now that it was asked by demographics too."""
    asked, said = _asked(case, known), case.calls[-1].result().said
    was, now = earlier.outcome, asked.outcome
    is_nobody = isinstance(said, Answer) and said.person is None
    if (
        isinstance(was, Answered)
        and isinstance(now, Answered)
        and not is_nobody
        and now.mismatched == was.mismatched
    ):
        # Who the person is, is told by those who know them by an identifier.
        joined = replace(now, header=was.header, by_demographics=not was.known)
        return replace(asked, outcome=joined)
    if isinstance(was, Answered) and isinstance(now, Answered) and now.contradicted:
        wrong = replace(was, mismatched=now.mismatched, contradicted=True)
        return replace(earlier, outcome=wrong)
    return earlier


async def match_all(
    described: Sequence[tuple[Source, Matches, Person]], means: Means, *, limit: int
) -> list[tuple[Candidate, ...] | Missed]:
    """Whom each source's adapter tells of that may be the one described to it.

    In their order. Bounded as questions are; never raises for what a source does.
    """
    return await asyncio.gather(
        *(
            likenesses(source, adapter, person, means=means, limit=limit)
            for source, adapter, person in described
        )
    )


def _asked(case: _Case, known: identity.Known) -> Asked:
    source, query = case.errand.source, case.errand.query
    if not isinstance(query, Query):
        return Asked(source=source, outcome=query, categories=frozenset())
    replies = _settled(case, known)
    if not replies:
        reason = "no_time" if case.out_of_time else "no_hint"
        return Asked(
            source=source,
            outcome=NotAsked(reason=reason),
            categories=query.categories,
            since=query.since,
        )
    outcome: Outcome = seal.sealed(source, replies, known, out_of_time=case.out_of_time)
    untraced = _untraced(case)
    if isinstance(outcome, Answered):
        doubts = [Caveat("identifier_disputed")] * case.in_dispute
        doubts += [Caveat("trace_failed")] * (untraced is not None)
        outcome = replace(
            outcome,
            caveats=(*outcome.caveats, *doubts),
            contradicted=case.contradicted(known),
        )
    return Asked(
        source=source,
        outcome=outcome,
        categories=query.categories,
        since=query.since,
        took_ms=sum(reply.took_ms for reply in replies),
        exchanges=query.warrant.exchanges.every if query.warrant else (),
        traced=len(case.statements()) if case.traces and untraced is None else None,
        untraced=untraced,
    )


def _settled(case: _Case, known: identity.Known) -> list[Reply]:
    """Its replies; emptied where it was asked by what is no longer thought theirs."""
    strange = tying.strange(known)
    return [
        seal.set_aside(call.result())
        if query.person.every <= strange
        else call.result()
        for query, call in zip(case.queries, case.calls, strict=True)
    ]


def _untraced(case: _Case) -> str | None:
    """Why it did not tell what it merged, where it was asked and did not."""
    for each in case.traces.values():
        match each.result():
            case Failure(reason=reason) | NotAsked(reason=reason):
                return reason
            case Denied(said_by=said_by):
                return said_by
            case _:
                pass
    return None
