"""A relationship looked for at the asker's own sources, before others are asked."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from adapters.contract import Answer, FlagState, Identifiers
from adapters.errors import Unavailable, Vetoed
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Denied, Intent, Outcome
from gateway.journey.question import Claim
from gateway.settings import Evidence, Limits
from tests.fakes import FakeAdapter
from tests.houses import (
    ANN,
    BOB,
    NOW,
    RECIPIENT,
    STATES,
    answer,
    clause,
    doctor,
    event,
    policy_of,
    profile,
)
from tests.own_sources import (
    BOTH,
    HELD,
    JUST_NOW,
    LONG_AGO,
    OWN,
    REFERRED,
    SEEN,
    SURGERY,
    TABLET,
    WHOLE,
    Asked,
    Watched,
    problem,
)
from tests.people import number


async def test_an_encounter_of_today_lets_a_doctor_ask_the_surgery():
    asked = Asked(Watched(SEEN))
    journey = await asked.told()
    assert [each.provenance.record_id for each in journey.events] == ["gp-1", "own-1"]
    (shown,) = journey.decision.relationships
    assert (shown.kind, shown.organisation) == ("active-encounter", RECIPIENT)
    assert (shown.as_of, shown.expires) == (
        "2026-03-01T12:00:00Z",
        "2026-03-04T09:00:00Z",
    )
    assert journey.decision.evidence == f"active-encounter@{RECIPIENT}"


async def test_the_evidence_question_goes_to_own_sources_alone_and_asks_no_more():
    asked = Asked(Watched(SEEN, TABLET))
    await asked.told()
    first = asked.own.asked[0]
    assert first.categories == {"encounters", "referrals"}
    assert first.since is not None
    assert len(asked.surgery.asked) == 1


async def test_without_evidence_nothing_else_is_asked():
    asked = Asked(Watched(LONG_AGO, TABLET))
    refusal = await asked.refused()
    assert refusal.code == "not-permitted"
    assert len(asked.own.asked) == 1
    assert asked.own.asked[0].categories == {"encounters", "referrals"}
    assert asked.surgery.asked == []
    assert asked.kinds == ["intent", "outcome", "denied"]


async def test_the_refusal_of_one_known_long_ago_and_of_a_stranger_are_alike():
    said = []
    for own in (Watched(LONG_AGO), Watched(), Watched(event("own-9", of=BOB))):
        asked = Asked(own)
        said.append(problem(await asked.refused()))
    assert len(set(said)) == 1


async def test_the_trail_has_what_was_sought_before_the_source_is_asked():
    trail_at_asking = []

    class Noting(Watched):
        async def ask(self, query):
            trail_at_asking.append([each.kind for each in asked.trail.records])
            return await super().ask(query)

    asked = Asked(Noting(SEEN))
    await asked.told()
    assert trail_at_asking[0] == ["intent"]
    assert asked.kinds == ["intent", "outcome", "intent", "outcome"]
    sought, found, intent, _ = asked.trail.records
    assert isinstance(sought, Intent)
    assert isinstance(found, Outcome)
    assert isinstance(intent, Intent)
    assert sought.sought == ("active-encounter", "referral")
    assert (sought.sources, sought.decision, sought.basis) == ((OWN,), None, None)
    assert {each.organisation for each in sought.decisions} == {RECIPIENT}
    assert found.result == "evidence-found"
    assert [(each.source, each.state) for each in found.sources] == [(OWN, "ok")]
    assert intent.journey == sought.journey == found.journey
    assert intent.basis is not None
    (shown,) = intent.basis.shown
    assert (shown.kind, shown.expires) == (
        "active-encounter",
        NOW + timedelta(hours=69),
    )
    assert shown.reference.startswith(f"{OWN}#")
    assert "own-1" not in shown.reference
    assert intent.basis.relationships == ("active-encounter",)


@pytest.mark.parametrize("fails_at", [0, 1, 2, 3])
async def test_a_trail_that_fails_at_any_record_shows_nothing(fails_at):
    asked = Asked(Watched(SEEN), fails_at=fails_at)
    with pytest.raises(AuditUnavailable):
        await asked.told()
    assert len(asked.own.asked) == [0, 1, 1, 2][fails_at]
    assert len(asked.surgery.asked) == [0, 0, 0, 1][fails_at]


@pytest.mark.parametrize("token", ["active-encounter", "referral", "self"])
async def test_a_token_that_evidences_as_much_costs_no_extra_round(token):
    wants = clause(relationships=[token, "referral"])
    asked = Asked(Watched(SEEN, REFERRED), wants)
    await asked.told(doctor(token))
    assert asked.kinds == ["intent", "outcome"]


async def test_nobody_is_asked_for_evidence_that_no_agreement_takes():
    asked = Asked(Watched(SEEN), clause(relationships=["proxy"]))
    await asked.refused()
    assert asked.own.asked == []
    assert asked.kinds == ["denied"]


async def test_a_claim_is_not_needed_of_one_whose_patient_it_is():
    wants = clause(relationships=["active-encounter", "self-claimed"])
    asked = Asked(Watched(SEEN), wants)
    claim = Claim(kind="self-claimed", reason="asked by the ward")
    for nth in range(7):
        journey = await asked.told(claim=claim)
        kinds = [each.kind for each in journey.decision.relationships]
        assert kinds == ["active-encounter", "self-claimed"], nth


async def test_a_source_that_may_not_be_seen_shows_nothing():
    """Its own organisation must be among those who give, as for any other question."""
    asked = Asked(Watched(SEEN), policy=policy_of(["Z9A01"], BOTH))
    await asked.refused()
    assert asked.own.asked == []


async def test_a_record_that_may_not_be_seen_shows_nothing():
    hidden = event("own-1", JUST_NOW, labels=["STD"])
    asked = Asked(Watched(hidden))
    await asked.refused()
    assert len(asked.own.asked) == 1


async def test_a_person_whose_record_is_restricted_shows_nothing():
    flag = FlagState(flag="legally-restricted", present=True, as_of=NOW)
    said = replace(answer(SEEN), flags=(flag,))
    own = FakeAdapter(lambda _: said, profile=WHOLE)
    asked = Asked(own, flags=STATES)
    refusal = await asked.refused()
    unknown = Asked(Watched(), flags=STATES)
    assert problem(refusal) == problem(await unknown.refused())


async def test_a_record_of_somebody_else_shows_nothing_and_is_alarmed_once():
    stranger = answer(event("own-1", JUST_NOW, of=BOB), about=BOB)
    wants = clause(relationships=["active-encounter", "none"])
    limited = clause(id="c0", relationships=["none"], categories=["encounters"])
    own = FakeAdapter(lambda _: stranger, profile=WHOLE)
    asked = Asked(own, limited | {"obligations": {"max_age_days": 3000}}, wants)
    with capture_logs() as alarms:
        journey = await asked.told()
    assert journey.decision.relationships == []
    assert len(own.asked) > 1
    assert [each["event"] for each in alarms] == ["identity_mismatch"]


async def test_an_own_source_that_fails_is_no_evidence_and_nobody_elses_fault():
    def fail(_: object) -> Answer:
        raise Unavailable("unreachable", "Look after it.")

    own = FakeAdapter(fail, profile=WHOLE)
    asked = Asked(own)
    refusal = await asked.refused()
    assert refusal.code == "not-permitted"
    _, found, _ = asked.trail.records
    assert isinstance(found, Outcome)
    assert found.result == "evidence-none"
    assert [each.state for each in found.sources] == ["unavailable"]


async def test_a_broken_adapter_is_alarmed_once_and_no_evidence():
    def stumble(_: object) -> Answer:
        raise ZeroDivisionError

    wants = clause(relationships=["none"], categories=["encounters"])
    more = clause(id="c2", relationships=["active-encounter"])
    asked = Asked(FakeAdapter(stumble, profile=WHOLE), wants, more)
    with capture_logs() as alarms:
        journey = await asked.told()
    assert [each.source for each in journey.completeness.sources] == [SURGERY, OWN]
    assert [each["event"] for each in alarms] == ["adapter_defect"]


async def test_an_own_source_whose_site_refuses_is_no_evidence():
    def refuse(_: object) -> Answer:
        raise Vetoed

    wants = clause(relationships=["none"], categories=["encounters"])
    more = clause(id="c2", relationships=["active-encounter"])
    asked = Asked(FakeAdapter(refuse, profile=WHOLE), wants, more)
    journey = await asked.told()
    assert journey.decision.relationships == []
    found = asked.trail.records[1]
    assert isinstance(found, Outcome)
    assert [each.state for each in found.sources] == ["denied"]


class Counting:
    """Suspensions of nothing but one source, which count who answered wrongly."""

    def __init__(self, suspended: str = "") -> None:
        self.suspended = suspended
        self.counted: list[str] = []

    def is_suspended(self, source: str) -> bool:
        return source == self.suspended

    async def mismatched(self, source: str, person: Identifiers, *, most: int) -> None:
        self.counted.append(source)


async def test_a_stranger_in_the_evidence_alone_is_counted_against_its_source():
    stranger = answer(event("own-1", JUST_NOW, of=BOB), about=BOB)
    counting = Counting()
    own = FakeAdapter(lambda _: stranger, profile=WHOLE)
    await Asked(own, suspensions=counting).refused()
    assert counting.counted == [OWN]


async def test_a_suspended_source_is_not_asked_for_evidence_either():
    asked = Asked(Watched(SEEN), suspensions=Counting(OWN))
    await asked.refused()
    assert asked.own.asked == []


async def test_a_silent_source_leaves_time_for_the_others():
    own = FakeAdapter(lambda _: answer(SEEN), profile=WHOLE, waits_s=30)
    wants = clause(relationships=["none"], categories=["encounters"])
    more = clause(id="c2", relationships=["active-encounter"])
    asked = Asked(own, wants, more, limits=Limits(source_s=4.0))
    journey = await asked.told(deadline_s=1.0)
    states = {each.source: each.state for each in journey.completeness.sources}
    assert states == {OWN: "timeout", SURGERY: "ok"}
    found = asked.trail.records[1]
    assert isinstance(found, Outcome)
    assert found.sources[0].state == "timeout"
    assert found.sources[0].took_ms is not None
    assert found.sources[0].took_ms < 700


async def test_the_share_of_the_time_is_a_knob():
    waited = []
    for share in (0.1, 0.5):
        own = FakeAdapter(lambda _: answer(), profile=WHOLE, waits_s=30)
        asked = Asked(own, evidence=Evidence(share=share))
        await asked.refused(deadline_s=1.0)
        found = asked.trail.records[1]
        assert isinstance(found, Outcome)
        waited.append(found.sources[0].took_ms)
    assert (waited[0] or 0) < 300 < (waited[1] or 0)


async def test_what_is_looked_for_is_a_knob():
    asked = Asked(Watched(SEEN), evidence=Evidence(relationships=frozenset()))
    await asked.refused()
    assert asked.own.asked == []
    asked = Asked(
        Watched(SEEN, REFERRED),
        evidence=Evidence(relationships=frozenset({"referral"})),
    )
    journey = await asked.told()
    assert [each.kind for each in journey.decision.relationships] == ["referral"]


async def test_what_lasts_longest_is_shown_of_each_relationship():
    later = event("own-5", "2026-03-01T11:00:00+00:00")
    asked = Asked(Watched(SEEN, later, REFERRED))
    journey = await asked.told()
    shown = journey.decision.relationships
    assert [each.kind for each in shown] == ["active-encounter", "referral"]
    assert shown[0].expires == "2026-03-04T11:00:00Z"


async def test_a_question_by_an_identifier_that_own_sources_do_not_know_finds_none():
    asked = Asked(Watched(SEEN))
    strange = Identifiers(others=frozenset({next(iter(BOB.others))}))
    refusal = await asked.refused(person=strange)
    assert refusal.code == "not-permitted"


async def test_a_source_that_cannot_be_asked_by_that_identifier_is_not_asked():
    own = FakeAdapter(lambda _: answer(SEEN), profile=profile(HELD, {"urn:else"}))
    asked = Asked(own)
    await asked.refused()
    found = asked.trail.records[1]
    assert isinstance(found, Outcome)
    assert [(each.state, each.reason) for each in found.sources] == [
        ("not_asked", "no_hint")
    ]


async def test_the_refusal_is_recorded_with_the_evidence_that_was_found():
    """Enough for some of one's own, and for nothing that the question asks."""
    asked = Asked(
        Watched(SEEN),
        clause(id="c1", relationships=["active-encounter"], categories=["encounters"]),
        clause(
            id="c2",
            relationships=["active-encounter"],
            roles=["nurse"],
            categories=["medications"],
        ),
        clause(
            id="c3",
            relationships=["active-encounter"],
            categories=["medications"],
            obligations={"justify": True},
        ),
    )
    refusal = await asked.refused(categories=frozenset({"medications"}))
    assert refusal.code == "request-invalid"
    denied = asked.trail.records[-1]
    assert isinstance(denied, Denied)
    assert denied.basis is not None
    assert [each.kind for each in denied.basis.shown] == ["active-encounter"]
    assert asked.surgery.asked == []


