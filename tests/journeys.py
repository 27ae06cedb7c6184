"""Asking a house whose sources each give one answer."""

from dataclasses import replace
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Identifiers, Profile
from gateway.access.requester import Requester
from gateway.journey.inquiry import inquire
from gateway.journey.journey import Journey
from gateway.journey.question import Question
from gateway.sources import Source
from policies.compile import PolicySet
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import ANN, doctor, house, profile, question, source
from tests.people import LOCAL, OLD, number

OLD_NUMBER: Final = Identifier(OLD, "O-1")
BY_OLD: Final = Identifiers(others=frozenset({OLD_NUMBER}))
WITH_OLD: Final = Identifiers(nhs_number=number(0), others=ANN.others | {OLD_NUMBER})
WHOLE: Final = replace(
    profile(systems={nhs_number.SYSTEM, LOCAL, OLD}), whole_person=True
)


def says(said: Answer, *, of: Profile = WHOLE) -> FakeAdapter:
    """A source that gives this answer whatever it is asked."""
    return FakeAdapter(lambda _: said, profile=of)


def fails() -> FakeAdapter:
    """A source whose adapter has a defect."""

    def stumble(_: object) -> Answer:
        raise ZeroDivisionError

    return FakeAdapter(stumble, profile=profile())


def from_answers(**answers: Answer) -> list[Source]:
    """Sources by organisation, each of which gives one answer."""
    return [source(f"{ods}.x", says(said)) for ods, said in answers.items()]


async def told(
    *sources: Source,
    asked: Question | None = None,
    who: Requester | None = None,
    policy: PolicySet | None = None,
    trail: FakeTrail | None = None,
) -> Journey:
    """The journey of these sources."""
    gateway = house(*sources, policy=policy, trail=trail)
    return await inquire(gateway, who or doctor(), asked or question())


def shown(journey: Journey) -> list[str | None]:
    """The record ids of a journey's events, in their order."""
    return [each.provenance.record_id for each in journey.events]
