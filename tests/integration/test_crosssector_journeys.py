"""788 journeys nobody here wrote, asked over HTTP, each as its owners counted it."""

import asyncio
import csv
from collections import defaultdict
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from examples.crosssector.prepare import prepare
from gateway.access.demo_issuer import Wanted, mint
from gateway.access.requester import Relationship
from gateway.clock import SystemClock
from gateway.settings import load_settings
from tests.corpus import corpus
from tests.serving import serving

pytestmark = pytest.mark.corpus

FAMILY = "csv-nhs-crosssector-synthetic"
PATIENT = "urn:throughline:example:patient-id"
PSEUDONYM = "urn:throughline:example:pseudonym"
COUNTED = {
    "Z9X01.emergency": ("ecds_attendances", "attendance_id", "Emergency"),
    "Z9X02.inpatient": ("sus_episodes", "episode_id", "Acute"),
    "Z9X03.community": ("csds_contacts", "contact_id", "Community"),
    "Z9X04.mental-health": ("mhsds_referrals", "referral_id", "Mental Health"),
}
UNCOUNTED = {"Z9X05.social-care": ("social_care", "package_id", "Social Care")}
LONDON = ZoneInfo("Europe/London")
NOT_A_PSEUDONYM = {"", "INVALID"}


def rows(name):
    with corpus(FAMILY, f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    out = tmp_path_factory.mktemp("crosssector")
    prepare(corpus(FAMILY), out, today=datetime.now(LONDON).date())
    return out / "throughline.toml"


@pytest.fixture(scope="module")
def token(configuration):
    return minted(configuration)


def minted(configuration):
    wanted = Wanted(
        client_id="crosssector-app",
        organisation="Z9X01",
        role="doctor",
        relationships=(Relationship(kind="registered", organisation="Z9X01"),),
    )
    return mint(load_settings(configuration, {}), SystemClock(), wanted)


@pytest.fixture(scope="module")
def address(configuration):
    with serving(configuration) as address:
        yield address


@pytest.fixture
async def gateway(address, token):
    async with client_of(address, token) as client:
        yield client


def client_of(address, token):
    return httpx.AsyncClient(
        base_url=address,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=30,
    )


async def journeys(gateway, system, values):
    """The journey of each value, a few at a time."""
    found: dict[str, Any] = {}
    turn = asyncio.Semaphore(4)

    async def one(value):
        body = {
            "identifier": {"system": system, "value": value},
            "purpose": "direct-care",
        }
        async with turn:
            response = await gateway.post("/v1/journeys", json=body)
        assert response.status_code == 200, response.text
        found[value] = response.json()

    await asyncio.gather(*(one(value) for value in values))
    return found


def london_day(event):
    text = event["start"]
    if len(text) == 10:
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).astimezone(LONDON).date()


def by_source(journey):
    told = defaultdict(list)
    for event in journey["events"]:
        told[event["provenance"]["source"]].append(event)
    return told


def expected_ids(key):
    """source -> key -> record ids, read straight from the files."""
    found: dict[str, dict[str, set[str]]] = {}
    for source, (table, column, _) in (COUNTED | UNCOUNTED).items():
        found[source] = defaultdict(set)
        for row in rows(table):
            found[source][row[key]].add(row[column])
    return found


async def test_every_journey_has_the_events_days_and_settings_its_owners_counted(
    gateway,
):
    ids = expected_ids("patient_id")
    wanted = rows("patient_journeys")
    found = await journeys(gateway, PATIENT, [row["patient_id"] for row in wanted])
    assert len(found) == len(wanted) == 788
    for row in wanted:
        journey = found[row["patient_id"]]
        told = by_source(journey)
        counted = [event for source in COUNTED for event in told[source]]
        assert len(counted) == int(row["total_events"])
        days = [london_day(event) for event in counted]
        assert min(days).isoformat() == row["journey_start_date"]
        assert max(days).isoformat() == row["journey_end_date"]
        settings = {COUNTED[source][2] for source in COUNTED if told[source]}
        assert settings == set(row["care_settings_used"].split(","))
        for source, theirs in ids.items():
            records = [event["provenance"]["record_id"] for event in told[source]]
            assert len(records) == len(set(records))
            assert set(records) == theirs[row["patient_id"]]
        assert journey["completeness"]["level"] == "complete"
        assert journey["completeness"]["answered"] == 5


