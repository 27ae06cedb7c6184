"""A whole gateway in a folder: configuration, keys, policy, three real sources.

Its surgery is a CSV drop, its hospital a SQLite database, its council a FHIR server.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway.access import demo_issuer
from gateway.access.demo_issuer import Wanted, mint
from gateway.access.requester import Relationship
from gateway.app import create_app
from gateway.audit.keys import create_key
from gateway.clock import Clock
from gateway.settings import Settings, load_settings
from policies.documents import content_hash
from tests.configuration import ISSUER
from tests.drops import write_drop
from tests.houses import ANN, BOB, HouseClock, clause, event
from tests.people import LOCAL, number, person
from tests.tables import write_sqlite

FLAGGED = person(2)
PERSON = number(0)
QUESTION = {"nhs_number": PERSON, "purpose": "direct-care"}
# Sent wherever a value is refused, and in no response to be found.
MARK = "Zebrafinch-7731"
SOURCES = {
    "Z9A01.gp": "primary-care",
    "Z9B02.epr": "acute",
    "Z9C03.asc": "social-care",
}
RECIPIENT = "Z9R01"
# Nobody knows it is there: a source that can never be reached.
NOWHERE = "http://127.0.0.1:9"

_FLAGS = """\
[[mapping.flags]]
flag = "legally-restricted"
column = "kind code"
present = ["restricted"]
"""
_HEAD = """\
environment = "development"

[store]
url = "sqlite+aiosqlite:///throughline.db"

[audit]
key = "file:keys/audit.key"
key_id = "k1"
min_free = 0

[limits]
connect_s = 0.5
source_s = 1.5
journey_s = 2
"""
_ORGANISATION = """
[[organisations]]
ods = "{ods}"
name = "{ods} (synthetic)"
"""
_SOURCE = """
[[sources]]
id = "{id}"
organisation = "{ods}"
sector = "{sector}"
file = "sources/{id}/source.toml"
fresh_s = 2000000000
labels = "labelled"
contact = "informatics@example.invalid"
[sources.flags]
legally-restricted = "{flag}"
sensitive-record = "prefiltered"
"""
_TAIL = f"""
[[organisations]]
ods = "{RECIPIENT}"
name = "Asking body (synthetic)"

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
client_id = "app"
organisations = ["{RECIPIENT}"]
roles = ["doctor", "nurse"]
purposes = ["direct-care"]
scopes = ["journey:read"]

