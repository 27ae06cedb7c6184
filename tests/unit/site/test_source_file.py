"""The gateway's source file of a site: each thing wrong in it stops the start."""

from dataclasses import replace

import pytest

from adapters.errors import ConfigurationError
from adapters.site import build
from adapters.site.keys import made_keys
from tests.surroundings import in_folder

OWN, PUBLIC = made_keys()
WHOLE = """\
kind = "site"
url = "https://site.example.invalid:8443"

[site]
id = "site-1"
source = "Z9B02.epr"
keys = "site.jwks"

[gateway]
id = "gateway-1"
keys = "file:own.jwks"

[tls]
certificate = "file:own.crt"
key = "file:own.key"
ca = "ca.crt"

[profile]
adapter = "sql/1"
mapping = "sha256:%s"
held = ["encounters"]
key_system = "urn:local"
whole_person = true
""" % ("0" * 64)


@pytest.fixture
def opened(tmp_path):
    """Builds an adapter of a source file; its secret is the gateway's keys."""
    (tmp_path / "site.jwks").write_text(PUBLIC, "ascii")

    def built(text, own=OWN):
        path = tmp_path / "source.toml"
        path.write_text(text, "utf-8")
        around = replace(in_folder(tmp_path), secret=lambda _: own)
        return build(path, around)

    return built


async def test_a_profile_is_what_the_site_says_of_its_source(opened):
    adapter = opened(WHOLE)
    profile = adapter.profile
    assert profile.held == {"encounters"}
    assert (profile.key_system, profile.whole_person) == ("urn:local", True)
    assert profile.wants_warrant
    await adapter.aclose()


def without_tls(url):
    head, rest = WHOLE.split("[tls]")
    head = head.replace("https://site.example.invalid:8443", url)
    return head + "[profile]" + rest.split("[profile]")[1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8443", "http://localhost:1"])
def test_this_very_machine_may_be_asked_without_tls(opened, url):
    assert opened(without_tls(url)).profile.held == {"encounters"}


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("https://site", "http://site", "url"),
        ("https://site", "ftp://site", "url"),
        (":8443", ":99999", "url"),
        (":8443", ":8443/?x=1", "url"),
        (":8443", ":8443/#x", "url"),
        ("https://site", "https://me@site", "url"),
        ("site.example.invalid", "169.254.169.254", "url"),
        (":8443", ":8443/a b", "url"),
        ("https://site.example.invalid:8443", "https://", "url"),
        ("https://site.example.invalid:8443", "https://[", "url"),
        ('id = "site-1"', 'id = "site 1"', "site.id"),
        ("site.jwks", "missing.jwks", "site.keys"),
        ("site.jwks", "source.toml", "site.keys"),
        ("file:own.jwks", "own.jwks", "gateway.keys"),
        ("file:own.crt", "own.crt", "tls.certificate"),
        ('"encounters"', '"everything"', "profile.held"),
        ('held = ["encounters"]', "held = []", "profile.held"),
        ("sql/1", "sql", "profile.adapter"),
        ("sha256:", "md5:", "profile.mapping"),
        ('kind = "site"', 'kind = "site"\nleeway_s = 61', "leeway_s"),
        ('kind = "site"', 'kind = "site"\nmore = 1', "more"),
    ],
)
def test_a_wrong_source_file_is_refused_by_its_key(opened, before, after, key):
    assert before in WHOLE
    with pytest.raises(ConfigurationError) as caught:
        opened(WHOLE.replace(before, after))
    assert key in str(caught.value)


def test_over_https_a_certificate_is_needed_and_over_http_none_may_be(opened):
    for text in (
        without_tls("https://site.example.invalid"),
        WHOLE.replace("https://site.example.invalid", "http://127.0.0.1"),
    ):
        with pytest.raises(ConfigurationError, match="https"):
            opened(text)


def test_a_secret_that_is_no_private_keys_is_refused_unshown(opened):
    with pytest.raises(ConfigurationError) as caught:
        opened(WHOLE, own="Zebrafinch-7731")
    assert caught.value.key == "gateway.keys"
    assert "7731" not in str(caught.value)
