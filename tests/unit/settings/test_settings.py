"""throughline.toml: what is right is read, what is wrong stops the start by name."""

import re

import pytest

from adapters.errors import ConfigurationError
from gateway.settings import load_settings
from tests.configuration import PRODUCTION, TEXT, changed, settings, write


def refusal(folder, text, **environ):
    with pytest.raises(ConfigurationError) as caught:
        settings(folder, text, **environ)
    return caught.value


def test_a_right_file_is_read_with_its_defaults(tmp_path):
    read = settings(tmp_path)
    assert read.http.port == 8000
    assert read.limits.source_s == 2.0
    assert read.limits.journey_s == 5.0
    assert read.sources[0].state == tmp_path / "state" / "Z9A01.gp"
    assert read.sources[0].file == tmp_path / "sources" / "gp.toml"
    assert read.issuers[0].jwks == tmp_path / "keys" / "demo-jwks.json"
    assert read.folder == tmp_path


def test_the_production_file_is_taken_in_production(tmp_path):
    assert settings(tmp_path, PRODUCTION).environment == "production"


def test_settings_do_not_change_once_read(tmp_path):
    with pytest.raises(ValueError, match="frozen"):
        settings(tmp_path).http.port = 1


def test_the_environment_stands_over_the_file(tmp_path):
    read = settings(
        tmp_path,
        THROUGHLINE_HTTP__PORT="9001",
        THROUGHLINE_LIMITS__JOURNEY_S="1.5",
        THROUGHLINE_POLICY__DOCUMENTS='["a.yaml", "b.yaml"]',
        THROUGHLINE_BREAKS="not a setting",
        HOME="/nowhere",
    )
    assert read.http.port == 9001
    assert read.limits.journey_s == 1.5
    assert read.policy.documents == ("a.yaml", "b.yaml")


def test_the_environment_may_say_production(tmp_path):
    wrong = refusal(tmp_path, TEXT, THROUGHLINE_ENVIRONMENT="production")
    assert "demo issuer" in str(wrong)


