"""What is told of tickets that were not believed, and how often."""

import asyncio
from contextlib import asynccontextmanager

import structlog

from gateway.audit.log import AuditUnavailable
from gateway.audit.records import TicketsRefused
from gateway.relay.refusals import Refusals
from tests.fakes import FakeTrail

SITE = "z9b02-site"


@asynccontextmanager
async def refusals(record, *, every_s=600.0):
    made = Refusals(record, every_s=every_s)
    with structlog.testing.capture_logs() as alarms:
        yield made, alarms
        await made.aclose()
        await made.aclose()


def counts(trail: FakeTrail) -> list[int]:
    return [each.count for each in trail.records if isinstance(each, TicketsRefused)]


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_flood_is_one_alarm_and_one_record_and_is_counted():
    """Seeded defect: a record of each, and whoever has no key fills the trail."""
    trail = FakeTrail()
    async with refusals(trail.append) as (made, alarms):
        made.note(None, "forged")
        await settle()
        for _ in range(10_000):
            made.note(None, "forged")
        await settle()
        first = TicketsRefused(code="forged", count=1)
        assert trail.records == [first]
        assert [(each["event"], each["source"]) for each in alarms] == [
            ("relay_ticket_refused", "relay")
        ]
    # Those after the first are told when it is time, or when it stops.
    assert trail.records == [first, TicketsRefused(code="forged", count=10_000)]
    assert [each["count"] for each in alarms] == [1, 10_000]


async def test_each_site_and_each_reason_is_told_by_itself():
    trail = FakeTrail()
    async with refusals(trail.append) as (made, _):
        made.note(SITE, "forged")
        made.note(SITE, "replayed")
        made.note(SITE, "replayed")
        await settle()
    assert trail.records == [
        TicketsRefused(code="forged", count=1, site=SITE),
        TicketsRefused(code="replayed", count=2, site=SITE),
    ]


async def test_what_goes_on_is_told_now_and_then_until_it_stops():
    trail = FakeTrail()
    async with refusals(trail.append, every_s=0.01) as (made, _):
        made.note(SITE, "revoked")
        await settle()
        made.note(SITE, "revoked")
        made.note(SITE, "revoked")
        async with asyncio.timeout(5):
            while made._telling:  # noqa: ASYNC110 - what is watched tells nobody
                await asyncio.sleep(0.01)
        assert counts(trail) == [1, 2]
        made.note(SITE, "revoked")
        await settle()
        assert counts(trail) == [1, 2, 1]


async def test_what_cannot_be_recorded_is_recorded_with_those_after_it():
    kept, fails = [], [True]

    async def record(entry):
        if fails.pop():
            raise AuditUnavailable("slow")
        fails.append(False)
        kept.append(entry.count)

    async with refusals(record) as (made, alarms):
        made.note(SITE, "expired")
        await settle()
        fails.append(False)
        made.note(SITE, "expired")
        assert "audit_refused" in {each["event"] for each in alarms}
    assert kept == [2]
