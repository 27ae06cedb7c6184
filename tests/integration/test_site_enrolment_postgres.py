"""Two gateways on one PostgreSQL store: what one enrols and revokes, both know."""

import asyncio
import shutil
import time

import pytest

from adapters.errors import Unavailable
from adapters.site.keys import pinned_keys
from tests.enrolling import OWNERS, desk_at, keys_made, with_desk
from tests.gateways import code_of, write_gateway
from tests.parts.stores import new_database
from tests.sites import SITE

pytestmark = pytest.mark.parts
HOSPITAL = OWNERS[1]
ACTS_S = 10.0  # spec: revocation, and new keys, in every replica


@pytest.fixture
async def desks(postgres, tmp_path):
    (tmp_path / "first").mkdir()
    first = with_desk(write_gateway(tmp_path / "first"))
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    url = (await new_database(postgres)).render_as_string(hide_password=False)
    environment = {"THROUGHLINE_STORE__URL": url, "THROUGHLINE_AUDIT__WRITE_S": "10"}
    async with (
        desk_at(first, environment=environment) as one,
        desk_at(tmp_path / "second" / first.name, environment=environment) as other,
    ):
        yield one, other


def reason_at(desk):
    """Why a site is not believed, None if it is."""
    try:
        desk.service.enrolled.of(HOSPITAL, SITE)
    except Unavailable as error:
        return error.reason
    return None


async def seen_after_s(desk, reason):
    """How long it took a gateway to know."""
    began = time.monotonic()
    async with asyncio.timeout(ACTS_S):
        while reason_at(desk) != reason:  # noqa: ASYNC110 - another process may be the one that changes it
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_new_keys_and_a_revocation_act_in_both_within_ten_seconds(desks):
    one, other = desks
    made = keys_made(SITE)
    await one.enrol(HOSPITAL, made)
    document = one.service.enrolled.of(HOSPITAL, SITE)
    assert pinned_keys(document).signs.kid in made.own.signing
    confirmed_s = await seen_after_s(other, None)
    await other.revoke(HOSPITAL, SITE)
    revoked_s = await seen_after_s(one, "site_revoked")
    assert max(confirmed_s, revoked_s) < ACTS_S


async def test_of_two_who_do_the_same_at_once_one_is_refused(desks):
    one, other = desks
    first, second = keys_made(SITE), keys_made(SITE)
    said = await asyncio.gather(
        one.register(HOSPITAL, first), other.register(HOSPITAL, second)
    )
    # Either one took the other's place, or was refused: never two that wait.
    assert {each.status_code for each in said} <= {201, 409}
    ((site,),) = (await one.listed(HOSPITAL),)
    (waiting,) = site["keys"]
    (kept,) = [
        each for each in (first, second) if waiting["kids"][0] in each.own.signing
    ]
    confirmed = await asyncio.gather(
        *(each.confirm(HOSPITAL, kept) for each in (one, other, one, other))
    )
    assert sorted(each.status_code for each in confirmed) == [200, 409, 409, 409]
    revoked = await asyncio.gather(
        *(each.revoke(HOSPITAL, SITE) for each in (one, other))
    )
    assert sorted(each.status_code for each in revoked) == [204, 409]
    assert code_of(max(revoked, key=lambda each: each.status_code)) == "conflict"
