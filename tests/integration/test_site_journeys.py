"""One question through a site: the same journey as without, but for what it vetoes."""

from dataclasses import replace

import pytest
import structlog

from adapters.contract import FlagState
from adapters.errors import Unavailable, Unreadable
from gateway.audit.records import Denied, Intent, NotTaken, Outcome
from gateway.journey.inquiry import inquire
from gateway.problems import RequestError
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import (
    ANN,
    BOB,
    NOW,
    PREFILTERED,
    STATES,
    answer,
    clause,
    doctor,
    event,
    house,
    memory,
    policy_of,
    profile,
    question,
    source,
)
from tests.sites import Around, behind, constrain, rule, told, veto

OWNER = "Z9B02"
HELD = ("encounters", "documents", "medications", "demographics")
EVENTS = (
    event("a-1"),
    event("a-2", "2026-01-06", kind="document"),
    event("a-3", "2025", kind="medication", labels=["PSY"]),
    event("a-4", "2026-01-07T09:00", kind="document", labels=["HIV"]),
    event("a-5", None, kind="encounter"),
    event("a-6", "2019-06", kind="encounter", codes=["x"], organisation="Z9X01"),
)


def epr(*events, **changed):
    return source(f"{OWNER}.epr", memory(*(events or EVENTS), held=HELD), **changed)


def told_by(adapter, **changed):
    return source(f"{OWNER}.epr", adapter, **changed)


def stating(flag, *events, present=True):
    """A source that states a flag of Ann."""
    said = replace(
        answer(*events, name="Ann Test", born="1950-02-03"),
        flags=(FlagState(flag=flag, present=present, as_of=NOW),),
    )
    return FakeAdapter(lambda _: said, profile=profile(HELD))


def policy(*clauses, rules=()):
    return policy_of([OWNER], *clauses, rules=rules)


RULES = {
    "no rule": [],
    "a category vetoed": [rule(OWNER, veto(categories=["documents"]))],
    "old records": [rule(OWNER, constrain({"max_age_days": 90}))],
    "a label vetoed": [rule(OWNER, veto(labels_any=["PSY"]))],
    "a title hidden": [
        rule(OWNER, constrain({"hide_fields": ["event.title", "event.codes"]}))
    ],
    "a place masked": [
        rule(OWNER, constrain({"mask_fields": {"event.organisation": "full"}}))
    ],
    "a filter": [rule(OWNER, constrain({"row_filters": ["local-dissent"]}))],
    "duties": [rule(OWNER, constrain({"no_onward": True, "retain_seconds": 60}))],
}


@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
async def test_a_journey_through_a_site_is_the_same_byte_for_byte(rules):
    in_force = policy(rules=rules)
    plain = await told(epr(), policy=in_force)
    assert await told(behind(epr(), rules=rules), policy=in_force) == plain


@pytest.mark.parametrize(
    "clauses",
    [
        [clause(cleared_labels=["unlabelled"])],
        [clause(obligations={"max_age_days": 400})],
        [clause(categories=["encounters"])],
        [
            clause(id="c1", obligations={"max_age_days": 30}),
            clause(id="c2", cleared_labels=["HIV"], obligations={"date_grain": "day"}),
        ],
        [
            clause(id="c1", categories=["encounters", "demographics"]),
            clause(
                id="c2",
                categories=["documents"],
                obligations={"hide_fields": ["event.title"]},
            ),
        ],
        [clause(obligations={"hide_fields": ["event.record_id", "person.name"]})],
        [clause(obligations={"mask_fields": {"person.name": "partial"}})],
    ],
)
async def test_whatever_is_granted_the_journey_is_the_same(clauses):
    in_force = policy(*clauses)
    adapters = [
        memory(*EVENTS, held=HELD),
        FakeAdapter(
            lambda _: answer(*EVENTS[:2], name="Ann Test", born="1950-02-03"),
            profile=profile(HELD),
        ),
    ]
    for adapter in adapters:
        plain = await told(told_by(adapter), policy=in_force)
        through = await told(behind(told_by(adapter)), policy=in_force)
        for journey in (plain, through):
            for each in journey["events"]:
                # Where record ids are hidden, an event has another id each time.
                if each["provenance"]["record_id"] is None:
                    each["id"] = None
        assert through == plain


@pytest.mark.parametrize("labels", ["labelled", "unlabelled"])
async def test_how_a_source_labels_makes_no_difference(labels):
    assert await told(behind(epr(labels=labels))) == await told(epr(labels=labels))


@pytest.mark.parametrize("flag", ["legally-restricted", "sensitive-record"])
@pytest.mark.parametrize("present", [True, False])
async def test_what_is_restricted_is_unknown_through_a_site_too(flag, present):
    adapter = stating(flag, *EVENTS[:2], present=present)
    flags = {**PREFILTERED, flag: STATES[flag]}
    plain = await told(told_by(adapter, flags=flags))
    assert await told(behind(told_by(adapter, flags=flags))) == plain
    states = [each["state"] for each in plain["completeness"]["sources"]]
    assert states == ["unknown_person" if present else "ok"]


