import pytest

from gateway.access.tokens import Authenticator
from tests.configuration import TEXT, settings
from tests.fakes import FakeClock
from tests.tokens import published, signing_key


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def authenticator(tmp_path, clock):
    """Makes an authenticator whose issuer publishes the usual key, or others."""
    made = []

    def make(text=TEXT, *keys, clock=clock):
        read = settings(tmp_path, text)
        jwks = tmp_path / "keys" / "demo-jwks.json"
        jwks.write_bytes(published(*(keys or (signing_key(),))))
        made.append(Authenticator(read, clock))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()
