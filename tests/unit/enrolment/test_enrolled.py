"""Keys are believed only while their store can be seen; and by whom a file says."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog

from adapters.errors import ConfigurationError, Unavailable
from adapters.registry import open_source
from adapters.site.keys import made_keys, pinned_keys
from gateway.audit.log import AuditUnavailable
from gateway.enrolment import changes
from gateway.enrolment.changes import registered
from gateway.enrolment.enrolled import EnrolledKeys
from gateway.enrolment.enrolments import Enrolments
from gateway.problems import RequestError
from gateway.store.database import Database
from tests.fakes import FakeTrail
from tests.houses import NOW, HouseClock, doctor
from tests.sites import query
from tests.stores import migrated
from tests.surroundings import in_folder
from tests.trails import sqlite_url

SOURCE = """\
kind = "site"
url = "http://127.0.0.1:9"
loopback = true

[site]
id = "z9b02-site"
keys = "{keys}"

[gateway]
id = "gateway-1"
keys = "env:KEYS"

[profile]
adapter = "memory/1"
held = ["encounters"]
"""


async def test_a_store_that_cannot_be_read_is_no_register(tmp_path):
    database = Database(sqlite_url(tmp_path / "none"), busy_s=1)
    enrolled = EnrolledKeys(database, HouseClock())
    with pytest.raises(AuditUnavailable):
        await enrolled.start()
    with pytest.raises(Unavailable, match="cannot see"):
        enrolled.of("Z9B02", "z9b02-site")
    trail = FakeTrail()
    with pytest.raises(AuditUnavailable):
        await Enrolments(
            database,
            trail,  # type: ignore[arg-type]  # held to Trail by test_fakes
            enrolled,
            clock=HouseClock(),
        ).listed("Z9B02")
    await enrolled.aclose()
    await database.aclose()


async def test_a_store_that_is_lost_is_told_once_till_it_is_back(tmp_path):
    async with migrated(sqlite_url(tmp_path)) as database:
        enrolled = EnrolledKeys(database, HouseClock())
        await enrolled.start()
        place = tmp_path / "store.db"
        await database.aclose()
        kept = place.read_bytes()
        place.write_bytes(b"no store" * 100)
        with structlog.testing.capture_logs() as alarms:
            for _ in range(2):
                await enrolled.follow()
        assert [each["event"] for each in alarms] == ["enrolment_store_lost"]
        await database.aclose()
        place.write_bytes(kept)
        await enrolled.follow()
        with pytest.raises(Unavailable) as caught:
            enrolled.of("Z9B02", "z9b02-site")
        assert caught.value.reason == "site_unknown"
        await enrolled.aclose()
        await enrolled.aclose()


async def test_an_organisation_enrols_a_bounded_number_of_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "_MOST", 2)
    async with migrated(sqlite_url(tmp_path)) as database:

        def register(site):
            keys = pinned_keys(made_keys()[1])
            return database.transact(
                lambda connection: registered(
                    connection, NOW, requester=doctor(), site=site, keys=keys
                )
            )

        for site in ("a", "b"):
            await register(site)
        with pytest.raises(RequestError, match="conflict"):
            await register("c")
        await register("b")  # in the place of the one that waits


@asynccontextmanager
async def built(folder, keys, **around):
    """A source of kind site, whose file says this of the site's keys."""
    path = folder / "source.toml"
    path.write_text(SOURCE.format(keys=keys), "utf-8")
    private, _ = made_keys()
    surroundings = replace(in_folder(folder), secret=lambda _: private, **around)
    try:
        yield open_source(path, surroundings)
    finally:
        await surroundings.transport.aclose()


async def test_a_file_may_leave_a_sites_keys_to_its_enrolment(tmp_path):
    asked = []

    def enrolled(site):
        asked.append(site)
        raise Unavailable("site_revoked", "Enrol it.", domain="adapter")

    async with built(tmp_path, "enrolled", enrolled=enrolled) as adapter:
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(query())
    assert (caught.value.reason, asked) == ("site_revoked", ["z9b02-site"])


async def test_the_keys_are_those_of_each_question(tmp_path):
    documents = [made_keys()[1], made_keys()[1]]
    left = iter(documents)
    async with built(tmp_path, "enrolled", enrolled=lambda _: next(left)) as adapter:
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(query())
        assert caught.value.reason == "connect"
        assert adapter._ends.pinned() == pinned_keys(documents[1])


async def test_where_no_gateway_is_nobody_is_enrolled(tmp_path):
    async with built(tmp_path, "enrolled") as adapter:
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(query())
    assert (caught.value.reason, caught.value.domain) == ("site_unread", "adapter")


async def test_a_file_of_keys_that_is_none_is_refused_as_before(tmp_path):
    with pytest.raises(ConfigurationError, match="names no file"):
        async with built(tmp_path, "none.jwks"):
            pass
    (tmp_path / "site.jwks").write_text("{}")
    with pytest.raises(ConfigurationError, match="must list its keys"):
        async with built(tmp_path, "site.jwks"):
            pass
