"""Admissions, transfers, discharges, and what takes each of them back."""

import itertools

import pytest

from tests.hl7 import (
    adt,
    count,
    detail,
    message,
    of_kind,
    only,
    person,
    pid,
    segment,
    stay,
    told,
    when,
)

K1 = pid("K1", 0)
ADMITTED = "20240309090000"
BEGAN = "2024-03-09T09:00:00+00:00"
WARD_A, WARD_B = "A7^R1^B2^SITE", "B3^R9^B1^SITE"


def spell(at: str = ADMITTED, **more: str) -> dict[int, str]:
    return stay(at, **{"f3": WARD_A} | more)


A01 = adt("A01", K1, visit=spell(), at="20240309090500")
A02 = adt("A02", K1, visit=spell(f3=WARD_B), at="20240310110000")
A03 = adt("A03", K1, visit=spell(f3=WARD_B, f45="20240312150000"), at="20240312150500")


async def test_an_admission_is_a_spell_on_a_ward(tmp_path):
    answer = await told(tmp_path, A01)
    spell, ward = only(answer, "inpatient_spell"), only(answer, "ward_stay")
    assert (spell.status, spell.record_id, when(spell)) == (
        "active",
        "V1",
        (BEGAN, None),
    )
    assert (ward.status, ward.title, when(ward)) == ("active", "A7", (BEGAN, None))
    assert ward.record_id == "V1/ward/1"
    assert detail(ward)["location"] == "A7, R1, B2, SITE"
    assert answer.caveats == ()


async def test_a_transfer_ends_one_ward_stay_and_begins_another(tmp_path):
    answer = await told(tmp_path, A01, A02)
    first, second = of_kind(answer, "ward_stay")
    moved = "2024-03-10T11:00:00+00:00"
    assert (first.title, first.status, when(first)) == (
        "A7",
        "finished",
        (BEGAN, moved),
    )
    assert (second.title, second.status, when(second)) == (
        "B3",
        "active",
        (moved, None),
    )
    assert only(answer, "inpatient_spell").status == "active"


async def test_a_move_to_another_bed_is_no_other_ward_stay(tmp_path):
    bed = adt("A02", K1, visit=spell(f3="A7^R4^B9^SITE"), at="20240310110000")
    answer = await told(tmp_path, A01, bed)
    assert detail(only(answer, "ward_stay"))["location"] == "A7, R4, B9, SITE"


async def test_a_discharge_ends_the_spell_and_the_last_ward_stay(tmp_path):
    answer = await told(tmp_path, A01, A02, A03)
    spell, last = only(answer, "inpatient_spell"), of_kind(answer, "ward_stay")[-1]
    ended = "2024-03-12T15:00:00+00:00"
    assert (spell.status, when(spell)) == ("finished", (BEGAN, ended))
    assert (last.status, when(last)[1]) == ("finished", ended)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_messages_out_of_order_tell_the_same(tmp_path, order):
    inorder = await told(tmp_path / "in", A01, A02, A03)
    answer = await told(tmp_path / "out", *(([A01, A02, A03])[n] for n in order))
    assert answer.events == inorder.events


async def test_of_one_instant_the_senders_sequence_decides(tmp_path):
    def numbered(trigger, sequence, ward):
        return message(
            f"ADT^{trigger}",
            K1,
            segment("PV1", spell(f3=ward)),
            at="20240309090000",
            header={13: sequence},
        )

    answer = await told(
        tmp_path, numbered("A02", "7", WARD_B), numbered("A01", "6", WARD_A)
    )
    assert [w.title for w in of_kind(answer, "ward_stay")] == ["A7", "B3"]


async def test_a_cancelled_admission_is_shown_as_cancelled(tmp_path):
    a11 = adt("A11", K1, visit=spell(), at="20240309100000")
    answer = await told(tmp_path, A01, a11)
    assert {e.status for e in answer.events} == {"cancelled"}
    assert when(only(answer, "inpatient_spell")) == (BEGAN, None)


