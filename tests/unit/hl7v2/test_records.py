"""Results, allergies, problems, procedures, vaccinations, referrals and documents."""

import pytest

from tests.hl7 import (
    adt,
    count,
    detail,
    message,
    of_kind,
    only,
    pid,
    segment,
    stay,
    told,
    when,
)

K1 = pid("K1", 0)


def oru(*segments, at="20240305"):
    return message("ORU^R01", K1, *segments, at=at)


def obr(**fields):
    own = {3: "F1", 4: "us1^Bloods^LN", 7: "20240304083000", 22: "20240305", 25: "F"}
    return segment("OBR", own | {int(n[1:]): t for n, t in fields.items()})


def obx(kind="NM", name="k^Potassium^LN", value="5.1", **fields):
    own = {2: kind, 3: name, 5: value, 6: "mmol/L^mmol/L^UCUM", 7: "3.5 - 5.3", 11: "F"}
    return segment("OBX", own | {int(n[1:]): t for n, t in fields.items()})


async def test_a_report_and_its_observations_are_events(tmp_path):
    answer = await told(tmp_path, oru(obr(), obx(f8="H"), obx(name="na^Sodium^LN")))
    report, first, second = answer.events
    assert (report.kind, report.record_id, report.title) == (
        "diagnostic_report",
        "F1/us1",
        "Bloods",
    )
    assert when(report) == ("2024-03-04T08:30:00+00:00", None)
    assert report.recorded is not None
    assert report.recorded.text == "2024-03-05"
    assert (report.codes[0].system, report.codes[0].code) == ("http://loinc.org", "us1")
    assert (first.record_id, second.record_id) == ("F1/us1/k", "F1/us1/na")
    assert first.start == report.start
    value = next(d for d in first.detail if d.element == "value")
    assert (value.value, value.unit) == ("5.1", "mmol/L")
    assert detail(first)["reference_range"] == "3.5 - 5.3"
    assert detail(first)["interpretation"] == "H"


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("F", "finished"),
        ("C", "finished"),
        ("P", "active"),
        ("I", "planned"),
        ("X", "cancelled"),
        ("W", "entered-in-error"),
        ("D", "entered-in-error"),
        ("?", "unknown"),
        ("", "unknown"),
    ],
)
async def test_a_result_says_how_final_it_is(tmp_path, written, status):
    answer = await told(tmp_path, oru(obr(f25=written), obx(f11=written)))
    assert {e.status for e in answer.events} == {status}


async def test_a_correction_takes_the_place_of_what_it_corrects(tmp_path):
    first = oru(obr(), obx())
    later = oru(obr(f25="C"), obx(value="4.1", f11="C"), at="20240306")
    answer = await told(tmp_path, later, first)
    assert detail(only(answer, "observation"))["value"] == "4.1"


async def test_two_values_of_one_code_are_two_observations(tmp_path):
    answer = await told(tmp_path, oru(obr(), obx(), obx(value="6"), obx(f4="2")))
    ids = [e.record_id for e in of_kind(answer, "observation")]
    assert ids == ["F1/us1/k", "F1/us1/k/#2", "F1/us1/k/2"]


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("NM", "5.1", "5.1"),
        ("SN", "<^15", "<15"),
        ("SN", "^1^:^128", "1:128"),
        ("ST", "Alert~Calm", "Alert Calm"),
        ("CWE", "c^Coded^L", "Coded"),
        ("CE", "c", "c"),
        ("TX", r"a\T\b", "a&b"),
        ("ED", "^IM^JPEG^Base64^AAAA", None),
        ("NM", "", None),
        ("NM", '""', None),
        ("", "28", "28"),
    ],
)
async def test_a_value_is_shown_as_its_type_reads(tmp_path, kind, value, shown):
    answer = await told(tmp_path, oru(obr(), obx(kind=kind, value=value)))
    assert detail(only(answer, "observation")).get("value") == shown


async def test_a_line_of_a_reports_text_is_no_observation(tmp_path):
    line = segment("OBX", {2: "TX", 5: "All is well", 11: "F"})
    answer = await told(tmp_path, oru(obr(), line))
    assert [e.kind for e in answer.events] == ["diagnostic_report"]


async def test_an_observation_has_its_own_time_where_it_says_so(tmp_path):
    answer = await told(tmp_path, oru(obr(f8="20240304083000"), obx(f14="20240303")))
    assert when(only(answer, "observation"))[0] == "2024-03-03"
    assert when(only(answer, "diagnostic_report"))[1] is None


async def test_a_report_without_a_number_is_known_by_what_and_when(tmp_path):
    nameless = oru(obr(f3=""), obx())
    placed = oru(obr(f3="", f2="P1", f4=""), at="20240307")
    answer = await told(tmp_path, nameless, nameless, placed)
    first, second = sorted(
        (e.record_id for e in of_kind(answer, "diagnostic_report")), key=len
    )
    assert (first, len(second)) == ("P1", 24)


