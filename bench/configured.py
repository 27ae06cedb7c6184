"""A gateway with everything on: policy, tokens, audit and release, as it ships."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from adapters.vocabulary import CATEGORIES
from bench.payloads import TYPES
from bench.processes import Server, free_port, running
from gateway.access.demo_issuer import Wanted, create_keys, mint
from gateway.access.requester import Relationship
from gateway.audit.keys import create_key
from gateway.clock import Clock, SystemClock
from gateway.settings import load_settings
from policies.documents import content_hash

ORGANISATION: Final = "Z9A01"
_HEAD: Final = """\
environment = "development"

[http]
host = "127.0.0.1"
port = {port}

[store]
url = "sqlite+aiosqlite:///throughline.db"

[audit]
key = "file:keys/audit.key"
key_id = "bench"
min_free = 0

[[issuers]]
issuer = "urn:throughline:demo-issuer"
audience = "throughline"
jwks = "keys/demo-jwks.json"
algorithms = ["ES256"]
class = "user"
demo = true
signing_key = "file:keys/demo-private.json"

[[clients]]
issuer = "urn:throughline:demo-issuer"
client_id = "bench"
organisations = ["Z9A01"]
roles = ["gp"]
purposes = ["direct-care"]
scopes = ["journey:read"]

[[organisations]]
ods = "Z9A01"
name = "Organisation Z9A01"
"""
_SOURCE: Final = """\
[[organisations]]
ods = "{ods}"
name = "Organisation {ods}"

[[sources]]
id = "{ods}.fhir"
organisation = "{ods}"
sector = "acute"
file = "sources/{ods}.toml"
fresh_s = 315360000
labels = "labelled"
[sources.flags]
legally-restricted = "prefiltered"
sensitive-record = "prefiltered"
"""
_FILE: Final = """\
kind = "fhir"
base_url = "{base}"
types = ["{type}"]
page_size = 1000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One source to be asked: the base of its URLs and the type it holds."""

    base: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway and a token it takes."""

    server: Server
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
        }


def spread(
    servers: Sequence[Server],
    count: int,
    *,
    size: str,
    delays_ms: Sequence[int] = (0,),
) -> list[Asked]:
    """So many sources over the processes there are, each with records of one type."""
    return [
        Asked(
            base=f"{servers[n % len(servers)].url}"
            f"/{n}/{size}/{delays_ms[n % len(delays_ms)]}",
            type=TYPES[n % len(TYPES)],
        )
        for n in range(count)
    ]


def ods_of(number: int) -> str:
    """The invented ODS code of source `number`."""
    return f"Z9B{number:03d}"


def write(folder: Path, asked: Sequence[Asked], *, port: int, clock: Clock) -> str:
    """Everything a gateway needs, in `folder`; the token of one clinician there."""
    for name in ("sources", "policy"):
        (folder / name).mkdir(parents=True)
    parts = [_HEAD.format(port=port)]
    for number, each in enumerate(asked):
        ods = ods_of(number)
        parts.append(_SOURCE.format(ods=ods))
        file = folder / "sources" / f"{ods}.toml"
        file.write_text(_FILE.format(base=each.base, type=each.type), "utf-8")
    configuration = folder / "throughline.toml"
    configuration.write_text("\n".join(parts), "utf-8")
    today = clock.now().date()
    documents = list(policy([ods_of(n) for n in range(len(asked))], today))
    text = yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True)
    (folder / "policy" / "bench.yaml").write_text(text, "utf-8")
    create_keys(folder / "keys")
    create_key(folder / "keys" / "audit.key")
    wanted = Wanted(
        client_id="bench",
        organisation=ORGANISATION,
        role="gp",
        relationships=(Relationship(kind="registered", organisation=ORGANISATION),),
    )
    return mint(load_settings(configuration, {}), clock, wanted)


def policy(providers: Sequence[str], today: date) -> Iterator[dict[str, Any]]:
    """One agreement of all, and each one's signature."""
    first, last = today - timedelta(days=200), today + timedelta(days=700)
    agreement = {
        "kind": "agreement",
        "id": "DSA-BENCH-1",
        "parties": {"providers": list(providers), "recipients": [ORGANISATION]},
        "dpia": "DPIA-BENCH-1",
        "review_by": last.isoformat(),
        "valid": {"from": first.isoformat(), "through": last.isoformat()},
        "clauses": [clause("c1")],
    }
    yield agreement
    for ods in (*providers, ORGANISATION):
        yield {
            "kind": "signature",
            "document": agreement["id"],
            "hash": content_hash(agreement),
            "organisation": ods,
            "person": f"Caldicott guardian of {ods} (synthetic)",
            "capacity": "caldicott",
            "at": f"{first.isoformat()}T10:00:00+00:00",
        }


def clause(key: str, **other: list[str]) -> dict[str, Any]:
    """A clause that lets a GP read every category, but for what `other` says."""
    return {
        "id": key,
        "purposes": ["direct-care"],
        "legal_basis": {
            "art6": "6(1)(e)",
            "art9": "9(2)(h)",
            "confidentiality": "implied-consent",
        },
        "operations": ["journey.read"],
        "modes": ["identified"],
        "roles": ["gp"],
        "relationships": ["registered"],
        "assurance": ["aal2", "aal3"],
        "categories": sorted(CATEGORIES),
        "cleared_labels": ["unlabelled"],
        "why": "Care shared by organisations of a benchmark",
        **other,
    }


@contextmanager
def serving(folder: Path, asked: Sequence[Asked]) -> Iterator[Gateway]:
    """`throughline serve` in front of these sources while the block lasts."""
    port = free_port()
    token = write(folder, asked, port=port, clock=SystemClock())
    with served(folder / "throughline.toml", port) as server:
        yield Gateway(server=server, token=token)


@contextmanager
def served(configuration: Path, port: int) -> Iterator[Server]:
    """`throughline serve` of a configuration, listening where `port` says."""
    command = (sys.executable, "-m", "gateway.cli", "serve", "--config")
    environ = {"THROUGHLINE_HTTP__PORT": str(port)}
    with running((*command, str(configuration)), port=port, environ=environ) as server:
        yield server
