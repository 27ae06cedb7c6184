"""Everything that can become of asking one source, made by the real parts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from adapters.contract import Answer, Caveat, FlagState, Identifiers
from gateway.journey import seal
from gateway.journey.identity import first_known
from gateway.journey.outcome import Asked, Denied, Failure, NotAsked, Outcome, Reply
from gateway.journey.released import ReleasedSource, open_answers
from gateway.policy.plan import SourcePlan, plan
from gateway.sources import Source
from policies.decide import Request
from tests.houses import (
    BOB,
    NOW,
    RECIPIENT,
    STATES,
    answer,
    clause,
    event,
    memory,
    policy_of,
    source,
)
from tests.people import number

KNOWN: Final = first_known(Identifiers(nhs_number=number(0)))
IN_QUESTION: Final = frozenset({"encounters", "problems"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What completeness must say of a source, written down by hand."""

    state: str
    reason: str | None = None
    domain: str | None = None
    answered: bool = False
    inside: bool = True  # the question touches it
    lacking: frozenset[str] = IN_QUESTION  # of what it was asked, what may be missing
    holds: frozenset[str] = IN_QUESTION  # of what is in question, as it says itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One thing that can befall a source, and what must be said of it."""

    outcome: Callable[[Source], Outcome]
    expected: Expected
    clauses: tuple[Mapping[str, object], ...] = ()
    granted: bool = True
    held: frozenset[str] = IN_QUESTION


def request(**changed: object) -> Request:
    """A doctor's request for direct care."""
    given: dict[str, object] = {
        "operation": "journey.read",
        "mode": "identified",
        "purpose": "direct-care",
        "agreement": None,
        "recipient": RECIPIENT,
        "role": "doctor",
        "assurance": "aal2",
        "relationships": frozenset({"registered"}),
        "break_glass": False,
        "now": NOW,
    }
    return Request(**(given | changed))  # type: ignore[arg-type]  # a test's own defaults


def _says(
    *answers: Answer,
    out_of_time: bool = False,
    held: frozenset[str] = IN_QUESTION,
) -> Callable[[Source], Outcome]:
    def outcome(at: Source) -> Outcome:
        flags = tuple(FlagState(flag=flag, present=False, as_of=NOW) for flag in STATES)
        told = [replace(each, flags=each.flags or flags, held=held) for each in answers]
        replies = [Reply(each, NOW, 7) for each in told]
        return seal.sealed(at, replies, KNOWN, out_of_time=out_of_time)

    return outcome


def _is(outcome: Outcome) -> Callable[[Source], Outcome]:
    return lambda _: outcome


def _caveated(said: Answer, *codes: str) -> Answer:
    return replace(said, caveats=tuple(Caveat(code) for code in codes))


def _flagged(flag: str) -> Answer:
    stated = tuple(
        FlagState(flag=each, present=each == flag, as_of=NOW) for each in STATES
    )
    return replace(answer(event("r1")), flags=stated)


NONE: Final = frozenset[str]()
ENCOUNTERS: Final = frozenset({"encounters"})
_OLD: Final = NOW - timedelta(hours=2)
_HELD_BACK: Final = event("r2", labels=["HIV"])
_PARTLY: Final = (clause(categories=["problems"]),)


def _failed(state: str, reason: str, domain: str) -> Scene:
    return Scene(
        outcome=_is(Failure(state=state, reason=reason, domain=domain)),  # type: ignore[arg-type]  # spelt out below
        expected=Expected(state=state, reason=reason, domain=domain),
    )


def _not_asked(reason: str) -> Scene:
    return Scene(
        outcome=_is(NotAsked(reason=reason)),
        expected=Expected(state="not_asked", reason=reason, domain="gateway"),
    )


def _answered(
    outcome: Callable[[Source], Outcome],
    state: str,
    *,
    lacking: Iterable[str] = (),
    clauses: tuple[Mapping[str, object], ...] = (),
) -> Scene:
    reason, domain = ("policy", "policy") if state == "withheld" else (None, None)
    return Scene(
        outcome=outcome,
        clauses=clauses,
        expected=Expected(
            state=state,
            reason=reason,
            domain=domain,
            answered=True,
            lacking=frozenset(lacking),
        ),
    )


def _filtered(outcome: Callable[[Source], Outcome], reason: str) -> Scene:
    """A source whose owner leaves out whoever opted out."""
    return Scene(
        outcome=outcome,
        clauses=(clause(obligations={"row_filters": ["ndo"]}),),
        expected=Expected(
            state="withheld",
            reason=reason,
            domain="policy",
            answered=True,
            lacking=ENCOUNTERS,
        ),
    )


