"""The oracle keeps the contract it is the oracle of."""

import pytest

from adapters.conformance import AdapterContract
from adapters.conformance.population import KEY
from adapters.memory import MemoryAdapter
from adapters.vocabulary import CATEGORIES


class TestMemory(AdapterContract):
    @pytest.fixture
    def adapter(self, now):
        return MemoryAdapter(
            self.population().events,
            sector=self.sector,
            held=CATEGORIES,
            as_of=now,
            key=KEY,
        )
