"""Who must be told of a question: what its decisions demand, as notices. Pure.

A notice goes with the intent where a decision demands it, and with the outcome where
only release showed that it does: nothing is shown of which nobody would be told.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from gateway.journey.released import ReleasedSource
from gateway.journey.telling import Case
from gateway.notices.outbox import Notice, NoticeKind
from gateway.policy.plan import SourcePlan
from policies.decide import Decision
from policies.obligations import View

SELF_CLAIMED: Final = "self-claimed"


def of_intent(case: Case) -> frozenset[Notice]:
    """What the decisions on a question demand before it is asked."""
    about = _kind(case)
    return frozenset(
        notice
        for planned in case.plans
        for notice in _notices(
            case, planned, [each.view for each in permits(planned)], about=about
        )
    )


def of_outcome(case: Case, opened: Sequence[ReleasedSource]) -> frozenset[Notice]:
    """What only the release of its answers showed to be demanded."""
    about = _kind(case)
    demanded = (
        notice
        for source in opened
        for notice in _notices(case, source.plan, _views(source), about=about)
    )
    return frozenset(demanded) - of_intent(case)


def permits(planned: SourcePlan) -> list[Decision]:
    """The permits of one source, with that to say who the person is."""
    told = [planned.demographics] if planned.demographics else []
    decisions = [*planned.decisions.values(), *told]
    return [each for each in decisions if each.effect == "permit"]


def _views(source: ReleasedSource) -> Iterable[View]:
    shown = {id(view): view for _, view in source.entries}
    return [*shown.values(), source.person_view]


def _notices(
    case: Case,
    planned: SourcePlan,
    views: Iterable[View],
    *,
    about: tuple[NoticeKind, str],
) -> list[Notice]:
    demanded = {each for view in views for each in view.notify}
    kind, reference = about
    told: tuple[tuple[Literal["privacy-officer", "owner"], str], ...] = (
        ("privacy-officer", case.request.recipient),
        ("owner", planned.source.organisation.ods),
    )
    return [
        Notice(
            organisation=organisation,
            recipient=recipient,
            kind=kind,
            reference=reference,
        )
        for recipient, organisation in told
        if recipient in demanded
    ]


def _kind(case: Case) -> tuple[NoticeKind, str]:
    """What is told of, and where it is read: a glass is told of once, however used."""
    if case.glass is not None:
        return "break-glass-used", case.glass
    rests = {each.relationship for plan in case.plans for each in permits(plan)}
    kind: NoticeKind = "self-claimed" if SELF_CLAIMED in rests else "agreement"
    return kind, case.decision_id
