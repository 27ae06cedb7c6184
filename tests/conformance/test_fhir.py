"""A FHIR R4 server over HTTP, loaded with the published population."""

from typing import ClassVar

import pytest

from adapters.conformance import AdapterContract, Gap, notyet
from tests import fhir_records
from tests.opened import FHIR_CARRIES, open_fhir


class TestFhir(AdapterContract):
    page_size = 200
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
        async with open_fhir(tmp_path, events, page_size=self.page_size) as adapter:
            yield adapter


class TestFhirPageByPage(TestFhir):
    """The same, with more pages than answers fit in."""

    page_size = 3
