"""Breaking the glass over HTTP: for one person, for half an hour, with others told."""

import asyncio

import pytest

from tests.gateways import (
    PERSON,
    RECIPIENT,
    code_of,
    echoes,
    fields_of,
    states_of,
)
from tests.glass import (
    DECLARED,
    FIXED,
    HOSPITAL,
    OVERRIDABLE,
    OWNERS,
    REASON,
    SURGERY,
    local_rule,
    office,
    records_of,
    stored,
    ward,
    write_glass_gateway,
)
from tests.houses import clause
from tests.people import number

ASKS_FIRST = local_rule(SURGERY, OVERRIDABLE)
ONLY_BROKEN = clause(id="c2", relationships=["none"], break_glass="only")


@pytest.fixture
async def told():
    async with office() as opened:
        yield opened


@pytest.fixture
def config(tmp_path, told):
    """Without evidence, the glass alone opens all; the surgery may be overridden."""
    return write_glass_gateway(
        tmp_path, told.address, clause(), ONLY_BROKEN, rules=[ASKS_FIRST]
    )


@pytest.fixture
async def gateway(config):
    async with ward(config) as opened:
        yield opened


async def test_broken_glass_opens_what_only_it_opens_and_says_so(gateway, told):
    refused = await gateway.asks()
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    broken = await gateway.declares()
    assert broken.status_code == 201
    said = broken.json()
    assert said["will_notify"] == ["privacy-officer"]
    assert said["expires_at"] == "2026-03-01T12:30:00.000000Z"
    assert [each["organisation"] for each in said["overrides"]] == OWNERS
    answered = await gateway.asks(break_glass=said["token"])
    assert answered.status_code == 200
    journey = answered.json()
    assert states_of(journey)["Z9A01.gp"] == "ok"
    assert {"justify", "notify"} <= set(journey["decision"]["obligations"])
    (declared,) = records_of(gateway, "break_glass")
    (intent,) = records_of(gateway, "intent")
    assert intent["break_glass"] == declared["glass"] == said["id"]
    assert intent["subjects"] == declared["subjects"]
    ((first,), (used,)) = (
        await told.hears("break-glass"),
        await told.hears("break-glass-used"),
    )
    assert first["reference"] == used["reference"] == said["id"]
    assert first["organisation"] == RECIPIENT


async def test_what_is_told_and_kept_holds_no_person_and_no_words(gateway, told):
    broken = (await gateway.declares()).json()
    await gateway.asks(break_glass=broken["token"])
    await told.hears("break-glass-used")
    sent = b"".join(told.raw)
    for secret in (PERSON, REASON, "Zebrafinch", broken["token"], "unconscious"):
        assert secret.encode() not in sent
        assert secret.encode() not in stored(gateway)


async def test_an_overridable_veto_falls_and_another_stands(tmp_path, told):
    """G29 and G30: what may be overridden is, and what may not stays refused."""
    rules = [ASKS_FIRST, local_rule(HOSPITAL, FIXED)]
    config = write_glass_gateway(tmp_path, told.address, clause(), rules=rules)
    async with ward(config) as gateway:
        who = gateway.as_(relationship="registered")
        before = await gateway.asks(who=who)
        token = (await gateway.declares(who=who)).json()["token"]
        after = await gateway.asks(who=who, break_glass=token)
    assert states_of(before.json())["Z9A01.gp"] == "denied"
    assert states_of(after.json())["Z9A01.gp"] == "ok"
    assert states_of(after.json())["Z9B02.epr"] == "denied"


async def test_broken_glass_is_no_grant(tmp_path, told):
    """G31: where no agreement covers it, nothing is asked."""
    config = write_glass_gateway(tmp_path, told.address, clause(roles=["nurse"]))
    async with ward(config) as gateway:
        said = (await gateway.declares()).json()
        refused = await gateway.asks(break_glass=said["token"])
    assert said["overrides"] == []
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")


async def test_a_flag_of_the_law_stands_whoever_breaks_the_glass(gateway):
    """G34: the surgery knows nobody of whom it may say nothing."""
    flagged = number(2)
    said = (await gateway.declares(nhs_number=flagged)).json()
    answered = await gateway.asks(nhs_number=flagged, break_glass=said["token"])
    assert states_of(answered.json())["Z9A01.gp"] == "unknown_person"


