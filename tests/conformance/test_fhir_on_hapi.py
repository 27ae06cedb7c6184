"""The FHIR adapter in front of HAPI's server, loaded with the published population."""

from typing import ClassVar

import pytest

from adapters.conformance import AdapterContract, Gap, notyet
from adapters.conformance.declared import Carries
from tests import fhir_records
from tests.fhir_asking import asking
from tests.opened import FHIR_CARRIES, systems_of

pytestmark = pytest.mark.parts


class TestFhirOnHapi(AdapterContract):
    # The server numbers versions itself, whatever it is given.
    carries = Carries(
        kinds=FHIR_CARRIES.kinds,
        precisions=FHIR_CARRIES.precisions,
        fields=FHIR_CARRIES.fields - {"version"},
        subject_of="person",
    )
    gaps: ClassVar[dict[str, Gap]] = {
        "a_placeholder_is_not_passed_on": notyet(
            "to know that another Patient has an identifier too takes one more search"
        )
    }

    def known_as(self, event):
        return fhir_records.record_id(event)

    @pytest.fixture
    async def adapter(self, server, tmp_path):
        systems = systems_of(self.population().events)
        settings = f"page_size = 20\n[identifiers]\nsystems = {systems}\n"
        async with asking(server.base_url, tmp_path, settings) as adapter:
            yield adapter


@pytest.fixture(scope="session")
def server(hapi):
    """Loaded once: nothing that is asked of it changes it."""
    records = fhir_records.resources(TestFhirOnHapi.population().events)
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": url_of(one)}}
        for one in records
    ]
    hapi.load({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    return hapi


def url_of(record):
    return f"{record['resourceType']}/{record['id']}"
