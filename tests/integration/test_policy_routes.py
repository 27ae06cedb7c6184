"""Policy run over HTTP: drafted, signed, published, put to rest, and refused."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.administering import (
    BASE,
    HOSPITAL,
    SURGERY,
    administering,
    agreement,
    rules,
    write_policy_gateway,
)
from tests.gateways import MARK, RECIPIENT, code_of, echoes, fields_of, states_of

AGREEMENTS = "/agreements"
RULES = "/local-rules"
DSA = "/agreements/DSA-1"
ALONE = agreement(providers=[SURGERY])


@pytest.fixture
def folder(tmp_path):
    return write_policy_gateway(tmp_path).parent


@pytest.fixture
async def desk(folder):
    async with administering(folder / "throughline.toml") as desk:
        yield desk


@pytest.fixture
def writer(desk):
    return desk.person("writer", SURGERY)


@pytest.fixture
async def submitted(desk, writer):
    """The etag of an agreement of the surgery that waits to be signed."""
    await writer.create(AGREEMENTS, ALONE)
    response = await writer.move(DSA, "submit")
    assert response.status_code == 200
    return response.json()["etag"]


async def publish(desk):
    """The surgery's agreement in force."""
    await desk.publish(AGREEMENTS, ALONE, [SURGERY])
    signed = await desk.person("chief", RECIPIENT).sign(DSA)
    assert signed.json()["state"] == "active"


async def test_an_agreement_is_drafted_signed_and_in_force_at_the_next_question(
    desk, writer
):
    made = await writer.create(AGREEMENTS, ALONE)
    assert made.status_code == 201
    assert made.headers["location"] == f"{BASE}/agreements/DSA-1"
    assert made.headers["etag"] == made.json()["etag"]
    assert made.json()["state"] == "draft"
    submitted = await writer.move(DSA, "submit")
    assert submitted.json()["state"] == "submitted"
    assert submitted.json()["waiting_for"] == [
        {"organisation": SURGERY, "people": 2, "capacity": "caldicott"},
        {"organisation": RECIPIENT, "people": 1, "capacity": None},
    ]
    assert (await desk.question()).status_code == 403
    for person in (desk.guardian("guardian", SURGERY), desk.person("manager", SURGERY)):
        assert (await person.sign(DSA)).status_code == 200
    signed = await desk.person("chief", RECIPIENT).sign(DSA)
    assert signed.status_code == 200
    assert signed.json()["state"] == "active"
    assert signed.json()["live_for"] == [SURGERY]
    assert signed.json()["waiting_for"] == []
    answered = await desk.question()
    assert answered.status_code == 200
    assert states_of(answered.json())["Z9A01.gp"] == "ok"


async def test_a_person_who_signed_is_named_to_their_own_organisation_alone(desk):
    await publish(desk)
    for organisation in (SURGERY, RECIPIENT):
        read = await desk.person("reader", organisation).get(DSA)
        named = {
            each["organisation"]
            for each in read.json()["signatures"]
            if each["person"] is not None
        }
        assert named == {organisation}


async def test_one_organisation_vetoes_alone_and_at_once(desk):
    """A proven narrowing takes one signature, of somebody else than its author."""
    await publish(desk)
    assert (await desk.question()).status_code == 200
    writer = desk.person("writer", SURGERY)
    await writer.create(RULES, rules("LR-1", org=SURGERY))
    moved = await writer.move("/local-rules/LR-1", "submit")
    assert moved.json()["waiting_for"] == [
        {"organisation": SURGERY, "people": 1, "capacity": None}
    ]
    assert (await desk.question()).status_code == 200
    signed = await desk.person("manager", SURGERY).sign("/local-rules/LR-1")
    assert signed.json()["state"] == "active"
    assert (await desk.question()).status_code == 403


async def test_a_provider_rests_its_own_part_alone_and_two_put_it_back(desk):
    await publish(desk)
    rested = await desk.person("manager", SURGERY).sign(DSA, "suspend")
    assert (rested.status_code, rested.json()["state"]) == (200, "suspended")
    assert (await desk.question()).status_code == 403
    first = await desk.person("manager", SURGERY).sign(DSA, "resume")
    assert first.json()["state"] == "suspended"
    second = await desk.guardian("guardian", SURGERY).sign(DSA, "resume")
    assert second.json()["state"] == "active"
    assert (await desk.question()).status_code == 200