async def test_the_glass_is_broken_for_individual_care_alone(gateway):
    """G32: research is refused, and so is a purpose that is not the caller's."""
    for purpose in ("research", "emergency-care"):
        refused = await gateway.declares(purpose=purpose)
        assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    assert records_of(gateway, "break_glass") == []


async def test_a_token_is_good_for_its_caller_person_purpose_and_time_alone(gateway):
    """G33 and its like: all are refused in the same words, and recorded."""
    said = (await gateway.declares()).json()
    token, id_ = said["token"], said["id"]
    answers = [
        await gateway.asks(nhs_number=number(1), break_glass=token),
        await gateway.asks(nhs_number=number(900), break_glass=token),
        await gateway.asks(who=gateway.as_(subject="another"), break_glass=token),
        await gateway.asks(break_glass=token[:-2] + "xx"),
        await gateway.asks(break_glass=f"bgl_{'a' * 24}.{token.partition('.')[2]}"),
        await gateway.asks(break_glass="\u00e9.\u00e9"),
        await gateway.asks(break_glass=id_),
        await gateway.asks(
            nhs_number=None,
            identifier={"system": "urn:throughline:test:local", "value": "L-0000"},
            break_glass=token,
        ),
    ]
    gateway.clock.pass_by(30 * 60)
    answers.append(await gateway.asks(break_glass=token))
    bodies = [each.json() | {"request_id": None} for each in answers]
    assert [each.status_code for each in answers] == [403] * 9
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["detail"] == "The break-glass token is not good for this question."
    assert len(records_of(gateway, "denied")) == 9
    assert records_of(gateway, "intent") == []


async def test_one_second_before_the_end_a_token_is_good(gateway):
    said = (await gateway.declares()).json()
    gateway.clock.pass_by(30 * 60 - 1)
    assert (await gateway.asks(break_glass=said["token"])).status_code == 200


async def test_glass_put_back_is_whole(gateway):
    said = (await gateway.declares()).json()
    address = f"/v1/break-glass/{said['id']}"
    for who in (gateway.as_(subject="another"), gateway.as_(organisation=SURGERY)):
        other = await gateway.client.delete(address, headers=who)
        assert (other.status_code, code_of(other)) == (404, "not-found")
    for _ in range(2):
        ended = await gateway.client.delete(address, headers=gateway.as_())
        assert (ended.status_code, ended.content) == (204, b"")
    refused = await gateway.asks(break_glass=said["token"])
    assert refused.status_code == 403
    actions = [each["action"] for each in records_of(gateway, "break_glass")]
    assert actions == ["declared", "ended"]
    nothing = await gateway.client.delete(
        "/v1/break-glass/bgl_none", headers=gateway.as_()
    )
    assert nothing.status_code == 404


async def test_the_same_declaration_sent_again_breaks_nothing_more(gateway, told):
    first, again = await gateway.declares(), await gateway.declares()
    assert first.json() == again.json()
    other = await gateway.declares(reason="Another reason")
    assert (other.status_code, code_of(other)) == (409, "idempotency-mismatch")
    elsewhere = await gateway.declares(who=gateway.as_(subject="another"))
    assert elsewhere.json()["id"] != first.json()["id"]
    gateway.clock.pass_by(24 * 3600 + 1)
    later = await gateway.declares()
    assert later.json()["id"] != first.json()["id"]
    assert len(records_of(gateway, "break_glass")) == 3


@pytest.mark.parametrize("end", ["put back", "expired"])
async def test_a_declaration_sent_again_after_its_end_gives_no_dead_token(gateway, end):
    said = (await gateway.declares()).json()
    if end == "expired":
        gateway.clock.pass_by(30 * 60)
    else:
        address = f"/v1/break-glass/{said['id']}"
        await gateway.client.delete(address, headers=gateway.as_())
    again = await gateway.declares()
    assert (again.status_code, code_of(again)) == (409, "conflict")
    assert "another key" in again.json()["detail"]
    anew = await gateway.declares("another")
    assert anew.status_code == 201
    assert (await gateway.asks(break_glass=anew.json()["token"])).status_code == 200


