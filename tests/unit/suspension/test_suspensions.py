"""Suspending and clearing a source: counted, kept, alike in every gateway."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from gateway.audit.log import AuditUnavailable
from gateway.audit.records import instant
from gateway.problems import RequestError
from gateway.store.database import Database
from gateway.suspension import suspensions as file
from gateway.suspension.suspensions import Suspensions
from gateway.suspension.tickets import KEPT, MOST, Place, Ticket
from tests.fakes import FakeClock
from tests.houses import NOW
from tests.people import number
from tests.people import person as people
from tests.policy_store import person
from tests.trails import sqlite_url as sqlite
from tests.trails import trail_at

SOURCE = "Z9A01.gp"
OTHER = "Z9B02.epr"
ADMINISTRATOR = person("Z9A01")
_NTH = count()


@asynccontextmanager
async def suspending(url, clock=None, **bounds):
    """Suspensions on a store, started, beside their trail."""
    clock = clock or FakeClock(NOW)
    trail = trail_at(url, clock, **bounds)
    database = Database(url, busy_s=5)
    await trail.start("test")
    found = Suspensions(database, trail, clock=clock)
    try:
        await found.start()
        yield found
    finally:
        await found.aclose()
        await trail.aclose()
        await database.aclose()


def somebody():
    """Another person each time."""
    return people(next(_NTH))


async def mismatches(of, times, source=SOURCE, most=3):
    for _ in range(times):
        await of.mismatched(source, somebody(), most=most)


async def recorded(of):
    """What the trail holds of changes: what was done to what."""

    def read(connection):
        rows = connection.execute(text("SELECT record FROM audit_record ORDER BY n"))
        return [json.loads(row.record) for row in rows]

    found = await of._database.read(read)
    return [
        (each["action"], each["document"], each["actor"]["organisation"])
        for each in found
        if each["type"] == "change"
    ]


async def state(of, source=SOURCE):
    page = await of.page(source, after=None, most=10)
    return page.standing.state


@pytest.mark.parametrize("most", [1, 3])
async def test_so_many_wrong_answers_suspend_a_source_and_one_fewer_does_not(
    store_url, most
):
    async with suspending(store_url) as of:
        await mismatches(of, most - 1, most=most)
        assert not of.is_suspended(SOURCE)
        with capture_logs() as told:
            await mismatches(of, 1, most=most)
        assert of.is_suspended(SOURCE)
        assert not of.is_suspended(OTHER)
        assert [each["event"] for each in told] == ["source_suspended"]
        assert await recorded(of) == [
            *[("mismatch", SOURCE, "gateway")] * (most - 1),
            ("suspend", SOURCE, "gateway"),
        ]


async def test_one_person_asked_for_again_and_again_is_one(store_url):
    """Else whoever knows of one wrong record could have a whole hospital silenced."""
    one = people(0)
    async with suspending(store_url) as of:
        for _ in range(5):
            await of.mismatched(SOURCE, one, most=2)
        assert not of.is_suspended(SOURCE)
        await of.mismatched(OTHER, people(1), most=2)
        await of.mismatched(OTHER, one, most=2)
        assert not of.is_suspended(SOURCE)
        assert of.is_suspended(OTHER)


async def test_a_person_wrongly_told_of_is_kept_as_a_hash_for_a_day(store_url):
    clock = FakeClock(NOW)
    async with suspending(store_url, clock) as of:
        numbered, local = people(0), people(1, numbered=False)
        for each in (numbered, local):
            await of.mismatched(SOURCE, each, most=9)
            await of.mismatched(OTHER, each, most=9)
        rows = await mismatch_rows(of)
        ids = [row["id"] for row in rows]
        assert len(set(ids)) == 4
        assert not [each for each in ids if number(0) in each or "L-0001" in each]
        audit_key = of._trail.subject_of(number(0)).hmac
        assert audit_key not in ids
        clock.at = NOW + timedelta(hours=25)
        await of.follow()
        assert await mismatch_rows(of) == []


async def mismatch_rows(of):
    def read(connection):
        rows = connection.execute(text("SELECT * FROM source_mismatch"))
        return [dict(row._mapping) for row in rows]

    return await of._database.read(read)


async def test_what_is_old_is_let_go_of_though_nothing_new_is_found(store_url):
    clock = FakeClock(NOW)
    async with suspending(store_url, clock) as of:
        of.note([ticket()])
        await of.follow()
        clock.at = NOW + KEPT + timedelta(seconds=1)
        assert await listed(of) == []
        assert list((await of.in_records(SOURCE, ["x"])).tickets) == []
        assert await finding_rows(of) == 1
        await of.follow()
        assert await finding_rows(of) == 0


async def finding_rows(of):
    def read(connection):
        return connection.scalar(text("SELECT count(*) FROM source_finding"))

    return await of._database.read(read)


async def test_wrong_answers_of_another_source_do_not_count(store_url):
    async with suspending(store_url) as of:
        await mismatches(of, 2)
        await mismatches(of, 2, OTHER)
        assert not of.is_suspended(SOURCE)
        assert not of.is_suspended(OTHER)


async def test_a_wrong_answer_counts_for_a_day(store_url):
    clock = FakeClock(NOW)
    async with suspending(store_url, clock) as of:
        await mismatches(of, 2)
        clock.at = NOW + timedelta(hours=24)
        await mismatches(of, 1)
        assert not of.is_suspended(SOURCE)
        clock.at += timedelta(hours=23, minutes=59)
        await mismatches(of, 2)
        assert of.is_suspended(SOURCE)


async def test_of_wrong_answers_at_once_none_is_lost(store_url):
    async with suspending(store_url) as of:
        await asyncio.gather(
            *(of.mismatched(SOURCE, somebody(), most=3) for _ in range(3))
        )
        assert of.is_suspended(SOURCE)


async def test_a_suspended_source_stays_so_after_a_restart(store_url):
    async with suspending(store_url) as of:
        await mismatches(of, 4)
    async with suspending(store_url) as again:
        assert again.is_suspended(SOURCE)


async def test_two_gateways_of_one_store_agree_within_five_seconds(store_url):
    async with suspending(store_url) as one, suspending(store_url) as other:
        await mismatches(one, 2)
        await mismatches(other, 1)
        assert other.is_suspended(SOURCE)
        await until(lambda: one.is_suspended(SOURCE))
        await one.clear(SOURCE, ADMINISTRATOR, state=await state(one))
        assert not one.is_suspended(SOURCE)
        await until(lambda: not other.is_suspended(SOURCE))


async def until(holds):
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - nobody tells when it has looked
            await asyncio.sleep(0.1)


async def test_its_administrator_clears_it_and_the_count_begins_anew(store_url):
    async with suspending(store_url) as of:
        await mismatches(of, 3)
        await of.clear(SOURCE, ADMINISTRATOR, state=await state(of))
        assert not of.is_suspended(SOURCE)
        assert (await recorded(of))[-1] == ("clear", SOURCE, "Z9A01")
        await mismatches(of, 2)
        assert not of.is_suspended(SOURCE)
        await mismatches(of, 1)
        assert of.is_suspended(SOURCE)


async def test_what_was_suspended_again_since_it_was_read_is_not_cleared(store_url):
    async with suspending(store_url) as of:
        await mismatches(of, 3)
        read = await state(of)
        await of.clear(SOURCE, ADMINISTRATOR, state=read)
        await mismatches(of, 3)
        with pytest.raises(RequestError) as refused:
            await of.clear(SOURCE, ADMINISTRATOR, state=read)
        assert refused.value.code == "precondition-failed"
        assert of.is_suspended(SOURCE)


async def test_what_is_not_suspended_cannot_be_cleared(store_url):
    async with suspending(store_url) as of:
        with pytest.raises(RequestError) as refused:
            await of.clear(SOURCE, ADMINISTRATOR, state=await state(of))
        assert refused.value.code == "conflict"
        assert await recorded(of) == []


async def test_without_a_trail_nothing_is_counted_or_cleared(store_url):
    async with suspending(store_url) as of:
        await mismatches(of, 3)
        await of._trail.aclose()
        with pytest.raises(AuditUnavailable):
            await of.mismatched(SOURCE, somebody(), most=3)
        assert of.is_suspended(SOURCE)


async def test_a_store_that_is_lost_leaves_suspended_what_was(tmp_path, monkeypatch):
    url = sqlite(tmp_path)
    async with suspending(url) as of:
        await mismatches(of, 3)
        monkeypatch.setattr(of._database, "read", lost)
        with capture_logs() as told:
            await of.follow()
            await of.follow()
        assert of.is_suspended(SOURCE)
        assert [each["event"] for each in told] == ["standing_store_lost"]
        with pytest.raises(AuditUnavailable):
            await of.page(SOURCE, after=None, most=1)
        monkeypatch.undo()
        await of.follow()
        monkeypatch.setattr(of._database, "read", lost)
        with capture_logs() as told:
            await of.follow()
        assert [each["event"] for each in told] == ["standing_store_lost"]


async def test_a_gateway_does_not_start_without_knowing_what_is_suspended(
    tmp_path, monkeypatch
):
    async with suspending(sqlite(tmp_path)) as of:
        monkeypatch.setattr(of._database, "read", lost)
        with pytest.raises(AuditUnavailable):
            await of.start()


async def test_it_goes_on_looking(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "_EVERY_S", 0.01)
    url = sqlite(tmp_path)
    async with suspending(url) as of, suspending(url) as other:
        await mismatches(other, 3)
        await until(lambda: of.is_suspended(SOURCE))


async def test_closing_twice_or_unstarted_is_safe(tmp_path):
    async with suspending(sqlite(tmp_path)) as of:
        await of.aclose()
        await of.aclose()
        await Suspensions(of._database, of._trail, clock=of._clock).aclose()


async def lost(_):
    raise OSError


# What was found in a source.


def ticket(number=0, source=SOURCE, at=NOW, code="negative_stay", journey="jny_1"):
    return Ticket(
        source=source,
        code=code,
        category="encounters",
        record=f"k1:{number:064x}",
        journey=journey,
        first_at=at,
        last_at=at,
    )


async def listed(of, source=SOURCE, after=None, most=10):
    page = await of.page(source, after=after, most=most)
    return list(page.tickets)


async def test_the_same_finding_in_the_same_record_is_one_that_is_counted(store_url):
    later = NOW + timedelta(hours=1)
    async with suspending(store_url) as of:
        of.note([ticket(), ticket(journey="jny_2")])
        assert [each.seen for each in await listed(of)] == [2]
        of.note([ticket(at=later, journey="jny_3")])
        (found,) = await listed(of)
    assert (found.seen, found.journey) == (3, "jny_3")
    assert (found.first_at, found.last_at) == (NOW, later)


async def test_findings_are_of_one_source_and_the_latest_come_first(store_url):
    async with suspending(store_url) as of:
        of.note([ticket(1), ticket(2, at=NOW + timedelta(hours=1)), ticket(3, OTHER)])
        assert [each.record[-1] for each in await listed(of)] == ["2", "1"]
        assert [each.source for each in await listed(of, OTHER)] == [OTHER]


async def test_findings_are_paged_without_loss_or_repeat(store_url):
    async with suspending(store_url) as of:
        at = [NOW + timedelta(hours=number // 2) for number in range(7)]
        of.note([ticket(number, at=when) for number, when in enumerate(at)])
        seen, after = [], None
        while page := await listed(of, after=after, most=2):
            seen += page
            last = page[-1]
            after = Place(at=instant(last.last_at), id=last.id)
        assert len(seen) == 7
        assert len({each.id for each in seen}) == 7
        assert [each.last_at for each in seen] == sorted(at, reverse=True)


async def test_findings_are_let_go_when_old_and_when_too_many(store_url):
    clock = FakeClock(NOW)
    async with suspending(store_url, clock) as of:
        of.note([ticket(number) for number in range(MOST + 5)])
        of.note([ticket(1, OTHER)])
        assert len(await listed(of, most=2 * MOST)) == MOST
        assert len(await listed(of, OTHER)) == 1
        clock.at = NOW + KEPT + timedelta(seconds=1)
        of.note([ticket(9_999, at=clock.at)])
        assert [each.record for each in await listed(of)] == [ticket(9_999).record]
        assert await listed(of, OTHER) == []


async def test_a_record_is_found_again_by_its_own_id_alone(store_url):
    async with suspending(store_url) as of:
        known = of.record_of(SOURCE, "A-771")
        found = Ticket(
            source=SOURCE,
            code="negative_stay",
            category=None,
            record=known,
            journey="jny_1",
            first_at=NOW,
            last_at=NOW,
        )
        of.note([found, ticket(1)])
        page = await of.in_records(SOURCE, ["A-770", "A-771", "\ud800"])
        assert [each.record for each in page.tickets] == [known]
        elsewhere = await of.in_records(OTHER, ["A-771"])
        assert list(elsewhere.tickets) == []
        assert "A-771" not in known
        assert known != of.record_of(OTHER, "A-771")


async def test_findings_not_yet_written_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "_WAITING", 3)
    async with suspending(sqlite(tmp_path)) as of:
        of.note([ticket(number) for number in range(5)])
        assert len(await listed(of)) == 3


async def test_findings_are_written_when_it_closes(store_url):
    async with suspending(store_url) as of:
        of.note([ticket()])
    async with suspending(store_url) as again:
        assert len(await listed(again)) == 1


async def test_findings_that_cannot_be_written_are_kept_for_later(
    tmp_path, monkeypatch
):
    async with suspending(sqlite(tmp_path)) as of:
        of.note([ticket()])
        monkeypatch.setattr(of._database, "transact", lost)
        await of.follow()
        monkeypatch.undo()
        assert len(await listed(of)) == 1
