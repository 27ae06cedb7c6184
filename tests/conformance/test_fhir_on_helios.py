"""The FHIR adapter in front of Helios, loaded with the published population."""

import pytest

from tests.fhir_servers import OnAServer, put_population

pytestmark = pytest.mark.parts


class TestFhirOnHelios(OnAServer):
    """Whole records asked for at once, anything less searched for."""

    everything = "always"


@pytest.fixture(scope="session")
def server(helios):
    return put_population(helios)
