"""A FHIR R4 server over HTTP, loaded with the published population."""

from typing import ClassVar

import pytest

from adapters.conformance import AdapterContract, Gap, notyet
from tests import fhir_records
from tests.opened import FHIR_CARRIES, open_fhir

SHARED = notyet("Patients that share an identifier are not told apart by it alone")


class TestFhir(AdapterContract):
    page_size = 200
    carries = FHIR_CARRIES
    gaps: ClassVar[dict[str, Gap]] = {
        "a_placeholder_links_nobody": SHARED,
        "a_placeholder_beside_a_number_adds_nobody": SHARED,
        "a_placeholder_is_not_passed_on": SHARED,
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
