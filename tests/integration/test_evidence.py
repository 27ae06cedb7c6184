"""Evidence of a relationship over HTTP: found at one's own surgery, and explained."""

import json
import sqlite3

import pytest

from tests.gateways import PERSON, RECIPIENT, code_of, running, write_house
from tests.houses import ANN, BOB, event
from tests.people import LOCAL, number
from tests.tables import write_sqlite

OWN = f"{RECIPIENT}.gp"
OTHER = "Z9A01.epr"
QUESTION = {"nhs_number": PERSON, "purpose": "direct-care"}
_TWICE = f'[[organisations]]\nods = "{RECIPIENT}"\nname = "Asking body (synthetic)"\n'


def gateway_of(folder, *, whose=ANN, status="active", settings=""):
    """A gateway whose asker keeps a surgery's list, beside somebody else's hospital."""
    registered = event(
        "list-1", "2019-04-01", kind="episode_of_care", of=whose, status=status
    )
    stay = event("epr-1", "2026-02-09T20:00:00+00:00", end="2026-02-12", of=ANN)
    for name, held in ((OWN, registered), (OTHER, stay)):
        write_sqlite(folder / "sources" / name, [held], key=LOCAL)
    path = write_house(folder, {OWN: "primary-care", OTHER: "acute"})
    text = path.read_text("utf-8").replace(_TWICE, "")
    # Neither states the flag; both leave such people out.
    text = text.replace('= "states"', '= "prefiltered"')
    path.write_text(text + settings, "utf-8")
    return path


@pytest.fixture
def trail_of(tmp_path):
    def read():
        with sqlite3.connect(tmp_path / "throughline.db") as store:
            rows = store.execute("SELECT record FROM audit_record ORDER BY n")
            return [json.loads(record) for (record,) in rows]

    return read


async def test_a_registration_at_ones_own_surgery_opens_what_the_agreement_grants(
    tmp_path, trail_of
):
    async with running(gateway_of(tmp_path), relationship=None) as client:
        response = await client.post("/v1/journeys", json=QUESTION)
        assert response.status_code == 200
        journey = response.json()
        address = f"/v1/decisions/{journey['decision']['decision_id']}"
        explained = (await client.get(address)).json()
    told = {each["provenance"]["record_id"] for each in journey["events"]}
    assert told == {"list-1", "epr-1"}
    (shown,) = journey["decision"]["relationships"]
    assert (shown["kind"], shown["organisation"]) == ("registered", RECIPIENT)
    assert shown["reference"].startswith(f"{OWN}#")
    assert shown["as_of"] <= "2026-03-01T12:00:00Z" < shown["expires"]
    assert journey["decision"]["evidence"] == f"registered@{RECIPIENT}"
    assert explained["relationships"] == ["registered"]
    assert explained["evidence"] == [shown]
    records = [each for each in trail_of() if each["type"] in {"intent", "outcome"}]
    assert [each["type"] for each in records] == ["intent", "outcome"] * 2
    assert (records[0]["sought"], records[0]["sources"]) == (["registered"], [OWN])
    assert records[1]["result"] == "evidence-found"
    assert (records[2]["sought"], len(records[2]["basis"]["shown"])) == ([], 1)


@pytest.mark.parametrize("changed", [{"whose": BOB}, {"status": "finished"}])
async def test_without_it_nobody_else_is_asked_and_the_near_miss_says_what_would_do(
    tmp_path, trail_of, changed
):
    async with running(gateway_of(tmp_path, **changed), relationship=None) as client:
        refused = await client.post("/v1/journeys", json=QUESTION)
        assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
        explained = (await client.get(refused.json()["instance"])).json()
    assert explained["evidence"] == []
    (cell,) = [
        each
        for each in explained["cells"]
        if (each["source"], each["category"]) == (OTHER, "encounters")
    ]
    assert [each["means"] for each in cell["near_misses"]] == [
        "An open registration with your organisation would permit."
    ]
    asked = [each["sources"] for each in trail_of() if each["type"] == "intent"]
    assert asked == [[OWN]]


async def test_a_token_that_says_so_needs_no_other_evidence(tmp_path, trail_of):
    async with running(gateway_of(tmp_path), relationship="registered") as client:
        response = await client.post("/v1/journeys", json=QUESTION)
    assert response.json()["decision"]["relationships"] == [
        {
            "kind": "registered",
            "organisation": RECIPIENT,
            "reference": None,
            "as_of": None,
            "expires": None,
        }
    ]
    assert len([each for each in trail_of() if each["type"] == "intent"]) == 1


async def test_so_many_are_looked_for_in_vain_by_one_user_in_an_hour(
    tmp_path, trail_of
):
    few = "\n[evidence]\npeople_in_vain = 2\n"
    path = gateway_of(tmp_path, whose=BOB, settings=few)
    async with running(path, relationship=None) as client:
        refused = [
            await client.post("/v1/journeys", json=QUESTION | {"nhs_number": who})
            for who in (PERSON, number(2), number(3))
        ]
    assert [code_of(each) for each in refused] == [
        *["not-permitted"] * 2,
        "people-budget-spent",
    ]
    assert 0 < int(refused[2].headers["Retry-After"]) <= 3601
    assert len([each for each in trail_of() if each["type"] == "intent"]) == 2


async def test_an_organisation_may_choose_not_to_look(tmp_path, trail_of):
    off = "\n[evidence]\nrelationships = []\n"
    async with running(gateway_of(tmp_path, settings=off), relationship=None) as client:
        refused = await client.post("/v1/journeys", json=QUESTION)
    assert refused.status_code == 403
    assert "intent" not in {each["type"] for each in trail_of()}