async def test_who_receives_may_not_rest_what_another_gives(desk):
    await publish(desk)
    response = await desk.person("chief", RECIPIENT).sign(DSA, "suspend")
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


async def test_the_author_may_not_sign(desk, submitted):
    response = await desk.guardian("writer", SURGERY).sign(DSA)
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


async def test_the_hash_of_another_text_is_not_signed(desk, submitted):
    person = desk.guardian("guardian", SURGERY)
    body = {"hash": "sha256:" + "0" * 64}
    response = await person.move(DSA, "approve", body, etag=submitted)
    assert (response.status_code, code_of(response)) == (409, "conflict")


async def test_one_person_signs_once(desk, submitted):
    person = desk.guardian("guardian", SURGERY)
    assert (await person.sign(DSA)).status_code == 200
    again = await person.sign(DSA)
    assert (again.status_code, code_of(again)) == (409, "conflict")


async def test_a_capacity_that_one_does_not_hold_is_not_signed_in(desk, submitted):
    response = await desk.person("manager", SURGERY).sign(DSA, capacity="caldicott")
    assert (response.status_code, code_of(response)) == (403, "not-permitted")


@pytest.mark.parametrize("transition", ["approve", "resume"])
async def test_who_signed_in_long_ago_signs_in_again(desk, submitted, transition):
    person = desk.person("guardian", SURGERY, signed_in_s_ago=301)
    response = await person.sign(DSA, transition)
    assert (response.status_code, code_of(response)) == (401, "reauthentication-needed")
    assert "max_age=300" in response.headers["www-authenticate"]


async def test_to_rest_something_needs_no_new_sign_in(desk):
    await publish(desk)
    person = desk.person("manager", SURGERY, signed_in_s_ago=3_000)
    assert (await person.sign(DSA, "suspend")).status_code == 200


async def test_to_rest_a_rule_needs_a_new_sign_in_as_it_may_widen(desk):
    writer = desk.person("writer", HOSPITAL)
    await writer.create(RULES, rules("LR-1", HOSPITAL))
    await writer.move("/local-rules/LR-1", "submit")
    await desk.guardian("guardian", HOSPITAL).sign("/local-rules/LR-1")
    stale = desk.person("manager", HOSPITAL, signed_in_s_ago=301)
    refused = await stale.sign("/local-rules/LR-1", "suspend")
    assert (refused.status_code, code_of(refused)) == (401, "reauthentication-needed")
    fresh = await desk.person("manager", HOSPITAL).sign("/local-rules/LR-1", "suspend")
    assert fresh.status_code == 200


async def test_a_party_refuses_and_its_version_is_over(desk, submitted):
    response = await desk.person("chief", RECIPIENT).move(DSA, "reject")
    assert (response.status_code, response.json()["state"]) == (200, "rejected")
    late = await desk.guardian("guardian", SURGERY).sign(DSA)
    assert (late.status_code, code_of(late)) == (409, "conflict")


async def test_a_draft_is_changed_and_its_hash_with_it(writer):
    made = await writer.create(AGREEMENTS, ALONE)
    changed = ALONE | {"dpia": "DPIA-2"}
    headers = {"If-Match": made.headers["etag"]}
    response = await writer.send("PUT", DSA, changed, headers=headers)
    assert response.status_code == 200
    assert response.json()["content"]["dpia"] == "DPIA-2"
    assert response.json()["hash"] != made.json()["hash"]
    assert response.headers["etag"] != made.headers["etag"]


async def test_what_was_read_can_be_sent_back_as_it_is(writer):
    """Catches a field spelt out in an answer that a request refuses."""
    made = await writer.create(AGREEMENTS, ALONE)
    headers = {"If-Match": made.headers["etag"]}
    again = await writer.send("PUT", DSA, made.json()["content"], headers=headers)
    assert (again.status_code, again.json()["hash"]) == (200, made.json()["hash"])


async def test_of_two_who_change_one_draft_the_second_is_told(desk, writer):
    made = await writer.create(AGREEMENTS, ALONE)
    headers = {"If-Match": made.headers["etag"]}
    colleague = desk.person("colleague", SURGERY)
    first = await colleague.send("PUT", DSA, ALONE | {"dpia": "D-2"}, headers=headers)
    second = await writer.send("PUT", DSA, ALONE | {"dpia": "D-3"}, headers=headers)
    assert (first.status_code, second.status_code) == (200, 412)
    assert code_of(second) == "precondition-failed"