async def test_events_name_the_trust_their_row_names(gateway):
    trusts = {
        row["attendance_id"]: row["trust_code"] for row in rows("ecds_attendances")
    }
    trusts |= {row["episode_id"]: row["trust_code"] for row in rows("sus_episodes")}
    people = [row["patient_id"] for row in rows("patient_journeys")[:40]]
    found = await journeys(gateway, PATIENT, people)
    seen = 0
    for journey in found.values():
        for event in journey["events"]:
            record = event["provenance"]["record_id"]
            if record in trusts:
                assert event["provenance"]["organisation"]["ods"] == trusts[record]
                seen += 1
    assert seen > 100


async def test_by_pseudonym_everyone_who_has_one_is_found_whole(gateway):
    people = pseudonyms()
    ids = expected_ids("patient_id")
    found = await journeys(gateway, PSEUDONYM, people.values())
    assert len(people) > 700
    for patient, pseudonym in people.items():
        told = records_of(found[pseudonym])
        assert told == {s: ids[s][patient] for s in ids if ids[s][patient]}


async def test_the_second_round_finds_rows_whose_pseudonym_is_missing(tmp_path):
    """As the files, but in every table some rows of people lose their pseudonym."""
    given = tmp_path / "given"
    people = pseudonyms()
    blanked = with_pseudonyms_missing(given)
    ids = expected_ids("patient_id")
    out = tmp_path / "out"
    prepare(given, out, today=datetime.now(LONDON).date())
    config = out / "throughline.toml"
    with serving(config) as address:
        asked = {p: n for p, n in people.items() if p in blanked}
        async with client_of(address, minted(config)) as client:
            found = await journeys(client, PSEUDONYM, sorted(asked.values())[:150])
    learned = 0
    for patient, pseudonym in asked.items():
        if pseudonym not in found:
            continue
        told = records_of(found[pseudonym])
        assert told == {s: ids[s][patient] for s in ids if ids[s][patient]}
        methods = [
            e["provenance"]["link"]["method"] for e in found[pseudonym]["events"]
        ]
        learned += methods.count("learned_identifier")
    assert learned > 300


def pseudonyms():
    """patient id -> pseudonym, of everybody who has one in some row."""
    return {
        row["patient_id"]: row["nhs_number"]
        for table, *_ in (COUNTED | UNCOUNTED).values()
        for row in rows(table)
        if row["nhs_number"] not in NOT_A_PSEUDONYM
    }


def with_pseudonyms_missing(folder):
    """The five files with every third row's pseudonym gone; whose rows those are.

    Each person keeps at least their first row's, or no source could teach it.
    """
    folder.mkdir()
    lost, kept = set(), set()
    for table, *_ in (COUNTED | UNCOUNTED).values():
        content = rows(table)
        for number, row in enumerate(content):
            if row["patient_id"] in kept and number % 3 == 0:
                row["nhs_number"] = ("", "INVALID")[number % 2]
                lost.add(row["patient_id"])
            kept.add(row["patient_id"])
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(content[0]))
            writer.writeheader()
            writer.writerows(content)
    return lost


def records_of(journey):
    return {
        source: {event["provenance"]["record_id"] for event in events}
        for source, events in by_source(journey).items()
    }


@pytest.mark.parametrize("placeholder", ["INVALID", "invalid", "NULL"])
async def test_a_placeholder_links_nobody(gateway, placeholder):
    found = await journeys(gateway, PSEUDONYM, [placeholder])
    assert found[placeholder]["events"] == []


async def test_an_impossible_stay_is_kept_and_flagged(gateway):
    reversed_ids = {
        row["episode_id"]: row["patient_id"]
        for row in rows("sus_episodes")
        if row["discharge_date"] < row["admission_date"]
    }
    assert reversed_ids
    found = await journeys(gateway, PATIENT, set(reversed_ids.values()))
    flagged = {
        event["provenance"]["record_id"]
        for journey in found.values()
        for event in journey["events"]
        if "reversed" in event["caveats"]
    }
    assert set(reversed_ids) <= flagged


async def test_adjoining_windows_never_count_a_day_twice(gateway):
    people = [row["patient_id"] for row in rows("patient_journeys")[:25]]
    whole = await journeys(gateway, PATIENT, people)
    for patient in people:
        parts = []
        for window in ({"until": "2023-01-01"}, {"since": "2023-01-01"}):
            body = {
                "identifier": {"system": PATIENT, "value": patient},
                "purpose": "direct-care",
                **window,
            }
            response = await gateway.post("/v1/journeys", json=body)
            parts += [event["id"] for event in response.json()["events"]]
        assert sorted(parts) == sorted(
            event["id"] for event in whole[patient]["events"]
        )
