"""The decision that goes with a question to a site: what was granted, and to whom."""

from dataclasses import replace
from datetime import datetime, timedelta

from adapters.warrant import Granted, Warrant
from gateway.journey.telling import Case
from gateway.policy.plan import SourcePlan
from policies.decide import Decision
from policies.documents import view_as_data
from policies.obligations import View


def warrant(
    case: Case, planned: SourcePlan, *, now: datetime, left_s: float
) -> Warrant | None:
    """What a site must be told of why it is asked; None for any other source.

    `left_s` from `now` on, an answer is still of use.
    """
    if not planned.source.adapter.profile.wants_warrant:
        return None
    request = case.request
    return Warrant(
        decision=case.decision_id,
        owner=planned.source.organisation.ods,
        policy=case.policy_version,
        journey=case.journey_id,
        purpose=request.purpose,
        operation=request.operation,
        mode=request.mode,
        organisation=request.recipient,
        role=request.role,
        assurance=request.assurance,
        agreement=request.agreement,
        break_glass=request.break_glass,
        granted=_granted(planned),
        until=now + timedelta(seconds=left_s),
    )


def _granted(planned: SourcePlan) -> tuple[Granted, ...]:
    """What was permitted, told once for the categories it is alike of."""
    decided = dict(planned.decisions)
    if planned.demographics is not None:
        decided["demographics"] = planned.demographics
    alike: dict[tuple[str, View], set[str]] = {}
    for category, decision in decided.items():
        if decision.effect == "permit" and decision.relationship is not None:
            key = (decision.relationship, _view(decision))
            alike.setdefault(key, set()).add(category)
    return tuple(
        Granted(
            relationship=relationship,
            categories=frozenset(categories),
            view=view_as_data(view),
        )
        for (relationship, view), categories in alike.items()
    )


def _view(decision: Decision) -> View:
    """The most that release may let be seen, with the duties that are done here."""
    done = decision.view
    return replace(
        decision.reach,
        no_onward=done.no_onward,
        retain_seconds=done.retain_seconds,
        notify=done.notify,
        justify=done.justify,
    )
