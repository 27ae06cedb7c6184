"""A FHIR R4 server over HTTP, loaded with the published population."""

from typing import ClassVar

import pytest

from adapters.conformance import AdapterContract, Gap, notyet
from adapters.fhir.tables import TYPES
from tests import fhir_records
from tests.opened import FHIR_CARRIES, open_fhir
from tests.stub_fhir import Misbehaviour, telling_everything


class TestFhir(AdapterContract):
    page_size = 200
    wrong: ClassVar[Misbehaviour | None] = None
    carries = FHIR_CARRIES
    gaps: ClassVar[dict[str, Gap]] = {
        "a_placeholder_is_not_passed_on": notyet(
            "to know that another Patient has an identifier too takes one more search"
        )
    }

    def known_as(self, event):
        return fhir_records.record_id(event)

    @pytest.fixture
    async def adapter(self, tmp_path):
        events = self.population().events
        async with open_fhir(
            tmp_path, events, page_size=self.page_size, wrong=self.wrong
        ) as adapter:
            yield adapter


class TestFhirPageByPage(TestFhir):
    """The same, with more pages than answers fit in."""

    page_size = 3


class TestFhirAtOnce(TestFhir):
    """The same, from a server that tells a whole record at once."""

    page_size = 3
    wrong = Misbehaviour(capabilities=telling_everything(TYPES))
