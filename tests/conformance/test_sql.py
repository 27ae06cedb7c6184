"""A table of SQLite, PostgreSQL and MariaDB, loaded with the published population."""

import pytest

from adapters.conformance import AdapterContract
from adapters.conformance.population import KEY
from tests.opened import open_mariadb, open_postgres, open_sqlite


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


@pytest.mark.parts
class TestMariaDb(AdapterContract):
    @pytest.fixture
    async def adapter(self, tmp_path, mariadb):
        events = self.population().events
        async with open_mariadb(tmp_path, events, key=KEY, server=mariadb) as adapter:
            yield adapter
