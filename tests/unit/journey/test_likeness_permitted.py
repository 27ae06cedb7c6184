"""Who may be looked for by demographics, with whose, and what may be said of it."""

from dataclasses import replace

import msgspec
import pytest

from adapters.contract import FlagState
from tests.fakes import FakeAdapter
from tests.houses import ANN, NOW, STATES, answer, event, profile
from tests.likenesses import (
    ANN_AT_GP,
    AT_GP,
    AT_WARD,
    Asked,
    Register,
    bound,
    codes,
    described,
    everybody,
    ids,
    report,
    veto,
)


async def test_who_may_not_be_asked_is_never_asked_for_likenesses():
    ward = Register(AT_WARD, people=[described()])
    policy = everybody(owners=("Z9A01",))
    journey = await Asked(ward, policy=policy).told()
    assert report(journey).state == "denied"
    assert (ward.matched, ward.asked) == ([], [])


async def test_where_its_demographics_are_denied_nobody_is_looked_for():
    ward = Register(AT_WARD, people=[described()])
    rule = veto("Z9B02", {"categories": ["demographics"]})
    await Asked(ward, policy=everybody(rule)).told()
    assert ward.matched == []


async def test_where_the_question_leaves_demographics_out_nobody_is_looked_for():
    ward = Register(AT_WARD, people=[described()])
    await Asked(ward).told(categories=frozenset({"encounters"}))
    assert ward.matched == []


def told_there(**obligations):
    """What the practice's owner demands where the ward's organisation is told."""
    return bound("Z9A01", {"recipients": ["Z9B02"]}, **obligations)


REFUSALS = {
    "no agreement with them": everybody(recipients=()),
    "the owner's veto": everybody(veto("Z9A01", {"recipients": ["Z9B02"]})),
    "not to be passed on": everybody(told_there(no_onward=True)),
    "not to be kept": everybody(told_there(retain_seconds=60)),
    "only if the owner is told": everybody(told_there(notify=["owner"])),
    "only for a reason": everybody(told_there(justify=True)),
    "no name": everybody(told_there(hide_fields=["person.name"])),
    "a year for a day": everybody(told_there(date_grain="year")),
}


@pytest.mark.parametrize("policy", REFUSALS.values(), ids=list(REFUSALS))
async def test_an_owner_who_does_not_permit_it_tells_another_nothing(policy):
    ward = Register(AT_WARD, people=[described()])
    asked = Asked(ward, policy=policy)
    journey = await asked.told()
    assert ward.matched == []
    assert ids(journey) == {"g-1"}
    assert codes(journey) == {"likeness_not_permitted": 1}
    assert [each.kind for each in asked.trail.records] == ["intent", "outcome"]


async def test_that_an_owner_does_not_permit_it_is_said():
    ward = Register(AT_WARD, people=[described()])
    journey = await Asked(ward, policy=REFUSALS["no agreement with them"]).told()
    assert codes(journey) == {"likeness_not_permitted": 1}
    assert journey.completeness.level == "complete"
    assert "do not permit that" in journey.completeness.statement


async def test_an_organisation_needs_no_leave_of_its_own():
    ward = Register(AT_WARD, people=[described()])
    policy = everybody(owners=("Z9A01",), recipients=())
    journey = await Asked(ward, policy=policy, ward_id="Z9A01.pas").told()
    assert ids(journey) == {"g-1", "w-1"}


async def test_only_what_its_owner_shows_there_is_told():
    ward = Register(AT_WARD, people=[described()])
    hidden = told_there(hide_fields=["person.postcode"])
    await Asked(ward, policy=everybody(hidden)).told()
    (told,) = ward.matched
    assert (told.name, told.postcode) == ("Ann Quillfield", None)


async def test_what_a_candidates_own_organisation_hides_ties_nobody():
    ward = Register(AT_WARD, people=[described()])
    hidden = bound("Z9B02", hide_fields=["person.name"])
    journey = await Asked(ward, policy=everybody(hidden)).told()
    assert ids(journey) == {"g-1"}
    assert len(ward.matched) == 1


SENSITIVE = (FlagState(flag="sensitive-record", present=True, as_of=NOW),)
PLAIN = tuple(
    FlagState(flag=flag, present=False, as_of=NOW)
    for flag in ("sensitive-record", "legally-restricted")
)


@pytest.mark.parametrize(
    "flags", [SENSITIVE, (SENSITIVE[0], PLAIN[1]), ()], ids=["set", "one", "unknown"]
)
@pytest.mark.parametrize("person", [described(), described(name="A Quillfield")])
async def test_who_may_not_be_seen_is_not_even_counted(flags, person):
    ward = Register(AT_WARD, people=[person], flags=flags)
    silent = await Asked(ward, flags={"flags": STATES}).told()
    assert len(ward.matched) == 1
    nobody = await Asked(Register(), flags={"flags": STATES}).told()
    assert ids(silent) == {"g-1"}
    assert unlike(silent) == unlike(nobody)
    assert report(silent).caveats == []


def unlike(journey):
    """What a caller sees, without ids and milliseconds."""
    found = msgspec.to_builtins(journey)
    for each in found["completeness"]["sources"]:
        each["took_ms"] = 0
    return {k: v for k, v in found.items() if k not in {"journey_id", "decision"}}


async def test_a_person_whose_flags_are_known_to_be_absent_is_tied():
    ward = Register(AT_WARD, people=[described()], flags=PLAIN)
    journey = await Asked(ward, flags={"flags": STATES}).told()
    assert ids(journey) == {"g-1", "w-1"}


async def test_a_person_of_whom_a_source_is_silent_is_described_to_nobody():
    header = replace(answer(AT_GP), person=ANN_AT_GP, flags=SENSITIVE)
    gp = FakeAdapter(lambda _: header, profile=profile())
    ward = Register(AT_WARD, people=[described()])
    asked = Asked(ward, gp)
    gp_source = replace(asked.house.sources[0], flags=STATES)
    asked.house = replace(asked.house, sources=(gp_source, asked.house.sources[1]))
    journey = await asked.told()
    assert ward.matched == []
    assert codes(journey) == {}


async def test_a_source_that_must_be_silent_says_what_one_that_knows_nobody_says():
    told = []
    for events in ((), (event("w-2", of=ANN),)):
        ward = Register(*events, flags=SENSITIVE)
        policy = REFUSALS["no agreement with them"]
        asked = Asked(ward, policy=policy, flags={"flags": STATES})
        told.append(unlike(await asked.told()))
    assert told[0] == told[1]
