"""The demo's stories make sense: in time, in place, and across organisations."""

from datetime import date, datetime, timedelta

import pytest

from adapters.vocabulary import KINDS, STATUSES
from gateway.demo.chronicle import ORGANISATIONS, Place
from gateway.demo.dates import Calendar, chance
from gateway.demo.population import residents
from gateway.demo.stories import STORIES, everyday_life, shared_by_all
from gateway.demo.telling import tell, told_of

TODAY = date(2026, 11, 23)
SEEDS = range(40)


def told(tell_story, seed):
    return list(tell_story(Calendar(TODAY, chance(seed, "test"))))


def every_clean_record():
    return [
        (resident.birth_date, record)
        for resident in residents(11, TODAY, count=300)
        for record in told_of(
            resident, Calendar(TODAY, chance(11, "life", resident.number))
        )
    ]


CLEAN = every_clean_record()


def test_nobody_has_a_record_before_they_were_born():
    assert all(r.start.at.date() > born for born, r in CLEAN if r.start is not None)


def test_nothing_ends_before_it_starts_until_dirt_comes():
    timed = [r for _, r in CLEAN if r.start and r.end]
    assert len(timed) > 1_000
    assert all(r.start.at <= r.end.at for r in timed)


def test_what_is_not_planned_has_begun_by_today():
    midnight = datetime.combine(TODAY, datetime.min.time())
    for _, record in CLEAN:
        if record.status == "planned":
            assert record.start.at > midnight
        else:
            assert record.start.at < midnight


def test_kinds_and_statuses_are_of_the_vocabulary():
    assert {record.kind for _, record in CLEAN} <= set(KINDS)
    assert {record.status for _, record in CLEAN} <= STATUSES


def test_each_place_keeps_only_what_such_places_keep():
    kept = {
        Place.AMBULANCE: "ambulance_",
        Place.SOCIAL_CARE: "social_care_",
        Place.MENTAL_HEALTH: "mental_health_",
    }
    for _, record in CLEAN:
        assert record.kind.startswith(kept.get(record.place, ""))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_can_be_told_by_any_chance(story):
    for seed in SEEDS:
        assert all(r.start is not None for r in told(story.tell, seed))
    if story.name != "ordinary":
        assert all(told(story.tell, seed) for seed in SEEDS)


@pytest.mark.parametrize(
    "name", ["fall", "stroke", "frailty", "crisis", "delayed-discharge"]
)
def test_who_is_taken_to_hospital_arrives_there(name):
    story = next(story for story in STORIES if story.name == name)
    for seed in SEEDS:
        records = told(story.tell, seed)
        taken = [r for r in records if r.kind == "ambulance_conveyance"]
        arrived = [
            r for r in records if r.kind == "ed_attendance" and r.place is Place.ACUTE
        ]
        assert len(taken) == len(arrived) == 1
        # The handover ends the conveyance soon after the arrival it is the same as.
        late = taken[0].end.at - arrived[0].start.at
        assert timedelta() < late < timedelta(minutes=60)


def test_a_call_precedes_the_crew_and_the_crew_the_journey():
    for seed in SEEDS:
        legs = [r for r in told(shared_by_all, seed) if r.place is Place.AMBULANCE]
        starts = [leg.start.at for leg in legs]
        assert [leg.kind for leg in legs] == [
            "ambulance_call",
            "ambulance_attendance",
            "ambulance_conveyance",
        ]
        assert starts == sorted(starts)


def test_nobody_is_admitted_before_the_department_lets_them_go():
    for seed in SEEDS:
        records = told(shared_by_all, seed)
        left = next(
            r for r in records if r.kind == "ed_attendance" and r.place is Place.ACUTE
        )
        spell = next(r for r in records if r.kind == "inpatient_spell")
        assert left.end == spell.start
        assert spell.end.at > spell.start.at + timedelta(days=28)


def test_the_mother_is_seen_before_the_birth_and_the_child_after():
    maternity = next(story for story in STORIES if story.name == "maternity")
    for seed in SEEDS:
        records = told(maternity.tell, seed)
        birth = next(r for r in records if r.kind == "inpatient_spell")
        antenatal = [r for r in records if "Antenatal" in r.title]
        visits = [r for r in records if r.place is Place.COMMUNITY]
        assert len(antenatal) == 5
        assert all(r.start.at < birth.start.at for r in antenatal)
        assert all(r.start.at > birth.end.at for r in visits)


def test_a_long_wait_is_long():
    story = next(story for story in STORIES if story.name == "long-wait")
    for seed in SEEDS:
        records = told(story.tell, seed)
        asked = next(r for r in records if r.kind == "referral")
        first = next(r for r in records if r.kind == "outpatient_appointment")
        assert first.start.at - asked.start.at > timedelta(days=80)


def test_the_star_is_known_to_all_six():
    for seed in (1, 7, 99):
        chronicle = tell(seed, TODAY, people=40)
        places = {entry.record.place for entry in chronicle.of(chronicle.star)}
        assert places == {organisation.place for organisation in ORGANISATIONS}


def test_the_surgery_knows_of_an_attendance_at_the_hospital():
    copies = [r for _, r in CLEAN if r.about is Place.ACUTE]
    own = {(r.title, r.start) for _, r in CLEAN if r.place is Place.ACUTE}
    assert len(copies) > 20
    assert all((copy.title, copy.start) in own for copy in copies)


def test_everyday_dates_are_of_every_precision():
    records = [r for seed in range(200) for r in told(everyday_life, seed)]
    assert {r.start.precision for r in records} == {"year", "month", "day", "minute"}


def test_bookings_are_kept_missed_and_still_to_come():
    records = [r for seed in range(200) for r in told(everyday_life, seed)]
    booked = {r.status for r in records if r.kind == "gp_appointment"}
    assert booked == {"finished", "did-not-attend", "planned"}


def test_a_surgery_is_shut_at_weekends():
    consultations = [r for _, r in CLEAN if r.kind == "gp_consultation"]
    assert all(r.start.at.weekday() < 5 for r in consultations)