async def test_observations_before_any_report_are_not_shown(tmp_path):
    assert (await told(tmp_path, oru(obx()))).events == ()


async def test_an_order_number_that_could_be_an_nhs_number_is_not_shown(tmp_path):
    answer = await told(tmp_path, oru(obr(f3="9990000018"), obx()))
    assert all("9990000018" not in e.record_id for e in answer.events)


async def test_observations_of_a_visit_are_told(tmp_path):
    visit = adt(
        "A04",
        K1,
        obx(name="h^Height^LN", value="171", f14="20240302"),
        obx(name="", value="a line of text"),
        visit=stay(kind="E"),
    )
    answer = await told(tmp_path, visit)
    assert when(only(answer, "observation")) == ("2024-03-02", None)


def clinical(*segments, trigger="A31", at="20240305"):
    return adt(trigger, K1, *segments, at=at)


async def test_an_allergy_is_told_with_its_reaction(tmp_path):
    al1 = {2: "DA^Drug", 3: "p^Penicillin^SCT", 4: "SV", 5: "Rash~Wheeze", 6: "2019"}
    event = only(await told(tmp_path, clinical(segment("AL1", al1))), "allergy")
    assert (event.title, event.status, when(event)[0]) == (
        "Penicillin",
        "active",
        "2019",
    )
    assert event.codes[0].system == "http://snomed.info/sct"
    told_ = detail(event)
    assert (told_["severity"], told_["reaction"]) == ("SV", "Rash, Wheeze")
    assert told_["type"] == "Drug"


async def test_an_allergy_told_again_is_one_and_can_be_deleted(tmp_path):
    al1 = segment("AL1", {3: "p^Penicillin"})
    gone = segment("IAM", {3: "p^Penicillin", 6: "D", 11: "2018"})
    answer = await told(tmp_path, clinical(al1), clinical(gone, at="20240306"))
    assert only(answer, "allergy").status == "entered-in-error"


async def test_a_diagnosis_is_a_problem_of_its_visit(tmp_path):
    dg1 = segment("DG1", {3: "J45^Asthma^I10", 5: "20240301", 6: "A"})
    deleted = segment("DG1", {4: "Typo", 20: "D9", 21: "D"})
    answer = await told(tmp_path, adt("A04", K1, dg1, deleted, visit=stay(kind="E")))
    asthma, typo = sorted(of_kind(answer, "condition"), key=lambda e: e.title)
    assert (asthma.title, when(asthma)[0], detail(asthma)["type"]) == (
        "Asthma",
        "2024-03-01",
        "A",
    )
    assert (typo.title, typo.record_id, typo.status) == (
        "Typo",
        "D9",
        "entered-in-error",
    )


async def test_a_procedure_is_told_with_its_time(tmp_path):
    pr1 = segment("PR1", {3: "b^Biopsy^SCT", 5: "202403011000"})
    gone = segment("PR1", {4: "Wrong", 19: "P9", 20: "D"})
    answer = await told(tmp_path, clinical(pr1, gone))
    biopsy, wrong = sorted(of_kind(answer, "procedure"), key=lambda e: e.title)
    assert (biopsy.status, when(biopsy)[0]) == ("finished", "2024-03-01T10:00:00+00:00")
    assert (wrong.record_id, wrong.status) == ("P9", "entered-in-error")


@pytest.mark.parametrize("name", ["AL1", "IAM", "DG1", "PR1"])
async def test_a_segment_that_names_nothing_is_nothing(tmp_path, name):
    assert (await told(tmp_path, clinical(segment(name, {1: "1"})))).events == ()


@pytest.mark.parametrize(
    ("action", "state", "status"),
    [
        ("AD", "ACTIVE", "active"),
        ("UP", "Resolved", "finished"),
        ("UP", "", "unknown"),
        ("DE", "", "entered-in-error"),
    ],
)
async def test_a_problem_is_as_it_stands_last(tmp_path, action, state, status):
    prb = {1: action, 3: "a^Asthma^SCT", 4: "PR1", 7: "2020", 14: state, 16: "2019"}
    first = message("PPR^PC1", K1, segment("PRB", {1: "AD", 3: "a^Asthma", 4: "PR1"}))
    answer = await told(
        tmp_path, first, message("PPR^PC2", K1, segment("PRB", prb), at="20240401")
    )
    event = only(answer, "condition")
    assert (event.status, when(event)[0], event.record_id) == (status, "2019", "PR1")


async def test_problems_without_number_or_name(tmp_path):
    unnumbered = message("PPR^PC1", K1, segment("PRB", {1: "AD", 3: "a^Asthma"}))
    nameless = message("PPR^PC1", K1, segment("PRB", {1: "AD", 4: "X"}))
    assert len((await told(tmp_path, unnumbered, nameless)).events) == 1


def vxu(*segments):
    return message("VXU^V04", K1, *segments)


