"""The rules of policy.md §12 and client-api.md §7, one gateway for all of them.

Each document goes under an id of its own, so that no test depends on another.
"""

from itertools import count

import pytest
import pytest_asyncio

from policies import compile as compiling
from tests.administering import (
    HOSPITAL,
    SURGERY,
    administering,
    agreement,
    rules,
    write_policy_gateway,
)
from tests.gateways import MARK, RECIPIENT, code_of, fields_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRESH = count()
BOTH = [SURGERY, HOSPITAL]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    async with administering(write_policy_gateway(folder)) as desk:
        yield desk


@pytest.fixture
def writer(desk):
    return desk.person("writer", SURGERY)


async def drafted(writer, **changes):
    """A new agreement of the surgery alone, and where it is."""
    document = agreement(f"DSA-{next(FRESH)}", providers=[SURGERY]) | changes
    made = await writer.create("/agreements", document)
    assert made.status_code == 201
    return f"/agreements/{document['id']}", made


async def submitted(writer):
    place, _ = await drafted(writer)
    assert (await writer.move(place, "submit")).status_code == 200
    return place


async def in_force(desk, writer):
    """Where an agreement in force is; what widens nothing takes fewer to sign."""
    place = await submitted(writer)
    signed = await desk.guardian("guardian", SURGERY).sign(place)
    people = {SURGERY: "manager", RECIPIENT: "chief"}
    while wanted := signed.json()["waiting_for"]:
        whose = wanted[0]["organisation"]
        signed = await desk.person(people[whose], whose).sign(place)
        assert signed.status_code == 200
    return place


async def test_create_is_201_and_says_where(writer):
    place, made = await drafted(writer)
    assert made.headers["location"].endswith(place)
    assert (await writer.get(place)).json() == made.json()


async def test_put_is_200_and_409_for_what_is_no_draft(writer):
    place, made = await drafted(writer)
    sent = made.json()["content"]
    headers = {"If-Match": made.headers["etag"]}
    changed = await writer.send("PUT", place, sent, headers=headers)
    assert changed.status_code == 200
    await writer.move(place, "submit")
    headers = {"If-Match": (await writer.get(place)).headers["etag"]}
    refused = await writer.send("PUT", place, sent, headers=headers)
    assert (refused.status_code, code_of(refused)) == (409, "conflict")


async def test_delete_is_204_and_409_for_what_is_in_use(writer):
    place, made = await drafted(writer)
    headers = {"If-Match": made.headers["etag"]}
    assert (await writer.send("DELETE", place, headers=headers)).status_code == 204
    place = await submitted(writer)
    headers = {"If-Match": (await writer.get(place)).headers["etag"]}
    refused = await writer.send("DELETE", place, headers=headers)
    assert (refused.status_code, code_of(refused)) == (409, "in-use")


async def test_submit_is_200_or_422_with_every_finding(writer):
    place = await submitted(writer)
    assert (await writer.get(place)).json()["state"] == "submitted"
    wrong = agreement(f"DSA-{next(FRESH)}", [SURGERY], honours=["ndo", "type1"])
    await writer.create("/agreements", wrong)
    refused = await writer.move(f"/agreements/{wrong['id']}", "submit")
    assert (refused.status_code, code_of(refused)) == (422, "gate-failed")
    assert all(each["message"] for each in refused.json()["errors"])


async def test_approve_is_200_and_403_for_its_author_and_409_for_an_old_hash(
    desk, writer
):
    place = await submitted(writer)
    author = await desk.guardian("writer", SURGERY).sign(place)
    assert (author.status_code, code_of(author)) == (403, "not-permitted")
    guardian = desk.guardian("guardian", SURGERY)
    old = {"hash": "sha256:" + "0" * 64}
    stale = await guardian.move(place, "approve", old)
    assert (stale.status_code, code_of(stale)) == (409, "conflict")
    assert (await guardian.sign(place)).status_code == 200