async def test_of_a_restricted_person_nothing_leaves_the_site():
    around = Around()
    asked = behind(
        told_by(stating("legally-restricted", *EVENTS), flags=STATES), around
    )
    await told(asked)
    outcome = around.trail.records[-1]
    assert isinstance(outcome, Outcome)
    assert outcome.sources[0].count == 0


async def test_a_veto_of_the_organisation_wins_over_the_gateways_grant():
    around = Around()
    asked = behind(epr(), around, rules=[rule(OWNER, veto(purposes=["direct-care"]))])
    other = source("Z9A01.gp", memory(event("g-1")))
    journey = await told(asked, other)
    report = next(
        each
        for each in journey["completeness"]["sources"]
        if each["source"] == asked.id
    )
    assert (report["state"], report["reason"], report["fault_domain"]) == (
        "denied",
        "site",
        "policy",
    )
    assert journey["completeness"]["level"] == "partial"
    assert "itself refuses" in journey["completeness"]["statement"]
    assert [each["provenance"]["source"] for each in journey["events"]] == [other.id]
    (record,) = around.trail.records
    assert isinstance(record, Denied)
    assert record.exchange is not None
    assert record.exchange.answer is not None


async def test_a_veto_of_one_category_leaves_a_gap_and_tells_the_rest():
    asked = behind(epr(), rules=[rule(OWNER, veto(categories=["documents"]))])
    completeness = (await told(asked))["completeness"]
    (report,) = completeness["sources"]
    assert report["state"] in {"ok", "withheld"}
    refused = [each for each in completeness["gaps"] if "itself" in each["meaning"]]
    assert [each["categories"] for each in refused] == [["documents"]]
    assert "documents" not in completeness["complete_for"]
    assert completeness["level"] == "partial"


async def test_a_veto_of_demographics_hides_who_the_person_is():
    adapter = FakeAdapter(
        lambda _: answer(EVENTS[0], name="Ann Test", born="1950-02-03"),
        profile=profile(HELD),
    )
    rules = [rule(OWNER, veto(categories=["demographics"]))]
    journey = await told(behind(told_by(adapter), rules=rules))
    assert journey["person"]["name"] is None
    assert journey["person"]["birth_date"] is None
    assert len(journey["events"]) == 1


async def test_a_field_that_only_the_site_hides_leaves_it_no_more():
    rules = [
        rule(
            OWNER,
            constrain(
                {
                    "hide_fields": [
                        "event.title",
                        "event.record_id",
                        "person.name",
                        "event.status",
                        "event.kind_code",
                        "event.detail",
                        "event.recorded_at",
                    ],
                    "date_grain": "month",
                    "mask_fields": {"person.birth_date": "partial"},
                }
            ),
        )
    ]
    adapter = FakeAdapter(
        lambda _: answer(EVENTS[0], name="Ann Test", born="1950-02-03"),
        profile=profile(HELD),
    )
    journey = await told(behind(told_by(adapter), rules=rules))
    (shown,) = journey["events"]
    assert (shown["title"], shown["status"]) == ("", "unknown")
    assert shown["provenance"]["record_id"].startswith("hidden-")
    assert (shown["start"], shown["start_precision"]) == ("2026-01", "month")
    assert shown["caveats"] == ["hidden_at_site"]
    assert journey["person"]["name"] is None
    assert journey["person"]["birth_date"] == "1950"


async def test_a_duty_that_nobody_would_do_denies():
    rules = [rule(OWNER, constrain({"notify": ["owner"]}))]
    (report,) = (
        await told(behind(epr(), rules=rules), source("Z9A01.gp", memory(event("g-1"))))
    )["completeness"]["sources"][1:]
    assert (report["state"], report["reason"]) == ("denied", "site")


async def test_somebody_elses_record_is_caught_at_the_gateway():
    adapter = FakeAdapter(
        lambda _: answer(event("b-1", of=BOB), EVENTS[0]), profile=profile(HELD)
    )
    other = source("Z9A01.gp", memory(event("g-1")))
    plain = await told(told_by(adapter), other)
    assert await told(behind(told_by(adapter)), other) == plain
    assert plain["completeness"]["sources"][1]["reason"] == "identity_mismatch"


def failing(error):
    def fail(_):
        raise error

    return FakeAdapter(fail, profile=profile(HELD))


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("connect", "no"),
        Unavailable("busy", "no", retry_after_s=7),
        Unreadable("unreadable", "no", domain="adapter"),
        TimeoutError(),
        ZeroDivisionError(),
    ],
)
async def test_a_source_that_fails_at_its_site_fails_as_it_would_here(error):
    other = source("Z9A01.gp", memory(event("g-1")))
    plain = await told(told_by(failing(error)), other)
    assert await told(behind(told_by(failing(error))), other) == plain


