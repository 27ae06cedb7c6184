"""Conditions a caller sets on completeness: which sources must have answered."""

from collections.abc import Iterable, Sequence

from gateway.journey.completeness import has_answered
from gateway.journey.journey import Completeness, Unmet
from gateway.journey.question import Question, Require
from gateway.journey.released import ReleasedSource
from gateway.policy.plan import SourcePlan
from gateway.problems import FieldError


def invisible(require: Require, plans: Sequence[SourcePlan]) -> tuple[FieldError, ...]:
    """What is required and can never be met: not here, or not this caller's to see.

    It rests on the registry and the documents alone, never on the person.
    """
    seen = [plan.source for plan in plans if plan.permitted or not plan.denied]
    known = {
        "sources": {source.id for source in seen},
        "organisations": {source.organisation.ods for source in seen},
        "sectors": {source.sector for source in seen},
    }
    return tuple(
        FieldError(pointer=f"/require/{name}", code="not-visible")
        for name, there in known.items()
        if getattr(require, name) - there
    )


def unmet(
    question: Question, released: Iterable[ReleasedSource], found: Completeness
) -> list[Unmet]:
    """The conditions that this journey does not meet, in a steady order.

    `found` is the completeness of the same sources.
    """
    require = question.require
    silent = [
        each.asked.source
        for each, report in zip(released, found.sources, strict=True)
        if not has_answered(report.state, report.reason)
    ]
    missing = {
        Unmet(condition="source", value=source.id)
        for source in silent
        if source.id in require.sources
    }
    missing |= {
        Unmet(condition="organisation", value=source.organisation.ods)
        for source in silent
        if source.organisation.ods in require.organisations
    }
    missing |= {
        Unmet(condition="sector", value=source.sector)
        for source in silent
        if source.sector in require.sectors
    }
    if found.answered < question.min_sources:
        missing.add(Unmet(condition="min_sources", value=str(question.min_sources)))
    if question.strict and found.level != "complete":
        missing.add(Unmet(condition="strict", value="complete"))
    return sorted(missing, key=lambda one: (one.condition, one.value))
