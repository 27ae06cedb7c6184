"""The honest account: who was asked, who answered, and what may be missing.

Every state is read off an outcome, matched exhaustively; every sentence is made
here, so that JSON, terminal and pages say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, assert_never

from adapters.contract import Caveat
from adapters.vocabulary import INCOMPLETE, OF_SOURCE
from gateway.journey import sentences
from gateway.journey.identity import BY_DEMOGRAPHICS
from gateway.journey.journey import (
    CaveatCount,
    Completeness,
    FaultDomain,
    Gap,
    Level,
    OrganisationName,
    SourceReport,
    State,
    Window,
)
from gateway.journey.outcome import Answered, Denied, Failure, NotAsked
from gateway.journey.released import ReleasedSource

ANSWERED: Final = frozenset({"ok", "ok_empty", "unknown_person"})
BY_POLICY: Final = frozenset({"policy", "optout_unconfirmed"})  # reasons to withhold
_DEFAULT_RETRY_S: Final = 5
# What may be said where nothing may be said of the person: how the source is, and
# what we could not ask it by. Without the latter it would seem to have told all.
_OF_NOBODY: Final = OF_SOURCE | {
    *("second_round_failed", "identifier_disputed", "trace_failed"),
    # Where nobody is known by an identifier, somebody like the person may be there.
    *("possible_match", "too_many_alike", "likeness_failed"),
    *("likeness_disputed", "likeness_not_permitted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A source's state, and why."""

    state: State
    reason: str | None = None
    domain: FaultDomain | None = None
    retry_after_s: int | None = None

    @property
    def answered(self) -> bool:
        """It said all that it was asked for, or said that some may not be known."""
        return has_answered(self.state, self.reason)

    @property
    def outside(self) -> bool:
        """The question did not touch it."""
        return self.reason == "outside_question"


def has_answered(state: str, reason: str | None) -> bool:
    """Whether a state counts as an answer: whole, or in part by policy."""
    return state in ANSWERED or (state == "withheld" and reason in BY_POLICY)


def standing(source: ReleasedSource, now: datetime) -> Standing:
    """The one of the ten states that a source is in."""
    match source.outcome:
        case Answered() as answered:
            return _answered(source, answered, now)
        case Failure(state=state, reason=reason, domain=domain, retry_after_s=retry):
            return Standing(
                state=state, reason=reason, domain=domain, retry_after_s=retry
            )
        case NotAsked(reason=reason):
            return Standing(state="not_asked", reason=reason, domain="gateway")
        case Denied(said_by=said_by):
            reason = "site" if said_by == "site" else "policy"
            return Standing(state="denied", reason=reason, domain="policy")
        case _ as never:
            assert_never(never)


def _answered(source: ReleasedSource, answered: Answered, now: datetime) -> Standing:
    shared = any(caveat.code == "shared_identifier" for caveat in answered.caveats)
    mismatch = answered.mismatched or (shared and not answered.known)
    if mismatch and not source.silent:
        return Standing(state="withheld", reason="identity_mismatch", domain="source")
    if (now - answered.as_of).total_seconds() > source.asked.source.fresh_s:
        return Standing(state="stale", reason="older_than_promised", domain="source")
    if source.silent or not answered.known:
        return Standing(state="unknown_person")
    if source.withheld:
        return Standing(state="withheld", reason=_held_back(source), domain="policy")
    return Standing(state="ok" if source.entries else "ok_empty")


def _held_back(source: ReleasedSource) -> str:
    return "optout_unconfirmed" if source.unconfirmed else "policy"


def account(
    sources: Sequence[ReleasedSource], window: Window, *, now: datetime, note: str
) -> Completeness:
    """The completeness of one journey, sentence included."""
    both = [(source, standing(source, now)) for source in sources]
    inside = [(source, stood) for source, stood in both if not stood.outside]
    gaps = [gap for source, stood in inside for gap in _gaps(source, stood, window)]
    return Completeness(
        level=_level([stood for _, stood in inside], gaps),
        asked=sum(stood.state not in {"denied", "not_asked"} for _, stood in inside),
        answered=sum(stood.answered for _, stood in inside),
        complete_for=sorted(_complete_for(inside, window)),
        statement=_statement(inside, window),
        sources=[_report(source, stood, now) for source, stood in both],
        gaps=gaps,
        policy_note=note,
    )


def _level(inside: Sequence[Standing], gaps: Sequence[Gap]) -> Level:
    if not inside:
        return "partial"  # nobody here can tell of what was asked
    if not any(stood.answered or stood.state == "stale" for stood in inside):
        return "none"
    return "partial" if gaps else "complete"


