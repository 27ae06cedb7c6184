"""A feed of HL7 v2 messages, told the published population: files, and over MLLP."""

import pytest

from adapters.conformance import AdapterContract
from adapters.conformance.population import KEY
from tests.feeds import CARRIES, PLAIN, UNUSUAL, open_feed, open_over_mllp


class TestHl7v2(AdapterContract):
    carries = CARRIES
    style = PLAIN

    @pytest.fixture
    async def adapter(self, tmp_path):
        events = self.population().events
        async with open_feed(tmp_path, events, key=KEY, style=self.style) as adapter:
            yield adapter


class TestOtherMarksInBatches(TestHl7v2):
    style = UNUSUAL


class TestOverMllp(AdapterContract):
    carries = CARRIES

    @pytest.fixture
    async def adapter(self, tmp_path):
        events = self.population().events
        async with open_over_mllp(tmp_path, events, key=KEY) as adapter:
            yield adapter