async def test_a_vaccination_is_told_with_dose_and_lot(tmp_path):
    rxa = {3: "20240301", 5: "88^Flu^CVX", 6: "0.5", 7: "mL", 15: "L1", 20: "CP"}
    answer = await told(
        tmp_path,
        vxu(
            segment("ORC", {1: "RE", 3: "O1"}),
            segment("RXA", rxa),
            segment("RXA", {3: "2023", 5: "89^Old^CVX", 6: "999", 20: "RE"}),
            segment("RXA", {3: "2022", 5: "90^Wrong^CVX", 21: "D"}),
            segment("RXA", {3: "2021", 5: "998^None^CVX"}),
            segment("RXA", {3: "2021"}),
        ),
    )
    wrong, old, flu = of_kind(answer, "immunisation")
    assert (flu.record_id, flu.title, flu.status) == ("O1/88", "Flu", "finished")
    assert (detail(flu)["dose"], detail(flu)["lot_number"]) == ("0.5", "L1")
    assert (old.status, "dose" in detail(old)) == ("cancelled", False)
    assert wrong.status == "entered-in-error"
    assert len(old.record_id) == 24


@pytest.mark.parametrize(
    ("trigger", "written", "status"),
    [
        ("I12", "A", "active"),
        ("I12", "P", "planned"),
        ("I12", "R", "cancelled"),
        ("I12", "E", "finished"),
        ("I12", "C^Cancelled", "cancelled"),
        ("I14", "A", "cancelled"),
        ("I12", "", "unknown"),
    ],
)
async def test_a_referral_says_what_became_of_it(tmp_path, trigger, written, status):
    rf1 = {1: written, 2: "U^Urgent", 3: "^Cardiology", 6: "R1", 7: "20240301"}
    answer = await told(
        tmp_path, message(f"REF^{trigger}", segment("RF1", rf1 | {8: "20240601"}), K1)
    )
    event = only(answer, "referral")
    assert (event.status, event.record_id, event.title) == (status, "R1", "Cardiology")
    assert when(event) == ("2024-03-01", "2024-06-01")
    assert detail(event)["priority"] == "Urgent"


async def test_a_referral_without_a_number_is_known_by_its_date(tmp_path):
    rf1 = segment("RF1", {1: "A", 9: "20240301"})
    event = only(await told(tmp_path, message("REF^I12", rf1, K1)), "referral")
    assert (len(event.record_id), when(event)[0]) == (24, "2024-03-01")


async def test_a_document_is_a_pointer_and_can_be_withdrawn(tmp_path):
    txa = segment("TXA", {2: "DS^Discharge summary", 4: "20240301", 12: "D1", 17: "AU"})
    text = segment("OBX", {2: "TX", 3: "t^Text", 5: "What is written"})
    first = message("MDM^T02", K1, txa, text)
    event = only(await told(tmp_path / "a", first), "document")
    assert (event.title, event.status, event.record_id) == (
        "Discharge summary",
        "finished",
        "D1",
    )
    assert all(d.value != "What is written" for d in event.detail)
    gone = message("MDM^T11", K1, txa, at="20240401")
    answer = await told(tmp_path / "b", first, gone)
    assert only(answer, "document").status == "entered-in-error"


async def test_a_document_without_a_number_is_known_by_its_date(tmp_path):
    txa = segment("TXA", {2: "DS", 6: "20240301"})
    event = only(await told(tmp_path, message("MDM^T02", K1, txa)), "document")
    assert (len(event.record_id), event.title, when(event)[0]) == (
        24,
        "DS",
        "2024-03-01",
    )


async def test_an_impossible_time_is_told_with_its_record(tmp_path):
    answer = await told(tmp_path, oru(obr(f7="20240230")))
    event = only(answer, "diagnostic_report")
    assert (event.start, event.caveats) == (None, ("impossible_time",))
    assert count(answer, "undated") == 0


async def test_records_that_share_an_id_are_all_told(tmp_path):
    """Catches one that takes the place of another of the same number."""
    numbered = segment("DG1", {3: "a^Asthma", 20: "7"})
    answer = await told(
        tmp_path,
        adt("A04", K1, numbered, visit=stay(kind="E", number="7")),
        adt("A04", K1, visit=stay(kind="E", number="7/2")),
        adt("A06", K1, visit=stay(kind="I", number="7"), at="20240310"),
        message("PPR^PC1", K1, segment("PRB", {1: "AD", 3: "b^Gout", 4: "7"})),
        message("MDM^T02", K1, segment("TXA", {2: "DS", 12: "7"})),
    )
    assert len(of_kind(answer, "condition")) == 2
    assert len(of_kind(answer, "document")) == 1
    assert len(of_kind(answer, "ed_attendance")) == 2
    ids = [(event.kind, event.record_id) for event in answer.events]
    assert len(set(ids)) == len(ids) == 6