def _gaps(source: ReleasedSource, stood: Standing, window: Window) -> list[Gap]:
    """What may be missing from one source; empty only if it told all it was asked."""
    registered = source.asked.source
    asked, denied = source.plan.permitted, source.plan.denied
    found: list[tuple[frozenset[str], str]] = []
    if denied:
        found.append((denied, sentences.denied(registered, denied)))
    if source.refused:
        refused = sentences.refused(registered, source.refused)
        found.append((source.refused, refused))
    if source.withheld:
        withheld = source.withheld_categories or asked
        why = sentences.gap(registered, "withheld", _held_back(source))
        found.append((withheld, why))
    if not stood.answered and stood.state != "denied":
        found.append((asked, sentences.gap(registered, stood.state, stood.reason)))
    cut = _cut_short(source)
    if cut:
        found.append((asked, sentences.cut_short(registered, cut)))
    gaps = [
        Gap(
            source=registered.id,
            categories=sorted(categories),
            since=window.since,
            until=window.until,
            meaning=meaning,
        )
        for categories, meaning in found
    ]
    return gaps + _too_old(source, window)


def _too_old(source: ReleasedSource, window: Window) -> list[Gap]:
    """The part of the window before the first day that policy let us ask for."""
    first = narrowed_to(source, window)
    if first is None:
        return []
    # ISO days sort as days do.
    until = min(first, window.until) if window.until else first
    return [
        Gap(
            source=source.asked.source.id,
            categories=sorted(source.asked.categories),
            since=window.since,
            until=until,
            meaning=sentences.too_old(source.asked.source, first),
        )
    ]


def narrowed_to(source: ReleasedSource, window: Window) -> str | None:
    """The first day a source was asked for, where that is later than the window's."""
    first = source.asked.since.isoformat() if source.asked.since else None
    return None if first == window.since else first


def _cut_short(source: ReleasedSource) -> list[str]:
    """The codes with which an answer says that it is a part."""
    return [caveat.code for caveat in caveats(source) if caveat.code in INCOMPLETE]


def _complete_for(
    inside: Sequence[tuple[ReleasedSource, Standing]], window: Window
) -> frozenset[str]:
    """Categories that every source holding them was asked for and told in full."""
    in_question: set[str] = set()
    lacking: set[str] = set()
    for source, stood in inside:
        cells = frozenset(source.plan.decisions) & _held(source)
        in_question |= cells
        lacking |= source.plan.denied | source.refused
        if source.withheld:
            lacking |= source.withheld_categories or cells
        if not stood.answered or _cut_short(source) or narrowed_to(source, window):
            lacking |= cells
    return frozenset(in_question - lacking)


def _statement(
    inside: Sequence[tuple[ReleasedSource, Standing]], window: Window
) -> str:
    """One short paragraph: how many answered, who failed, who was refused."""
    return sentences.statement(
        [
            sentences.Told(
                source=source.asked.source,
                state=stood.state,
                reason=stood.reason,
                answered=stood.answered,
                denied=source.plan.denied,
                refused=source.refused,
                caveats=caveats(source),
                asked_since=narrowed_to(source, window),
                withheld=source.withheld > 0,
            )
            for source, stood in inside
        ]
    )


def retry_after(sources: Iterable[ReleasedSource], now: datetime) -> int:
    """Seconds after which asking again may help: the soonest that a source named."""
    named = [standing(source, now).retry_after_s for source in sources]
    return min((wait for wait in named if wait is not None), default=_DEFAULT_RETRY_S)


def _report(source: ReleasedSource, stood: Standing, now: datetime) -> SourceReport:
    registered, outcome = source.asked.source, source.outcome
    answered = outcome if isinstance(outcome, Answered) else None
    as_of = answered.as_of if answered else None
    return SourceReport(
        source=registered.id,
        organisation=OrganisationName(
            ods=registered.organisation.ods, name=registered.organisation.name
        ),
        sector=registered.sector,
        state=stood.state,
        reason=stood.reason,
        fault_domain=stood.domain,
        categories=sorted(source.asked.categories),
        held=sorted(_held(source)),
        events=len(source.entries) if answered else None,
        as_of=timestamp(as_of) if as_of else None,
        lag_s=max(0, round((now - as_of).total_seconds())) if as_of else None,
        took_ms=source.asked.took_ms,
        retry_after_s=stood.retry_after_s,
        caveats=[CaveatCount(code=c.code, count=c.count) for c in caveats(source)],
    )


def _held(source: ReleasedSource) -> frozenset[str]:
    """The categories a source can tell of: as it said, else as it was registered."""
    outcome = source.outcome
    if isinstance(outcome, Answered):
        return outcome.held & source.asked.source.held
    return source.asked.source.held


def caveats(source: ReleasedSource) -> tuple[Caveat, ...]:
    """What must be known of a source's answer.

    Where it may say nothing of the person, only what is the same for everybody: a
    count about this person would tell that there is one.
    """
    outcome = source.outcome
    if not isinstance(outcome, Answered):
        return ()
    if source.silent or not outcome.known:
        return tuple(c for c in outcome.caveats if c.code in _OF_NOBODY)
    tied = sum(each.link.method == BY_DEMOGRAPHICS for each, _ in source.entries)
    doubt = (Caveat("tied_by_demographics", tied),) if tied else ()
    return (*outcome.caveats, *doubt)


def timestamp(at: datetime) -> str:
    """UTC to the second, as `2026-01-05T09:14:02Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
