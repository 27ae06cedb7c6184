"""compose.yaml starts gateways that the settings accept, and binds them tightly."""

import re
import tomllib

import pytest
import yaml

from gateway.service import VERSION
from gateway.settings import load_settings
from tests.corpus import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
GATEWAY = COMPOSE["services"]["gateway"]
STORE = COMPOSE["services"]["store"]


def configuration():
    """The smallest configuration of the guide, as a mounted file would have it."""
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if "environment" in tomllib.loads(block))


@pytest.fixture
def mounted(tmp_path):
    """/etc/throughline and /run/secrets, with one secret each of its own."""
    (tmp_path / "throughline.toml").write_text(configuration(), "utf-8")
    (tmp_path / "secrets").mkdir()
    for name in GATEWAY["secrets"]:
        (tmp_path / "secrets" / name).write_text(f"secret of {name}\n", "utf-8")
    return tmp_path


def environment(mounted):
    return {
        name: value.replace("/run/secrets", str(mounted / "secrets"))
        for name, value in GATEWAY["environment"].items()
    }


def test_its_environment_stands_over_the_mounted_file(mounted):
    settings = load_settings(mounted / "throughline.toml", environment(mounted))
    url = settings.database_url()
    assert (url.drivername, url.host) == ("postgresql+asyncpg", "store")
    assert url.password == "secret of store"
    assert url.username == STORE["environment"]["POSTGRES_USER"]
    assert url.database == STORE["environment"]["POSTGRES_DB"]
    assert settings.secret(settings.audit.key) == "secret of audit_key"
    assert settings.http.port == 8000


def test_each_secret_is_a_file_that_somebody_reads():
    for service in (GATEWAY, STORE):
        for name in service["secrets"]:
            assert set(COMPOSE["secrets"][name]) == {"file"}
            assert f"/run/secrets/{name}" in str(service["environment"])
    assert not re.search(r"PASSWORD: (?!file:|/run)", str(COMPOSE["services"]))


def test_two_gateways_of_this_version_write_nothing_but_their_data():
    assert GATEWAY["deploy"] == {"replicas": 2}
    assert GATEWAY["image"] == f"throughline:{VERSION}"
    assert GATEWAY["read_only"] is True
    assert GATEWAY["tmpfs"] == ["/tmp"]  # noqa: S108 - a path inside the container
    assert GATEWAY["cap_drop"] == ["ALL"]
    mounts = {each["target"]: each for each in GATEWAY["volumes"]}
    assert mounts["/etc/throughline"]["read_only"] is True
    # Without a source, each replica has a volume of its own.
    assert mounts["/data"] == {"type": "volume", "target": "/data"}


def test_nothing_is_published_beyond_this_machine():
    assert all(port.startswith("127.0.0.1:") for port in GATEWAY["ports"])
    assert "ports" not in STORE