def test_a_section_of_the_environment_need_not_stand_in_the_file(tmp_path):
    text = changed("[auth]\nleeway_s = 30\n", "")
    assert settings(tmp_path, text, THROUGHLINE_AUTH__LEEWAY_S="1").auth.leeway_s == 1


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("THROUGHLINE_HTTP__PORT", "ninety", "Correct it"),
        ("THROUGHLINE_HTTP__PROT", "1", "Did you mean port?"),
        ("THROUGHLINE_POLICY__DOCUMENTS", "[broken", "Correct it"),
        ("THROUGHLINE_SOURCES__ID", "x", "set it in the file"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named_by_its_variable(
    tmp_path, name, value, remedy
):
    wrong = refusal(tmp_path, TEXT, **{name: value})
    assert (wrong.file, wrong.key) == ("environment", name)
    assert remedy in str(wrong)
    assert value not in str(wrong).removeprefix(f"environment: {name}") or value == "1"


WRONG = [
    # what stands there, what is put there, the key named, the remedy
    ("port = 8000", "prot = 8000", "http.prot", "Did you mean port?"),
    ("port = 8000", "port = 70000", "http.port", "less than or equal to 65535"),
    ("port = 8000", "port = true", "http.port", "should be a number"),
    ("source_s = 2", "source_s = 0", "limits.source_s", "greater than 0"),
    ("source_s = 2", "source_s = inf", "limits.source_s", "less than or"),
    ("source_s = 2", "source_s = nan", "limits.source_s", ""),
    ("[limits]", "[limit]", "limit", "Did you mean limits?"),
    ('environment = "development"', "", "environment", "Add it"),
    ('"development"', '"test"', "environment", "'development' or 'production'"),
    ('"file:keys/audit.key"', '"00ff"', "audit.key", "never write it"),
    ('url = "sqlite+aiosqlite:', 'url = "mysql:', "store.url", "postgresql+asyncpg"),
    ('"sqlite+aiosqlite:///throughline.db"', '"nonsense"', "store.url", "not a store"),
    ("///throughline.db", "///", "store.url", "names no file"),
    (
        "[policy]",
        '[policy]\nshadow = "submitted"',
        "policy.shadow",
        'Set source = "store"',
    ),
    ("[policy]", '[policy]\nsource = "git"', "policy.source", "'files' or 'store'"),
    ("///throughline.db", "///:memory:", "store.url", "names no file"),
    (
        "sqlite+aiosqlite:///throughline.db",
        "postgresql+asyncpg://me:opensesame@db/x",
        "store.url",
        "password = ",
    ),
    ('"primary-care"', '"dentist"', "sources.0.sector", "use one of acute"),
    ('"acute"', '"dentist"', "sources.1.sector", "use one of acute"),
    ('organisation = "Z9B02"', 'organisation = "Z9C"', "sources.1.organisation", "Add"),
    ('id = "Z9B02.epr"', 'id = "z9a01.GP"', "sources.1.id", "twice"),
    ('id = "Z9B02.epr"\n', "", "sources.1.id", "Add it"),
    ('id = "Z9B02.epr"', 'id = "../up"', "sources.1.id", "pattern"),
    ('ods = "Z9B02"', 'ods = "Z9A01"', "organisations.1.ods", "twice"),
    ('ods = "Z9B02"', 'ods = "z9b02"', "organisations.1.ods", "pattern"),
    ("fresh_s = 60", "fresh_s = 0", "sources.1.fresh_s", "greater than or equal to 1"),
    ("fresh_s = 60\n", "", "sources.1.fresh_s", "Add it"),
    ("fresh_s = 60", "fersh_s = 60", "sources.1.fersh_s", "mean fresh_s?"),
    (
        'legally-restricted = "none"\n',
        "",
        "sources.1.flags",
        "must state legally-restricted",
    ),
    ('sensitive-record = "states"\n', "", "sources.0.flags", "must state sensitive"),
    (
        'legally-restricted = "none"',
        'legally-restricted = "none"\nndoo = "none"',
        "sources.1.flags.ndoo",
        "Use one of",
    ),
    ('"prefiltered"', '"maybe"', "sources.0.flags.legally-restricted", "prefiltered"),
    ('algorithms = ["ES256"]', 'algorithms = ["HS256"]', "issuers.0.algorithms.0", ""),
    ('algorithms = ["ES256"]', "algorithms = []", "issuers.0.algorithms", "at least 1"),
    ('jwks = "keys/demo-jwks.json"\n', "", "issuers.0", "one of jwks and jwks_uri"),
    ("demo = true\n", "", "issuers.0.signing_key", "demo issuer alone"),
    ('roles = ["doctor", "nurse"]', 'roles = ["wizard"]', "clients.0.roles.0", "gp"),
    ('["direct-care", "research"]', '["care"]', "clients.0.purposes.0", "direct-care"),
    ('["Z9A01", "Z9B02"]', '["Z9C03"]', "clients.0.organisations", "Add it"),
    ('key_id = "k1"', 'key_id = "k 1"', "audit.key_id", "pattern"),
    ("[auth]", '[relay]\nkey = "env:KEY"\n[auth]', "relay.address", "Add it"),
    ("[auth]", '[relay]\naddress = "http://a"\n[auth]', "relay.key", "Add it"),
    ("[auth]", "[relay]\npolls = 0\n[auth]", "relay.polls", "greater than"),
    *(
        (
            'ods = "Z9B02"',
            f'ods = "Z9B02"\n{key} = "{address}"',
            f"organisations.1.{key}",
            "http or https address",
        )
        for key in ("privacy_officer", "data_owner")
        for address in (
            "officer@example.invalid",
            "https://",
            "https://a:b",
            "https://a:0",
            "https://me:opensesame@a",
            "https://a/b c",
            "ftp://a",
        )
    ),
]


@pytest.mark.parametrize(("old", "new", "key", "remedy"), WRONG)
def test_what_is_wrong_is_named_by_file_line_key_and_remedy(
    tmp_path, old, new, key, remedy
):
    wrong = refusal(tmp_path, changed(old, new))
    assert wrong.file == str(tmp_path / "throughline.toml")
    assert wrong.key == key
    assert remedy in str(wrong)
    assert "opensesame" not in str(wrong)


def test_the_line_named_is_that_of_the_very_table(tmp_path):
    text = changed('"acute"', '"dentist"')
    line = next(
        number
        for number, line in enumerate(text.splitlines(), 1)
        if '"dentist"' in line
    )
    assert refusal(tmp_path, text).line == line


def test_a_client_of_an_unknown_issuer_is_refused(tmp_path):
    text = re.sub(r"(\[\[clients\]\]\nissuer = )\S+", r'\1"urn:other"', TEXT)
    assert refusal(tmp_path, text).key == "clients.0.issuer"


def test_one_client_registered_twice_is_refused(tmp_path):
    text = TEXT + "\n" + TEXT[TEXT.index("[[clients]]") :]
    assert refusal(tmp_path, text).key == "clients.1.client_id"


def test_a_flag_of_consent_names_its_own_agreement(tmp_path):
    flag = 'legally-restricted = "none"\n"consent:DSA-1" = "states"'
    read = settings(tmp_path, changed('legally-restricted = "none"', flag))
    assert read.sources[1].flags["consent:DSA-1"] == "states"


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path):
    broken = refusal(tmp_path, 'environment = "development"\n[http\nport = 1\n')
    assert broken.line == 2
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings(tmp_path / "none.toml", {})


