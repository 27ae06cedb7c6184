"""What a decision let through of one source's outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adapters.contract import Narrowed, Person
from gateway.journey.outcome import Answered, Asked, Denied, Entry, Outcome
from gateway.policy.plan import SourcePlan
from policies.obligations import FULL_VIEW, View
from policies.release import release


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedSource:
    """One source after release: what may be shown, and what was held back."""

    plan: SourcePlan
    asked: Asked
    entries: tuple[tuple[Entry, View], ...] = field(default=(), repr=False)
    person: Person | None = field(default=None, repr=False)
    person_view: View = FULL_VIEW
    withheld: int = 0
    withheld_categories: frozenset[str] = frozenset()
    unconfirmed: bool = False  # some of it as nobody confirmed a row filter
    silent: bool = False  # a rule that may not be seen emptied it
    failed: bool = False  # deciding went wrong, so all was withheld

    @property
    def outcome(self) -> Outcome:
        """What became of asking it."""
        return self.asked.outcome

    @property
    def refused(self) -> frozenset[str]:
        """The categories asked of it that its organisation's site refused."""
        match self.asked.outcome:
            case Denied(said_by="site"):
                return self.asked.categories
            case Answered(narrowed=narrowed):
                return narrowed.denied & self.asked.categories
            case _:
                return frozenset()


def open_answers(
    asked: tuple[Asked, ...], plans: Mapping[str, SourcePlan], now: datetime
) -> tuple[ReleasedSource, ...]:
    """Open each sealed answer with its own decisions, and nothing else.

    `plans` are by source id; `now` is the request's own.
    """
    return tuple(_opened(each, plans[each.source.id], now) for each in asked)


def _opened(asked: Asked, plan: SourcePlan, now: datetime) -> ReleasedSource:
    outcome = asked.outcome
    if not isinstance(outcome, Answered):
        return ReleasedSource(plan=plan, asked=asked)
    events = release(outcome.sealed, plan.decisions, now)
    narrowed = outcome.narrowed
    decided = None if "demographics" in narrowed.denied else plan.demographics
    header = release(
        outcome.header, {} if decided is None else {"demographics": decided}, now
    )
    headers = header.items
    kept = Narrowed() if events.silent else narrowed
    return ReleasedSource(
        plan=plan,
        asked=asked,
        entries=events.items,
        person=headers[0][0].person if headers else None,
        person_view=headers[0][1] if headers else FULL_VIEW,
        withheld=events.withheld + kept.withheld,
        withheld_categories=events.withheld_categories | kept.withheld_categories,
        unconfirmed=events.unconfirmed or kept.unconfirmed,
        silent=events.silent,
        failed=events.failed or header.failed,
    )
