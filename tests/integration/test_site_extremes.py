"""What is long, odd or broken at a site's source: told as it would be without one."""

import asyncio
import gc
from dataclasses import replace
from datetime import timedelta

import httpx
import msgspec
import pytest
import structlog

from adapters.contract import Caveat, FlagState, Identifier
from adapters.errors import Refused, Unavailable, Unreadable
from adapters.http import Request, Response
from adapters.nhs_number import SYSTEM
from adapters.site.carrying import Direct
from gateway.audit.log import AuditUnavailable
from gateway.site.app import create_site
from gateway.site.service import open_site
from gateway.site.settings import load_site
from gateway.store.database import Database
from tests.drops import write_drop
from tests.fakes import FakeAdapter
from tests.houses import (
    ANN,
    BOB,
    NOW,
    STATES,
    HouseClock,
    answer,
    event,
    memory,
    profile,
    question,
    source,
)
from tests.site_processes import enrol
from tests.sites import Held, behind, constrain, rule, told
from tests.surroundings import in_folder

OWNER = "Z9B02"
BESIDE = source("Z9A01.gp", memory(event("g-1")))


def epr(said, **changed):
    """A source that says this of Ann."""
    adapter = FakeAdapter(lambda _: said, profile=profile())
    return source(f"{OWNER}.epr", adapter, **changed)


async def test_a_long_answer_is_told_whole():
    """Of both sizes that are not opened on the event loop."""
    events = [event(f"a-{n}", codes=["y" * 700]) for n in range(600)]
    asked = question(limit=5000)
    plain = await told(epr(answer(*events)), asked=asked)
    assert await told(behind(epr(answer(*events))), asked=asked) == plain
    assert len(plain["events"]) == 600


def report_of(journey, owner=OWNER):
    """State and reason of an organisation's one source."""
    (report,) = [
        each
        for each in journey["completeness"]["sources"]
        if each["source"].startswith(owner)
    ]
    return report["state"], report["reason"]


async def test_a_record_that_no_answer_can_hold_fails_as_it_would_without_a_site():
    odd = epr(answer(msgspec.structs.replace(event("a-1"), title="\ud800")))
    journey = await told(behind(odd), BESIDE)
    assert report_of(journey) == report_of(await told(odd, BESIDE))
    assert report_of(journey) == ("error", "adapter_defect")


async def test_an_answer_that_cannot_be_spelt_is_an_unreadable_one():
    odd = replace(answer(event("a-1")), caveats=(Caveat("\ud800"),))
    journey = await told(behind(epr(odd)), BESIDE)
    assert report_of(journey) == ("error", "unreadable")


async def test_an_answer_that_cannot_be_decided_on_does_not_leave():
    odd = msgspec.structs.replace(event("a-1"), labels=None)
    with structlog.testing.capture_logs() as alarms:
        journey = await told(behind(epr(answer(odd))), BESIDE)
    report = journey["completeness"]["sources"][1]
    assert report["state"] == "denied"
    assert {e["provenance"]["source"] for e in journey["events"]} == {BESIDE.id}
    assert "policy_error" in {each["event"] for each in alarms}


@pytest.mark.parametrize("anothers", [False, True])
@pytest.mark.parametrize("states", [(True,), (False,), (False, True), (True, False)])
async def test_flags_that_contradict_each_other_count_as_they_do_without_a_site(
    states, anothers
):
    of = BOB if anothers else ANN
    said = replace(
        answer(event("a-1"), name="Test"),
        flags=tuple(
            FlagState(
                flag="legally-restricted",
                present=present,
                as_of=NOW - timedelta(hours=number),
            )
            for number, present in enumerate(states)
        ),
    )
    assert said.person is not None
    header = frozenset({Identifier(SYSTEM, str(of.nhs_number))})
    person = msgspec.structs.replace(said.person, identifiers=header)
    said = replace(said, person=person)
    plain = await told(epr(said, flags=STATES), BESIDE)
    assert await told(behind(epr(said, flags=STATES)), BESIDE) == plain


@pytest.mark.parametrize(
    ("grain", "shown"), [("day", "2026-01-05"), ("month", "2026-01"), ("year", "2026")]
)
async def test_dates_leave_no_finer_than_the_site_lets_them(grain, shown):
    rules = [rule(OWNER, constrain({"date_grain": grain}))]
    said = answer(event("a-1", "2026-01-05T09:30"))
    journey = await told(behind(epr(said), rules=rules))
    (found,) = journey["events"]
    assert (found["start"], found["start_precision"]) == (shown, grain)


async def test_a_source_may_ask_for_no_longer_than_a_day():
    held = Held()

    def busy(_):
        raise Unavailable("busy", "no", retry_after_s=10**9)

    held.spy._answers = busy
    error = await held.refused()
    assert error.retry_after_s == 86_400


