"""Over HTTP: an organisation's administrators enrol, renew and revoke its sites."""

import itertools
import json
import sqlite3
from datetime import timedelta

import pytest
import pytest_asyncio

from adapters.errors import Unavailable
from adapters.site.keys import made_keys, pinned_keys
from tests.enrolling import OWNERS, desk_at, keys_made, with_desk
from tests.gateways import RECIPIENT, code_of, fields_of, write_gateway
from tests.houses import NOW, HouseClock
from tests.people import number

pytestmark = pytest.mark.asyncio(loop_scope="module")
SURGERY, HOSPITAL, COUNCIL = OWNERS
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return with_desk(write_gateway(tmp_path_factory.mktemp("gateway")))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(path):
    clock = HouseClock()
    async with desk_at(path, clock) as found:
        yield found, clock


@pytest.fixture
def desk(running):
    return running[0]


@pytest.fixture
def clock(running):
    """The gateway's clock, put right afterwards."""
    yield running[1]
    running[1].at = NOW


@pytest.fixture
def site():
    """A site that no other test has."""
    return f"z9b02-site-{next(_numbers)}"


def believed(desk, site, organisation=HOSPITAL):
    """The kids by which a site is believed now, or why none are."""
    try:
        document = desk.service.enrolled.of(organisation, site)
    except Unavailable as error:
        return f"{error.reason}" if error.domain == "adapter" else "another's fault"
    return set(pinned_keys(document).signing)


async def listed(desk, site, organisation=HOSPITAL):
    """What is told of one site, None if nothing is."""
    told = await desk.listed(organisation)
    return next((each for each in told if each["site"] == site), None)


def signing(made):
    return set(made.own.signing)


def changes(path, site):
    """The changes of a site that the trail tells of, in order."""
    with sqlite3.connect(path.parent / "throughline.db") as store:
        rows = store.execute("SELECT record FROM audit_record ORDER BY n").fetchall()
    store.close()
    records = [json.loads(text) for (text,) in rows]
    return [each for each in records if each.get("document") == site]


async def test_keys_are_believed_once_their_fingerprint_is_confirmed(desk, path, site):
    made = keys_made(site)
    assert believed(desk, site) == "site_unknown"
    response = await desk.register(HOSPITAL, made)
    assert response.status_code == 201
    assert response.json()["state"] == "unconfirmed"
    assert believed(desk, site) == "site_unconfirmed"
    response = await desk.confirm(HOSPITAL, made)
    assert (response.status_code, response.json()["state"]) == (200, "confirmed")
    assert believed(desk, site) == signing(made)
    told = [(each["action"], each["document"]) for each in changes(path, site)]
    assert told == [("register", site), ("confirm", site)]
    assert {each["actor"]["organisation"] for each in changes(path, site)} == {HOSPITAL}


async def test_the_gateway_tells_no_fingerprint_before_it_was_typed(desk, site):
    made = keys_made(site)
    response = await desk.register(HOSPITAL, made)
    assert response.json()["fingerprint"] is None
    told = await listed(desk, site)
    assert [each["fingerprint"] for each in told["keys"]] == [None]
    response = await desk.confirm(HOSPITAL, made)
    assert response.json()["fingerprint"] == made.fingerprint


async def test_a_list_tells_ones_own_sites_alone(desk, site):
    await desk.enrol(HOSPITAL, keys_made(site))
    await desk.register(SURGERY, keys_made(f"{site}-waiting"))
    assert (await listed(desk, site))["state"] == "confirmed"
    assert await listed(desk, site, SURGERY) is None
    told = await listed(desk, f"{site}-waiting", SURGERY)
    assert (told["organisation"], told["state"]) == (SURGERY, "unconfirmed")
    assert await desk.listed(COUNCIL) == []


async def test_a_fingerprint_may_be_typed_in_any_case_and_grouping(desk, site):
    made = keys_made(site)
    await desk.register(HOSPITAL, made)
    typed = made.fingerprint.upper().replace(" ", "-")
    response = await desk.confirm(HOSPITAL, made, fingerprint=typed)
    assert response.status_code == 200


async def test_new_keys_overlap_with_the_old_until_a_stated_time(desk, clock, site):
    old, new = keys_made(site), keys_made(site)
    await desk.enrol(HOSPITAL, old)
    await desk.register(HOSPITAL, new)
    assert believed(desk, site) == signing(old)
    until = (NOW + timedelta(hours=1)).isoformat()
    assert (await desk.confirm(HOSPITAL, new, old_until=until)).status_code == 200
    document = desk.service.enrolled.of(HOSPITAL, site)
    keys = pinned_keys(document)
    assert set(keys.signing) == signing(old) | signing(new)
    assert keys.seals.kid in new.own.sealing
    clock.at = NOW + timedelta(hours=1)
    assert believed(desk, site) == signing(new)
    told = await listed(desk, site)
    assert [each["state"] for each in told["keys"]] == ["confirmed", "expired"]
    assert told["state"] == "confirmed"