async def test_an_admission_after_a_cancelled_one_stands(tmp_path):
    a11 = adt("A11", K1, visit=spell(), at="20240309100000")
    again = adt("A01", K1, visit=spell("20240309110000"), at="20240309110000")
    answer = await told(tmp_path, A01, a11, again)
    spells = of_kind(answer, "inpatient_spell")
    assert [(s.status, when(s)[0]) for s in spells] == [
        ("cancelled", BEGAN),
        ("active", "2024-03-09T11:00:00+00:00"),
    ]


async def test_a_cancelled_transfer_leaves_everything_as_it_was(tmp_path):
    a12 = adt("A12", K1, visit=spell(), at="20240310120000")
    before = await told(tmp_path / "before", A01)
    answer = await told(tmp_path / "after", A01, A02, a12)
    cancelled = [w for w in of_kind(answer, "ward_stay") if w.status == "cancelled"]
    assert [w.title for w in cancelled] == ["B3"]
    standing = [w for w in of_kind(answer, "ward_stay") if w.status != "cancelled"]
    assert [(w.title, when(w), w.status) for w in standing] == [
        (w.title, when(w), w.status) for w in of_kind(before, "ward_stay")
    ]


async def test_a_cancelled_transfer_takes_back_the_last_one_alone(tmp_path):
    c = adt("A02", K1, visit=spell(f3="C1^^^SITE"), at="20240311080000")
    a12 = adt("A12", K1, visit=spell(f3=WARD_B), at="20240311090000")
    answer = await told(tmp_path, A01, A02, c, a12)
    wards = {w.title: w.status for w in of_kind(answer, "ward_stay")}
    assert wards == {"A7": "finished", "B3": "active", "C1": "cancelled"}


async def test_a_cancelled_discharge_opens_the_spell_again(tmp_path):
    a13 = adt(
        "A13",
        K1,
        visit=spell(f3=WARD_B, f45="20240312150000"),
        at="20240312160000",
    )
    answer = await told(tmp_path, A01, A02, A03, a13)
    spell_, last = only(answer, "inpatient_spell"), of_kind(answer, "ward_stay")[-1]
    assert (spell_.status, when(spell_)) == ("active", (BEGAN, None))
    assert (last.status, when(last)[1]) == ("active", None)


async def test_a_discharge_after_a_cancelled_one_counts(tmp_path):
    a13 = adt("A13", K1, visit=spell(), at="20240312160000")
    later = adt("A03", K1, visit=spell(f45="20240314100000"), at="20240314100000")
    answer = await told(tmp_path, A01, A03, a13, later)
    assert when(only(answer, "inpatient_spell"))[1] == "2024-03-14T10:00:00+00:00"


@pytest.mark.parametrize(
    ("plan", "cancel"), [("A05", "A38"), ("A14", "A27"), ("A05", "A11")]
)
async def test_what_was_planned_can_be_cancelled(tmp_path, plan, cancel):
    expected = segment("PV2", {8: "20240401"})
    planned = adt(plan, K1, expected, visit=stay())
    first = only(await told(tmp_path / "a", planned), "inpatient_spell")
    assert (first.status, when(first)[0]) == ("planned", "2024-04-01")
    taken_back = adt(cancel, K1, visit=stay(), at="20240320")
    last = only(await told(tmp_path / "b", planned, taken_back), "inpatient_spell")
    assert last.status == "cancelled"


async def test_what_was_planned_begins_when_it_begins(tmp_path):
    planned = adt("A05", K1, segment("PV2", {8: "20240401"}), visit=stay())
    begun = adt("A01", K1, visit=stay(f3=WARD_A), at="20240402083000")
    answer = await told(tmp_path, planned, begun)
    start = "2024-04-02T08:30:00+01:00"
    assert when(only(answer, "inpatient_spell")) == (start, None)
    assert when(only(answer, "ward_stay")) == (start, None)


