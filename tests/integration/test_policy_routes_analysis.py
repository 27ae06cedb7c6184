"""What a document would do, asked over HTTP before it does it."""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing

import pytest

from gateway.api.policy import analysis
from gateway.api.policy.bounded import Workbench
from tests.administering import (
    HOSPITAL,
    SURGERY,
    administering,
    agreement,
    rules,
    write_policy_gateway,
)
from tests.gateways import MARK, RECIPIENT, code_of, echoes, fields_of

BOTH = agreement(providers=[SURGERY, HOSPITAL])


@pytest.fixture
def folder(tmp_path):
    return write_policy_gateway(tmp_path).parent


@pytest.fixture
async def desk(folder):
    async with administering(folder / "throughline.toml") as desk:
        yield desk


@pytest.fixture
def surgery(desk):
    return desk.person("reader", SURGERY)


async def publish(desk):
    """The agreement of surgery and hospital in force."""
    await desk.publish("/agreements", BOTH, [SURGERY, HOSPITAL])
    assert (await desk.person("chief", RECIPIENT).sign("/agreements/DSA-1")).is_success


def question(**said):
    return {
        "owner": SURGERY,
        "category": "encounters",
        "purpose": "direct-care",
        "recipient": RECIPIENT,
        "role": "doctor",
        "relationships": ["registered"],
        "assurance": "aal2",
    } | said


async def test_a_check_says_all_that_the_gate_would(surgery):
    response = await surgery.send("POST", "/check", {"agreement": BOTH})
    told = response.json()
    assert response.status_code == 200
    assert told["is_publishable"]
    assert told["document"] == "DSA-1"
    assert {each["severity"] for each in told["findings"]} <= {"warn"}
    unlawful = agreement(purposes=["research"], honours=[])
    told = (await surgery.send("POST", "/check", {"agreement": unlawful})).json()
    assert not told["is_publishable"]
    refusals = [each for each in told["findings"] if each["severity"] == "refuse"]
    assert refusals
    assert all(each["pointer"] and each["message"] for each in refusals)


async def test_a_check_keeps_nothing(surgery):
    await surgery.send("POST", "/check", {"agreement": BOTH})
    assert (await surgery.get("/agreements")).json()["items"] == []


async def test_a_difference_tells_who_would_newly_get_access(surgery):
    response = await surgery.send("POST", "/diff", {"agreement": BOTH})
    told = response.json()
    assert (response.status_code, told["is_complete"]) == (200, True)
    kinds = {(each["kind"], each["owner"]) for each in told["changes"]}
    assert kinds == {("newly_allowed", SURGERY)}
    for change in told["changes"]:
        assert change["sentence"].startswith("Newly allowed: doctor of Z9R01 sees")
        assert change["before"] is None
        assert change["after"]["date_grain"] == "exact"
        assert change["witness"]["owner"] == SURGERY
        concerns = {each["attribute"]: each["codes"] for each in change["concerns"]}
        assert concerns["recipients"] == [RECIPIENT]


async def test_a_difference_is_told_to_each_as_far_as_it_is_theirs(desk):
    """Catches the hospital's change shown to the surgery beside it."""
    owners = {}
    for organisation in (SURGERY, HOSPITAL, RECIPIENT):
        person = desk.person("reader", organisation)
        told = (await person.send("POST", "/diff", {"agreement": BOTH})).json()
        owners[organisation] = {each["owner"] for each in told["changes"]}
    assert owners == {
        SURGERY: {SURGERY},
        HOSPITAL: {HOSPITAL},
        RECIPIENT: {SURGERY, HOSPITAL},
    }


async def test_a_veto_is_told_as_what_it_takes_away(desk, surgery):
    await publish(desk)
    veto = rules("LR-9", org=SURGERY, categories=["medications"])
    told = (await surgery.send("POST", "/diff", {"local_rule": veto})).json()
    assert {each["kind"] for each in told["changes"]} == {"newly_refused"}
    assert all(each["after"] is None for each in told["changes"])
    assert {each["witness"]["category"] for each in told["changes"]} == {"medications"}