async def test_what_was_submitted_is_neither_changed_nor_deleted(writer, submitted):
    headers = {"If-Match": submitted}
    changed = await writer.send("PUT", DSA, ALONE, headers=headers)
    assert (changed.status_code, code_of(changed)) == (409, "conflict")
    deleted = await writer.send("DELETE", DSA, headers=headers)
    assert (deleted.status_code, code_of(deleted)) == (409, "in-use")


async def test_a_draft_is_let_go(writer):
    made = await writer.create(AGREEMENTS, ALONE)
    headers = {"If-Match": made.headers["etag"]}
    gone = await writer.send("DELETE", DSA, headers=headers)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await writer.get(DSA)).status_code == 404


MOVES = {
    "PUT": ("PUT", DSA, ALONE),
    "DELETE": ("DELETE", DSA, None),
    "submit": ("POST", f"{DSA}/submit", None),
    "approve": ("POST", f"{DSA}/approve", {"hash": "sha256:" + "0" * 64}),
    "reject": ("POST", f"{DSA}/reject", None),
    "suspend": ("POST", f"{DSA}/suspend", {"hash": "sha256:" + "0" * 64}),
    "resume": ("POST", f"{DSA}/resume", {"hash": "sha256:" + "0" * 64}),
    "rollback": ("POST", f"{DSA}/rollback", {"version": 1}),
}


@pytest.mark.parametrize(("method", "path", "body"), MOVES.values(), ids=MOVES)
async def test_a_change_says_which_state_it_means(writer, method, path, body):
    await writer.create(AGREEMENTS, ALONE)
    key = {"Idempotency-Key": "k-1"}
    for given, status, code in [
        ({}, 428, "precondition-required"),
        ({"If-Match": '"another"'}, 412, "precondition-failed"),
        ({"If-Match": "*"}, 400, "request-invalid"),
        ({"If-Match": 'W/"another"'}, 400, "request-invalid"),
        ({"If-Match": '"one", "two"'}, 400, "request-invalid"),
        ({"If-Match": MARK}, 400, "request-invalid"),
    ]:
        response = await writer.send(method, path, body, headers=key | given)
        assert (response.status_code, code_of(response)) == (status, code)
        assert echoes(response, MARK) == []


async def test_a_request_sent_again_makes_nothing_more(writer):
    first = await writer.create(AGREEMENTS, ALONE, key="k-1")
    again = await writer.create(AGREEMENTS, ALONE, key="k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    versions = await writer.get(f"{DSA}/versions")
    assert [each["version"] for each in versions.json()["items"]] == [1]


async def test_a_key_is_for_one_request_of_one_caller(desk, writer):
    await writer.create(AGREEMENTS, ALONE, key="k-1")
    other = await writer.create(AGREEMENTS, ALONE | {"dpia": "D-2"}, key="k-1")
    assert (other.status_code, code_of(other)) == (409, "idempotency-mismatch")
    colleague = desk.person("colleague", HOSPITAL)
    made = await colleague.create(RULES, rules(), key="k-1")
    assert made.status_code == 201


@pytest.mark.parametrize("key", [None, "", " ", "k" * 256, "a b", "999 000 0018"])
async def test_what_makes_something_has_a_key(writer, key):
    headers = {} if key is None else {"Idempotency-Key": key}
    response = await writer.send("POST", AGREEMENTS, ALONE, headers=headers)
    assert (response.status_code, code_of(response)) == (400, "request-invalid")
    assert fields_of(response) == [("/idempotency-key", "invalid")]


@pytest.mark.parametrize(
    "key", ["9990000018", "job-9990000018", "a:999-000-0018", "x9990000018y"]
)
async def test_a_number_of_a_person_is_no_key(writer, key):
    response = await writer.create(AGREEMENTS, ALONE, key=key)
    assert (response.status_code, code_of(response)) == (400, "request-invalid")
    assert echoes(response, key) == []


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/id", {"id": "DSA-9990000018"}),
        ("/id", {"id": "A9990000018"}),
        ("/dpia", {"dpia": "Assessed for 999  000 0018 too"}),
        ("/clauses/0/id", {"clauses": [agreement(id="999-000-0018")["clauses"][0]]}),
        ("/clauses/0/why", {"clauses": [agreement(why="9990000018")["clauses"][0]]}),
    ],
)
async def test_a_number_of_a_person_stands_in_no_document(writer, place, change):
    response = await writer.create(AGREEMENTS, ALONE | change)
    assert (response.status_code, code_of(response)) == (422, "document-invalid")
    assert fields_of(response) == [(place, "nhs-number")]
    assert echoes(response, "9990000018", "000 0018", "000-0018") == []


