"""Every row of five tables nobody here wrote is one event of the right person."""

import csv
from collections import defaultdict
from datetime import UTC, date, datetime

import pytest

from adapters.contract import Answer, Identifier, Identifiers, Query
from adapters.moment import LONDON
from adapters.registry import open_source
from adapters.vocabulary import CATEGORIES
from examples.crosssector.prepare import DATABASES, DROPS, prepare
from tests.corpus import corpus
from tests.surroundings import in_folder

pytestmark = pytest.mark.corpus

FAMILY = "csv-nhs-crosssector-synthetic"
PATIENT = "urn:throughline:example:patient-id"
PSEUDONYM = "urn:throughline:example:pseudonym"
SECTORS = {
    "emergency": "acute",
    "inpatient": "acute",
    "community": "community",
    "mental-health": "mental-health",
    "social-care": "social-care",
}
SETTINGS = {
    "emergency": "Emergency",
    "inpatient": "Acute",
    "community": "Community",
    "mental-health": "Mental Health",
}
IDS = {
    "emergency": "attendance_id",
    "inpatient": "episode_id",
    "community": "contact_id",
    "mental-health": "referral_id",
    "social-care": "package_id",
}
ABSENT = {"", "INVALID"}


def rows(name):
    with corpus(FAMILY, f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def tables():
    return {t.source: rows(t.name) for t in (*DROPS, *DATABASES)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    out = tmp_path_factory.mktemp("crosssector")
    assert prepare(corpus(FAMILY), out, today=date(2026, 3, 1)) == []
    return out


@pytest.fixture
async def sources(prepared):
    opened = {
        name: open_source(
            prepared / "sources" / f"{name}.toml",
            in_folder(prepared / "state" / name, sector=sector),
        )
        for name, sector in SECTORS.items()
    }
    yield opened
    for adapter in opened.values():
        await adapter.aclose()


def question(system: str, value: str) -> Query:
    return Query(
        person=Identifiers(others=frozenset({Identifier(system, value)})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=20_000,
    )


async def asked(sources, query) -> dict[str, Answer]:
    return {name: await adapter.ask(query) for name, adapter in sources.items()}


async def test_every_person_has_the_journey_that_was_counted_for_them(sources, tables):
    by_person: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, found in tables.items():
        for row in found:
            by_person[row["patient_id"]][name].add(row[IDS[name]])
    journeys = rows("patient_journeys")
    for journey in journeys:
        patient = journey["patient_id"]
        answers = await asked(sources, question(PATIENT, patient))
        told = {n: {e.record_id for e in a.events} for n, a in answers.items()}
        assert told == {n: by_person[patient][n] for n in SECTORS}
        four = [e for n in SETTINGS for e in answers[n].events]
        days = sorted(e.start.at.astimezone(LONDON).date() for e in four if e.start)
        assert len(four) == int(journey["total_events"])
        assert days[0].isoformat() == journey["journey_start_date"]
        assert days[-1].isoformat() == journey["journey_end_date"]
        settings = {SETTINGS[n] for n in SETTINGS if answers[n].events}
        assert settings == set(journey["care_settings_used"].split(","))
        assert not any(a.caveats for a in answers.values())
    assert len(journeys) == 788


async def test_a_row_belongs_to_the_trust_it_names(sources, tables):
    for name in ("emergency", "inpatient"):
        trust = {row[IDS[name]]: row["trust_code"] for row in tables[name]}
        patient = tables[name][0]["patient_id"]
        answer = await sources[name].ask(question(PATIENT, patient))
        for event in answer.events:
            assert event.organisation == trust[event.record_id]


async def test_rows_that_lost_their_pseudonym_are_found_by_the_learned_key(
    tmp_path, tables
):
    patient, pseudonym = next(
        (row["patient_id"], row["nhs_number"])
        for row in tables["inpatient"]
        if row["nhs_number"] not in ABSENT
    )
    given = variant(tmp_path / "given", patient, pseudonym)
    out = tmp_path / "out"
    prepare(given, out, today=date(2026, 3, 1))
    known = open_source(out / "sources" / "inpatient.toml", in_folder(tmp_path / "a"))
    lost = open_source(out / "sources" / "emergency.toml", in_folder(tmp_path / "b"))
    first = await known.ask(question(PSEUDONYM, pseudonym))
    assert (await lost.ask(question(PSEUDONYM, pseudonym))).person is None
    assert first.person is not None
    learned = {i.value for i in first.person.identifiers if i.system == PATIENT}
    assert learned == {patient}
    second = await lost.ask(question(PATIENT, patient))
    theirs = {
        r["attendance_id"] for r in tables["emergency"] if r["patient_id"] == patient
    }
    assert {e.record_id for e in second.events} == theirs
    await known.aclose()
    await lost.aclose()


def variant(folder, patient, pseudonym):
    """The same files, in which one person's attendances lost their pseudonym."""
    folder.mkdir()
    for table in (*DROPS, *DATABASES):
        text = corpus(FAMILY, table.file).read_text("utf-8")
        if table.source == "emergency":
            text = text.replace(f"{patient},{pseudonym},", f"{patient},INVALID,")
        (folder / table.file).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("placeholder", ["INVALID", "invalid", "", " "])
async def test_a_placeholder_links_nobody(sources, placeholder):
    for answer in (await asked(sources, question(PSEUDONYM, placeholder))).values():
        assert answer.events == ()
        assert answer.person is None


async def test_discharges_before_admission_are_kept_and_flagged(sources, tables):
    wrong = {
        row["episode_id"]: row["patient_id"]
        for row in tables["inpatient"]
        if row["discharge_date"] and row["discharge_date"] < row["admission_date"]
    }
    assert len(wrong) == 159
    for episode, patient in wrong.items():
        answer = await sources["inpatient"].ask(question(PATIENT, patient))
        (event,) = [e for e in answer.events if e.record_id == episode]
        assert "reversed" in event.caveats


async def test_a_window_leaves_out_what_began_before_and_says_it_goes_on(sources):
    query = question(PATIENT, rows("social_care")[0]["patient_id"])
    narrowed = Query(
        person=query.person,
        since=date(2023, 6, 1),
        until=None,
        categories=CATEGORIES,
        limit=10,
    )
    answer = await sources["social-care"].ask(narrowed)
    assert answer.events == ()
    assert {c.code for c in answer.caveats} == {"continues_into_window"}
    assert answer.as_of <= datetime.now(UTC)