def test_a_secret_is_followed_to_the_environment_or_to_a_file(tmp_path):
    read = settings(tmp_path, DB="swordfish")
    (tmp_path / "secret").write_text("tuna\n")
    assert read.secret("env:DB") == "swordfish"
    assert read.secret("file:secret") == "tuna"
    assert read.secret(f"file:{tmp_path}/secret") == "tuna"
    assert "swordfish" not in repr(read)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\xff"])
def test_a_secret_that_is_not_there_is_named_and_never_shown(tmp_path, content):
    read = settings(tmp_path)
    (tmp_path / "secret").write_bytes(content)
    for reference in ("env:NONE", "file:none", "file:secret"):
        with pytest.raises(ConfigurationError, match=f"{reference} is missing"):
            read.secret(reference)


def test_policy_files_are_found_beside_the_file_each_once(tmp_path):
    (tmp_path / "policy").mkdir()
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (tmp_path / "policy" / name).touch()
    twice = '["policy/*.yaml", "policy/a.yaml"]'
    read = settings(tmp_path, changed('["policy/*.yaml"]', twice))
    assert [path.name for path in read.policy_files()] == ["a.yaml", "b.yaml"]


def test_the_store_lies_beside_the_file_or_where_its_url_says(tmp_path):
    assert settings(tmp_path).database_url().database == str(
        tmp_path / "throughline.db"
    )
    absolute = changed("///throughline.db", "////var/lib/x.db")
    assert settings(tmp_path, absolute).database_url().database == "/var/lib/x.db"


def test_the_password_of_the_store_joins_its_url_and_stays_masked(tmp_path):
    server = "postgresql+asyncpg://me@db/x"
    text = changed("sqlite+aiosqlite:///throughline.db", server)
    assert settings(tmp_path, text).database_url().password is None
    text = changed("[audit]", 'password = "env:DB"\n[audit]', text)
    url = settings(tmp_path, text, DB="swordfish").database_url()
    assert url.password == "swordfish"
    assert "swordfish" not in repr(url)


