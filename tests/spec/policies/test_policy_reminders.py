"""Reminders ahead of an agreement's end or review: once each, to whom can be told."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from gateway.notices.channels import Channels
from gateway.policy.reminders import Reminders, Told
from gateway.store.database import Database
from tests.policy_store import A, B, R, agreement, author, refused, rule

CHANNELS = Channels(
    addresses={
        (each, "privacy-officer"): "https://officer.example.invalid/notices"
        for each in (A, R)
    }
)
ENDS = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture
def woken():
    return []


@pytest.fixture
async def reminders(office, woken):
    told = Told(channels=CHANNELS, wake=lambda: woken.append("woken"))
    found = Reminders(office.database, office.trail, office.clock, told=told)
    yield found
    await found.aclose()


async def notices(office):
    def read(connection):
        rows = connection.execute(
            text("SELECT organisation, kind, reference FROM notice")
        )
        return sorted(tuple(row) for row in rows)

    return await office.database.read(read)


async def in_force(office):
    document = agreement(through="2026-09-30", review_by="2027-06-01")
    return await office.agreed(document, author(A))


def move_to(office, at):
    office.clock.pass_by((at - office.clock.now()).total_seconds())


async def test_each_party_with_a_channel_is_told_once_at_each_step(
    office, reminders, woken
):
    await in_force(office)
    assert await reminders.look() == 0
    told = []
    for days in (91, 90, 89, 31, 30, 8, 7, 1, 0):
        move_to(office, ENDS - timedelta(days=days))
        told.append(await reminders.look())
    assert told == [0, 2, 0, 0, 2, 0, 2, 0, 0]
    assert await notices(office) == [
        (who, "agreement-ends", f"DSA-1@1/{days}")
        for who in (A, R)
        for days in (30, 7, 90)
    ]
    assert woken == ["woken"] * 3
    move_to(office, ENDS + timedelta(days=1))
    assert await reminders.look() == 0


async def test_a_review_is_told_of_too_and_what_was_missed_by_its_nearest_step(
    office, reminders
):
    document = agreement(review_by="2026-09-30", through="2028-01-01")
    await office.agreed(document, author(A))
    move_to(office, ENDS - timedelta(days=12))
    assert await reminders.look() == 2
    assert {kind for _, kind, _ in await notices(office)} == {"agreement-review"}
    assert {ref for _, _, ref in await notices(office)} == {"DSA-1@1/30"}


async def test_what_is_not_in_force_reminds_nobody(office, reminders):
    await office.offered(agreement(through="2026-09-30"), author(A))
    await office.agreed(rule(B), author(B))
    move_to(office, ENDS - timedelta(days=3))
    assert await reminders.look() == 0


async def test_two_gateways_tell_once(office, reminders):
    await in_force(office)
    move_to(office, ENDS - timedelta(days=3))
    told = Told(channels=CHANNELS, wake=lambda: None)
    other = Reminders(office.database, office.trail, office.clock, told=told)
    await asyncio.gather(reminders.look(), other.look())
    assert len(await notices(office)) == 2


class Lost(Database):
    """A store that cannot be read."""

    async def read(self, work):
        raise OSError


async def test_what_cannot_be_looked_at_is_said_and_tried_again(office):
    lost = Lost(office.url, busy_s=1)
    told = Told(channels=CHANNELS, wake=lambda: None)
    reminders = Reminders(lost, office.trail, office.clock, told=told)
    assert await refused(reminders.look()) == "policy-unavailable"
    with capture_logs() as logged:
        reminders.start()
        await asyncio.sleep(0.1)
        await reminders.aclose()
        await reminders.aclose()
    assert [each["event"] for each in logged] == ["policy_reminders_failed"]
    await lost.aclose()
