"""Demographics as the last resort: what they tie, what they leave, and who is asked."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from adapters.contract import Candidate, Identifiers, Person
from adapters.errors import Unavailable, Vetoed
from adapters.moment import Moment
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Intent, Outcome
from gateway.journey import ticketing
from gateway.journey.calling import Lanes
from gateway.problems import RequestError
from tests.fakes import FakeAdapter
from tests.houses import ANN, NOW, answer, event, profile, source
from tests.likenesses import (
    AT_WARD,
    GP,
    OTHERS,
    THEIRS,
    TWIN,
    WARD,
    Asked,
    Register,
    codes,
    described,
    everybody,
    ids,
    practice,
    report,
    veto,
)
from tests.people import number

ONLY = Identifiers(nhs_number=ANN.nhs_number)


async def test_one_sure_likeness_is_shown_and_says_what_it_rests_on():
    ward = Register(AT_WARD, people=[described(), TWIN])
    journey = await Asked(ward).told()
    (shown,) = [e for e in journey.events if e.provenance.source == WARD]
    link = shown.provenance.link
    assert (link.method, link.grade) == ("demographics", "certain")
    assert 0.99 <= link.confidence < 1
    agreed = ("forename", "surname", "birth_date", "gender", "postcode")
    assert link.agreed == agreed
    assert "tied_by_demographics" in shown.caveats
    assert codes(journey)["tied_by_demographics"] == 1
    assert "Check who they are about: 1 records of Z9B02" in (
        journey.completeness.statement
    )
    assert report(journey).state == "ok"


async def test_who_is_tied_is_asked_for_by_their_own_key_alone():
    ward = Register(AT_WARD, people=[described()])
    await Asked(ward).told()
    assert ward.asked[-1] == THEIRS
    (shown,) = ward.matched
    assert (shown.name, shown.postcode) == ("Ann Quillfield", "QZ1 4AB")


async def test_a_source_tied_by_demographics_agrees_to_nobody():
    ward = Register(AT_WARD, people=[described(name="Anne Quillfield")])
    journey = await Asked(ward).told()
    assert AT_WARD.record_id in ids(journey)
    assert journey.person.agreed_by == 1
    assert journey.person.name == "Ann Quillfield"


@pytest.mark.parametrize("demographics", ["off", "possible-only"])
async def test_a_likeness_is_not_shown_where_that_is_not_switched_on(demographics):
    ward = Register(AT_WARD, people=[described()])
    journey = await Asked(ward, demographics=demographics).told()
    assert ids(journey) == {"g-1"}
    assert report(journey).state == "unknown_person"
    assert len(ward.matched) == (demographics != "off")
    possible = codes(journey).get("possible_match", 0)
    assert possible == (demographics == "possible-only")


async def test_switched_off_it_leaves_no_trace():
    ward = Register(AT_WARD, people=[described()])
    asked = Asked(ward, demographics="off")
    await asked.told()
    assert [each.kind for each in asked.trail.records] == ["intent", "outcome"]


@pytest.mark.parametrize(
    ("person", "possible"),
    [
        (TWIN, 0),
        (described(name="Ann Marham", postcode=None), 0),
        (described(name="A Quillfield"), 1),
        (described(born=None), 0),
        (described(born="1926-03-14"), 0),
        (described(Identifiers(nhs_number=number(5), others=THEIRS.others)), 0),
        (described(ANN), 0),
        (described(Identifiers(nhs_number=number(3))), 0),
    ],
    ids=[
        *("a twin", "another surname", "an initial"),
        *("no date of birth", "a father of one name", "another number"),
        *("somebody known already", "nothing to ask by"),
    ],
)
async def test_who_is_not_sure_is_counted_and_never_shown(person, possible):
    ward = Register(AT_WARD, people=[person])
    journey = await Asked(ward).told()
    assert ids(journey) == {"g-1"}
    assert report(journey).state == "unknown_person"
    assert codes(journey).get("possible_match", 0) == possible
    if possible:
        assert journey.completeness.level == "partial"
        assert "which is not sure enough" in journey.completeness.statement


async def test_a_likeness_with_nothing_to_be_asked_by_may_be_the_person():
    nameless = described(Identifiers())
    journey = await Asked(Register(AT_WARD, people=[nameless])).told()
    assert codes(journey)["possible_match"] == 1


async def test_two_who_are_both_sure_are_told_apart_by_nothing():
    ward = Register(AT_WARD, people=[described(), described(OTHERS)])
    journey = await Asked(ward).told()
    assert ids(journey) == {"g-1"}
    assert codes(journey)["possible_match"] == 2


async def test_more_likenesses_than_are_compared_tie_nobody():
    third = described(Identifiers(), name="Cora Marham")
    ward = Register(AT_WARD, people=[described(), TWIN, third])
    journey = await Asked(ward, knobs={"candidates": 2}).told()
    assert ids(journey) == {"g-1"}
    assert codes(journey) == {"too_many_alike": 1}
    assert "too many people" in journey.completeness.statement


@pytest.mark.parametrize(
    ("knobs", "shown", "possible"),
    [
        ({}, False, 1),
        ({"linked": 0.95}, True, 0),
    ],
)
async def test_the_upper_threshold_decides_what_is_shown(knobs, shown, possible):
    likely = described(gender=None, postcode="AB1 2CD")  # scores 0.986
    ward = Register(AT_WARD, people=[likely])
    journey = await Asked(ward, knobs=knobs).told()
    assert ("w-1" in ids(journey)) is shown
    assert codes(journey).get("possible_match", 0) == possible


@pytest.mark.parametrize(("possible", "counted"), [(0.5, 1), (0.95, 0)])
async def test_the_lower_threshold_decides_what_is_counted(possible, counted):
    unlikely = described(name="A Quillfield")  # scores 0.93
    ward = Register(AT_WARD, people=[unlikely])
    journey = await Asked(ward, knobs={"possible": possible}).told()
    assert codes(journey).get("possible_match", 0) == counted


@pytest.mark.parametrize(
    "other",
    [
        described(ANN, name="Anna Marham"),
        described(ANN, name="Beth Quillfield"),
        described(ANN, born="1956-03-15"),
        described(ANN, born="1957"),
        described(ANN, gender="male"),
    ],
)
async def test_where_sources_describe_the_person_differently_nobody_is_looked_for(
    other,
):
    ward = Register(AT_WARD, people=[described()])
    second = source("Z9C03.pas", practice(other, event("c-1")))
    policy = everybody(
        owners=("Z9A01", "Z9B02", "Z9C03"), recipients=("Z9B02", "Z9A01")
    )
    journey = await Asked(ward, None, second, policy=policy).told()
    assert ward.matched == []
    assert codes(journey) == {"likeness_disputed": 1}
    assert "describe this person differently" in journey.completeness.statement


async def test_what_two_sources_agree_on_describes_the_person():
    ward = Register(AT_WARD, people=[described()])
    fuller = described(ANN, name="Ann Mary Quillfield", postcode="AB1 2CD")
    second = source("Z9C03.pas", practice(fuller, event("c-1")))
    policy = everybody(owners=("Z9A01", "Z9B02", "Z9C03"))
    await Asked(ward, None, second, policy=policy).told()
    (told,) = ward.matched
    assert (told.name, told.postcode) == ("Ann Mary Quillfield", None)


async def test_each_of_them_is_used_only_where_its_owner_permits_that():
    ward = Register(AT_WARD, people=[described()])
    fuller = described(ANN, name="Ann Mary Quillfield", postcode="AB1 2CD")
    second = source("Z9C03.pas", practice(fuller, event("c-1")))
    policy = everybody(
        veto("Z9C03", {"recipients": ["Z9B02"]}), owners=("Z9A01", "Z9B02", "Z9C03")
    )
    asked = Asked(ward, None, second, policy=policy)
    await asked.told()
    (told,) = ward.matched
    assert (told.name, told.postcode) == ("Ann Quillfield", "QZ1 4AB")
    intents = [e for e in asked.trail.records if isinstance(e, Intent)]
    assert [each.described_by for each in intents] == [(), (GP,)]


@pytest.mark.parametrize(
    "known",
    [
        described(ANN, name=None),
        described(ANN, name="Quillfield"),
        described(ANN, born=None),
        described(ANN, born="1956"),
        described(ANN, born="1900-01-01"),
        described(Identifiers(others=ANN.others)),
    ],
)
async def test_too_little_known_of_a_person_describes_them_to_nobody(known):
    ward = Register(AT_WARD, people=[described()])
    journey = await Asked(ward, practice(known)).told()
    assert ward.matched == []
    assert codes(journey) == {}


async def test_a_source_that_has_records_is_not_looked_at():
    ward = Register(event("w-2", of=ANN), people=[described()])
    await Asked(ward).told()
    assert ward.matched == []


async def test_a_source_that_knows_the_person_and_has_nothing_is_looked_at():
    ward = Register(event("w-2", "2020-01-01", of=ANN), AT_WARD, people=[described()])
    ward.people += (Candidate(person=described(ANN)),)
    journey = await Asked(ward).told(since=NOW.date().replace(year=2025))
    assert ids(journey) == {"g-1", "w-1"}
    assert journey.person.agreed_by == 2


async def test_a_source_that_cannot_match_is_left_alone():
    nobody = FakeAdapter(lambda _: answer(about=None), profile=profile())
    journey = await Asked(nobody).told()
    assert codes(journey) == {}
    assert report(journey).state == "unknown_person"


@pytest.mark.parametrize(
    "broken",
    [
        Person(birth_date=Moment(datetime(1956, 3, 14), "day")),  # noqa: DTZ001 - it is what is tested
        Person(name=7),  # type: ignore[arg-type]  # what is tested
    ],
    ids=["a time without a zone", "a name that is none"],
)
async def test_a_candidate_that_cannot_be_read_is_a_defect_of_its_adapter(broken):
    class Broken(Register):
        async def match(self, described, *, limit):
            return (Candidate(person=broken),)

    asked = Asked(Broken(AT_WARD))
    journey = await asked.told()
    assert ids(journey) == {"g-1"}
    assert codes(journey) == {"likeness_failed": 1}
    found = asked.trail.records[2]
    assert isinstance(found, Outcome)
    assert found.sources[0].reason == "adapter_defect"


async def test_a_source_that_is_too_busy_is_not_asked_after_all():
    class Busy(Register):
        async def ask(self, query):
            lane = asked.house.lanes.of(asked.house.sources[1])
            self.holding = asyncio.create_task(lane.acquire())
            return await super().ask(query)

    ward = Busy(AT_WARD, people=[described()])
    asked = Asked(ward, practice(described(ONLY), event("g-1", of=ONLY)))
    asked.house = replace(asked.house, lanes=Lanes(1))
    journey = await asked.told(deadline_s=1.2)
    assert codes(journey) == {"likeness_failed": 1}
    found = asked.trail.records[2]
    assert isinstance(found, Outcome)
    assert (found.sources[0].state, found.sources[0].reason) == (
        "not_asked",
        "overloaded",
    )


async def test_without_a_number_known_nobody_is_looked_for():
    unnumbered = Identifiers(others=ANN.others)
    ward = Register(AT_WARD, people=[described()])
    asked = Asked(ward, practice(described(unnumbered), event("g-1", of=unnumbered)))
    journey = await asked.told(of=unnumbered)
    assert ids(journey) == {"g-1"}
    assert ward.matched == []


@pytest.mark.parametrize(
    "fails",
    [
        Unavailable("connect", "is not there"),
        TimeoutError(),
        Vetoed(),
        KeyError("a defect"),
    ],
    ids=["unavailable", "late", "refused by its own", "a defect"],
)
async def test_a_source_that_fails_to_match_keeps_its_answer_and_says_so(fails):
    ward = Register(AT_WARD, people=[described()], fails=fails)
    asked = Asked(ward)
    journey = await asked.told()
    assert ids(journey) == {"g-1"}
    assert report(journey).state == "unknown_person"
    assert codes(journey) == {"likeness_failed": 1}
    assert journey.completeness.level == "partial"
    kinds = [each.kind for each in asked.trail.records]
    assert kinds == ["intent", "intent", "outcome", "outcome"]
    found = asked.trail.records[2]
    assert isinstance(found, Outcome)
    assert found.result == "likeness-none"


async def test_without_time_left_it_is_said_that_nobody_was_looked_for():
    ward = Register(AT_WARD, people=[described()])
    journey = await Asked(ward).told(deadline_s=0.9)
    assert codes(journey) == {"likeness_failed": 1}
    assert ids(journey) == {"g-1"}
    assert ward.matched == []


class Astray(Register):
    """A register whose answer to the key it gave is somebody else's."""

    def __init__(self, *events, **changed):
        super().__init__(*events, **changed)
        self.whose = Identifiers(nhs_number=number(4), others=THEIRS.others)

    async def ask(self, query):
        if query.person == THEIRS:
            return answer(event("w-9", of=self.whose), about=self.whose)
        return await super().ask(query)