async def test_an_overlap_is_said_where_there_are_older_keys_and_only_there(desk, site):
    first, second = keys_made(site), keys_made(site)
    await desk.register(HOSPITAL, first)
    until = (NOW + timedelta(hours=1)).isoformat()
    response = await desk.confirm(HOSPITAL, first, old_until=until)
    assert fields_of(response) == [("/old_until", "invalid")]
    await desk.confirm(HOSPITAL, first)
    await desk.register(HOSPITAL, second)
    response = await desk.confirm(HOSPITAL, second)
    assert fields_of(response) == [("/old_until", "invalid")]
    late = (NOW + timedelta(days=91)).isoformat()
    response = await desk.confirm(HOSPITAL, second, old_until=late)
    assert fields_of(response) == [("/old_until", "invalid")]
    assert believed(desk, site) == signing(first)


async def test_keys_run_out_at_a_time_that_can_be(desk, site):
    made = keys_made(site)
    await desk.register(HOSPITAL, made)
    for days in (-1, 0, 1097):
        until = (NOW + timedelta(days=days)).isoformat()
        response = await desk.confirm(HOSPITAL, made, until=until)
        assert fields_of(response) == [("/until", "invalid")]


async def test_a_time_is_an_instant_with_its_zone(desk, site):
    made = keys_made(site)
    await desk.register(HOSPITAL, made)
    plain, early = "2026-07-01T10:00:00", "0001-01-01T00:00:00+23:00"
    for until in (plain, early, 1893456000, "soon"):
        response = await desk.confirm(HOSPITAL, made, until=until)
        assert (response.status_code, code_of(response)) == (400, "request-invalid")


async def test_old_keys_are_never_good_for_longer_by_an_overlap(desk, clock, site):
    old, new = keys_made(site), keys_made(site)
    soon = (NOW + timedelta(days=1)).isoformat()
    await desk.enrol(HOSPITAL, old, until=soon)
    await desk.register(HOSPITAL, new)
    later = (NOW + timedelta(days=30)).isoformat()
    await desk.confirm(HOSPITAL, new, old_until=later)
    clock.at = NOW + timedelta(days=2)
    assert believed(desk, site) == signing(new)


async def test_keys_run_out(desk, clock, site):
    await desk.enrol(HOSPITAL, keys_made(site))
    clock.at = NOW + timedelta(days=730)
    assert believed(desk, site) == "site_expired"
    assert (await listed(desk, site))["state"] == "expired"


async def test_registered_keys_that_nobody_confirms_lapse(desk, clock, site):
    made = keys_made(site)
    await desk.register(HOSPITAL, made)
    clock.at = NOW + timedelta(days=7)
    response = await desk.confirm(HOSPITAL, made)
    assert (response.status_code, code_of(response)) == (409, "conflict")
    assert (await desk.register(HOSPITAL, made)).status_code == 201
    assert (await desk.confirm(HOSPITAL, made)).status_code == 200


async def test_a_revoked_site_is_believed_no_more(desk, path, site):
    made = keys_made(site)
    await desk.enrol(HOSPITAL, made)
    assert (await desk.revoke(HOSPITAL, site)).status_code == 204
    assert believed(desk, site) == "site_revoked"
    response = await desk.revoke(HOSPITAL, site)
    assert (response.status_code, code_of(response)) == (409, "conflict")
    assert changes(path, site)[-1]["action"] == "revoke"


async def test_revoked_keys_never_come_back_but_new_ones_may(desk, site):
    made, other = keys_made(site), keys_made(site)
    await desk.enrol(HOSPITAL, made)
    await desk.revoke(HOSPITAL, site)
    response = await desk.register(HOSPITAL, made)
    assert (response.status_code, code_of(response)) == (409, "conflict")
    await desk.enrol(HOSPITAL, other)
    assert believed(desk, site) == signing(other)


async def test_one_key_set_may_be_revoked_by_itself(desk, site):
    old, new = keys_made(site), keys_made(site)
    first = await desk.enrol(HOSPITAL, old)
    until = (NOW + timedelta(days=1)).isoformat()
    await desk.enrol(HOSPITAL, new, old_until=until)
    assert (await desk.revoke(HOSPITAL, site, keys=first["id"])).status_code == 204
    assert believed(desk, site) == signing(new)
    response = await desk.revoke(HOSPITAL, site, keys="sks_none")
    assert (response.status_code, code_of(response)) == (404, "not-found")


async def test_waiting_keys_are_revoked_with_the_site(desk, site):
    made = keys_made(site)
    await desk.register(HOSPITAL, made)
    await desk.revoke(HOSPITAL, site)
    response = await desk.confirm(HOSPITAL, made)
    assert (response.status_code, code_of(response)) == (409, "conflict")
    assert believed(desk, site) == "site_revoked"


async def test_a_site_of_one_organisation_is_none_to_another_of_the_same_name(
    desk, site
):
    ours, theirs = keys_made(site), keys_made(site)
    await desk.enrol(HOSPITAL, ours)
    await desk.enrol(SURGERY, theirs)
    assert believed(desk, site) == signing(ours)
    assert believed(desk, site, SURGERY) == signing(theirs)
    await desk.revoke(SURGERY, site)
    assert believed(desk, site) == signing(ours)


