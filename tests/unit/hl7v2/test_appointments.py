"""Bookings: made, moved, changed, cancelled, deleted, missed."""

import pytest

from tests.hl7 import detail, message, only, person, pid, segment, told, when

K1 = pid("K1", 0)


def siu(trigger, at, booking=None, *more, **fields):
    sch = {1: "P1", 2: "F1"} | {int(n[1:]): t for n, t in fields.items()}
    return message(
        f"SIU^{trigger}", segment("SCH", sch | (booking or {})), *more, K1, at=at
    )


def slot(start, end=""):
    return segment("TQ1", {7: start, 8: end})


BOOKED = siu(
    "S12",
    "20240301",
    {25: "Booked", 7: "Review", 8: "FOLLOWUP^Follow-up"},
    slot("202404021000", "202404021030"),
)


async def test_a_booking_is_planned_for_its_time(tmp_path):
    event = only(await told(tmp_path, BOOKED), "outpatient_appointment")
    assert (event.status, event.record_id, event.title) == (
        "planned",
        "F1",
        "Follow-up",
    )
    assert when(event) == ("2024-04-02T10:00:00+01:00", "2024-04-02T10:30:00+01:00")
    assert detail(event)["reason"] == "Review"
    assert detail(event)["status"] == "Booked"


@pytest.mark.parametrize(
    ("trigger", "status"),
    [
        ("S14", "planned"),
        ("S15", "cancelled"),
        ("S16", "cancelled"),
        ("S17", "entered-in-error"),
        ("S26", "did-not-attend"),
    ],
)
async def test_what_became_of_it_is_its_status(tmp_path, trigger, status):
    answer = await told(tmp_path, BOOKED, siu(trigger, "20240310"))
    event = only(answer, "outpatient_appointment")
    assert event.status == status
    assert when(event)[0] == "2024-04-02T10:00:00+01:00"


async def test_a_rescheduled_booking_is_at_its_new_time_alone(tmp_path):
    moved = siu("S13", "20240310", None, slot("202405021000"))
    answer = await told(tmp_path, moved, BOOKED)
    assert when(only(answer, "outpatient_appointment")) == (
        "2024-05-02T10:00:00+01:00",
        None,
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Complete", "finished"),
        ("Started", "active"),
        ("No Show", "did-not-attend"),
        ("Cancelled", "cancelled"),
        ("Deleted", "entered-in-error"),
        ("Waitlist", "planned"),
        ("Something", "planned"),
    ],
)
async def test_the_fillers_word_tells_how_it_stands(tmp_path, word, status):
    answer = await told(tmp_path, BOOKED, siu("S14", "20240310", {25: word}))
    assert only(answer, "outpatient_appointment").status == status


@pytest.mark.parametrize(
    ("segments", "sch"),
    [
        ([segment("AIS", {3: "^Scan", 4: "202404021000"})], {}),
        ([segment("AIP", {6: "202404021000"})], {}),
        ([segment("AIL", {6: "202404021000"})], {}),
        ([], {11: "^^^202404021000^202404021030"}),
        ([slot("not a time"), segment("AIS", {4: "202404021000"})], {}),
    ],
)
async def test_the_time_is_taken_from_where_it_stands(tmp_path, segments, sch):
    answer = await told(tmp_path, siu("S12", "20240301", sch, *segments))
    event = only(answer, "outpatient_appointment")
    assert when(event)[0] == "2024-04-02T10:00:00+01:00"
    assert bool(event.caveats) == any("not a time" in each for each in segments)


async def test_a_booking_without_a_time_is_undated(tmp_path):
    event = only(await told(tmp_path, siu("S12", "20240301")), "outpatient_appointment")
    assert when(event) == (None, None)


async def test_a_booking_by_the_placers_number_alone_is_one(tmp_path):
    sch = {1: "P7", 2: ""}
    answer = await told(
        tmp_path, siu("S12", "20240301", sch), siu("S15", "20240302", sch)
    )
    event = only(answer, "outpatient_appointment")
    assert (event.record_id, event.status) == ("P7", "cancelled")


async def test_a_booking_without_any_number_is_known_by_its_time(tmp_path):
    none = {1: "", 2: ""}
    first = siu("S12", "20240301", none, slot("202404021000"))
    other = siu("S12", "20240302", none, slot("202404031000"))
    cancelled = siu("S15", "20240303", none, slot("202404031000"))
    answer = await told(tmp_path, first, other, cancelled)
    assert [e.status for e in answer.events] == ["planned", "cancelled"]


async def test_a_booking_of_several_people_is_each_ones_own(tmp_path):
    group = message(
        "SIU^S12",
        segment("SCH", {2: "F1"}),
        K1,
        pid("K2", 1),
        segment("RGS", {1: "1"}),
        segment("AIS", {3: "YOGA^Yoga", 4: "202404021000"}),
        segment("AIL", {3: "Hall^^^SITE"}),
    )

    for who in ("K1", "K2"):
        answer = await told(tmp_path / who, group, asked=person(who))
        event = only(answer, "outpatient_appointment")
        assert (event.title, detail(event)["location"]) == ("Yoga", "Hall, SITE")
        assert event.codes[0].code == "YOGA"
        assert when(event)[0] == "2024-04-02T10:00:00+01:00"


@pytest.mark.parametrize(
    ("sector", "kind"),
    [("primary-care", "gp_appointment"), ("community", "appointment")],
)
async def test_a_booking_is_named_by_the_sector(tmp_path, sector, kind):
    answer = await told(tmp_path, BOOKED, sector=sector)
    assert [e.kind for e in answer.events] == [kind]


async def test_a_message_about_a_booking_without_one_is_none(tmp_path):
    assert (await told(tmp_path, message("SIU^S12", K1))).events == ()
