"""A database behind a site: asked of a real process, over mutual TLS."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters import site
from adapters.conformance import POPULATION, AdapterContract
from adapters.conformance.population import KEY
from adapters.contract import Answer, Query
from adapters.registry import open_source
from adapters.vocabulary import CATEGORIES
from adapters.warrant import Granted, Warrant
from tests.opened import surroundings
from tests.site_processes import enrol, site_running
from tests.tables import write_sqlite

SOURCE = "Z9B02.epr"
# What a gateway granted: everything that is asked.
GRANTED = Granted(relationship="registered", categories=CATEGORIES, view={})


class Warranted:
    """The adapter, asked as a gateway asks it: with a decision that grants all."""

    def __init__(self, adapter: site.SiteAdapter) -> None:
        self._adapter = adapter
        self.profile = adapter.profile

    async def ask(self, query: Query) -> Answer:
        now = datetime.now(UTC)
        warrant = Warrant(
            decision="dec_1",
            owner="Z9B02",
            policy="sha256:1",
            journey="jny_1",
            purpose="direct-care",
            operation="journey.read",
            mode="identified",
            organisation="Z9R01",
            role="doctor",
            assurance="aal2",
            agreement=None,
            break_glass=False,
            granted=(GRANTED,),
            until=now + timedelta(seconds=4),
        )
        return await self._adapter.ask(replace(query, warrant=warrant))

    async def aclose(self) -> None:
        await self._adapter.aclose()


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    database = write_sqlite(folder / "source", POPULATION.events, key=KEY)
    enrolled = enrol(folder, database, source=SOURCE)
    with site_running(enrolled):
        yield enrolled


class TestSite(AdapterContract):
    @pytest.fixture
    async def adapter(self, tmp_path, enrolled):
        around = surroundings(tmp_path)
        around = replace(
            around, secret=lambda name: Path(name.removeprefix("file:")).read_text()
        )
        adapter = open_source(enrolled.source_file, around)
        assert isinstance(adapter, site.SiteAdapter)
        try:
            yield Warranted(adapter)
        finally:
            await adapter.aclose()
            await around.transport.aclose()