@pytest.mark.parametrize("trigger", ["A09", "A10", "A15", "A16", "A25", "A26", "A54"])
async def test_what_changes_nothing_shown_changes_nothing(tmp_path, trigger):
    before = await told(tmp_path / "a", A01)
    answer = await told(
        tmp_path / "b", A01, adt(trigger, K1, visit=spell(), at="20240310")
    )
    assert [(e.kind, e.status, when(e)) for e in answer.events] == [
        (e.kind, e.status, when(e)) for e in before.events
    ]


async def test_a_leave_of_absence_holds_the_spell_on(tmp_path):
    leave = adt("A21", K1, visit=spell(), at="20240310")
    back = adt("A22", K1, visit=spell(), at="20240311")
    undone = adt("A53", K1, visit=spell(), at="20240312")
    never = adt("A52", K1, visit=spell(), at="20240313")
    statuses = []
    messages = [A01, leave, back, undone, never]
    for n in range(2, 6):
        answer = await told(tmp_path / str(n), *messages[:n])
        statuses.append(only(answer, "inpatient_spell").status)
    assert statuses == ["on-hold", "active", "on-hold", "active"]


async def test_an_attendance_that_becomes_an_admission_is_two_events(tmp_path):
    arrived = adt("A04", K1, visit=stay(ADMITTED, kind="E"))
    admitted = adt("A06", K1, visit=spell("20240309090000"), at="20240309130000")
    answer = await told(tmp_path, arrived, admitted, A03)
    attendance, spell_ = only(answer, "ed_attendance"), only(answer, "inpatient_spell")
    change = "2024-03-09T13:00:00+00:00"
    assert (attendance.status, when(attendance)) == ("finished", (BEGAN, change))
    assert (spell_.status, when(spell_)[0]) == ("finished", change)
    assert (attendance.record_id, spell_.record_id) == ("V1", "V1/2")


async def test_an_admission_that_becomes_a_clinic_visit_ends(tmp_path):
    changed = adt("A07", K1, visit=stay(kind="O"), at="20240309130000")
    answer = await told(tmp_path, A01, changed)
    assert only(answer, "inpatient_spell").status == "finished"
    assert only(answer, "outpatient_appointment").status == "active"


async def test_an_update_corrects_the_class_in_place(tmp_path):
    fixed = adt("A08", K1, visit=stay(ADMITTED, kind="E"), at="20240309130000")
    answer = await told(tmp_path, adt("A04", K1, visit=stay(ADMITTED, kind="O")), fixed)
    assert [e.kind for e in answer.events] == ["ed_attendance"]


async def test_an_empty_field_changes_nothing_and_a_deleted_one_does(tmp_path):
    empty = adt("A08", K1, visit={2: "I", 19: "V1"}, at="20240309130000")
    answer = await told(tmp_path / "a", A01, empty)
    assert when(only(answer, "inpatient_spell")) == (BEGAN, None)
    deleted = adt("A08", K1, visit=spell('""', f45='""'), at="20240313")
    answer = await told(tmp_path / "b", A01, A03, deleted)
    spell_ = only(answer, "inpatient_spell")
    assert (spell_.status, when(spell_)) == ("active", (None, None))


async def test_a_deleted_visit_was_entered_in_error(tmp_path):
    answer = await told(tmp_path, A01, adt("A23", K1, visit=spell(), at="20240310"))
    assert {e.status for e in answer.events} == {"entered-in-error"}


async def test_a_discharge_alone_tells_the_whole_spell(tmp_path):
    answer = await told(tmp_path, A03)
    spell_ = only(answer, "inpatient_spell")
    assert (spell_.status, when(spell_)) == (
        "finished",
        (BEGAN, "2024-03-12T15:00:00+00:00"),
    )


