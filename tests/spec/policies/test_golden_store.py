"""The golden scenarios of policy that is kept in the store, over HTTP."""

import asyncio
import time

import pytest

from tests.administering import (
    HOSPITAL,
    SURGERY,
    administering,
    agreement,
    rules,
    write_policy_gateway,
)
from tests.gateways import RECIPIENT, code_of, fields_of, states_of

EVERYWHERE_S = 5.0
DSA = "/agreements/DSA-1"


@pytest.fixture
def config(tmp_path):
    return write_policy_gateway(tmp_path)


async def states(desk):
    """The states of the two who signed; "denied" where nothing is permitted."""
    answered = await desk.question()
    if answered.status_code == 403:
        return {"Z9A01.gp": "denied", "Z9B02.epr": "denied"}
    told = states_of(answered.json())
    return {name: told[name] for name in ("Z9A01.gp", "Z9B02.epr")}


async def seen_within(desk, wanted, seconds=EVERYWHERE_S):
    """How long it took until a gateway decided so; fails if longer than `seconds`."""
    began = time.monotonic()
    while (found := await states(desk)) != wanted:
        assert time.monotonic() - began < seconds, found
        await asyncio.sleep(0.1)


async def test_g39_what_one_suspends_is_closed_everywhere_within_five_seconds(config):
    async with administering(config) as here, administering(config) as there:
        await here.publish("/agreements", agreement(), [SURGERY, HOSPITAL])
        assert (await here.person("chief", RECIPIENT).sign(DSA)).status_code == 200
        both = {"Z9A01.gp": "ok", "Z9B02.epr": "ok"}
        for desk in (here, there):
            await seen_within(desk, both)
        rested = await here.person("manager", SURGERY).sign(DSA, "suspend")
        assert rested.status_code == 200
        closed = both | {"Z9A01.gp": "denied"}
        assert await states(here) == closed  # where it was done, at once
        await seen_within(there, closed)


@pytest.mark.parametrize("key", ["owner", "owners", "providers"])
async def test_g38_a_rule_that_names_another_owner_is_no_document(config, key):
    vetoing = rules("LR-1", org=SURGERY, **{key: [HOSPITAL]})
    async with administering(config) as desk:
        refused = await desk.person("writer", SURGERY).create("/local-rules", vetoing)
    assert (refused.status_code, code_of(refused)) == (422, "document-invalid")
    # A key that is not ours is not repeated: its parent is pointed at.
    assert fields_of(refused) == [("/rules/0/when", "unknown")]


async def test_g38_nobody_writes_the_rules_of_another_organisation(config):
    async with administering(config) as desk:
        writer = desk.person("writer", SURGERY)
        refused = await writer.create("/local-rules", rules("LR-1", org=HOSPITAL))
        assert refused.status_code == 422
        listed = await desk.person("reader", HOSPITAL).get("/local-rules")
    assert listed.json()["items"] == []