async def test_ten_digits_that_are_nobodys_number_may_stand_in_a_document(writer):
    made = await writer.create(AGREEMENTS, ALONE | {"id": "DSA-9990000019"})
    assert made.status_code == 201


async def test_a_document_has_its_bounds(writer):
    (one,) = ALONE["clauses"]
    many = [one | {"id": f"c{n}"} for n in range(501)]
    response = await writer.create(AGREEMENTS, ALONE | {"clauses": many})
    assert (response.status_code, code_of(response)) == (422, "document-invalid")
    assert fields_of(response) == [("/clauses", "too-large")]
    assert "more than 500" in response.json()["detail"]


async def test_a_draft_that_is_open_is_not_drafted_again(writer):
    await writer.create(AGREEMENTS, ALONE)
    again = await writer.create(AGREEMENTS, ALONE)
    assert (again.status_code, code_of(again)) == (409, "conflict")


async def test_a_wrong_document_is_refused_by_place_and_with_what_would_be_right(
    writer,
):
    wrong = json.loads(json.dumps(ALONE))
    wrong["clauses"][0]["purposes"] = [MARK]
    response = await writer.create(AGREEMENTS, wrong)
    assert (response.status_code, code_of(response)) == (422, "document-invalid")
    assert fields_of(response) == [("/clauses/0/purposes/0", "unknown")]
    (fault,) = response.json()["errors"]
    assert "Allowed: direct-care, emergency-care" in fault["message"]
    assert echoes(response, MARK) == []


async def test_a_rule_for_another_organisation_is_no_document_of_ours(writer):
    response = await writer.create(RULES, rules(org=HOSPITAL))
    assert (response.status_code, code_of(response)) == (422, "document-invalid")
    assert fields_of(response) == [("/org", "invalid")]


async def test_a_document_that_the_gate_refuses_stays_a_draft(writer):
    """Every finding is listed; each says where it is and what to do."""
    self_claimed = agreement(
        providers=[SURGERY],
        assurance=["aal1"],
        relationships=["self-claimed"],
        honours=["ndo"],
    )
    await writer.create(AGREEMENTS, self_claimed)
    response = await writer.move(DSA, "submit")
    assert (response.status_code, code_of(response)) == (422, "gate-failed")
    errors = response.json()["errors"]
    assert len(errors) >= 2
    assert all(each["message"] and each["code"] for each in errors)
    assert all(each["pointer"].startswith("/clauses/0") for each in errors)
    assert (await writer.get(DSA)).json()["state"] == "draft"


async def test_bodies_are_read_strictly(writer):
    key = {"Idempotency-Key": "k"}
    text = await writer.client.post(
        BASE + AGREEMENTS,
        headers={**writer.headers, **key, "Content-Type": "text/plain"},
        content=json.dumps(ALONE),
    )
    assert (text.status_code, code_of(text)) == (415, "http-415")
    twice = await writer.client.post(
        BASE + AGREEMENTS,
        headers={**writer.headers, **key, "Content-Type": "application/json"},
        content='{"kind":"agreement","kind":"agreement"}',
    )
    assert (twice.status_code, code_of(twice)) == (400, "request-invalid")
    unknown = await writer.get(f"{DSA}?verbose=1")
    assert (unknown.status_code, code_of(unknown)) == (400, "parameter-unknown")


async def test_documents_may_be_larger_than_questions(desk, writer):
    large = ALONE | {
        "clauses": [
            agreement(id=f"c{n}")["clauses"][0] | {"why": "x" * 400} for n in range(120)
        ]
    }
    assert len(json.dumps(large)) > 65_536
    made = await writer.create(AGREEMENTS, large)
    assert made.status_code == 201
    too_large = await desk.client.post(
        f"{BASE}/agreements", headers=writer.headers, content=b" " * (2**20 + 1)
    )
    assert too_large.status_code == 413


