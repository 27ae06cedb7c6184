"""throughline.toml of the demo, with every path relative to it."""

from collections.abc import Iterable
from typing import Final

from gateway.access.demo_issuer import PRIVATE_KEY, PUBLIC_KEYS
from gateway.demo.chronicle import ORGANISATIONS, Organisation

CLIENT: Final = "demo-app"
DESK: Final = "policy-desk"
ISSUER: Final = "urn:throughline:demo-issuer"
_FRESH_S: Final = {"fhir": 3_600, "csv_drop": 3 * 86_400, "sql": 3_600}


def configuration(port: int) -> str:
    """The whole file, for a gateway that listens on `port`."""
    parts = [
        _HEAD.replace("{port}", str(port)),
        *(_organisation(organisation) for organisation in ORGANISATIONS),
        *(_source(organisation) for organisation in ORGANISATIONS),
        _TAIL.replace("{issuer}", ISSUER)
        .replace("{client}", CLIENT)
        .replace("{desk}", DESK)
        .replace("{everyone}", _listed(each.ods for each in ORGANISATIONS))
        .replace("{jwks}", f"keys/{PUBLIC_KEYS}")
        .replace("{private}", f"keys/{PRIVATE_KEY}"),
    ]
    return "\n".join(parts)


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in codes)


def _organisation(organisation: Organisation) -> str:
    return (
        f'[[organisations]]\nods = "{organisation.ods}"\nname = "{organisation.name}"\n'
    )


def _source(organisation: Organisation) -> str:
    labels = "labelled" if organisation.kind == "fhir" else "unlabelled"
    return (
        "[[sources]]\n"
        f'id = "{organisation.source}"\n'
        f'organisation = "{organisation.ods}"\n'
        f'sector = "{organisation.sector}"\n'
        f'file = "sources/{organisation.place}.toml"\n'
        f"fresh_s = {_FRESH_S[organisation.kind]}\n"
        f'labels = "{labels}"\n'
        'contact = "informatics@example.invalid"\n'
        "[sources.flags]\n"
        'legally-restricted = "prefiltered"\n'
        'sensitive-record = "prefiltered"\n'
    )


_HEAD: Final = """\
# Written by `throughline demo`. Everything and everyone here is synthetic.
environment = "development"

[http]
host = "127.0.0.1"
port = {port}

[store]
url = "sqlite+aiosqlite:///throughline.db"

[audit]
key = "file:keys/audit.key"
key_id = "demo"

[policy]
documents = ["policy/*.yaml"]
"""
_TAIL: Final = """\
[[issuers]]
issuer = "{issuer}"
audience = "throughline"
jwks = "{jwks}"
algorithms = ["ES256"]
class = "user"
demo = true
signing_key = "file:{private}"

[[clients]]
issuer = "{issuer}"
client_id = "{client}"
organisations = ["Z9A01", "Z9C03", "Z9E05"]
roles = ["gp", "doctor", "nurse", "social-worker", "administrator"]
purposes = ["direct-care", "care-coordination"]
scopes = ["journey:read"]

[[clients]]
issuer = "{issuer}"
client_id = "{desk}"
organisations = [{everyone}]
roles = ["administrator", "privacy-officer"]
purposes = []
scopes = ["policy:read", "policy:write", "policy:approve", "source:write"]
capacities = ["caldicott"]
"""
