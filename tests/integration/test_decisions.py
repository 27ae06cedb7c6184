"""Decisions explained over HTTP: one's own, one's data's, and those nobody asked."""

import asyncio
import sqlite3

import pytest

from gateway.decisions.entries import found_by
from tests.gateways import PERSON, code_of, fields_of
from tests.glass import (
    COUNCIL,
    HOSPITAL,
    OVERRIDABLE,
    SURGERY,
    local_rule,
    office,
    records_of,
    ward,
    write_glass_gateway,
    write_policy,
)
from tests.houses import clause
from tests.people import number

EXPLAIN = "/v1/decisions/explain"
RULE = local_rule(SURGERY, OVERRIDABLE)


@pytest.fixture
async def told():
    async with office() as opened:
        yield opened


@pytest.fixture
async def gateway(tmp_path, told):
    config = write_glass_gateway(tmp_path, told.address, rules=[RULE])
    async with ward(config) as opened:
        yield opened


async def read(gateway, address, who):
    return await gateway.client.get(address, headers=who)


async def explain(gateway, who=None, **said):
    return await gateway.client.post(
        EXPLAIN,
        json={"purpose": "direct-care"} | said,
        headers=who or gateway.as_(),
    )


def cells_of(told):
    return {
        (each["organisation"], each["category"]): each for each in told.json()["cells"]
    }


async def test_a_refused_caller_reads_why_and_what_would_have_permitted(gateway):
    refused = await gateway.asks()
    assert refused.status_code == 403
    address = refused.json()["instance"]
    explained = await read(gateway, address, gateway.as_())
    assert explained.status_code == 200
    told = explained.json()
    assert address.endswith(told["decision_id"])
    assert (told["refused"], told["purpose"]) == ("not-permitted", "direct-care")
    assert (told["role"], told["assurance"], told["relationships"]) == (
        "doctor",
        "aal2",
        [],
    )
    cell = cells_of(explained)[HOSPITAL, "encounters"]
    assert (cell["effect"], cell["because"][0]["code"]) == ("deny", "no_grant")
    (miss,) = cell["near_misses"]
    assert (miss["attribute"], miss["needed"]) == ("relationship", ["registered"])
    assert miss["under"] == f"DSA-TEST/c1@1#{HOSPITAL}"
    assert not cell["in_full"]


async def test_a_permitted_decision_is_told_as_the_journey_told_it(gateway):
    who = gateway.as_(relationship="registered")
    journey = (await gateway.asks(who=who)).json()
    decision = journey["decision"]
    told = await read(gateway, f"/v1/decisions/{decision['decision_id']}", who)
    assert told.json()["journey_id"] == journey["journey_id"]
    assert told.json()["policy"] == decision["policy"]
    cells = cells_of(told)
    for each in decision["because"]:
        cell = cells[each["organisation"], each["category"]]
        assert (cell["effect"], cell["authority"]) == (
            each["effect"],
            each["authority"] if each["effect"] == "permit" else None,
        )
        assert cell["because"][0]["why"] == each["why"]


async def test_anothers_decision_is_not_there(gateway):
    address = (await gateway.asks()).json()["instance"]
    for who in (
        gateway.as_(subject="another"),
        gateway.as_("office", role="administrator", subject="reader"),
        gateway.as_(organisation=SURGERY),
    ):
        response = await read(gateway, address, who)
        assert (response.status_code, code_of(response)) == (404, "not-found")


@pytest.mark.parametrize(
    "id_", ["dec_", "dec_" + "a" * 24, "dec_" + "A" * 24, "jny_1", "a" * 300]
)
async def test_a_decision_that_is_none_is_not_there(gateway, id_):
    response = await read(gateway, f"/v1/decisions/{id_}", gateway.as_())
    assert (response.status_code, code_of(response)) == (404, "not-found")