async def test_a_likeness_that_turns_out_to_have_another_number_is_let_go():
    asked = Asked(Astray(people=[described()]))
    journey = await asked.told()
    assert ids(journey) == {"g-1"}
    assert report(journey).state == "unknown_person"
    assert codes(journey) == {"likeness_failed": 1}


async def test_a_key_that_reaches_nobody_after_all_is_let_go():
    journey = await Asked(Register(people=[described()])).told()
    assert report(journey).state == "unknown_person"
    assert codes(journey) == {"likeness_failed": 1}


async def test_the_trail_has_the_asking_before_it_and_the_counts_after():
    ward = Register(AT_WARD, people=[described(), described(OTHERS, "A Quillfield")])
    asked = Asked(ward)
    await asked.told()
    _, intent, found, _ = asked.trail.records
    assert isinstance(intent, Intent)
    assert isinstance(found, Outcome)
    assert (intent.described_by, intent.sources) == ((GP,), (WARD,))
    decided = {(e.source, e.organisation, e.effect) for e in intent.decisions}
    assert decided == {(WARD, "Z9B02", "permit"), (GP, "Z9A01", "permit")}
    assert {each.categories for each in intent.decisions} == {("demographics",)}
    assert (intent.decision, intent.basis, intent.sought) == (None, None, ())
    assert (found.result, found.level) == ("likeness-tied", "none")
    (at_ward,) = found.sources
    assert (at_ward.source, at_ward.state, at_ward.count) == (WARD, "ok", 2)
    assert found.subjects == ()