async def test_a_cited_agreement_needs_not_be_that_of_ones_own_data():
    own = policy_of([RECIPIENT, "Z9A01"], BOTH)
    asked = Asked(Watched(SEEN), policy=own)
    journey = await asked.told(agreement="DSA-TEST")
    assert [each.kind for each in journey.decision.relationships] == [
        "active-encounter"
    ]


async def test_by_an_old_age_limit_the_evidence_question_reaches_no_further():
    bounded = clause(
        relationships=["active-encounter"], obligations={"max_age_days": 10}
    )
    asked = Asked(Watched(SEEN), bounded)
    await asked.told()
    since = asked.own.asked[0].since
    assert since == (NOW - timedelta(days=10)).date()


async def test_the_same_record_always_has_the_same_reference():
    one, two = Asked(Watched(SEEN)), Asked(Watched(SEEN))
    first = (await one.told()).decision.relationships
    again = (await two.told()).decision.relationships
    assert first == again
    other = Asked(Watched(event("own-8", JUST_NOW)))
    assert (await other.told()).decision.relationships != first


async def test_a_person_by_local_identifier_is_found_as_by_number():
    asked = Asked(Watched(SEEN))
    by_local = Identifiers(others=ANN.others)
    journey = await asked.told(person=by_local)
    assert [each.kind for each in journey.decision.relationships] == [
        "active-encounter"
    ]
    assert journey.person.nhs_number == number(0)


async def test_a_source_behind_a_site_is_not_asked_on_a_supposition():
    own = Watched(SEEN)
    own.profile = replace(own.profile, wants_warrant=True)
    asked = Asked(own)
    await asked.refused()
    assert own.asked == []