async def test_the_owners_privacy_officer_reads_their_own_cells_in_full(gateway):
    address = (await gateway.asks()).json()["instance"]
    officer = gateway.as_("ward", role="privacy-officer", organisation=SURGERY)
    reader = gateway.as_("office", role="administrator", organisation=SURGERY)
    for who in (officer, reader):
        told = await read(gateway, address, who)
        assert {each["organisation"] for each in told.json()["cells"]} == {SURGERY}
        cell = told.json()["cells"][0]
        assert cell["in_full"]
        codes = [(each["code"], each["authority"]) for each in cell["because"]]
        assert codes == [("veto", f"LR-{SURGERY}-1/v1@1")]
    doctor = gateway.as_(organisation=SURGERY)
    assert (await read(gateway, address, doctor)).status_code == 404


async def test_the_callers_own_privacy_officer_reads_it_and_who_asked(gateway):
    address = (await gateway.asks()).json()["instance"]
    officer = gateway.as_("office", role="privacy-officer", subject="officer")
    own = await read(gateway, address, gateway.as_())
    overseen = await read(gateway, address, officer)
    assert (own.json()["caller"], overseen.json()["caller"]) == (None, "demo-user")
    assert overseen.json()["cells"] == own.json()["cells"]


async def test_that_it_was_explained_is_recorded_and_names_nobody(gateway):
    address = (await gateway.asks()).json()["instance"]
    await read(gateway, address, gateway.as_())
    await explain(gateway, organisations=[SURGERY])
    first, second = records_of(gateway, "explained")
    assert address.endswith(first["about"])
    assert second["about"] is None
    assert second["organisations"] == [SURGERY]
    assert first["actor"]["subject"] == "demo-user"
    assert "subjects" not in first


async def test_a_decision_of_a_set_no_longer_in_force_is_told_as_recorded(
    tmp_path, told
):
    config = write_glass_gateway(tmp_path, told.address, rules=[RULE])
    async with ward(config) as gateway:
        who = gateway.as_(relationship="registered")
        id_ = (await gateway.asks(who=who)).json()["decision"]["decision_id"]
    write_policy(tmp_path / "policy", clause(roles=["nurse"]))
    async with ward(config) as gateway:
        response = await read(gateway, f"/v1/decisions/{id_}", who)
        cells = cells_of(response)
    assert cells[SURGERY, "encounters"]["because"][0]["code"] == "veto"
    hospital = cells[HOSPITAL, "encounters"]
    assert (hospital["effect"], hospital["authority"]) == (
        "permit",
        f"DSA-TEST/c1@1#{HOSPITAL}",
    )
    assert "no longer at hand" in hospital["because"][0]["why"]
    assert hospital["near_misses"] == []


async def test_a_question_nobody_asked_is_decided_and_asks_no_source(gateway):
    before = len(records_of(gateway, "intent"))
    without = cells_of(await explain(gateway))
    with_it = cells_of(await explain(gateway, relationship="registered"))
    broken = cells_of(
        await explain(gateway, relationship="registered", break_glass=True)
    )
    assert without[HOSPITAL, "encounters"]["effect"] == "deny"
    assert with_it[HOSPITAL, "encounters"]["effect"] == "permit"
    surgery = with_it[SURGERY, "encounters"]
    assert (surgery["effect"], surgery["because"][0]["code"]) == ("deny", "veto")
    assert surgery["near_misses"][0]["attribute"] == "break_glass"
    opened = broken[SURGERY, "encounters"]
    assert (opened["effect"], opened["near_misses"]) == ("permit", [])
    assert opened["obligations"] == ["justify", "notify:privacy-officer"]
    assert len(records_of(gateway, "intent")) == before == 0


async def test_what_a_broken_glass_overrides_is_what_is_decided_otherwise(gateway):
    """Two tellings of one thing, each worked out by itself."""
    who = gateway.as_(relationship="registered")
    whole, broken = (
        {place for place, cell in cells_of(told).items() if cell["effect"] == "permit"}
        for told in (
            await explain(gateway, who=who, break_glass=False),
            await explain(gateway, who=who, break_glass=True),
        )
    )
    said = (await gateway.declares(who=who)).json()["overrides"]
    opened = {
        (each["organisation"], category)
        for each in said
        for category in each["categories"]
    }
    assert opened == broken - whole != set()