async def test_reject_is_200(desk, writer):
    place = await submitted(writer)
    refused = await desk.person("chief", RECIPIENT).move(place, "reject")
    assert (refused.status_code, refused.json()["state"]) == (200, "rejected")


async def test_suspend_takes_one_person_and_resume_two(desk, writer):
    place = await in_force(desk, writer)
    manager = desk.person("manager", SURGERY)
    assert (await manager.sign(place, "suspend")).json()["state"] == "suspended"
    assert (await manager.sign(place, "resume")).json()["state"] == "suspended"
    back = await desk.guardian("guardian", SURGERY).sign(place, "resume")
    assert back.json()["state"] == "active"


async def test_rollback_is_201_and_a_new_version(desk, writer):
    place = await in_force(desk, writer)
    second = (await writer.get(place)).json()["content"] | {"dpia": "DPIA-2"}
    await writer.create("/agreements", second)
    await writer.move(place, "submit")
    await writer.move(place, "reject")
    sent = {
        "If-Match": (await writer.get(place)).headers["etag"],
        "Idempotency-Key": f"back-{place}",
    }
    back = await writer.send("POST", f"{place}/rollback", {"version": 1}, headers=sent)
    assert (back.status_code, back.json()["version"]) == (201, 3)
    assert back.headers["location"].endswith(place)
    versions = (await writer.get(f"{place}/versions")).json()["items"]
    assert [each["version"] for each in versions] == [3, 2, 1]
    first = (await writer.get(f"{place}/versions/1")).json()
    assert first["content"]["dpia"] == "DPIA-1"


async def test_an_unknown_code_is_422_with_the_codes_that_are_known(writer):
    wrong = agreement(f"DSA-{next(FRESH)}", [SURGERY], roles=[MARK])
    refused = await writer.create("/agreements", wrong)
    assert (refused.status_code, code_of(refused)) == (422, "document-invalid")
    assert fields_of(refused) == [("/clauses/0/roles/0", "unknown")]
    assert "gp, doctor, nurse" in refused.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 428), ({"If-Match": '"old"'}, 412), ({"If-Match": "*"}, 400)],
)
async def test_a_transition_names_the_state_it_means(writer, headers, status):
    place, _ = await drafted(writer)
    response = await writer.send("POST", f"{place}/submit", headers=headers)
    assert response.status_code == status


async def test_what_makes_something_has_a_key_and_is_made_once(writer):
    document = agreement(f"DSA-{next(FRESH)}", [SURGERY])
    keyless = await writer.send("POST", "/agreements", document)
    assert (keyless.status_code, code_of(keyless)) == (400, "request-invalid")
    key = f"key-{document['id']}"
    first = await writer.create("/agreements", document, key=key)
    again = await writer.create("/agreements", document, key=key)
    assert again.json() == first.json()
    other = await writer.create("/agreements", document | {"dpia": "D-2"}, key=key)
    assert (other.status_code, code_of(other)) == (409, "idempotency-mismatch")


async def test_an_old_sign_in_does_not_sign(desk, writer):
    place = await submitted(writer)
    late = desk.person("guardian", SURGERY, signed_in_s_ago=301)
    response = await late.sign(place)
    assert (response.status_code, code_of(response)) == (401, "reauthentication-needed")


async def test_sets_and_lists_are_told_page_by_page(desk, writer):
    await in_force(desk, writer)
    own = rules(f"LR-{next(FRESH)}", org=SURGERY, categories=["documents"])
    await writer.create("/local-rules", own)
    await writer.move(f"/local-rules/{own['id']}", "submit")
    manager = desk.person("manager", SURGERY)
    assert (await manager.sign(f"/local-rules/{own['id']}")).status_code == 200
    page = (await writer.get("/agreements?limit=1")).json()
    assert len(page["items"]) == 1
    rest = (await writer.get(f"/agreements?cursor={page['next']}")).json()
    assert page["items"][0]["id"] not in {each["id"] for each in rest["items"]}
    turns = (await writer.get("/sets?limit=1")).json()
    older = (await writer.get(f"/sets?cursor={turns['next']}")).json()
    assert older["items"][0]["sequence"] < turns["items"][0]["sequence"]
    active = (await writer.get("/sets/active")).json()
    assert active["version"] == turns["items"][0]["version"]
    assert {each["kind"] for each in active["members"]} == {"agreement", "local-rule"}
    assert (await writer.get(f"/sets/{active['version']}")).json() == active
    for wrong in ("/sets?cursor=x", "/sets?limit=0", "/sets?all=1"):
        assert (await writer.get(wrong)).status_code == 400


