"""Every adapter that tells whom it holds of a day of birth, beside memory."""

from datetime import UTC, datetime

import pytest

from adapters.conformance import REGISTER, MatchesContract
from adapters.conformance.population import KEY
from adapters.contract import Candidate, Matches
from adapters.memory import MemoryAdapter
from tests import registers
from tests.registers import Style


class TestMemory(MatchesContract):
    @pytest.fixture
    def register(self):
        now = datetime.now(UTC)
        adapter = MemoryAdapter((), sector="acute", held=frozenset(), as_of=now)
        adapter.people = tuple(Candidate(person=each) for each in REGISTER)
        return adapter


class TestSqlite(MatchesContract):
    @pytest.fixture(params=["%d/%m/%Y", "iso", "%Y%m%d", "%d-%b-%Y"])
    async def register(self, tmp_path, request):
        style = Style(dates=request.param)
        opened = registers.open_sqlite(tmp_path, REGISTER, KEY, style=style)
        async with opened as adapter:
            assert isinstance(adapter, Matches)
            yield adapter


class TestFhir(MatchesContract):
    @pytest.fixture
    async def register(self, tmp_path):
        async with registers.open_fhir(tmp_path, REGISTER, KEY) as (adapter, _):
            assert isinstance(adapter, Matches)
            yield adapter


@pytest.mark.parts
class TestPostgres(MatchesContract):
    @pytest.fixture
    async def register(self, tmp_path, postgres):
        async with registers.open_postgres(
            tmp_path, REGISTER, KEY, url=postgres.url
        ) as adapter:
            yield adapter


@pytest.mark.parts
class TestMariaDb(MatchesContract):
    @pytest.fixture
    async def register(self, tmp_path, mariadb):
        async with registers.open_mariadb(
            tmp_path, REGISTER, KEY, server=mariadb
        ) as adapter:
            yield adapter


WHOLE = tuple(each for each in REGISTER if each.name != "Fay Marham")


@pytest.mark.parts
@pytest.mark.parametrize("column", ["DATE", "TIMESTAMP"])
async def test_a_column_of_dates_is_asked_for_a_day(tmp_path, postgres, column):
    style = Style(dates="iso", column=column)
    async with registers.open_postgres(
        tmp_path, WHOLE, KEY, url=postgres.url, style=style
    ) as adapter:
        assert len(await adapter.match(REGISTER[0], limit=9)) == 3


@pytest.mark.parts
@pytest.mark.parametrize("column", ["DATE", "DATETIME"])
async def test_a_column_of_dates_of_mariadb_is_too(tmp_path, mariadb, column):
    style = Style(dates="iso", column=column)
    async with registers.open_mariadb(
        tmp_path, WHOLE, KEY, server=mariadb, style=style
    ) as adapter:
        assert len(await adapter.match(REGISTER[0], limit=9)) == 3