def _opted_out(said: Answer) -> Answer:
    told = {**dict.fromkeys(STATES, False), "ndo": True}
    flags = tuple(FlagState(flag=f, present=p, as_of=NOW) for f, p in told.items())
    return replace(said, flags=flags)


def _mismatch(outcome: Callable[[Source], Outcome]) -> Scene:
    return Scene(
        outcome=outcome,
        expected=Expected(
            state="withheld", reason="identity_mismatch", domain="source"
        ),
    )


SCENES: Final[Mapping[str, Scene]] = {
    "ok": _answered(_says(answer(event("r1"))), "ok"),
    "empty": _answered(_says(answer()), "ok_empty"),
    "unknown": _answered(_says(answer(about=None)), "unknown_person"),
    "silent": _answered(_says(_flagged("legally-restricted")), "unknown_person"),
    "holds less": Scene(
        outcome=_says(answer(event("r1")), held=ENCOUNTERS),
        expected=Expected(state="ok", answered=True, lacking=NONE, holds=ENCOUNTERS),
    ),
    "truncated": _answered(
        _says(_caveated(answer(event("r1")), "truncated")), "ok", lacking=IN_QUESTION
    ),
    "not asked again": _answered(
        _says(answer(about=None), out_of_time=True),
        "unknown_person",
        lacking=IN_QUESTION,
    ),
    "not asked by what is disputed": _answered(
        _says(_caveated(answer(about=None), "identifier_disputed")),
        "unknown_person",
        lacking=IN_QUESTION,
    ),
    "withheld": _answered(
        _says(answer(event("r1"), _HELD_BACK)), "withheld", lacking=ENCOUNTERS
    ),
    "withheld and truncated": _answered(
        _says(_caveated(answer(_HELD_BACK), "truncated")),
        "withheld",
        lacking=IN_QUESTION,
    ),
    "opt-out unconfirmed": _filtered(_says(answer(event("r1"))), "optout_unconfirmed"),
    "opted out": _filtered(_says(_opted_out(answer(event("r1")))), "policy"),
    "partly denied": _answered(
        _says(answer(event("r1", kind="condition"))),
        "ok",
        lacking=ENCOUNTERS,
        clauses=_PARTLY,
    ),
    "stranger": _mismatch(_says(answer(event("r1"), event("r2", of=BOB)))),
    "stranger and stale": _mismatch(_says(answer(event("r2", of=BOB), as_of=_OLD))),
    "shared": _mismatch(_says(_caveated(answer(about=None), "shared_identifier"))),
    "stale": Scene(
        outcome=_says(answer(event("r1"), as_of=_OLD)),
        expected=Expected(state="stale", reason="older_than_promised", domain="source"),
    ),
    "timeout": _failed("timeout", "deadline", "source"),
    "error": _failed("error", "unreadable", "source"),
    "defect": _failed("error", "adapter_defect", "adapter"),
    "unavailable": _failed("unavailable", "connect", "source"),
    "no hint": _not_asked("no_hint"),
    "no time": _not_asked("no_time"),
    "overloaded": _not_asked("overloaded"),
    "denied": Scene(
        outcome=_is(Denied()),
        granted=False,
        expected=Expected(state="denied", reason="policy", domain="policy"),
    ),
    "outside": Scene(
        outcome=_is(NotAsked(reason="outside_question")),
        held=frozenset({"documents"}),
        expected=Expected(
            state="not_asked",
            reason="outside_question",
            domain="gateway",
            inside=False,
            lacking=NONE,
        ),
    ),
}


def staged(scene: Scene, name: str, *, sector: str = "acute") -> ReleasedSource:
    """The scene at a source of this name, planned, sealed and opened for real."""
    at = source(name, memory(held=scene.held), sector=sector, flags=STATES)
    owner = at.organisation.ods if scene.granted else "Z9Z99"
    policy = policy_of([owner], *scene.clauses)
    (planned,) = plan(policy, request(), [at], categories=IN_QUESTION)
    return opened(planned, scene.outcome(at))


def opened(planned: SourcePlan, outcome: Outcome) -> ReleasedSource:
    """One outcome released under its plan."""
    never = isinstance(outcome, Denied) or not planned.decisions
    asked = Asked(
        source=planned.source,
        outcome=outcome,
        categories=frozenset() if never else planned.permitted,
        took_ms=7,
    )
    (found,) = open_answers((asked,), {planned.source.id: planned}, NOW)
    return found
