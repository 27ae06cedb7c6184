"""The source file of a FHIR server: what it may say, and how it is refused."""

import pytest

from adapters import nhs_number
from adapters.errors import ConfigurationError
from adapters.fhir import build
from adapters.fhir.credentials import authorisation
from adapters.fhir.settings import BasicSettings, BearerSettings, OAuth2Settings, load
from adapters.fhir.tables import TYPES
from adapters.http import AiohttpTransport
from tests.fhir_asking import surroundings

LEAST = 'kind = "fhir"\nbase_url = "https://fhir.example.invalid/r4/"\n'


SIGNED = """\
[auth]
kind = "oauth2"
token_url = "https://x.invalid/token"
client_id = "us"
key = "env:K"
algorithm = "ES384"
"""
SHARED = """\
[auth]
kind = "oauth2"
token_url = "https://x.invalid/token"
client_id = "us"
method = "client_secret_post"
client_secret = "env:S"
"""
LOCAL = SIGNED.replace("https://x.invalid", "http://127.0.0.1:8080")


@pytest.mark.parametrize("auth", [SIGNED, SHARED, LOCAL])
def test_a_file_says_how_tokens_are_asked_for(tmp_path, auth):
    file = tmp_path / "source.toml"
    file.write_text(f'{LEAST}{auth}scope = "system/*.rs"\n')
    found = load(file).auth
    assert isinstance(found, OAuth2Settings)
    assert (found.client_id, found.scope) == ("us", "system/*.rs")


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
        (LEAST + '[auth]\nkind = "basic"\ntoken = "env:T"', 5, ".token", "username"),
        (LEAST + '[auth]\nkind = "bearer"', 3, "auth.token", "is missing"),
        (LEAST + '[auth]\nkind = "digest"', 4, "auth.kind", "'bearer'"),
        (LEAST + '[auth]\ntoken = "env:T"', 3, "auth.kind", "which table"),
        (LEAST + SIGNED + "kidd = 1", 9, "auth.kidd", "mean kid?"),
        (LEAST + SIGNED + 'client_secret = "env:S"', 3, "auth", "and no client_secret"),
        (LEAST + SIGNED + 'kid = ""', 9, "auth.kid", "match"),
        (LEAST + SIGNED + 'scope = "\\n"', 9, "auth.scope", "match"),
        (LEAST + SIGNED + "[auth.tls]\nca = 5", 10, "auth.tls.ca", "path"),
        (LEAST + SIGNED.replace("ES384", "HS256"), 8, "auth.algorithm", "RS384"),
        (LEAST + SIGNED.replace("env:K", "-----BEGIN"), 7, "auth.key", "env:NAME"),
        (LEAST + SIGNED.replace("https", "http"), 5, "auth.token_url", "be https"),
        (LEAST + SIGNED.replace("//", "//me@"), 5, "auth.token_url", "credentials"),
        (LEAST + SIGNED.replace("x.in", "x .in"), 5, "auth.token_url", "space"),
        (LEAST + SIGNED.replace("algorithm", "#"), 3, "auth", "key and algorithm"),
        (LEAST + SHARED + 'key = "env:K"', 3, "auth", "and no key"),
        (LEAST + SHARED + 'audience = "a"', 3, "auth", "or audience"),
        (LEAST + SHARED.replace("client_secret =", "#"), 3, "auth", "client_secret,"),
        (LEAST + LOCAL + "[auth.tls]", 3, "auth", "no meaning over http"),
        (LEAST + '[tls]\ncertificate = "file:c"', 3, "tls", "both certificate and key"),
        (LEAST + '[tls]\nkey = "c"', 4, "tls.key", "env:NAME"),
        (LEAST.replace("https", "http") + '[tls]\nca = "c"', None, "", "[tls]"),
        (LEAST.replace("fhir.example.invalid", "169.254.169.254"), 2, "base", "local"),
        (LEAST.replace("fhir.example.invalid", "[fe80::1]"), 2, "base", "link-local"),
        (LEAST.replace("fhir.example.invalid", "224.0.0.1"), 2, "base", "link-local"),
        (LEAST.replace("invalid/", "invalid:x/"), 2, "base_url", "not an http"),
        (LEAST.replace("fhir.example.invalid", "[::1"), 2, "base_url", "not an http"),
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
    bearer = BearerSettings(kind="bearer", token="env:T")
    assert authorisation(bearer, secrets.__getitem__) == {"Authorization": "Bearer one"}
    secrets["env:T"] = "two"
    assert authorisation(bearer, secrets.__getitem__) == {"Authorization": "Bearer two"}
    basic = BasicSettings(kind="basic", username="file:/u", password="file:/p")
    assert authorisation(basic, secrets.__getitem__) == {
        "Authorization": "Basic dXM6cHc="
    }
    assert authorisation(None, secrets.__getitem__) == {}
