"""P8: what analysing policy costs: lints, a witness, and a replay of decisions.

The replay stands beside a plain loop that decides every cell under both sets, reasons
and all, and finds the same flips.
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from itertools import islice, product
from typing import Final

from bench.measured import Measured
from bench.thousand import cells, documents, median_ms, request
from policies import vocabulary
from policies.analysis.atoms import EVERY_DUTY
from policies.analysis.difference import difference
from policies.analysis.lints import lints
from policies.analysis.replay import Effect, Recorded, replay
from policies.clauses import Agreement, LocalRule, Rule, Signature, When
from policies.compile import PolicySet, compile_set
from policies.decide import decide_all
from policies.documents import content_hash
from policies.request import Request

LINT_MS: Final = 1_000.0
WITNESS_MS: Final = 50.0
REPLAY_MS: Final = 100.0
_LINTED: Final = 3  # agreements of a hundred clauses each
_DECISIONS: Final = 10_000
_UNEQUAL: Final = "the two sides find different flips; nothing was timed"


def run(*, quick: bool = False) -> list[Measured]:
    """Lints of 300 clauses, a witness among them, and 10 000 decisions replayed."""
    times = 3 if quick else 9
    return [_linting(times), _witnessing(times), *_replaying(times)]


def _linting(times: int) -> Measured:
    agreements, signatures = documents()
    some = agreements[:_LINTED]
    count = sum(len(each.clauses) for each in some)
    took = _times(lambda: lints(some, signatures), times)
    return _beside(f"lint {count} clauses of five providers", took, LINT_MS)


def _witnessing(times: int) -> Measured:
    agreements, signatures = documents()
    *others, last = agreements[:_LINTED]
    first, *rest = last.clauses
    wider = replace(first, roles=first.roles | {"midwife", "pharmacist"})
    changed = replace(last, clauses=(wider, *rest))
    before = compile_set([*others, last], signatures)
    after = compile_set([*others, changed], _signed_again(changed, signatures))
    if not difference(before, after).newly_allowed:
        message = "the change allows nothing; nothing was timed"
        raise RuntimeError(message)
    took = _times(lambda: difference(before, after), times)
    return _beside("every witness of one changed clause in 300", took, WITNESS_MS)


def _signed_again(changed: Agreement, signatures: list[Signature]) -> list[Signature]:
    digest = content_hash(changed)
    again = [
        replace(each, hash=digest) for each in signatures if each.document == changed.id
    ]
    return [*signatures, *again]


def _replaying(times: int) -> list[Measured]:
    agreements, signatures = documents()
    veto = Rule(
        id="v",
        effect="veto",
        when=When(roles=frozenset({"gp"})),
        overridable=False,
        why="Bench",
    )
    owner = min(agreements[0].parties.providers)
    rules = LocalRule(id="LR", org=owner, rules=(veto,))
    sets = (
        compile_set(agreements, signatures),
        compile_set([*agreements, rules], signatures),
    )
    unlike = _recorded(sets[0])
    if [each.id for each in replay(unlike, *sets).changed] != _flipped(unlike, *sets):
        raise RuntimeError(_UNEQUAL)
    loop = statistics.median(_times(lambda: _flipped(unlike, *sets), 3))
    took = _times(lambda: replay(unlike, *sets), times)
    beside = f"plain loop {loop:.0f} ms"
    work = f"replay {_DECISIONS:,} decisions, no two requests alike"
    return [_beside(work, took, REPLAY_MS, beside=beside)]


def _recorded(policy: PolicySet) -> list[Recorded]:
    """Requests that differ from one another, all for the same forty cells."""
    held = tuple(cells())
    asked = (
        replace(
            request(),
            role=role,
            purpose=purpose,
            assurance=assurance,
            relationships=frozenset({"registered", relationship}),
        )
        for role, purpose, assurance, relationship in product(
            vocabulary.ROLES,
            ("direct-care", "care-coordination", "emergency-care"),
            ("aal2", "aal3"),
            ("referral", "caseload", "care-team"),
        )
    )
    return [
        Recorded(
            id=str(number), request=each, cells=held, effects=_effects(policy, each)
        )
        for number, each in enumerate(islice(asked, _DECISIONS // len(held)))
    ]


def _effects(policy: PolicySet, asked: Request) -> tuple[Effect, ...]:
    decided = decide_all(policy, asked, cells(), supported=EVERY_DUTY)
    return tuple(each.effect for each in decided)


def _flipped(
    recorded: list[Recorded], before: PolicySet, after: PolicySet
) -> list[str]:
    """The plain loop: every cell decided under both sets, and compared."""
    return [
        each.id
        for each in recorded
        if [
            was.effect != will_be.effect
            for was, will_be in zip(
                decide_all(before, each.request, each.cells, supported=EVERY_DUTY),
                decide_all(after, each.request, each.cells, supported=EVERY_DUTY),
                strict=True,
            )
        ].count(True)
    ]


def _times(work: Callable[[], object], times: int) -> list[float]:
    return [median_ms(work, 1) for _ in range(times)]


def _beside(work: str, took: list[float], goal: float, *, beside: str = "") -> Measured:
    middle = statistics.median(took)
    return Measured(
        goal="P8",
        work=work,
        ours=f"{middle:.0f} ms p50",
        floor=f"goal {goal:g} ms" + (f"; {beside}" if beside else ""),
        allowed=1.0,
        ratio=middle / goal,
        spread=(min(took) / goal, max(took) / goal),
    )
