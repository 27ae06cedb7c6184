"""A directory of drops, loaded with the published population, in several styles."""

import pytest

from adapters.conformance import AdapterContract
from adapters.conformance.population import KEY
from tests.drops import Style
from tests.opened import open_csv_drop


class TestCsvDrop(AdapterContract):
    style = Style()

    @pytest.fixture
    async def adapter(self, tmp_path):
        events = self.population().events
        async with open_csv_drop(
            tmp_path, events, key=KEY, style=self.style
        ) as adapter:
            yield adapter


class TestPipesWithoutHeader(TestCsvDrop):
    style = Style(delimiter="|", header=False, line_end="\r\n", manifest=True)


class TestQuotedWithByteOrderMark(TestCsvDrop):
    style = Style(bom=True, quote_all=True)


class TestWindowsEncoding(TestCsvDrop):
    style = Style(encoding="cp1252", delimiter="\t")