async def test_a_stored_document_is_compared_as_it_stands(desk, surgery):
    await surgery.create("/agreements", BOTH)
    stored = {"stored": {"kind": "agreement", "id": "DSA-1"}}
    told = (await surgery.send("POST", "/diff", stored)).json()
    assert told["changes"]
    assert told["hash"] == (await surgery.get("/agreements/DSA-1")).json()["hash"]
    foreign = await desk.person("reader", HOSPITAL).send("POST", "/diff", stored)
    assert (foreign.status_code, code_of(foreign)) == (404, "not-found")
    later = {"stored": {"kind": "agreement", "id": "DSA-1", "version": 2}}
    missing = await surgery.send("POST", "/diff", later)
    assert (missing.status_code, code_of(missing)) == (404, "not-found")


async def test_a_document_in_force_would_change_nothing(desk, surgery):
    await publish(desk)
    stored = {"stored": {"kind": "agreement", "id": "DSA-1", "version": 1}}
    assert (await surgery.send("POST", "/diff", stored)).json()["changes"] == []


async def test_a_question_is_tried_before_and_after(surgery):
    body = {"agreement": BOTH, "questions": [question(), question(role="nurse")]}
    response = await surgery.send("POST", "/what-if", body)
    first, second = response.json()["items"]
    assert (first["before"]["effect"], first["after"]["effect"]) == ("deny", "permit")
    assert first["before"]["code"] == "no_grant"
    assert first["after"]["authority"] == "DSA-1/c1@1#Z9A01"
    assert first["source"] == "Z9A01.gp"
    assert first["is_changed"]
    assert second["after"]["effect"] == "deny"
    assert not second["is_changed"]


async def test_a_question_may_be_of_another_day(surgery):
    body = {
        "agreement": BOTH,
        "questions": [
            question(at="2027-12-31T23:59:59+00:00"),
            question(at="2028-01-01T00:00:00+00:00"),
        ],
    }
    items = (await surgery.send("POST", "/what-if", body)).json()["items"]
    assert [each["after"]["effect"] for each in items] == ["permit", "deny"]
    assert items[1]["after"]["code"] == "expired"


WRONG = {
    "an unknown role": ({"role": MARK}, "request-invalid", "role"),
    "an unknown relationship": (
        {"relationships": ["registered", MARK]},
        "request-invalid",
        "relationships",
    ),
    "an unknown category": ({"category": MARK}, "request-invalid", "category"),
    "a category that is not held": (
        {"category": "social-care"},
        "request-invalid",
        "category",
    ),
    "a day without its offset": ({"at": "2026-01-01"}, "request-invalid", "at"),
    "a day that is none": ({"at": MARK}, "request-invalid", "at"),
    "of others about others": (
        {"owner": HOSPITAL, "recipient": RECIPIENT},
        "not-permitted",
        "owner",
    ),
}


@pytest.mark.parametrize(("said", "code", "field"), WRONG.values(), ids=WRONG)
async def test_a_wrong_question_is_refused_by_place(surgery, said, code, field):
    body = {"agreement": BOTH, "questions": [question(), question(**said)]}
    response = await surgery.send("POST", "/what-if", body)
    assert code_of(response) == code
    assert [pointer for pointer, _ in fields_of(response)] == [f"/questions/1/{field}"]
    assert echoes(response, MARK) == []


async def test_recorded_decisions_are_replayed_under_a_draft(desk):
    await publish(desk)
    assert (await desk.question()).status_code == 200
    assert (await desk.question(relationship=None)).status_code == 403
    veto = rules("LR-9", org=SURGERY)
    surgery = desk.person("reader", SURGERY)
    response = await surgery.send("POST", "/replay", {"local_rule": veto})
    told = response.json()
    assert response.status_code == 200
    assert (told["replayed"], told["changed"]) == (2, 1)
    assert told["flips"] == [
        {
            "recipient": RECIPIENT,
            "purpose": "direct-care",
            "role": "doctor",
            "decisions": 1,
        }
    ]
    (changed,) = told["decisions"]
    assert {each["owner"] for each in changed["cells"]} == {SURGERY}
    assert {each["change"] for each in changed["cells"]} == {"newly_refused"}
    newest = {"local_rule": veto, "last": 1}
    told = (await surgery.send("POST", "/replay", newest)).json()
    assert (told["replayed"], told["changed"]) == (1, 0)


