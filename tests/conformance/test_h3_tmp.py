import pytest
from adapters.conformance import AdapterContract, Carries
from adapters.conformance.population import KEY
from tests.drops import open_drop, Style
from tests.tables import open_sqlite
from adapters.surroundings import *
class T:
    async def aclose(self): ...
def sur(tmp_path, sector, now):
    return Surroundings(now=lambda: now, secret=lambda r: r, transport=T(), limits=Limits(), state=tmp_path/"state", source_id="x", sector=sector)
class TestDrop(AdapterContract):
    @pytest.fixture
    async def adapter(self, tmp_path, now):
        a = open_drop(tmp_path, self.population().events, sur(tmp_path, self.sector, now), key=KEY)
        yield a
        await a.aclose()
class TestSqlite(AdapterContract):
    @pytest.fixture
    async def adapter(self, tmp_path, now):
        a = open_sqlite(tmp_path, self.population().events, sur(tmp_path, self.sector, now), key=KEY)
        yield a
        await a.aclose()