async def test_an_earlier_text_comes_back_as_the_next_draft(desk, writer):
    await publish(desk)
    changed = ALONE | {"dpia": "DPIA-2"}
    await writer.create(AGREEMENTS, changed)
    headers = {"If-Match": (await writer.get(DSA)).headers["etag"]}
    assert (await writer.send("DELETE", DSA, headers=headers)).status_code == 204
    await writer.create(AGREEMENTS, changed)
    await writer.move(DSA, "submit")
    await writer.move(DSA, "reject")
    etag = (await writer.get(DSA)).headers["etag"]
    sent = {"If-Match": etag, "Idempotency-Key": "back-1"}
    back = await writer.send("POST", f"{DSA}/rollback", {"version": 1}, headers=sent)
    assert back.status_code == 201
    assert back.json()["version"] == 3
    assert back.json()["state"] == "draft"
    assert back.json()["content"]["dpia"] == "DPIA-1"
    found = (await writer.get(f"{DSA}/versions")).json()["items"]
    assert [(each["version"], each["state"]) for each in found] == [
        (3, "draft"),
        (2, "withdrawn"),
        (1, "active"),
    ]
    first = await writer.get(f"{DSA}/versions/1")
    assert first.json()["content"]["dpia"] == "DPIA-1"


async def test_lists_come_page_by_page_and_hold_what_is_ones_own(desk):
    surgery, hospital = (desk.person("w", each) for each in (SURGERY, HOSPITAL))
    for n in range(5):
        await surgery.create(AGREEMENTS, ALONE | {"id": f"DSA-{n}"})
    await hospital.create(AGREEMENTS, agreement("DSA-H"))
    seen, cursor = [], None
    while True:
        query = "?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = (await surgery.get(AGREEMENTS + query)).json()
        seen.append([each["id"] for each in page["items"]])
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [["DSA-0", "DSA-1"], ["DSA-2", "DSA-3"], ["DSA-4"]]
    mine = (await hospital.get(AGREEMENTS)).json()
    assert [each["id"] for each in mine["items"]] == ["DSA-H"]
    assert (await hospital.get(RULES)).json() == {"items": [], "next": None}
    for wrong in ("limit=0", "limit=x", "limit=1&limit=2", "page=1"):
        assert (await surgery.get(f"{AGREEMENTS}?{wrong}")).status_code == 400


async def test_sets_follow_one_another_and_stay_readable(desk):
    reader = desk.person("reader", SURGERY)
    empty = (await reader.get("/sets/active")).json()
    assert (empty["members"], empty["others"]) == ([], 0)
    assert empty["is_in_force_here"]
    await publish(desk)
    active = (await reader.get("/sets/active")).json()
    assert active["version"] != empty["version"]
    assert active["members"][0]["stands_for"] == [SURGERY]
    again = (await reader.get(f"/sets/{active['version']}")).json()
    assert again == active
    old = (await reader.get(f"/sets/{empty['version']}")).json()
    assert not old["is_in_force_here"]
    turns = (await reader.get("/sets?limit=1")).json()
    assert turns["items"][0]["version"] == active["version"]
    older = (await reader.get(f"/sets?cursor={turns['next']}")).json()
    assert older["items"][-1]["version"] == empty["version"]
    assert older["next"] is None
    stranger = desk.person("reader", "Z9C03")
    hidden = (await stranger.get("/sets/active")).json()
    assert (hidden["members"], hidden["others"]) == ([], 1)
    missing = await reader.get("/sets/sha256:00")
    assert (missing.status_code, code_of(missing)) == (404, "not-found")
    wrong = await reader.get("/sets?cursor=x")
    assert (wrong.status_code, fields_of(wrong)) == (400, [("/cursor", "invalid")])


async def test_every_change_is_on_the_trail(desk, folder):
    await publish(desk)
    with closing(sqlite3.connect(folder / "throughline.db")) as store:
        told = [
            json.loads(row[0])
            for row in store.execute("SELECT record FROM audit_record ORDER BY n")
        ]
    changes = [each for each in told if each["type"] == "change"]
    assert [(each["action"], each["state"]) for each in changes][1:] == [
        ("create", "draft"),
        ("submit", "submitted"),
        ("approve", "submitted"),
        ("approve", "approved"),
        ("approve", "active"),
    ]
    assert changes[-1]["policy"] is not None
    assert changes[-1]["actor"]["organisation"] == RECIPIENT