def asked(**said):
    return {
        "owner": SURGERY,
        "category": "encounters",
        "purpose": "direct-care",
        "recipient": RECIPIENT,
        "role": "doctor",
        "relationships": ["registered"],
        "assurance": "aal2",
    } | said


async def test_check_diff_what_if_and_replay_read_and_change_nothing(desk, writer):
    draft = {"agreement": agreement(f"DSA-{next(FRESH)}", BOTH, roles=["midwife"])}
    before = (await writer.get("/agreements?limit=200")).json()
    check = (await writer.send("POST", "/check", draft)).json()
    assert check["is_publishable"]
    diff = (await writer.send("POST", "/diff", draft)).json()
    assert {each["owner"] for each in diff["changes"]} == {SURGERY}
    tried = await writer.send(
        "POST",
        "/what-if",
        draft | {"questions": [asked(role="midwife", at="2026-06-01T09:00:00Z")]},
    )
    assert tried.json()["items"][0]["after"]["effect"] == "permit"
    await desk.question()
    replay = (await writer.send("POST", "/replay", draft | {"last": 5})).json()
    assert replay["replayed"] == 1
    receiving = desk.person("chief", RECIPIENT)
    own = (await receiving.send("POST", "/replay", draft)).json()
    assert own["replayed"] >= 1
    veto = {"local_rule": rules(f"LR-{next(FRESH)}", org=SURGERY)}
    for route in ("diff", "replay"):
        assert (await writer.send("POST", f"/{route}", veto)).status_code == 200
    assert (await writer.get("/agreements?limit=200")).json() == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"agreement": agreement(), "stored": {"kind": "agreement", "id": "x"}}, 400),
        ({"stored": {"kind": "agreement", "id": "nowhere"}}, 404),
        ({"agreement": agreement() | {"kind": "local-rule"}}, 422),
        ({"local_rule": rules(org=HOSPITAL)}, 422),
    ],
)
async def test_an_analysis_is_of_one_document_of_ones_own(writer, body, status):
    assert (await writer.send("POST", "/diff", body)).status_code == status


@pytest.mark.parametrize("route", ["check", "diff", "replay", "what-if"])
async def test_a_set_that_would_be_too_large_is_said_to_be(writer, route, monkeypatch):
    """Catches an analysis that answers 500 for what cannot be compiled."""
    monkeypatch.setattr(compiling, "_MOST_CLAUSES", 400)
    large = rules(f"LR-{next(FRESH)}", org=SURGERY)
    (rule,) = large["rules"]
    large["rules"] = [rule | {"id": f"v{n}"} for n in range(500)]
    questions = {"questions": [asked()]} if route == "what-if" else {}
    body = {"local_rule": large} | questions
    response = await writer.send("POST", f"/{route}", body)
    if route == "check":
        assert not response.json()["is_publishable"]
    else:
        assert (response.status_code, code_of(response)) == (422, "gate-failed")
        assert response.json()["errors"][0]["code"] == "too-large"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"role": MARK}, 400),
        ({"category": "social-care"}, 400),
        ({"at": "soon"}, 400),
        ({"at": "2026-01-01"}, 400),
        ({"owner": HOSPITAL}, 403),
    ],
)
async def test_a_question_is_of_known_codes_and_ones_own(writer, said, status):
    body = {"agreement": agreement(), "questions": [asked(**said)]}
    assert (await writer.send("POST", "/what-if", body)).status_code == status
