"""site.toml: whatever is wrong in it stops the start, with its key."""

import re

import pytest
import yaml

from adapters.addresses import is_own_host
from adapters.errors import ConfigurationError
from adapters.site.keys import made_keys
from gateway.clock import SystemClock
from gateway.site.service import open_site
from gateway.site.settings import load_site
from tests.corpus import ROOT
from tests.site_processes import enrol
from tests.sites import constrain, rule, veto
from tests.tables import write_sqlite

SOURCE = "Z9B02.epr"
TLS = """\
[http.tls]
certificate = "keys/site.crt"
key = "keys/site.key"
ca = "keys/ca.crt"
"""


@pytest.fixture
def enrolled(tmp_path):
    return enrol(tmp_path, write_sqlite(tmp_path / "db", []), source=SOURCE)


def loaded(enrolled, before="", after="", environ=()):
    text = enrolled.config.read_text("utf-8")
    assert before in text
    enrolled.config.write_text(text.replace(before, after), "utf-8")
    return load_site(enrolled.config, dict(environ))


def test_a_source_has_a_folder_of_its_own_for_its_index(enrolled):
    settings = loaded(enrolled)
    assert settings.sources[0].state == enrolled.site / "state" / SOURCE
    assert settings.bounds.questions == 64
    assert settings.path == enrolled.config


def test_the_environment_stands_over_the_file(enrolled):
    environ = {"THROUGHLINE_BOUNDS__QUESTIONS": "3"}
    assert loaded(enrolled, environ=environ).bounds.questions == 3


def test_in_development_this_machine_alone_may_ask_without_tls(enrolled):
    text = enrolled.config.read_text("utf-8").replace('"production"', '"development"')
    enrolled.config.write_text(text, "utf-8")
    assert loaded(enrolled, TLS, "").http.tls is None
    with pytest.raises(ConfigurationError, match=r"http\.tls"):
        loaded(enrolled, "[http]", '[http]\nhost = "0.0.0.0"')


SQLITE = "sqlite+aiosqlite:///site.db"
STATED = 'sensitive-record = "prefiltered"'


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (TLS, "", "http.tls"),
        (SQLITE, "sqlite+aiosqlite://", "store.url"),
        (SQLITE, "sqlite+aiosqlite:///:memory:", "store.url"),
        (SQLITE, "mysql://db/site", "store.url"),
        (SQLITE, "no address", "store.url"),
        (SQLITE, "postgresql+asyncpg://me:secret@db/site", "password"),
        ('sector = "acute"', 'sector = "hospital"', "sources.0.sector"),
        (STATED, "", "sensitive-record"),
        (STATED, f'{STATED}\nunheard-of = "none"', "unheard-of"),
        ('id = "z9b02-site"', 'id = "z9b02 site"', "id"),
        ('keys = "file:keys/private.jwks"', 'keys = "keys/private.jwks"', "keys"),
        ("[gateway]", "[gateway]\nleeway_s = 61", "gateway.leeway_s"),
        ("[gateway]", "[bounds]\nquestions = 0\n[gateway]", "bounds.questions"),
        ("[gateway]", "[elsewhere]\n[gateway]", "elsewhere"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_key(enrolled, before, after, said):
    with pytest.raises(ConfigurationError) as caught:
        loaded(enrolled, before, after)
    assert said in str(caught.value)
    assert "me:secret" not in str(caught.value)


def test_a_source_is_registered_once(enrolled):
    text = enrolled.config.read_text("utf-8")
    again = text[text.index("[[sources]]") :].replace("epr", "EPR", 1)
    enrolled.config.write_text(text + again, "utf-8")
    with pytest.raises(ConfigurationError, match="twice"):
        loaded(enrolled)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('kind = "site"\nurl = "https://x.example.invalid"\n', "another site"),
        ('kind = "fhir"\nbase_url = "http://epr.invalid/fhir"\n', "plain http"),
    ],
)
def test_some_sources_are_not_asked_by_a_site(enrolled, tmp_path, source, said):
    (tmp_path / "db" / "source.toml").write_text(source, "utf-8")
    with pytest.raises(ConfigurationError, match=said):
        loaded(enrolled)


def opened(enrolled, *documents):
    text = yaml.safe_dump_all([dict(each) for each in documents])
    (enrolled.site / "policy" / "own.yaml").write_text(text, "utf-8")
    return open_site(loaded(enrolled), SystemClock())


def test_the_organisations_own_rules_are_compiled_at_the_start(enrolled):
    without = opened(enrolled).desk.policy.version
    ruled = opened(enrolled, rule("Z9B02", veto(purposes=["research"])))
    assert ruled.desk.policy.version != without


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([rule("Z9C03", veto(purposes=["research"]))], "no local rule of Z9B02"),
        ([{"kind": "local-rule", "id": "x"}], "own.yaml"),
        ([rule("Z9B02", veto(purposes=["curiosity"]))], "unknown code"),
        (
            [
                rule("Z9B02", veto(purposes=["research"])),
                rule("Z9B02", constrain({"max_age_days": 1})),
            ],
            "LR-1",
        ),
    ],
)
def test_what_is_no_rule_of_this_organisation_stops_the_start(
    enrolled, documents, said
):
    with pytest.raises(ConfigurationError, match=said):
        opened(enrolled, *documents)


@pytest.mark.parametrize(
    ("place", "text", "key"),
    [
        ("keys/private.jwks", "{}", "keys"),
        ("keys/private.jwks", made_keys()[1], "keys"),
        ("keys/gateway.jwks", made_keys()[0], "gateway.keys"),
        ("keys/gateway.jwks", "Zoë", "gateway.keys"),
    ],
)
def test_keys_that_are_none_stop_the_start(enrolled, place, text, key):
    (enrolled.site / place).write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        open_site(loaded(enrolled), SystemClock())
    assert caught.value.key == key


GUIDE = (ROOT / "docs" / "sites.md").read_text("utf-8")
(IN_THE_GUIDE,) = re.findall(r"```toml\n(\[relay\].*?)```", GUIDE, re.DOTALL)
RELAY = IN_THE_GUIDE.replace(".invalid", ".invalid/")


def test_a_site_that_fetches_its_questions_opens_no_port(enrolled):
    settings = loaded(enrolled, TLS, RELAY)  # in production, too
    assert settings.relay.url == "https://gateway.example.invalid"
    assert (settings.relay.polls, settings.relay.poll_s) == (4, 25.0)
    assert is_own_host(settings.http.host)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[http]", '[http]\nhost = "0.0.0.0"', "http"),
        ("[relay]", "[relay]\npolls = 17", "relay.polls"),
        ("https://gateway", "http://gateway", "relay.url"),
        ("invalid/", "invalid/?a=b", "relay.url"),
        ("invalid/", "invalid/#a", "relay.url"),
    ],
)
def test_a_wrong_relay_is_refused_by_its_key(enrolled, before, after, said):
    loaded(enrolled, TLS, RELAY)
    with pytest.raises(ConfigurationError) as caught:
        loaded(enrolled, before, after)
    assert caught.value.key == said


def test_a_site_either_fetches_its_questions_or_takes_them(enrolled):
    with pytest.raises(ConfigurationError, match="opens a port"):
        loaded(enrolled, TLS, TLS + RELAY)
