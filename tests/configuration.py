"""A small, right configuration in a folder, and changes to it."""

from pathlib import Path

from gateway.access import demo_issuer
from gateway.audit.keys import create_key
from gateway.settings import Settings, load_settings

ISSUER = "urn:throughline:demo-issuer"

TEXT = f"""\
environment = "development"

[http]
port = 8000

[store]
url = "sqlite+aiosqlite:///throughline.db"

[audit]
key = "file:keys/audit.key"
key_id = "k1"
min_free = 0

[limits]
source_s = 2

[auth]
leeway_s = 30

[policy]
documents = ["policy/*.yaml"]

[[organisations]]
ods = "Z9A01"
name = "Larkfield Surgery (synthetic)"

[[organisations]]
ods = "Z9B02"
name = "Marsh Hospital (synthetic)"

[[sources]]
id = "Z9A01.gp"
organisation = "Z9A01"
sector = "primary-care"
file = "sources/gp.toml"
fresh_s = 3600
labels = "labelled"
[sources.flags]
legally-restricted = "prefiltered"
sensitive-record = "states"

[[sources]]
id = "Z9B02.epr"
organisation = "Z9B02"
sector = "acute"
file = "sources/epr.toml"
fresh_s = 60
labels = "unlabelled"
[sources.flags]
legally-restricted = "none"
sensitive-record = "prefiltered"

[[issuers]]
issuer = "{ISSUER}"
audience = "throughline"
jwks = "keys/demo-jwks.json"
algorithms = ["ES256"]
class = "user"
demo = true
signing_key = "file:keys/demo-private.json"

[[clients]]
issuer = "{ISSUER}"
client_id = "demo-app"
organisations = ["Z9A01", "Z9B02"]
roles = ["doctor", "nurse"]
purposes = ["direct-care", "research"]
scopes = ["journey:read", "population:read"]
"""

PRODUCTION = (
    TEXT.replace('"development"', '"production"')
    .replace(ISSUER, "https://issuer.example.invalid")
    .replace("demo = true\n", "")
    .replace('signing_key = "file:keys/demo-private.json"\n', "")
)


def write(folder: Path, text: str = TEXT) -> Path:
    """The configuration file, its keys and its source files, in `folder`."""
    keys = folder / "keys"
    if not keys.exists():
        demo_issuer.create_keys(keys)
        create_key(keys / "audit.key")
        (folder / "sources").mkdir()
        for name in ("gp", "epr"):
            (folder / "sources" / f"{name}.toml").write_text('kind = "csv_drop"\n')
    path = folder / "throughline.toml"
    path.write_text(text, "utf-8")
    return path


def settings(folder: Path, text: str = TEXT, **environ: str) -> Settings:
    return load_settings(write(folder, text), environ)


def changed(old: str, new: str, text: str = TEXT) -> str:
    """The text with its first `old` made `new`; it must be there."""
    assert old in text, f"nothing to change: {old}"
    return text.replace(old, new, 1)
