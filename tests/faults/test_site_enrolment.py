"""Keys that are not the site's, another's administrator, a replay, a revocation."""

import json
import sqlite3
from dataclasses import replace

import pytest

from adapters.errors import Unavailable
from adapters.site.keys import pinned_keys
from gateway.audit.records import Outcome
from gateway.journey.inquiry import inquire
from gateway.problems import RequestError
from tests.enrolling import OWNERS, Desk, SiteKeys, desk_at, keys_made, with_desk
from tests.fakes import FakeTrail
from tests.gateways import code_of, write_gateway
from tests.houses import ANN, doctor, event, house, memory, question, source
from tests.sites import SITE, Around, InHand, adapter_to, desk_of, query

pytestmark = pytest.mark.fault
SURGERY, HOSPITAL, COUNCIL = OWNERS


@pytest.fixture
def path(tmp_path):
    return with_desk(write_gateway(tmp_path))


@pytest.fixture
async def desk(path):
    async with desk_at(path) as found:
        yield found


def actions(path):
    with sqlite3.connect(path.parent / "throughline.db") as store:
        rows = store.execute("SELECT record FROM audit_record ORDER BY n").fetchall()
    store.close()
    records = [json.loads(text) for (text,) in rows]
    return [each["action"] for each in records if each.get("object") == "site"]


def mistyped(text, place):
    """The fingerprint with one digit another."""
    other = "0" if text[place] != "0" else "1"
    return text[:place] + other + text[place + 1 :]


async def test_a_fingerprint_of_one_other_digit_is_refused_and_recorded(desk, path):
    made = keys_made(SITE)
    await desk.register(HOSPITAL, made)
    for place in (0, 20, 38):
        typed = mistyped(made.fingerprint, place)
        response = await desk.confirm(HOSPITAL, made, fingerprint=typed)
        assert (response.status_code, code_of(response)) == (
            422,
            "fingerprint-differs",
        )
        with pytest.raises(Unavailable, match="confirmed"):
            desk.service.enrolled.of(HOSPITAL, SITE)
    assert actions(path) == ["register", "mistype", "mistype", "mistype"]
    assert (await desk.confirm(HOSPITAL, made)).status_code == 200


async def test_keys_of_five_wrong_fingerprints_are_withdrawn(desk, path):
    made = keys_made(SITE)
    await desk.register(HOSPITAL, made)
    typed = mistyped(made.fingerprint, 0)
    for _ in range(5):
        response = await desk.confirm(HOSPITAL, made, fingerprint=typed)
        assert code_of(response) == "fingerprint-differs"
    response = await desk.confirm(HOSPITAL, made)
    assert (response.status_code, code_of(response)) == (404, "not-found")
    assert actions(path)[-1] == "withdraw"


async def test_to_another_organisation_there_is_no_such_site(desk):
    made = keys_made(SITE)
    await desk.register(HOSPITAL, made)
    refused = await desk.confirm(SURGERY, made)
    unknown = await desk.confirm(SURGERY, keys_made("z9b02-none"))
    assert (refused.status_code, code_of(refused)) == (404, "not-found")
    bodies = [each.json() | {"request_id": None} for each in (refused, unknown)]
    assert bodies[0] == bodies[1]
    await desk.confirm(HOSPITAL, made)
    refused = await desk.revoke(SURGERY, SITE)
    assert (refused.status_code, code_of(refused)) == (404, "not-found")
    assert desk.service.enrolled.of(HOSPITAL, SITE)


async def test_a_confirmation_said_again_confirms_nothing(desk, path):
    made = keys_made(SITE)
    await desk.enrol(HOSPITAL, made)
    again = await desk.confirm(HOSPITAL, made)
    assert (again.status_code, code_of(again)) == (409, "conflict")
    await desk.revoke(HOSPITAL, SITE)
    again = await desk.confirm(HOSPITAL, made)
    assert (again.status_code, code_of(again)) == (409, "conflict")
    assert actions(path) == ["register", "confirm", "revoke"]


def enrolled_at(desk: Desk):
    return lambda: pinned_keys(desk.service.enrolled.of(HOSPITAL, SITE))


def around_of(made: SiteKeys) -> Around:
    return Around(site=(made.own, pinned_keys(made.public)))


EPR = f"{HOSPITAL}.epr"


class Meanwhile(InHand):
    """Carries a question, and lets something happen before it brings the answer."""

    def __init__(self, behind, happens):
        super().__init__(behind)
        self.happens = happens

    async def carry(self, question, jti):
        said = await super().carry(question, jti)
        await self.happens()
        return said


async def test_what_is_answered_after_a_revocation_is_not_believed(desk):
    made = keys_made(SITE)
    await desk.enrol(HOSPITAL, made)
    around, trail = around_of(made), FakeTrail()
    behind = source(EPR, memory(event("a-1", of=ANN)))

    async def revoked():
        await desk.revoke(HOSPITAL, SITE)

    carrier = Meanwhile(desk_of(behind, around), revoked)
    asked = replace(
        behind, adapter=adapter_to(behind, around, carrier, pinned=enrolled_at(desk))
    )
    with pytest.raises(RequestError) as caught:
        await inquire(house(asked, trail=trail), doctor(), question())
    assert len(carrier.carried) == 1
    assert caught.value.code == "no-source-answered"
    (outcome,) = [each for each in trail.records if isinstance(each, Outcome)]
    (told,) = outcome.sources
    assert (told.state, told.reason, told.domain) == (
        "unavailable",
        "site_revoked",
        "adapter",
    )
    assert [each.answer for each in told.exchanges] == [None]


async def test_nothing_is_sent_to_a_site_that_is_not_believed(desk):
    made = keys_made(SITE)
    around = around_of(made)
    behind = source(EPR, memory(event("a-1", of=ANN)))
    carrier = InHand(desk_of(behind, around))
    adapter = adapter_to(behind, around, carrier, pinned=enrolled_at(desk))
    for reason in ("site_unknown", "site_unconfirmed"):
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(query())
        assert (caught.value.reason, caught.value.domain) == (reason, "adapter")
        await desk.register(HOSPITAL, made)
    assert carrier.carried == []
    await desk.confirm(HOSPITAL, made)
    assert (await adapter.ask(query())).events


async def test_a_gateway_that_cannot_look_believes_no_site(desk):
    await desk.enrol(HOSPITAL, keys_made(SITE))
    enrolled = desk.service.enrolled
    enrolled._looked_at -= 8.1  # what seconds without the store come to
    with pytest.raises(Unavailable) as caught:
        enrolled.of(HOSPITAL, SITE)
    assert caught.value.reason == "site_unread"
    await enrolled.follow()
    assert enrolled.of(HOSPITAL, SITE)
