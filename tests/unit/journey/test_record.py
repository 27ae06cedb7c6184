"""What a question leaves in the audit trail: who, why, what became of it."""

import pytest

from gateway.audit.records import Denied, Intent, Outcome
from gateway.journey.question import Claim
from gateway.problems import RequestError
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import (
    NOW,
    answer,
    clause,
    doctor,
    event,
    policy_of,
    profile,
    question,
    source,
)
from tests.journeys import BY_OLD, OLD_NUMBER, WITH_OLD, from_answers, told
from tests.people import number


async def test_asked_by_another_identifier_the_trail_names_both():
    trail = FakeTrail()
    await told(
        *from_answers(Z9A01=answer(event("a1", of=WITH_OLD), about=WITH_OLD)),
        asked=question(BY_OLD),
        trail=trail,
    )
    intent, outcome = trail.records
    assert isinstance(intent, Intent)
    assert isinstance(outcome, Outcome)
    assert intent.subjects == (trail.subject_of(OLD_NUMBER),)
    assert outcome.subjects == (trail.subject_of(number(0)),)


async def test_the_trail_says_who_asked_what_and_what_became_of_it():
    trail = FakeTrail()
    await told(
        *from_answers(Z9A01=answer(event("a1")), Z9B02=answer(about=None)),
        asked=question(
            agreement="DSA-TEST", claim=Claim(kind="self-claimed", reason="r")
        ),
        trail=trail,
    )
    intent, outcome = trail.records
    assert isinstance(intent, Intent)
    assert intent.sources == ("Z9A01.x", "Z9B02.x")
    assert intent.subjects == (trail.subject_of(number(0)),)
    assert intent.evidence == ("registered@Z9R01", "self-claimed")
    assert intent.agreement == "DSA-TEST"
    assert {(each.organisation, each.effect) for each in intent.decisions} == {
        ("Z9A01", "permit"),
        ("Z9B02", "permit"),
    }
    assert isinstance(outcome, Outcome)
    assert (outcome.result, outcome.level, outcome.subjects) == (
        "released",
        "complete",
        (),
    )
    found = [(each.state, each.count, each.as_of) for each in outcome.sources]
    assert found == [("ok", 1, NOW), ("unknown_person", 0, NOW)]


async def test_a_source_outside_the_question_is_not_in_the_intent():
    trail = FakeTrail()
    outside = source(
        "Z9B02.x", FakeAdapter(lambda _: answer(), profile=profile(["documents"]))
    )
    await told(
        *from_answers(Z9A01=answer()),
        outside,
        asked=question(categories=frozenset({"encounters"})),
        trail=trail,
    )
    intent, _ = trail.records
    assert isinstance(intent, Intent)
    assert intent.sources == ("Z9A01.x",)


async def test_a_claim_of_ones_own_is_weighed_as_evidence():
    """The floor demands notices of a claim, which nobody here could send: refused."""
    trail = FakeTrail()
    with pytest.raises(RequestError) as caught:
        await told(
            *from_answers(Z9A01=answer(event("a1"))),
            asked=question(claim=Claim(kind="self-claimed", reason="on call")),
            who=doctor("none"),
            policy=policy_of(["Z9A01"], clause(relationships=["self-claimed"])),
            trail=trail,
        )
    assert caught.value.code == "not-permitted"
    (record,) = trail.records
    assert isinstance(record, Denied)
    assert record.evidence == ("self-claimed",)
