"""What agreements demand of whoever asks: a reason, and that people are told."""

import pytest

from gateway.store.database import Database
from tests.gateways import RECIPIENT, code_of, fields_of, states_of
from tests.glass import (
    HOSPITAL,
    SURGERY,
    office,
    records_of,
    ward,
    write_glass_gateway,
)
from tests.houses import clause
from tests.people import number

CLAIM = {"relationship": {"kind": "self-claimed", "reason": "On call tonight"}}
CLAIMED = clause(relationships=["self-claimed"])
REGISTERED = {"relationship": {"kind": "registered", "reason": "Repeat letter"}}


def demanding(**obligations):
    return clause(obligations=obligations)


@pytest.fixture
async def told():
    async with office() as opened:
        yield opened


async def test_a_claimed_relationship_permits_and_the_privacy_officer_is_told(
    tmp_path, told
):
    """G12."""
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    async with ward(config) as gateway:
        response = await gateway.asks(**CLAIM)
        (notice,) = await told.hears("self-claimed")
        (intent,) = records_of(gateway, "intent")
    assert states_of(response.json())["Z9A01.gp"] == "ok"
    decision = response.json()["decision"]
    assert notice["reference"] == decision["decision_id"] == intent["decision"]
    assert (notice["organisation"], notice["to"]) == (RECIPIENT, "privacy-officer")
    assert decision["evidence"] == "self-claimed"
    assert intent["basis"]["justified"]
    assert len(intent["basis"]["reason_hmac"]) == 64


async def test_without_a_channel_a_claim_opens_nothing(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    text = config.read_text("utf-8")
    line = f'privacy_officer = "{told.address}"\n'
    config.write_text(text.replace(line, ""), "utf-8")
    async with ward(config) as gateway:
        refused = await gateway.asks(**CLAIM)
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")


async def test_a_source_says_what_a_claim_would_open(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    async with ward(config) as gateway:
        response = await gateway.client.get(
            "/v1/sources/Z9A01.gp", headers=gateway.as_()
        )
    (may,) = response.json()["you_may"]
    assert may["relationships"] == ["self-claimed"]


async def test_who_is_registered_needs_no_claim_and_nobody_is_told(tmp_path, told):
    both = clause(relationships=["registered", "self-claimed"])
    config = write_glass_gateway(tmp_path, told.address, both)
    async with ward(config) as gateway:
        who = gateway.as_(relationship="registered")
        response = await gateway.asks(who=who, **CLAIM)
        assert await gateway.service.delivery.deliver_due() == 0
    assert "notify" not in response.json()["decision"]["obligations"]
    assert told.told == []


async def test_a_reason_that_is_wanted_is_asked_for_and_then_enough(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, demanding(justify="true"))
    async with ward(config) as gateway:
        who = gateway.as_(relationship="registered")
        refused = await gateway.asks(who=who)
        (denied,) = records_of(gateway, "denied")
        answered = await gateway.asks(who=who, **REGISTERED)
        (intent,) = records_of(gateway, "intent")
    assert (refused.status_code, code_of(refused)) == (400, "request-invalid")
    assert fields_of(refused) == [("/relationship/reason", "missing")]
    assert refused.json()["instance"].endswith(denied["decision"])
    assert denied["code"] == "request-invalid"
    assert states_of(answered.json())["Z9A01.gp"] == "ok"
    assert (intent["basis"]["justified"], intent["evidence"]) == (
        True,
        [f"registered@{RECIPIENT}"],
    )


async def test_a_relationship_named_with_a_reason_is_no_evidence(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, demanding(justify="true"))
    async with ward(config) as gateway:
        refused = await gateway.asks(**REGISTERED)
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")


async def test_a_reason_of_blanks_is_none(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    async with ward(config) as gateway:
        blank = {"kind": "self-claimed", "reason": "  "}
        refused = await gateway.asks(relationship=blank)
    assert (refused.status_code, code_of(refused)) == (400, "request-invalid")
    assert fields_of(refused) == [("/relationship/reason", "empty")]


async def test_an_owner_who_wants_to_be_told_is_told(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, demanding(notify=["owner"]))
    text = config.read_text("utf-8")
    line = f'ods = "{SURGERY}"\n'
    config.write_text(
        text.replace(line, f'{line}data_owner = "{told.address}"\n', 1), "utf-8"
    )
    async with ward(config) as gateway:
        who = gateway.as_(relationship="registered")
        response = await gateway.asks(who=who)
        (notice,) = await told.hears("agreement")
    states = states_of(response.json())
    assert (notice["organisation"], notice["to"]) == (SURGERY, "owner")
    assert notice["reference"] == response.json()["decision"]["decision_id"]
    # Whoever cannot be told is not asked.
    assert (states["Z9A01.gp"], states["Z9B02.epr"]) == ("ok", "denied")


async def test_a_patient_cannot_be_told_from_here_so_nothing_is_asked(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, demanding(notify=["patient"]))
    async with ward(config) as gateway:
        who = gateway.as_(relationship="registered")
        refused = await gateway.asks(who=who, **REGISTERED)
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")


async def test_the_sixth_person_claimed_in_an_hour_is_refused(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    async with ward(config) as gateway:
        for nth in range(5):
            answered = await gateway.asks(nhs_number=number(nth), **CLAIM)
            assert answered.status_code == 200
        again = await gateway.asks(nhs_number=number(0), **CLAIM)
        sixth = await gateway.asks(nhs_number=number(6), **CLAIM)
        other = await gateway.asks(
            who=gateway.as_(subject="another"), nhs_number=number(6), **CLAIM
        )
        broken = (await gateway.declares(nhs_number=number(6))).json()
        through = await gateway.asks(
            nhs_number=number(6), break_glass=broken["token"], **CLAIM
        )
        (denied,) = records_of(gateway, "denied")
        gateway.clock.pass_by(3600)
        later = await gateway.asks(nhs_number=number(6), **CLAIM)
    assert again.status_code == other.status_code == through.status_code == 200
    assert (sixth.status_code, code_of(sixth)) == (429, "people-budget-spent")
    assert sixth.headers["retry-after"] == "3601"
    assert denied["code"] == "people-budget-spent"
    assert later.status_code == 200


async def test_a_restarted_gateway_delivers_what_the_last_one_could_not(tmp_path, told):
    told.status = "503 Later"
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    async with ward(config) as gateway:
        response = await gateway.asks(**CLAIM)
        await told.heard.wait()
    assert response.status_code == 200
    assert told.told == []
    told.status = "200 OK"
    async with ward(config) as gateway:
        gateway.clock.pass_by(70)
        gateway.service.delivery.wake()
        (notice,) = await told.hears("self-claimed")
    assert notice["reference"] == response.json()["decision"]["decision_id"]


async def test_a_notice_that_cannot_be_kept_stops_the_question(tmp_path, told):
    """No notice, no question: both are durable together, or neither."""
    config = write_glass_gateway(tmp_path, told.address, CLAIMED)
    async with ward(config) as gateway:
        database: Database = gateway.service.database
        await database.transact(
            lambda store: store.exec_driver_sql("DROP TABLE notice")
        )
        refused = await gateway.asks(**CLAIM)
        assert records_of(gateway, "intent") == []
    assert (refused.status_code, code_of(refused)) == (503, "audit-unavailable")
    assert HOSPITAL not in refused.text
