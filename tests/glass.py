"""A gateway at which glass may be broken, and the privacy officer who is told of it."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway.app import create_app
from gateway.audit.keys import create_key
from gateway.service import Service
from gateway.settings import load_settings
from policies.documents import content_hash
from tests.configuration import ISSUER
from tests.documented import DocumentedClient
from tests.fakes import FakeClock
from tests.gateways import PERSON, RECIPIENT, SOURCES, bearer, write_gateway
from tests.houses import NOW, clause

OWNERS = [name.partition(".")[0] for name in SOURCES]
SURGERY, HOSPITAL, COUNCIL = OWNERS
REASON = "Found unconscious by the Zebrafinch-7731 crew"
DECLARED = {
    "nhs_number": PERSON,
    "purpose": "direct-care",
    "reason_code": "life-threatening",
    "reason": REASON,
}
OVERRIDABLE = {"id": "v1", "effect": "veto", "overridable": True, "why": "Ask first"}
FIXED = {"id": "v2", "effect": "veto", "overridable": False, "why": "Never"}
CLIENTS = """
[[clients]]
issuer = "{issuer}"
client_id = "ward"
organisations = ["{recipient}", "{owner}"]
roles = ["doctor", "nurse", "privacy-officer", "analyst"]
purposes = ["direct-care", "research"]
scopes = ["journey:read", "break-glass:declare"]

[[clients]]
issuer = "{issuer}"
client_id = "office"
organisations = ["{recipient}", "{owner}"]
roles = ["privacy-officer", "administrator"]
purposes = ["direct-care"]
scopes = ["break-glass:review", "policy:read"]
"""


class Office:
    """A privacy officer's channel on a real socket: what it was sent, and its mood."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.status = "204 No Content"
        self.port = 0
        self.heard = asyncio.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        self.raw.append(head + body)
        if self.status.startswith("2"):
            self.told.append(json.loads(body))
        lines = (f"HTTP/1.1 {self.status}", "Content-Length: 0", "Connection: close")
        writer.write("\r\n".join((*lines, "", "")).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        self.heard.set()

    async def hears(
        self, kind: str, times: int = 1, *, within_s: float = 10
    ) -> list[dict[str, str]]:
        """What it was told of one kind, once that was so often."""
        async with asyncio.timeout(within_s):
            while True:
                found = [each for each in self.told if each["kind"] == kind]
                if len(found) >= times:
                    return found
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    opened = Office()
    server = await asyncio.start_server(opened.answer, "127.0.0.1", 0)
    opened.port = server.sockets[0].getsockname()[1]
    async with server:
        yield opened


def write_glass_gateway(
    folder: Path,
    address: str,
    *clauses: Mapping[str, object],
    rules: Sequence[Mapping[str, object]] = (),
) -> Path:
    """The configuration of a gateway whose asking body can be told at an address."""
    path = write_gateway(folder)
    create_key(folder / "keys" / "glass.key")
    text = path.read_text("utf-8")
    named = f'name = "Asking body (synthetic)"\nprivacy_officer = "{address}"\n'
    text = text.replace('name = "Asking body (synthetic)"\n', named)
    text = text.replace(
        "[limits]", '[break_glass]\nkey = "file:keys/glass.key"\n\n[limits]'
    )
    text += CLIENTS.format(issuer=ISSUER, recipient=RECIPIENT, owner=SURGERY)
    path.write_text(text, "utf-8")
    write_policy(folder / "policy", *clauses, rules=rules)
    return path


def write_policy(
    folder: Path,
    *clauses: Mapping[str, object],
    rules: Sequence[Mapping[str, object]] = (),
) -> None:
    """An agreement of the three owners, signed by all, and local rules."""
    agreement: dict[str, Any] = {
        "kind": "agreement",
        "id": "DSA-TEST",
        "parties": {"providers": list(OWNERS), "recipients": [RECIPIENT]},
        "dpia": "DPIA-1",
        "review_by": "2027-01-01",
        "valid": {"from": "2026-01-01", "through": "2027-12-31"},
        "clauses": [dict(each) for each in clauses or (clause(),)],
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
        for each in (*OWNERS, RECIPIENT)
    ]
    text = yaml.safe_dump_all([agreement, *signatures, *rules], sort_keys=False)
    (folder / "all.yaml").write_text(text, "utf-8")


def local_rule(org: str, *rules: Mapping[str, object]) -> dict[str, object]:
    """Rules of one organisation; without `when`, of everything."""
    whole = [{"when": {}, **each} for each in rules]
    return {"kind": "local-rule", "id": f"LR-{org}-1", "org": org, "rules": whole}


class WardClock(FakeClock):
    """A wall clock that moves when told to, and a monotonic one that runs."""

    def __init__(self) -> None:
        super().__init__(NOW)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Ward:
    """A started gateway, and clients of it that say who they are."""

    def __init__(self, client: httpx.AsyncClient, service: Service) -> None:
        self.client = client
        self.service = service

    @property
    def clock(self) -> WardClock:
        clock = self.service.clock
        assert isinstance(clock, WardClock)
        return clock

    def as_(self, client_id: str = "ward", **said: Any) -> Mapping[str, str]:
        """The headers of a caller; by default a doctor whom nothing ties to anybody."""
        wanted: dict[str, Any] = {"client_id": client_id, "relationship": None} | said
        return bearer(self.service.settings, self.service.clock, **wanted)

    async def declares(
        self, key: str = "key-1", *, who: Mapping[str, str] | None = None, **said: Any
    ) -> httpx.Response:
        headers = {**(who or self.as_()), "Idempotency-Key": key}
        body = DECLARED | said
        return await self.client.post("/v1/break-glass", json=body, headers=headers)

    async def asks(
        self, *, who: Mapping[str, str] | None = None, **said: Any
    ) -> httpx.Response:
        question = {"nhs_number": PERSON, "purpose": "direct-care"} | said
        headers = who or self.as_()
        return await self.client.post("/v1/journeys", json=question, headers=headers)


@asynccontextmanager
async def ward(path: Path) -> AsyncIterator[Ward]:
    """The started gateway of a configuration, its responses held to the document."""
    clock = WardClock()
    app = create_app(load_settings(path, {}), clock)
    async with (
        app.router.lifespan_context(app),
        DocumentedClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
        ) as client,
    ):
        yield Ward(client, app.state.service)


def records_of(gateway: Ward, kind: str) -> list[dict[str, Any]]:
    """The audit records of one kind, in their order."""
    store = sqlite3.connect(gateway.service.settings.folder / "throughline.db")
    rows = store.execute("SELECT record FROM audit_record ORDER BY n").fetchall()
    store.close()
    found = [json.loads(text) for (text,) in rows]
    return [each for each in found if each["type"] == kind]


def stored(gateway: Ward) -> bytes:
    """Every byte of the store's files."""
    folder = gateway.service.settings.folder
    return b"".join(path.read_bytes() for path in folder.glob("throughline.db*"))