async def test_a_transfer_alone_tells_the_ward_before(tmp_path):
    moved = adt("A02", K1, visit=spell(f3=WARD_B, f6=WARD_A), at="20240310110000")
    wards = of_kind(await told(tmp_path, moved), "ward_stay")
    assert [(w.title, w.status) for w in wards] == [
        ("A7", "finished"),
        ("B3", "active"),
    ]


async def test_an_update_alone_does_not_say_that_somebody_is_there(tmp_path):
    answer = await told(tmp_path, adt("A08", K1, visit=stay(ADMITTED)))
    assert only(answer, "inpatient_spell").status == "unknown"


async def test_visits_without_a_number_are_told_apart_by_when_they_began(tmp_path):
    first = adt("A04", K1, visit={2: "E", 44: "202403010900"}, at="202403010900")
    ended = adt("A03", K1, visit={2: "E", 44: "202403010900"}, at="202403011200")
    second = adt("A04", K1, visit={2: "E", 44: "202403020900"}, at="202403020900")
    answer = await told(tmp_path, first, ended, second)
    assert [(e.status, when(e)[0]) for e in answer.events] == [
        ("finished", "2024-03-01T09:00:00+00:00"),
        ("active", "2024-03-02T09:00:00+00:00"),
    ]
    assert len({e.record_id for e in answer.events}) == 2


async def test_visits_without_number_or_time_begin_with_their_messages(tmp_path):
    first = adt("A04", K1, visit={2: "E"}, at="202403010900")
    ended = adt("A03", K1, visit={2: "E"}, at="202403011200")
    second = adt("A04", K1, visit={2: "E"}, at="202403020900")
    answer = await told(tmp_path, first, ended, second)
    assert [(e.status, when(e)[0]) for e in answer.events] == [
        ("finished", "2024-03-01T09:00:00+00:00"),
        ("active", "2024-03-02T09:00:00+00:00"),
    ]
    assert len({e.record_id for e in answer.events}) == 2


async def test_a_visit_number_that_could_be_an_nhs_number_is_not_shown(tmp_path):
    answer = await told(
        tmp_path, adt("A04", K1, visit=stay(number="9990000018", kind="E"))
    )
    (event,) = answer.events
    assert event.record_id != "9990000018"
    assert len(event.record_id) == 24


async def test_when_it_happened_is_taken_before_when_it_was_recorded(tmp_path):
    late = adt(
        "A01", K1, visit=stay(), at="20240310080000", event={6: "20240309223000"}
    )
    answer = await told(tmp_path, late)
    assert when(only(answer, "inpatient_spell"))[0] == "2024-03-09T22:30:00+00:00"


async def test_an_unknown_class_is_an_encounter_and_says_so(tmp_path):
    answer = await told(tmp_path, adt("A01", K1, visit=stay(kind="ff")))
    (event,) = answer.events
    assert (event.kind, event.kind_code) == ("encounter", "ff")
    assert event.caveats == ("untranslated_code",)


@pytest.mark.parametrize(
    ("sector", "kind"),
    [
        ("acute", "outpatient_appointment"),
        ("primary-care", "gp_consultation"),
        ("community", "community_contact"),
        ("mental-health", "mental_health_contact"),
        ("other", "encounter"),
    ],
)
async def test_a_visit_to_a_clinic_is_named_by_the_sector(tmp_path, sector, kind):
    answer = await told(tmp_path, adt("A04", K1, visit=stay(kind="O")), sector=sector)
    assert [e.kind for e in answer.events] == [kind]


async def test_an_end_before_the_start_is_kept_and_flagged(tmp_path):
    answer = await told(tmp_path, adt("A03", K1, visit=stay(ADMITTED, f45="20240301")))
    spell_ = only(answer, "inpatient_spell")
    assert spell_.caveats == ("reversed",)
    assert when(spell_)[1] == "2024-03-01"