async def test_a_slow_source_times_out_before_its_gateway_does():
    slow = FakeAdapter(lambda _: answer(), profile=profile(HELD), waits_s=30)
    other = source("Z9A01.gp", memory(event("g-1")))
    around = Around()
    asked = question(deadline_s=1.0)
    journey = await told(behind(told_by(slow), around), other, asked=asked)
    report = journey["completeness"]["sources"][1]
    assert (report["state"], report["fault_domain"]) == ("timeout", "source")
    # It was the site that said so: its outcome is signed and recorded.
    assert isinstance(around.trail.records[-1], Outcome)
    assert slow.cancelled == 1


async def test_both_ends_record_the_same_exchange():
    around, trail = Around(), FakeTrail()
    await inquire(house(behind(epr(), around), trail=trail), doctor(), question())
    here = trail.records[-1]
    assert isinstance(here, Outcome)
    intents = [each for each in around.trail.records if isinstance(each, Intent)]
    there = [each for each in around.trail.records if isinstance(each, Outcome)]
    exchanges = here.sources[0].exchanges
    assert len(exchanges) == 2  # it was asked again by what it taught
    assert all(each.answer is not None for each in exchanges)
    assert tuple(e for each in there for e in each.sources[0].exchanges) == exchanges
    asked = [each.exchange.question for each in intents if each.exchange]
    assert asked == [each.question for each in exchanges]
    assert intents[0].subjects == (around.trail.subject_of(str(ANN.nhs_number)),)


async def test_a_question_of_which_nothing_came_back_is_recorded_too():
    slow = FakeAdapter(lambda _: answer(), profile=profile(HELD), waits_s=30)
    around, trail = Around(), FakeTrail()
    asked = behind(told_by(slow), around)
    asked.adapter._carrier.answer = _lost  # type: ignore[attr-defined]  # the test's own
    with pytest.raises(RequestError):
        await inquire(house(asked, trail=trail), doctor(), question(deadline_s=0.6))
    here = trail.records[-1]
    assert isinstance(here, Outcome)
    (exchange,) = here.sources[0].exchanges
    assert exchange.answer is None


def _lost(_: bytes) -> bytes:
    raise TimeoutError


async def test_without_a_durable_intent_the_source_is_not_asked():
    adapter = FakeAdapter(lambda _: answer(), profile=profile(HELD))
    around = Around(trail=FakeTrail(fails_at=0))
    other = source("Z9A01.gp", memory(event("g-1")))
    journey = await told(behind(told_by(adapter), around), other)
    report = journey["completeness"]["sources"][1]
    assert (report["state"], report["reason"]) == ("unavailable", "audit")
    assert adapter.asked == []


async def test_without_a_durable_outcome_nothing_leaves():
    around = Around(trail=FakeTrail(fails_at=1))
    other = source("Z9A01.gp", memory(event("g-1")))
    journey = await told(behind(epr(), around), other)
    report = journey["completeness"]["sources"][1]
    assert (report["state"], report["reason"]) == ("unavailable", "audit")
    assert {e["provenance"]["source"] for e in journey["events"]} == {other.id}


async def test_a_refused_question_is_recorded_at_the_site():
    around = Around()
    around.gateway = Around().gateway  # other keys than the site pinned
    asked = behind(epr(), around)
    stranger = Around(site=around.site)
    asked.adapter._ends = replace(  # type: ignore[attr-defined]  # the test's own
        asked.adapter._ends,  # type: ignore[attr-defined]  # as above
        own=stranger.gateway[0],
    )
    with pytest.raises(RequestError):
        await told(asked)
    assert [type(each) for each in around.trail.records] == [NotTaken] * 2


async def test_no_other_kind_of_source_is_told_why_it_is_asked():
    """Seeded defect: a warrant for every source, whatever its profile says."""
    adapter = FakeAdapter(lambda _: answer(EVENTS[0]), profile=profile(HELD))
    await told(told_by(adapter))
    assert [each.warrant for each in adapter.asked] == [None] * len(adapter.asked) != []
    behind_site = FakeAdapter(lambda _: answer(EVENTS[0]), profile=profile(HELD))
    await told(behind(told_by(behind_site)))
    # Nor is the source behind a site: the site alone decides.
    assert {each.warrant for each in behind_site.asked} == {None}


async def test_an_answer_that_is_not_the_sites_raises_an_alarm():
    asked = behind(epr())
    asked.adapter._carrier.answer = lambda _: b"not.a.jwe"  # type: ignore[attr-defined]  # the test's own
    other = source("Z9A01.gp", memory(event("g-1")))
    with structlog.testing.capture_logs() as alarms:
        journey = await told(asked, other)
    report = journey["completeness"]["sources"][1]
    assert (report["state"], report["reason"], report["fault_domain"]) == (
        "error",
        "untrusted_answer",
        "adapter",
    )
    assert {e["provenance"]["source"] for e in journey["events"]} == {other.id}
    assert [(e["event"], e["source"]) for e in alarms] == [
        ("untrusted_answer", asked.id)
    ]
