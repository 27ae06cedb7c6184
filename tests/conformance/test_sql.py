"""A table of SQLite and of PostgreSQL, loaded with the published population."""

import pytest

from adapters.conformance import AdapterContract
from adapters.conformance.population import KEY
from tests.opened import open_postgres, open_sqlite


class TestSqlite(AdapterContract):
    @pytest.fixture
    async def adapter(self, tmp_path):
        events = self.population().events
        async with open_sqlite(tmp_path, events, key=KEY) as adapter:
            yield adapter


@pytest.mark.parts
class TestPostgres(AdapterContract):
    @pytest.fixture
    async def adapter(self, tmp_path, postgres):
        events = self.population().events
        async with open_postgres(
            tmp_path, events, key=KEY, url=postgres.url
        ) as adapter:
            yield adapter
