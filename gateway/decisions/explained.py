"""Why each cell of a question is as it is, in words: to its caller, or to the owner.

A past decision is made again under the very set it was made under, where that is at
hand; else what was recorded is told. A caller learns nothing here of any person: what
is told rests on the request, the documents and how sources are registered.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.audit.records import Decided
from gateway.decisions.entries import Entry
from gateway.policy.plan import Abilities
from policies.because import Because
from policies.compile import PolicySet
from policies.decide import Decision
from policies.near_misses import NearMiss, decide_and_explain
from policies.request import Cell, FlagRegistration, Request

_REGISTRATIONS: dict[str, FlagRegistration] = {
    "states": "states",
    "prefiltered": "prefiltered",
    "none": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One cell of a question, at one source."""

    source: str
    cell: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One cell, and why. `in_full` where its owner reads it."""

    source: str
    owner: str
    category: str
    effect: str
    authority: str | None
    because: tuple[Because, ...]
    obligations: tuple[str, ...]
    near_misses: tuple[NearMiss, ...]
    in_full: bool


def explained(
    policy: PolicySet,
    request: Request,
    asked: Iterable[Asked],
    *,
    abilities: Abilities,
    owner: str | None,
) -> tuple[Explained, ...]:
    """Every cell, decided and explained; in full where it is the `owner`'s own."""
    return tuple(
        _cell(policy, request, each, supported=abilities(each.cell.owner), owner=owner)
        for each in asked
    )


def of_entry(
    entry: Entry,
    policy: PolicySet | None,
    *,
    abilities: Callable[[bool], Abilities],
    owner: str | None,
) -> tuple[Explained, ...]:
    """A past decision: made again under its own set; without one, as recorded."""
    recorded = tuple(_recorded(entry.decisions))
    if policy is None:
        return recorded
    again = explained(
        policy,
        request_of(entry),
        cells_of(entry),
        abilities=abilities(entry.basis.justified),
        owner=owner,
    )
    # What was decided then is what is told, whatever could be done for it since.
    return tuple(
        now if (now.effect, now.authority) == (then.effect, then.authority) else then
        for now, then in zip(again, recorded, strict=True)
    )


def request_of(entry: Entry) -> Request:
    """The request that was decided, with the time it was decided for."""
    basis, actor = entry.basis, entry.actor
    return Request(
        operation=basis.operation,
        mode=basis.mode,
        purpose=entry.purpose,
        agreement=entry.agreement,
        recipient=actor.organisation,
        role=actor.role,
        assurance=basis.assurance,
        relationships=frozenset(basis.relationships),
        break_glass=entry.break_glass is not None,
        now=basis.at,
    )


def cells_of(entry: Entry) -> Sequence[Asked]:
    """The cells that were decided, as their sources stood registered then."""
    return [
        Asked(
            source=decided.source,
            cell=Cell(
                owner=decided.organisation,
                category=category,
                labels="labelled" if decided.labels == "labelled" else "unlabelled",
                flags=flags_of(decided.flags),
            ),
        )
        for decided in entry.decisions
        for category in decided.categories
    ]


def flags_of(registered: Iterable[str]) -> dict[str, FlagRegistration]:
    """How a source registers each flag, from the "flag=how" of a record."""
    pairs = (each.rpartition("=") for each in registered)
    return {flag: _REGISTRATIONS[how] for flag, _, how in pairs}


def _cell(
    policy: PolicySet,
    request: Request,
    asked: Asked,
    *,
    supported: frozenset[str],
    owner: str | None,
) -> Explained:
    cell = asked.cell
    in_full = cell.owner == owner
    decision, near = decide_and_explain(
        policy, request, cell, supported=supported, in_full=in_full
    )
    return Explained(
        source=asked.source,
        owner=cell.owner,
        category=cell.category,
        effect=decision.effect,
        authority=decision.authority,
        because=decision.because if in_full else _first(decision),
        obligations=tuple(sorted(decision.view.demanded)),
        near_misses=near,
        in_full=in_full,
    )


def _first(decision: Decision) -> tuple[Because, ...]:
    """The reason a journey gives too: not how many rules stand against it."""
    return decision.because[:1]


def _recorded(decisions: Iterable[Decided]) -> Iterator[Explained]:
    for decided in decisions:
        because = Because(
            code=decided.code,
            authority=decided.authority,
            why="As it was recorded; the rules it rested on are no longer at hand",
            organisation=decided.organisation,
        )
        for category in decided.categories:
            yield Explained(
                source=decided.source,
                owner=decided.organisation,
                category=category,
                effect=decided.effect,
                authority=decided.authority,
                because=(because,),
                obligations=(),
                near_misses=(),
                in_full=False,
            )
