"""The source file of a FHIR server: what it may say, and how it is refused."""

import pytest

from adapters import nhs_number
from adapters.errors import ConfigurationError
from adapters.fhir import build
from adapters.fhir.credentials import authorisation
from adapters.fhir.settings import AuthSettings, load
from adapters.fhir.tables import TYPES
from adapters.http import AiohttpTransport
from tests.fhir_asking import surroundings

LEAST = 'kind = "fhir"\nbase_url = "https://fhir.example.invalid/r4/"\n'


def test_the_least_file_is_enough(tmp_path):
    file = tmp_path / "source.toml"
    file.write_text(LEAST)
    settings = load(file)
    assert settings.base_url == "https://fhir.example.invalid/r4"
    assert settings.types == tuple(TYPES)
    assert settings.identifiers.systems == (nhs_number.SYSTEM,)


async def test_an_adapter_tells_what_it_can_be_asked_before_it_is(tmp_path):
    file = tmp_path / "source.toml"
    file.write_text(
        f'{LEAST}types = ["Condition", "Encounter"]\n[identifiers]\n'
        'systems = ["http://fhir.nhs.net/Id/nhs-number", "urn:mrn"]\n'
    )
    adapter = build(file, surroundings(AiohttpTransport(), tmp_path))
    assert adapter.profile.adapter == "fhir/1"
    assert adapter.profile.held == {"problems", "encounters"}
    assert adapter.profile.identifier_systems == {nhs_number.SYSTEM, "urn:mrn"}
    assert (adapter.profile.mapping or "").startswith("sha256:")
    await adapter.aclose()
    await adapter.aclose()


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ('kind = "fhir"\n', None, "base_url", "missing"),
        (LEAST.replace("https", "ftp"), 2, "base_url", "not an http"),
        (LEAST.replace("https://", ""), 2, "base_url", "not an http"),
        (LEAST.replace("r4/", "r4?x=1"), 2, "base_url", "neither a query"),
        (LEAST.replace("r4/", "r4#x"), 2, "base_url", "neither a query"),
        (LEAST.replace("//", "//me:pw@"), 2, "base_url", "neither a query"),
        (LEAST + 'types = ["Condition", "Claim"]', 3, "types", "unknown type"),
        (LEAST + 'types = ["Flag", "Flag"]', 3, "types", "twice"),
        (LEAST + "types = []", 3, "types", "at least 1"),
        (LEAST + "page_size = 0", 3, "page_size", "greater than"),
        (LEAST + 'search = "get"', 3, "search", "post"),
        (LEAST + 'zone = "Europe/Atlantis"', 3, "zone", "no time zone"),
        (LEAST + 'zone = "../etc"', 3, "zone", "no time zone"),
        (LEAST + "pagesize = 5", 3, "pagesize", "page_size"),
        (LEAST + "[identifiers]\nsystems = []", 4, "identifiers.systems", "at least"),
        (LEAST + '[auth]\nkind = "bearer"\ntoken = "abc"', 5, "token", "env:NAME"),
        (LEAST + '[auth]\nkind = "basic"\ntoken = "env:T"', 3, "auth", "username and"),
        (LEAST + '[auth]\nkind = "bearer"', 3, "auth", "needs token"),
        (LEAST + '[auth]\nkind = "digest"', 4, "auth.kind", "bearer"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_place_and_remedy(tmp_path, text, line, key, says):
    file = tmp_path / "source.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert caught.value.line == line
    assert key in (caught.value.key or "")
    assert says in str(caught.value)


def test_secrets_are_read_each_time_they_are_needed():
    secrets = {"env:T": "one\n", "file:/u": "us", "file:/p": "pw"}
    bearer = AuthSettings(kind="bearer", token="env:T")
    assert authorisation(bearer, secrets.__getitem__) == {"Authorization": "Bearer one"}
    secrets["env:T"] = "two"
    assert authorisation(bearer, secrets.__getitem__) == {"Authorization": "Bearer two"}
    basic = AuthSettings(kind="basic", username="file:/u", password="file:/p")
    assert authorisation(basic, secrets.__getitem__) == {
        "Authorization": "Basic dXM6cHc="
    }
    assert authorisation(None, secrets.__getitem__) == {}