async def test_organisations_and_categories_narrow_what_is_explained(gateway):
    told = await explain(gateway, organisations=[COUNCIL], categories=["social-care"])
    assert set(cells_of(told)) == {(COUNCIL, "social-care")}
    nothing = await explain(gateway, categories=["demographics"])
    assert nothing.json()["cells"] == []
    nobody = gateway.as_(purposes=["direct-care"])
    assert (await explain(gateway, who=nobody, agreement="DSA-X")).json()[
        "agreement"
    ] == "DSA-X"


WRONG = {
    "no purpose": ({"purpose": " "}, "purpose-missing", [("/purpose", "empty")]),
    "an unknown purpose": (
        {"purpose": "x"},
        "purpose-unknown",
        [("/purpose", "unknown")],
    ),
    "a person": ({"nhs_number": PERSON}, "request-invalid", [("", "unknown")]),
    "a stranger": (
        {"organisations": [SURGERY, "X"]},
        "request-invalid",
        [("/organisations/1", "unknown")],
    ),
    "an unknown relationship": (
        {"relationship": "stale:referral"},
        "request-invalid",
        [("/relationship", "unknown")],
    ),
    "an unknown category": (
        {"categories": ["x"]},
        "request-invalid",
        [("/categories/0", "unknown")],
    ),
}


@pytest.mark.parametrize(("said", "code", "fields"), WRONG.values(), ids=WRONG)
async def test_a_wrong_question_is_refused_by_place(gateway, said, code, fields):
    response = await explain(gateway, **said)
    assert (response.status_code, code_of(response)) == (400, code)
    assert fields_of(response) == fields


async def test_a_purpose_that_is_not_the_callers_is_not_explained(gateway):
    """Near misses never teach another purpose, and neither does asking in turn."""
    refused = await explain(gateway, purpose="care-coordination")
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    told = await explain(gateway, purpose="research")
    assert told.status_code == 200
    attributes = {
        miss["attribute"]
        for cell in told.json()["cells"]
        for miss in cell["near_misses"]
    }
    assert not attributes & {"purpose", "flags", "labels", "recipient"}


async def test_a_purpose_given_twice_is_none(gateway):
    response = await gateway.client.post(
        EXPLAIN,
        content='{"purpose": "direct-care", "purpose": "research"}',
        headers={**gateway.as_(), "Content-Type": "application/json"},
    )
    assert (response.status_code, code_of(response)) == (400, "purpose-missing")


async def test_refusals_are_alike_whoever_the_person_is(gateway):
    """A number that exists, does not, or is flagged: but for ids, the same bytes."""
    answers = [await gateway.asks(nhs_number=number(nth)) for nth in (0, 900, 2)]
    alike = [
        each.json() | {"request_id": None, "instance": len(each.json()["instance"])}
        for each in answers
    ]
    assert alike[0] == alike[1] == alike[2]
    headers = [
        {k: v for k, v in each.headers.items() if k != "x-request-id"}
        for each in answers
    ]
    assert headers[0] == headers[1] == headers[2]
    explained = [
        await read(gateway, each.json()["instance"], gateway.as_()) for each in answers
    ]
    told = [
        each.json() | {"decision_id": None, "journey_id": None} for each in explained
    ]
    assert told[0] == told[1] == told[2]


async def test_a_decision_is_looked_up_by_its_index(gateway):
    folder = gateway.service.settings.folder
    address = (await gateway.asks()).json()["instance"]
    store = sqlite3.connect(folder / "throughline.db")
    plan = store.execute(
        "EXPLAIN QUERY PLAN " + found_by("sqlite"),
        {"decision": address.rpartition("/")[2]},
    ).fetchall()
    store.close()
    assert "audit_record_decision" in str(plan)


async def test_many_decisions_at_once_are_each_found(gateway):
    refused = await asyncio.gather(*(gateway.asks() for _ in range(20)))
    addresses = [each.json()["instance"] for each in refused]
    assert len(set(addresses)) == 20
    for address in addresses:
        told = await read(gateway, address, gateway.as_())
        assert address.endswith(told.json()["decision_id"])