async def test_what_others_asked_of_others_is_not_replayed(desk):
    await publish(desk)
    assert (await desk.question()).status_code == 200
    stranger = desk.person("reader", "Z9C03")
    veto = rules("LR-9", org="Z9C03")
    told = (await stranger.send("POST", "/replay", {"local_rule": veto})).json()
    assert told["changed"] == 0
    assert told["decisions"] == []


@pytest.mark.parametrize("route", ["check", "diff", "what-if", "replay"])
@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({}, 400, "request-invalid"),
        ({"agreement": BOTH, "local_rule": rules()}, 400, "request-invalid"),
        ({"agreement": BOTH | {"kind": "local-rule"}}, 422, "document-invalid"),
        ({"local_rule": rules(org=HOSPITAL)}, 422, "document-invalid"),
        ({"agreement": BOTH | {"id": "9990000018"}}, 422, "document-invalid"),
        ({"stored": {"kind": "set", "id": "x"}}, 400, "request-invalid"),
    ],
)
async def test_one_document_of_ours_is_asked_about(surgery, route, given, status, code):
    body = given | ({"questions": [question()]} if route == "what-if" else {})
    response = await surgery.send("POST", f"/{route}", body)
    assert (response.status_code, code_of(response)) == (status, code)


async def test_an_id_of_others_is_taken_once_it_is_submitted(desk, surgery):
    foreign = desk.person("writer", HOSPITAL)
    theirs = agreement("DSA-9", providers=[HOSPITAL])
    await foreign.create("/agreements", theirs)
    draft = {"agreement": BOTH | {"id": "DSA-9"}}
    assert (await surgery.send("POST", "/diff", draft)).status_code == 200
    await foreign.move("/agreements/DSA-9", "submit")
    response = await surgery.send("POST", "/diff", draft)
    assert (response.status_code, code_of(response)) == (409, "conflict")


async def test_an_error_in_a_draft_points_into_the_body(surgery):
    wrong = json.loads(json.dumps(BOTH))
    wrong["clauses"][0]["roles"] = [MARK]
    response = await surgery.send("POST", "/diff", {"agreement": wrong})
    assert fields_of(response) == [("/agreement/clauses/0/roles/0", "unknown")]
    assert echoes(response, MARK) == []


async def test_every_analysis_is_recorded_before_it_is_begun(surgery, folder):
    for route in ("check", "diff", "replay"):
        await surgery.send("POST", f"/{route}", {"agreement": BOTH})
    with closing(sqlite3.connect(folder / "throughline.db")) as store:
        rows = store.execute("SELECT record FROM audit_record ORDER BY n").fetchall()
    told = [json.loads(row[0]) for row in rows]
    asked = [each for each in told if each["type"] == "analysed"]
    assert [each["action"] for each in asked] == ["check", "diff", "replay"]
    assert all(each["document"] == "DSA-1" for each in asked)
    assert all(each["actor"]["organisation"] == SURGERY for each in asked)


async def test_an_analysis_that_takes_too_long_is_let_go(desk, surgery, monkeypatch):
    """The event loop goes on meanwhile, and the next analysis has its place."""
    ended = threading.Event()
    bench = Workbench(bound_s=0.2)
    desk.app.state.workbench.close()
    desk.app.state.workbench = bench
    monkeypatch.setattr(analysis, "compared", lambda *_: ended.wait(30))
    slow = asyncio.create_task(surgery.send("POST", "/diff", {"agreement": BOTH}))
    assert (await desk.client.get("/livez")).status_code == 200
    response = await slow
    assert (response.status_code, code_of(response)) == (503, "overloaded")
    assert response.headers["retry-after"] == "30"
    assert await bench.run(lambda: 7) == 7
    ended.set()
    bench.close()
    bench.close()
