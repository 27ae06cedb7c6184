"""Decisions are found in the trail again, whole, by either store."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Basis, Decided, Denied, Intent
from gateway.clock import SystemClock
from gateway.decisions.entries import find, look_up, newest
from gateway.decisions.explained import cells_of, of_entry, request_of
from gateway.decisions.recorded import last_recorded, recorded
from gateway.policy.plan import SUPPORTED
from policies.analysis.replay import replay
from policies.decide import decide_all
from tests.houses import NOW, clause, policy_of
from tests.stores import migrated
from tests.trails import ACTOR, intent, outcome, sqlite_url, trail_at

BASIS = Basis(
    operation="journey.read",
    mode="identified",
    assurance="aal2",
    relationships=("registered",),
    at=NOW,
)
OWNERS = ("Z9A01", "Z9B02")
POLICY = policy_of(OWNERS)


def decided(nth: int = 0, *, sources: int = 1, **changed: object) -> Intent:
    """An intent with a decision that can be told again, of as many sources."""
    told = {
        "decision": f"dec_{chr(97 + nth) * 24}",
        "policy": POLICY.version,
        "actor": replace(ACTOR, organisation="Z9R01"),
        "basis": BASIS,
        "decisions": tuple(
            Decided(
                source=f"Z9B02.s{place}",
                organisation="Z9B02",
                categories=("encounters", "medications"),
                effect="permit",
                code="granted",
                authority="DSA-TEST/c1@1#Z9B02",
                labels="labelled",
                flags=("legally-restricted=prefiltered", "sensitive-record=states"),
            )
            for place in range(sources)
        ),
        **changed,
    }
    return replace(intent(), **told)  # type: ignore[arg-type]  # a test's own defaults


async def written(url, *records):
    """The store after these records, and open."""
    trail = trail_at(url)
    await trail.start("0.1.0")
    for record in records:
        await trail.append(record)
    await trail.aclose()


LONG = 200  # sources: a record of several parts


async def test_every_decision_is_found_among_other_records_long_and_short(store_url):
    refused = Denied(
        journey="jny_2",
        actor=ACTOR,
        code="not-permitted",
        purpose="direct-care",
        policy=POLICY.version,
        decision="dec_" + "c" * 24,
        basis=BASIS,
        break_glass="bgl_a",
    )
    records = [decided(0), intent(), outcome(), decided(1, sources=LONG), refused]
    await written(store_url, *records)
    async with migrated(store_url) as database:
        entry = None
        for name, sources in (("a", 1), ("b", LONG), ("c", 0)):
            entry = await look_up(database, f"dec_{name * 24}")
            assert entry is not None
            assert entry.decision == f"dec_{name * 24}"
            assert len(entry.decisions) == sources
        assert entry is not None
        assert (entry.code, entry.break_glass) == ("not-permitted", "bgl_a")
        assert await look_up(database, "dec_" + "d" * 24) is None
        assert await look_up(database, "dec_short") is None
        told = await database.read(lambda store: list(newest(store, 10)))
        assert [each.decision[4] for each in told] == ["c", "b", "a"]
        assert len(told[1].decisions) == LONG
        some = await database.read(lambda store: list(newest(store, 1)))
        assert [each.decision[4] for each in some] == ["c"]
        assert await database.read(lambda store: list(newest(store, 0))) == []


async def test_the_newest_are_read_over_many_pages(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.decisions.entries._PAGE", 2)
    url = sqlite_url(tmp_path)
    await written(url, *(decided(nth, sources=1 + 60 * (nth % 2)) for nth in range(6)))
    async with migrated(url) as database:
        told = await database.read(lambda store: list(newest(store, 5)))
    assert [each.decision[4] for each in told] == ["f", "e", "d", "c", "b"]


async def test_a_record_of_another_age_is_passed_over(tmp_path):
    url = sqlite_url(tmp_path)
    await written(url, decided())
    old = json.dumps(
        {"decision": "dec_" + "b" * 24, "decisions": [{"category": "x"}]}
    ).replace(" ", "")
    text = old[:-1] + ',"type":"intent"}'
    async with migrated(url) as database:
        await database.transact(
            lambda store: store.exec_driver_sql(
                "INSERT INTO audit_record (n, record, chain) VALUES (99, ?, ?)",
                (text, b""),
            )
        )
        found = partial(find, decision="dec_" + "b" * 24)
        assert await database.read(found) is None
        told = await database.read(lambda store: list(newest(store, 9)))
    assert [each.decision[4] for each in told] == ["a"]


async def test_an_id_that_stands_in_another_record_finds_nothing_else(tmp_path):
    url = sqlite_url(tmp_path)
    await written(url, decided(0, journey="dec_" + "b" * 24), decided(1))
    async with migrated(url) as database:
        entry = await look_up(database, "dec_" + "b" * 24)
    assert entry is not None
    assert entry.journey == "jny_1"


async def test_a_store_that_cannot_be_read_is_said(tmp_path):
    url = sqlite_url(tmp_path)
    await written(url, decided())
    async with migrated(url) as database:
        await database.transact(
            lambda store: store.exec_driver_sql("ALTER TABLE audit_record RENAME TO x")
        )
        with pytest.raises(AuditUnavailable):
            await look_up(database, "dec_" + "a" * 24)
        with pytest.raises(AuditUnavailable):
            await last_recorded(database, most=5)


async def entry_of(tmp_path, record):
    url = sqlite_url(tmp_path)
    await written(url, record)
    async with migrated(url) as database:
        entry = await look_up(database, record.decision)
    assert entry is not None
    return entry


async def test_what_was_recorded_decides_again_as_it_was_decided(tmp_path):
    entry = await entry_of(tmp_path, decided())
    request = request_of(entry)
    assert (request.recipient, request.role) == ("Z9R01", "doctor")
    assert (request.now, request.break_glass) == (NOW, False)
    cells = [each.cell for each in cells_of(entry)]
    again = decide_all(POLICY, request, cells, supported=SUPPORTED)
    assert [each.effect for each in again] == ["permit", "permit"]
    assert {each.authority for each in again} == {entry.decisions[0].authority}
    assert cells[0].flags == {
        "legally-restricted": "prefiltered",
        "sensitive-record": "states",
    }
    assert cells[0].labels == "labelled"


async def test_a_decision_that_comes_out_otherwise_now_is_told_as_recorded(tmp_path):
    """Catches a channel taken away since: what was permitted then was permitted."""
    entry = await entry_of(tmp_path, decided())
    narrowed = policy_of(OWNERS, clause(categories=["encounters"]))
    told = of_entry(
        entry, narrowed, abilities=lambda _: lambda _: SUPPORTED, owner="Z9B02"
    )
    first, second = told
    assert (first.effect, first.in_full) == ("permit", True)
    assert (second.effect, second.in_full) == ("permit", False)
    assert "no longer at hand" in second.because[0].why
    (bare, _) = of_entry(
        entry, None, abilities=lambda _: lambda _: SUPPORTED, owner=None
    )
    assert (bare.effect, bare.authority) == ("permit", "DSA-TEST/c1@1#Z9B02")


async def test_recorded_decisions_are_replayed_and_flip_where_a_draft_narrows(tmp_path):
    url = sqlite_url(tmp_path)
    await written(url, decided(0), decided(1), decided(2, break_glass="bgl_a"))
    async with migrated(url) as database:
        found = await last_recorded(database, most=2)
        everything = await database.read(partial(recorded, most=10))
    assert [each.id[4] for each in found] == ["c", "b"]
    first, second, third = everything
    assert first.request.break_glass
    assert second.cells is third.cells
    assert second.effects == ("permit", "permit")
    narrowed = policy_of(OWNERS, clause(categories=["encounters"]))
    replayed = replay(everything, POLICY, narrowed)
    assert replayed.total == 3
    assert replayed.drifted == ()
    assert len(replayed.changed) == 3
    assert replayed.needless == (first.id,)


async def test_the_time_a_decision_was_made_for_is_kept_to_the_microsecond(tmp_path):
    at = NOW + timedelta(microseconds=123_457)
    entry = await entry_of(tmp_path, decided(basis=replace(BASIS, at=at)))
    assert request_of(entry).now == at
    assert entry.at <= SystemClock().now()