async def test_the_same_message_twice_counts_once(tmp_path):
    again = adt("A01", K1, visit=spell(), at="20240309090500", control="c1")
    answer = await told(tmp_path, again, again)
    assert len(answer.events) == 2
    assert count(answer, "duplicate_record") == 1


async def test_a_message_id_used_again_is_told(tmp_path):
    first = adt("A01", K1, visit=spell(), control="c1")
    other = adt("A04", K1, visit=stay(number="V2", kind="E"), control="c1")
    answer = await told(tmp_path, first, other)
    assert count(answer, "message_id_reused") == 1
    assert len(answer.events) == 3


async def test_two_people_of_one_visit_number_stay_two(tmp_path):
    messages = [A01, adt("A01", pid("K2", 1), visit=spell("20240401"))]
    mine = await told(tmp_path / "1", *messages)
    other = await told(tmp_path / "2", *messages, asked=person("K2", 1))
    assert when(only(mine, "inpatient_spell"))[0] == BEGAN
    assert when(only(other, "inpatient_spell"))[0] == "2024-04-01"
    assert {i.value for e in other.events for i in e.subject or ()} == {
        "K2",
        *(i.value for i in person("K2", 1).every),
    } - {""}


async def test_swapped_patients_are_both_moved(tmp_path):
    k2 = pid("K2", 1)
    other = adt("A01", k2, visit=stay(ADMITTED, number="V2", f3=WARD_B))
    swap = adt(
        "A17",
        K1,
        segment("PV1", spell(f3=WARD_B)),
        k2,
        segment("PV1", stay(ADMITTED, number="V2", f3=WARD_A)),
        at="20240310",
    )
    mine = await told(tmp_path / "1", A01, other, swap)
    theirs = await told(tmp_path / "2", A01, other, swap, asked=person("K2"))
    assert [w.title for w in of_kind(mine, "ward_stay")] == ["A7", "B3"]
    assert [w.title for w in of_kind(theirs, "ward_stay")] == ["B3", "A7"]


async def test_how_somebody_left_is_told_until_it_is_taken_away(tmp_path):
    left = adt("A03", K1, visit=spell(f36="Home", f45="20240312"), at="20240312")
    answer = await told(tmp_path / "a", A01, left)
    assert detail(only(answer, "inpatient_spell"))["discharge_disposition"] == "Home"
    fixed = adt("A08", K1, visit=spell(f36='""'), at="20240313")
    answer = await told(tmp_path / "b", A01, left, fixed)
    assert "discharge_disposition" not in detail(only(answer, "inpatient_spell"))


async def test_a_message_that_names_no_class_leaves_it_as_it_was(tmp_path):
    quiet = adt("A08", K1, visit={19: "V1", 10: "SUR"}, at="20240310")
    spell_ = only(await told(tmp_path / "a", A01, quiet), "inpatient_spell")
    assert detail(spell_)["service"] == "SUR"
    assert [e.kind for e in (await told(tmp_path / "b", quiet)).events] == ["encounter"]


async def test_wards_are_of_inpatients_alone(tmp_path):
    arrived = adt("A04", K1, visit=stay(ADMITTED, kind="E", f3=WARD_A))
    moved = adt("A02", K1, visit=stay(kind="E", f3=WARD_B), at="20240310")
    back = adt("A12", K1, visit=stay(kind="E", f3=WARD_A), at="20240311")
    answer = await told(tmp_path, arrived, moved, back)
    assert [e.kind for e in answer.events] == ["ed_attendance"]


async def test_a_first_transfer_without_a_place_before_begins_the_first_ward(tmp_path):
    admitted = adt("A01", K1, visit=stay(ADMITTED))
    answer = await told(tmp_path, admitted, A02)
    assert [w.title for w in of_kind(answer, "ward_stay")] == ["B3"]


async def test_a_message_about_a_person_is_about_no_visit(tmp_path):
    answer = await told(tmp_path, adt("A01", K1), adt("A28", K1, visit=spell()))
    assert answer.events == ()
    assert answer.person is not None