async def test_nobody_is_looked_for_where_the_intent_is_not_durable():
    ward = Register(AT_WARD, people=[described()])
    with pytest.raises(AuditUnavailable):
        await Asked(ward, fails_at=1).told()
    assert ward.matched == []


async def test_nothing_is_shown_where_what_came_of_it_is_not_durable():
    ward = Register(AT_WARD, people=[described()])
    with pytest.raises(AuditUnavailable):
        await Asked(ward, fails_at=2).told()
    assert ward.asked[-1] != THEIRS


async def test_where_no_source_answers_nobody_is_looked_for():
    def fails(_):
        raise Unavailable("connect", "is not there")

    ward = Register(people=[described()])
    gp = FakeAdapter(fails, profile=profile())
    journey = await Asked(ward, gp).told()
    assert ward.matched == []
    assert journey.events == []
    with pytest.raises(RequestError):
        await Asked(FakeAdapter(fails, profile=profile()), gp).told()


class Kept:
    """What would be kept of the tickets for owners."""

    def __init__(self):
        self.tickets = []

    def record_of(self, source, record):
        return "ab"

    def note(self, tickets):
        self.tickets += tickets


@pytest.mark.parametrize(("of", "tickets"), [(THEIRS, 0), (ANN, 2)])
async def test_no_owner_is_told_of_what_may_be_two_peoples(of, tickets):
    died = event("g-2", "2026-01-01", kind="death")
    ward = Register(event("w-1", of=of), people=[described()])
    gp = practice(described(ANN), died)
    gp.profile = profile(("encounters", "demographics"))
    journey = await Asked(ward, gp, ward_id="Z9A01.pas").told()
    assert ids(journey) == {"g-2", "w-1"}
    found = [each.code for each in journey.discrepancies]
    assert found == ["events_after_death"]
    kept = Kept()
    ticketing.note(kept, journey, opened=(), now=NOW)  # type: ignore[arg-type]  # all of it that is used
    assert len(kept.tickets) == tickets