async def test_the_same_declaration_many_times_at_once_breaks_one_glass(gateway):
    answers = await asyncio.gather(*(gateway.declares() for _ in range(8)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["token"] for each in answers}) == 1
    assert len(records_of(gateway, "break_glass")) == 1


async def test_breaking_the_glass_needs_a_recent_sign_in_of_a_person(gateway):
    for ago in (0, 300):
        fresh = gateway.as_(signed_in_s_ago=ago)
        assert (await gateway.declares(f"k{ago}", who=fresh)).status_code == 201
    stale = await gateway.declares("k", who=gateway.as_(signed_in_s_ago=301))
    assert (stale.status_code, code_of(stale)) == (401, "reauthentication-needed")


async def test_who_may_not_break_the_glass_is_refused(gateway):
    without = gateway.as_("office", role="administrator")
    refused = await gateway.declares(who=without)
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    untold = gateway.as_(organisation=SURGERY)
    nobody = await gateway.declares(who=untold)
    assert (nobody.status_code, code_of(nobody)) == (403, "not-permitted")
    assert "no channel" in nobody.json()["detail"]


WRONG = {
    "a false number": (
        {"nhs_number": PERSON[:-1] + "0"},
        "identifier-invalid",
        [("/nhs_number", "not-an-nhs-number")],
    ),
    "no purpose": ({"purpose": ""}, "purpose-missing", [("/purpose", "empty")]),
    "an unknown purpose": (
        {"purpose": "care"},
        "purpose-unknown",
        [("/purpose", "unknown")],
    ),
    "an unknown reason": (
        {"reason_code": "curious"},
        "request-invalid",
        [("/reason_code", "unknown")],
    ),
    "blank words": ({"reason": "  "}, "request-invalid", [("/reason", "empty")]),
    "no words": ({"reason": ""}, "request-invalid", [("/reason", "string-too-short")]),
    "an unknown field": ({"zeb": 1}, "request-invalid", [("", "unknown")]),
}


@pytest.mark.parametrize(("change", "code", "fields"), WRONG.values(), ids=WRONG)
async def test_a_wrong_declaration_is_refused_by_place(gateway, change, code, fields):
    response = await gateway.declares(**change)
    assert (response.status_code, code_of(response)) == (400, code)
    assert fields_of(response) == fields
    assert echoes(response, PERSON, REASON, "zeb") == []


async def test_a_declaration_without_a_key_of_its_own_is_refused(gateway):
    response = await gateway.client.post(
        "/v1/break-glass", json=DECLARED, headers=gateway.as_()
    )
    assert (response.status_code, code_of(response)) == (400, "request-invalid")


async def test_what_is_declared_is_answered_alike_whoever_the_person_is(gateway):
    """A number that exists, does not, or is flagged: the same but for its ids."""
    answers = [
        await gateway.declares(f"k{nth}", nhs_number=number(nth)) for nth in (0, 2, 900)
    ]
    told = [
        {**each.json(), "id": None, "token": len(each.json()["token"])}
        for each in answers
    ]
    assert told[0] == told[1] == told[2]
    sizes = {each.headers["content-length"] for each in answers}
    assert len(sizes) == 1


async def test_the_sixth_person_in_an_hour_is_not_refused_but_told_of(gateway, told):
    for nth in range(5):
        said = await gateway.declares(f"k{nth}", nhs_number=number(nth))
        assert said.status_code == 201
    again = await gateway.declares("again", nhs_number=number(0))
    assert again.status_code == 201
    await told.hears("break-glass", 6)
    assert not [each for each in told.told if each["kind"] == "break-glass-often"]
    sixth = await gateway.declares("k6", nhs_number=number(6))
    assert sixth.status_code == 201
    (often,) = await told.hears("break-glass-often")
    assert often["reference"] == sixth.json()["id"]


async def test_without_a_key_no_glass_is_broken_here(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address)
    text = config.read_text("utf-8")
    config.write_text(
        text.replace('[break_glass]\nkey = "file:keys/glass.key"\n', ""), "utf-8"
    )
    async with ward(config) as gateway:
        refused = await gateway.declares()
        asked = await gateway.asks(break_glass="x")
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    assert (asked.status_code, code_of(asked)) == (403, "not-permitted")