[[clients]]
issuer = "{ISSUER}"
client_id = "without-scope"
organisations = ["{RECIPIENT}"]
roles = ["doctor"]
purposes = ["direct-care"]
scopes = ["population:read"]
"""


def write_gateway(folder: Path, *, fhir_url: str = NOWHERE) -> Path:
    """The throughline.toml of a gateway whose whole folder is written."""
    _write_sources(folder / "sources", fhir_url)
    return write_house(folder, SOURCES)


def write_house(folder: Path, sources: Mapping[str, str]) -> Path:
    """The same of any sources, id to sector; their own files are for others to write.

    They lie at `folder`/sources/ID/source.toml.
    """
    demo_issuer.create_keys(folder / "keys")
    create_key(folder / "keys" / "audit.key")
    _write_policy(folder / "policy", sources)
    owners = dict.fromkeys(name.partition(".")[0] for name in sources)
    parts = [_ORGANISATION.format(ods=each) for each in owners]
    parts += [
        _SOURCE.format(
            id=name,
            ods=name.partition(".")[0],
            sector=sector,
            flag="states" if sector == "primary-care" else "prefiltered",
        )
        for name, sector in sources.items()
    ]
    path = folder / "throughline.toml"
    path.write_text("".join([_HEAD, *parts, _TAIL]), "utf-8")
    return path


def _write_sources(folder: Path, fhir_url: str) -> None:
    seen = [
        event("gp-1", "2024-03-09T14:05:00+00:00", kind="gp_consultation", of=ANN),
        event("gp-2", "2024-05", kind="gp_consultation", of=ANN),
        event("gp-3", "2024-03-10", kind="gp_consultation", of=BOB),
        event("gp-4", "2024-03-11", kind="gp_consultation", of=FLAGGED),
    ]
    source = write_drop(folder / "Z9A01.gp", seen, key=LOCAL)
    source.write_text(source.read_text("utf-8") + _FLAGS, "utf-8")
    drop = source.parent / "drops" / "events.csv"
    rows = drop.read_text("utf-8").splitlines()
    column = rows[0].split(",").index("kind code")
    cells = rows[4].split(",")
    cells[column] = "restricted"
    drop.write_text("\n".join([*rows[:4], ",".join(cells), ""]), "utf-8")
    stays = [
        event("epr-1", "2024-03-09T20:00:00+00:00", end="2024-03-12", of=ANN),
        event("epr-2", None, of=ANN),
    ]
    write_sqlite(folder / "Z9B02.epr", stays, key=LOCAL)
    (folder / "Z9C03.asc").mkdir()
    (folder / "Z9C03.asc" / "source.toml").write_text(
        f'kind = "fhir"\nbase_url = "{fhir_url}"\ntypes = ["Encounter"]\n', "utf-8"
    )


def _write_policy(folder: Path, sources: Mapping[str, str]) -> None:
    owners = sorted({name.partition(".")[0] for name in sources})
    agreement = {
        "kind": "agreement",
        "id": "DSA-TEST",
        "parties": {"providers": owners, "recipients": [RECIPIENT]},
        "dpia": "DPIA-1",
        "review_by": "2027-01-01",
        "valid": {"from": "2026-01-01", "through": "2027-12-31"},
        "clauses": [clause()],
    }
    signatures = [
        {
            "kind": "signature",
            "document": "DSA-TEST",
            "hash": content_hash(agreement),
            "organisation": each,
            "person": "p",
            "capacity": "caldicott",
            "at": "2026-01-01T00:00:00+00:00",
        }
        for each in (*owners, RECIPIENT)
    ]
    folder.mkdir()
    text = yaml.safe_dump_all([agreement, *signatures], sort_keys=False)
    (folder / "all.yaml").write_text(text, "utf-8")


@asynccontextmanager
async def running(
    path: Path, client: type[httpx.AsyncClient] = httpx.AsyncClient, **said: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the started gateway of a configuration, with a doctor's token."""
    clock = HouseClock()
    settings = load_settings(path, {})
    app = create_app(settings, clock)
    async with (
        app.router.lifespan_context(app),
        client(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
            headers=bearer(settings, clock, **said),
        ) as asking,
    ):
        yield asking


def bearer(
    settings: Settings,
    clock: Clock,
    *,
    relationship: str | None = "registered",
    **said: Any,
) -> Mapping[str, str]:
    """The header of a token that says this; by default a doctor's, for RECIPIENT."""
    told = (
        ()
        if relationship is None
        else (Relationship(kind=relationship, organisation=RECIPIENT),)
    )
    wanted: dict[str, Any] = {
        "client_id": "app",
        "organisation": RECIPIENT,
        "role": "doctor",
        "relationships": told,
    }
    token = mint(settings, clock, Wanted(**(wanted | said)))
    return {"Authorization": f"Bearer {token}"}


def code_of(response: httpx.Response) -> str:
    """The code of a problem."""
    return str(response.json()["type"]).removeprefix("urn:throughline:problem:")


def fields_of(response: httpx.Response) -> list[tuple[str, str]]:
    """Where a request was wrong, and how."""
    return [(each["pointer"], each["code"]) for each in response.json()["errors"]]


def states_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The state of each source, in the completeness of a journey or problem."""
    return {each["source"]: each["state"] for each in told["completeness"]["sources"]}


def echoes(response: httpx.Response, *values: str) -> list[str]:
    """Which of the values stand anywhere in a response."""
    headers = [f"{name}: {value}" for name, value in response.headers.items()]
    text = "\n".join([response.text, *headers]).casefold()
    return [value for value in values if value.casefold() in text]


async def ask(
    client: httpx.AsyncClient, question: Mapping[str, Any] = QUESTION, **how: Any
) -> httpx.Response:
    """The response to a question."""
    return await client.post("/v1/journeys", json=question, **how)