INSECURE = [
    ('class = "user"', 'class = "user"\ndemo = true', "issuers.0.demo"),
    ('issuer = "https:', 'issuer = "http:', "issuers.0.issuer"),
    (
        'jwks = "keys/demo-jwks.json"',
        'jwks_uri = "http://issuer.example.invalid/jwks"',
        "issuers.0.jwks_uri",
    ),
    (
        'ods = "Z9A01"',
        'ods = "Z9A01"\nprivacy_officer = "http://officer.example.invalid"',
        "organisations.0.privacy_officer",
    ),
    (
        'ods = "Z9B02"',
        'ods = "Z9B02"\ndata_owner = "http://officer.example.invalid"',
        "organisations.1.data_owner",
    ),
]


@pytest.mark.parametrize(("old", "new", "key"), INSECURE)
def test_production_refuses_what_only_development_may(tmp_path, old, new, key):
    text = PRODUCTION
    if key == "issuers.0.issuer":
        text = text.replace("https://issuer", "http://issuer")
    else:
        text = changed(old, new, text)
    assert refusal(tmp_path, text).key == key


def test_production_refuses_a_source_asked_over_plain_http(tmp_path):
    write(tmp_path)
    plain = 'kind = "fhir"\nbase = "http://epr.example.invalid/fhir"\n'
    (tmp_path / "sources" / "epr.toml").write_text(plain)
    assert refusal(tmp_path, PRODUCTION).key == "sources.1.file"
    (tmp_path / "sources" / "epr.toml").write_text(plain.replace("http:", "https:"))
    assert settings(tmp_path, PRODUCTION).environment == "production"


def test_production_refuses_to_start_without_its_audit_key(tmp_path):
    write(tmp_path)
    (tmp_path / "keys" / "audit.key").unlink()
    assert "file:keys/audit.key is missing" in str(refusal(tmp_path, PRODUCTION))


def test_production_refuses_a_default_audit_key(tmp_path):
    write(tmp_path)
    (tmp_path / "keys" / "audit.key").write_text("00" * 32)
    assert refusal(tmp_path, PRODUCTION).key == "audit.key"


def test_production_refuses_a_default_break_glass_key(tmp_path):
    text = changed("[limits]", '[break_glass]\nkey = "env:GLASS"\n[limits]', PRODUCTION)
    assert refusal(tmp_path, text, GLASS="0f" * 32).key == "break_glass.key"
    assert "env:GLASS is missing" in str(refusal(tmp_path, text))
    random = "0123456789abcdef" * 4
    assert settings(tmp_path, text, GLASS=random).break_glass is not None


def shared(address):
    """A production gateway beside others of one store."""
    relay = f'[relay]\naddress = "{address}"\nkey = "env:RELAY"\n[limits]'
    server = "postgresql+asyncpg://me@db/x"
    text = changed("sqlite+aiosqlite:///throughline.db", server, PRODUCTION)
    return changed("[limits]", relay, text)


def test_production_refuses_gateways_that_speak_over_plain_http(tmp_path):
    random = "0123456789abcdef" * 4
    plain = refusal(tmp_path, shared("http://gateway-2.example.invalid"), RELAY=random)
    assert plain.key == "relay.address"
    for address in ("https://gateway-2.example.invalid", "http://127.0.0.1:8000"):
        assert settings(tmp_path, shared(address), RELAY=random).relay.address


def test_production_refuses_a_default_relay_key(tmp_path):
    text = shared("https://gateway-2.example.invalid")
    assert refusal(tmp_path, text, RELAY="0f" * 32).key == "relay.key"


def test_production_refuses_to_start_without_the_stores_password(tmp_path):
    server = "postgresql+asyncpg://me@db/x"
    text = changed("sqlite+aiosqlite:///throughline.db", server, PRODUCTION)
    text = changed("[audit]", 'password = "env:DB"\n[audit]', text)
    assert "env:DB is missing" in str(refusal(tmp_path, text))
    assert settings(tmp_path, text, DB="swordfish").environment == "production"
