"""The FHIR adapter in front of HAPI's server, loaded with the published population."""

import pytest

from tests.fhir_servers import OnAServer, put_population

pytestmark = pytest.mark.parts


class TestFhirOnHapi(OnAServer):
    """Each type searched for, whatever is asked."""


@pytest.fixture(scope="session")
def server(hapi):
    return put_population(hapi)
