"""P8: what policy costs at 1 000 clauses, beside a plain loop over the clauses.

To decide forty cells, to say why one of them is refused and what would have permitted
it, to release two thousand labelled items, and to compile the set.
"""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bench.measured import Measured
from bench.thousand import CLAUSES, cells, documents, median_ms, permits, request
from policies import vocabulary
from policies.clauses import Agreement, Signature
from policies.compile import PolicySet, compile_set
from policies.decide import Request, decide_all
from policies.near_misses import decide_and_explain, near_misses
from policies.release import Sealed, release
from policies.request import Cell

P50_MS: Final = 0.25
RELEASE_MS: Final = 5.0
EXPLAIN_US: Final = 50.0
COMPILE_MS: Final = 200.0
_SHARE: Final = 50  # of a linear scan
_ROUNDS: Final = 7
_ITEMS: Final = 2_000
_UNEQUAL: Final = "the two sides decide differently; nothing was timed"
_Otherwise = Callable[[Request, str], Request]
# What may be told, its values, and the request in which one of them stands.
_TOLD: Final[dict[str, tuple[tuple[str, ...], _Otherwise]]] = {
    "role": (vocabulary.ROLES, lambda asked, to: replace(asked, role=to)),
    "assurance": (vocabulary.ASSURANCE, lambda asked, to: replace(asked, assurance=to)),
    "mode": (vocabulary.MODES, lambda asked, to: replace(asked, mode=to)),
}


@dataclass(frozen=True, slots=True)
class _Set:
    """The documents, who signed them, and what they compile to."""

    agreements: list[Agreement]
    signatures: list[Signature]
    policy: PolicySet

    def permits(self, asked: Request, cell: Cell) -> bool:
        """The plain loop's answer."""
        signed = {(each.document, each.organisation) for each in self.signatures}
        return permits(self.agreements, signed, request=asked, cell=cell)


@dataclass(frozen=True, slots=True)
class _Item:
    """The plainest thing that a source returns, with labels."""

    category: str
    labels: frozenset[str]
    earliest: datetime


def run(*, quick: bool = False) -> list[Measured]:
    """Deciding and its share of the loop's time, releasing, explaining, compiling."""
    agreements, signatures = documents()
    found = _Set(agreements, signatures, compile_set(agreements, signatures))
    times = 20 if quick else 200
    return [
        *_deciding(found, times=times),
        _releasing(found, times=times // 4),
        _explaining(found, times=times * 5),
        _compiling(found, times=3 if quick else 5),
    ]


def _deciding(found: _Set, *, times: int) -> list[Measured]:
    asked, among = request(), cells()
    signed = {(each.document, each.organisation) for each in found.signatures}

    def ours() -> list[bool]:
        decided = decide_all(found.policy, asked, among, supported=frozenset())
        return [decision.effect == "permit" for decision in decided]

    def loop() -> list[bool]:
        return [
            permits(found.agreements, signed, request=asked, cell=cell)
            for cell in among
        ]

    if ours() != loop() or len(set(ours())) != 2:
        raise RuntimeError(_UNEQUAL)
    rounds = [(median_ms(ours, times), median_ms(loop, 5)) for _ in range(_ROUNDS)]
    mine, floors = (list(side) for side in zip(*rounds, strict=True))
    ms, floor_ms = statistics.median(mine), statistics.median(floors)
    shares = [_SHARE * each / floor for each, floor in rounds]
    work = f"decide {len(among)} cells, {CLAUSES:,} clauses"
    return [
        _beside_goal(work, mine, goal=P50_MS, unit="ms"),
        Measured(
            goal="P8",
            work=f"{work}, against 1/{_SHARE} of a plain loop",
            ours=f"{ms:.3f} ms",
            floor=f"plain loop {floor_ms:.1f} ms",
            allowed=1.0,
            ratio=statistics.median(shares),
            spread=(min(shares), max(shares)),
        ),
    ]


def _releasing(found: _Set, *, times: int) -> Measured:
    """The plan and the release of one source's items, of which some are withheld."""
    asked = request()
    among = [replace(each, labels="labelled") for each in cells()[:8]]
    labels = [frozenset[str](), frozenset({"PSY"}), frozenset({"PSY", "STD"})]
    items = [
        _Item(among[n % len(among)].category, labels[n % len(labels)], asked.now)
        for n in range(_ITEMS)
    ]

    def ours() -> int:
        decided = decide_all(found.policy, asked, among, supported=frozenset())
        by_category = {each.category: each for each in decided}
        return release(Sealed(items, {}), by_category, asked.now).withheld

    if not 0 < ours() < len(items):
        raise RuntimeError(_UNEQUAL)
    took = [median_ms(ours, times) for _ in range(_ROUNDS)]
    work = f"plan {len(among)} cells and release {_ITEMS:,} labelled items"
    return _beside_goal(work, took, goal=RELEASE_MS, unit="ms")


def _explaining(found: _Set, *, times: int) -> Measured:
    """Why one cell is refused, and what would have permitted it."""
    asked = request()
    cell = next(each for each in cells() if not found.permits(asked, each))

    def ours() -> object:
        return decide_and_explain(found.policy, asked, cell, supported=frozenset())

    def loop() -> set[tuple[str, str]]:
        return {
            (attribute, value)
            for attribute, (values, otherwise) in _TOLD.items()
            for value in values
            if found.permits(otherwise(asked, value), cell)
        }

    said = near_misses(
        found.policy, asked, cell, supported=frozenset(), attributes=_TOLD
    )
    if not said or loop() != {(m.attribute, each) for m in said for each in m.needed}:
        raise RuntimeError(_UNEQUAL)
    took = [1_000 * median_ms(ours, times) for _ in range(_ROUNDS)]
    floor = f"plain loop {median_ms(loop, 3):.1f} ms"
    return _beside_goal(
        "explain one refused cell", took, goal=EXPLAIN_US, unit="us", beside=floor
    )


def _compiling(found: _Set, *, times: int) -> Measured:
    def ours() -> object:
        return compile_set(found.agreements, found.signatures)

    took = [median_ms(ours, 1) for _ in range(times)]
    return _beside_goal(
        f"compile {CLAUSES:,} clauses", took, goal=COMPILE_MS, unit="ms"
    )


def _beside_goal(
    work: str, took: Iterable[float], *, goal: float, unit: str, beside: str = ""
) -> Measured:
    """A time that has a goal of its own, over several rounds."""
    rounds = sorted(took)
    middle = statistics.median(rounds)
    return Measured(
        goal="P8",
        work=work,
        ours=f"{middle:.3f} {unit} p50",
        floor=f"goal {goal:g} {unit}" + (f"; {beside}" if beside else ""),
        allowed=1.0,
        ratio=middle / goal,
        spread=(rounds[0] / goal, rounds[-1] / goal),
    )