async def test_registering_again_takes_the_place_of_what_waits(desk, site):
    first, second = keys_made(site), keys_made(site)
    await desk.register(HOSPITAL, first)
    await desk.register(HOSPITAL, second)
    response = await desk.confirm(HOSPITAL, first)
    assert (response.status_code, code_of(response)) == (422, "fingerprint-differs")
    assert (await desk.confirm(HOSPITAL, second)).status_code == 200


async def test_no_more_key_sets_of_one_site_are_good_than_four(desk, site):
    until = (NOW + timedelta(days=1)).isoformat()
    await desk.enrol(HOSPITAL, keys_made(site))
    for _ in range(3):
        await desk.enrol(HOSPITAL, keys_made(site), old_until=until)
    fifth = keys_made(site)
    await desk.register(HOSPITAL, fifth)
    response = await desk.confirm(HOSPITAL, fifth, old_until=until)
    assert (response.status_code, code_of(response)) == (409, "conflict")


def _without_kid(keys):
    del keys["keys"][0]["kid"]


def _private(keys):
    keys["keys"][0]["d"] = "AAAA"


def _another_kid(keys):
    keys["keys"][0]["kid"] = "mine"


def _third(keys):
    keys["keys"].append(json.loads(made_keys()[1])["keys"][0])


def _two_of_one_use(keys):
    keys["keys"][1] = json.loads(made_keys()[1])["keys"][0]


def _off_the_curve(keys):
    keys["keys"][1]["y"] = keys["keys"][1]["x"]


SPOILT = (
    *(_without_kid, _private, _another_kid, _third, _two_of_one_use),
    _off_the_curve,
)


async def test_what_are_no_public_keys_of_one_site_is_not_taken(desk, site):
    made = keys_made(site)
    for spoil in SPOILT:
        keys = made.handed
        spoil(keys)
        response = await desk.register(HOSPITAL, made, keys=keys)
        assert response.status_code == 400
        assert all(at.startswith("/keys") for at, _ in fields_of(response))
    assert await listed(desk, site) is None


async def test_a_site_has_an_id_of_its_configuration(desk):
    for named in ("", "-site", "a b", "sité", "x" * 65, number(0)):
        response = await desk.register(HOSPITAL, keys_made(named))
        assert response.status_code == 400
        assert fields_of(response)[0][0] == "/site"


async def test_of_a_key_nothing_but_itself_is_kept(desk, path, site):
    made = keys_made(site)
    keys = made.handed
    keys["keys"][0]["x5u"] = "https://zebrafinch.example.invalid"
    assert (await desk.register(HOSPITAL, made, keys=keys)).status_code == 400
    await desk.register(HOSPITAL, made)
    with sqlite3.connect(path.parent / "throughline.db") as store:
        statement = "SELECT keys FROM site_key_set WHERE site = ?"
        ((text,),) = store.execute(statement, [site]).fetchall()
    store.close()
    names = {name for each in json.loads(text)["keys"] for name in each}
    assert names == {"kty", "crv", "x", "y", "kid", "use"}


async def test_no_private_key_is_ever_in_the_store(desk, path, site):
    made = keys_made(site)
    await desk.enrol(HOSPITAL, made)
    await desk.register(HOSPITAL, made, keys=json.loads(made.private))
    secrets = [each["d"] for each in json.loads(made.private)["keys"]]
    for file in path.parent.glob("throughline.db*"):
        held = file.read_bytes()
        assert not [each for each in secrets if each.encode() in held]


PATHS = ("", "/z9b02-site/confirm", "/z9b02-site/revoke")


async def test_who_has_no_scope_for_it_is_refused(desk):
    headers = desk.as_of(HOSPITAL, client_id="onlooker")
    for each in PATHS:
        response = await desk.post(HOSPITAL, each, {}, headers=headers)
        assert (response.status_code, code_of(response)) == (403, "not-permitted")
    response = await desk.client.get("/v1/sites", headers=headers)
    assert response.status_code == 403


async def test_a_body_is_json_and_what_it_says_is_known(desk):
    headers = {**desk.as_of(HOSPITAL), "Content-Type": "text/plain"}
    for each in PATHS:
        url = f"/v1/sites{each}"
        response = await desk.client.post(url, content=b"{}", headers=headers)
        assert response.status_code == 415
        response = await desk.post(HOSPITAL, each, {"unheard": 1})
        assert response.status_code == 400
        response = await desk.post(HOSPITAL, f"{each}?x=1", {})
        assert code_of(response) == "parameter-unknown"


async def test_an_organisation_without_sources_may_have_sites_of_its_own(desk, site):
    made = keys_made("z9r01-site")
    await desk.enrol(RECIPIENT, made)
    assert [each["site"] for each in await desk.listed(RECIPIENT)] == ["z9r01-site"]