HTML = {"content-type": "text/html"}


class Going:
    """A transport that fails as one does, or brings this."""

    def __init__(self, brings: Response | Exception) -> None:
        self._brings = brings

    async def send(self, _: Request) -> Response:
        if isinstance(self._brings, Exception):
            raise self._brings
        return self._brings

    async def aclose(self) -> None: ...


@pytest.mark.parametrize(
    ("brings", "kind", "reason"),
    [
        (Unavailable("dns", "no"), Unavailable, "dns"),
        (Unreadable("too_large", "no"), Unreadable, "too_large"),
        (Refused("redirect", "no"), Refused, "redirect"),
        (Response(status=500, headers={}, body=b"oh no"), Unavailable, "server_error"),
        (Response(status=404, headers={}, body=b"<html>"), Unreadable, "unreadable"),
        (
            Response(status=200, headers={"content-type": "text/html"}, body=b""),
            Unreadable,
            "unreadable",
        ),
        (Response(status=200, headers={}, body=b""), Unreadable, "unreadable"),
    ],
)
async def test_what_stands_in_the_way_is_told_of_the_adapter(
    tmp_path, brings, kind, reason
):
    around = replace(in_folder(tmp_path), transport=Going(brings))
    direct = Direct("https://site.invalid", around, identity=None, loopback=False)
    with pytest.raises(kind) as caught:
        await direct.carry(b"{}", "0" * 32)
    assert (caught.value.reason, caught.value.domain) == (reason, "adapter")


@pytest.fixture
def enrolled(tmp_path):
    """A site in front of a drop, which is watched."""
    reads = write_drop(tmp_path / "drop", [event("a-1")])
    return enrol(tmp_path, reads, source=f"{OWNER}.drops")


async def test_a_source_that_fails_to_watch_is_told_of(enrolled):
    site = open_site(load_site(enrolled.config, {}), HouseClock())
    (adapter,) = (each.adapter for each in site.desk.sources.values())
    adapter.watch = _nothing  # type: ignore[attr-defined]  # it comes back at once
    with structlog.testing.capture_logs() as alarms:
        await site.start("0")
        while not alarms:  # noqa: ASYNC110 - it is told in a task of its own
            await asyncio.sleep(0)
        await site.aclose()
        await site.aclose()  # twice is safe
    assert [each["event"] for each in alarms] == ["watch_failed"]


async def _nothing() -> None: ...


async def test_what_a_failed_watch_raised_is_in_no_log(enrolled, caplog):
    """Seeded defect: its task is let go of, and asyncio logs what it raised."""
    site = open_site(load_site(enrolled.config, {}), HouseClock())
    (adapter,) = (each.adapter for each in site.desk.sources.values())
    adapter.watch = _failing  # type: ignore[attr-defined]  # a defect of an adapter
    with structlog.testing.capture_logs() as alarms:
        await site.start("0")
        while not alarms:  # noqa: ASYNC110 - it is told in a task of its own
            await asyncio.sleep(0)
        await site.aclose()
    gc.collect()  # when asyncio tells of what nobody heard
    assert [each["event"] for each in alarms] == ["watch_failed"]
    assert caplog.text == ""


async def _failing() -> None:
    message = f"row 4: {ANN.nhs_number}"
    raise KeyError(message)


async def test_a_watch_has_ended_before_its_adapter_is_closed(enrolled):
    site = open_site(load_site(enrolled.config, {}), HouseClock())
    (adapter,) = (each.adapter for each in site.desk.sources.values())
    began, ended = asyncio.Event(), []

    async def watch() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # what it holds is let go of
            ended.append("watch")

    close = adapter.aclose

    async def aclose() -> None:
        ended.append("adapter")
        await close()

    adapter.watch, adapter.aclose = watch, aclose  # type: ignore[attr-defined, method-assign]  # to hear in which order
    await site.start("0")
    await began.wait()
    await site.aclose()
    assert ended == ["watch", "adapter"]


async def test_a_site_whose_trail_cannot_be_read_does_not_start(enrolled, tmp_path):
    site = open_site(load_site(enrolled.config, {}), HouseClock())
    url = load_site(enrolled.config, {}).database_url()
    lost = url.set(database=str(tmp_path / "missing" / "site.db"))
    site.database, opened = Database(lost, busy_s=0.1), site.database
    with pytest.raises(AuditUnavailable):
        await site.start("0")
    assert not site.is_ready
    await opened.aclose()


async def test_a_site_that_cannot_write_its_trail_is_not_ready(enrolled):
    app = create_site(load_site(enrolled.config, {}), HouseClock(), version="0")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        assert (await client.get("/readyz")).status_code == 503
        async with app.router.lifespan_context(app):
            assert (await client.get("/readyz")).status_code == 200
