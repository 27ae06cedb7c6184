"""A gateway whose policy is in its store, and the people who run that policy."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.access.demo_issuer import Wanted, mint
from gateway.app import create_app
from gateway.settings import Settings, load_settings
from tests.configuration import ISSUER
from tests.documented import DocumentedClient
from tests.gateways import RECIPIENT, bearer, write_gateway
from tests.houses import HouseClock, clause

BASE = "/v1/admin/policy"
_KEYS = count()  # no two people of one run share a key
SURGERY = "Z9A01"
HOSPITAL = "Z9B02"
SCOPES = ("policy:approve", "policy:read", "policy:write")
_CLIENT = """
[[clients]]
issuer = "{issuer}"
client_id = "{client}"
organisations = ["Z9A01", "Z9B02", "Z9C03", "{recipient}"]
roles = ["administrator", "privacy-officer"]
purposes = ["direct-care"]
scopes = [{scopes}]
capacities = ["caldicott"]
"""


def write_policy_gateway(folder: Path) -> Path:
    """The configuration of a gateway whose policy is in its store, and empty."""
    path = write_gateway(folder)
    text = path.read_text("utf-8")
    # Patient with a busy disk: how long it may take is tested elsewhere.
    text = text.replace("min_free = 0", "min_free = 0\nwrite_s = 10", 1)
    text = text.replace("[limits]", '[policy]\nsource = "store"\n\n[limits]', 1)
    clients = {"desk": SCOPES, **{f"no-{each}": _without(each) for each in SCOPES}}
    for client, scopes in clients.items():
        text += _CLIENT.format(
            issuer=ISSUER,
            client=client.replace(":", "-"),
            recipient=RECIPIENT,
            scopes=", ".join(f'"{each}"' for each in scopes),
        )
    path.write_text(text, "utf-8")
    return path


def _without(scope: str) -> list[str]:
    return [each for each in SCOPES if each != scope]


def agreement(
    identity: str = "DSA-1",
    providers: Sequence[str] = (SURGERY, HOSPITAL),
    recipients: Sequence[str] = (RECIPIENT,),
    **clause_changes: Any,
) -> dict[str, Any]:
    """An agreement that lets a doctor of RECIPIENT read the providers' data."""
    return {
        "kind": "agreement",
        "id": identity,
        "parties": {"providers": list(providers), "recipients": list(recipients)},
        "dpia": "DPIA-1",
        "review_by": "2027-01-01",
        "valid": {"from": "2026-01-01", "through": "2027-12-31"},
        "clauses": [clause(**clause_changes)],
    }


def rules(identity: str = "LR-1", org: str = HOSPITAL, **when: Any) -> dict[str, Any]:
    """One organisation's veto, of everything unless it is told when."""
    return {
        "kind": "local-rule",
        "id": identity,
        "org": org,
        "rules": [
            {
                "id": "v1",
                "effect": "veto",
                "when": when,
                "overridable": False,
                "why": "The board decided so",
            }
        ],
    }


@dataclass
class Person:
    """Somebody at their organisation, with a client of the API before them."""

    client: httpx.AsyncClient
    headers: Mapping[str, str]
    made: list[str] = field(default_factory=list)

    async def get(self, path: str, **how: Any) -> httpx.Response:
        return await self.client.get(BASE + path, headers=self.headers, **how)

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {**self.headers, **(headers or {})}
        if body is None:
            return await self.client.request(method, BASE + path, headers=given)
        return await self.client.request(method, BASE + path, headers=given, json=body)

    async def create(
        self, path: str, document: Mapping[str, Any], key: str | None = None
    ) -> httpx.Response:
        """A draft, under a key of its own unless one is given."""
        self.made.append(key or f"key-{next(_KEYS)}")
        return await self.send(
            "POST", path, document, headers={"Idempotency-Key": self.made[-1]}
        )

    async def move(
        self, path: str, transition: str, body: object = None, etag: str | None = None
    ) -> httpx.Response:
        """A transition of the state that the person now reads."""
        if etag is None:
            etag = (await self.get(path)).headers["etag"]
        return await self.send(
            "POST", f"{path}/{transition}", body, headers={"If-Match": etag}
        )

    async def sign(
        self, path: str, transition: str = "approve", capacity: str | None = None
    ) -> httpx.Response:
        """A signature of the text that the person now reads."""
        read = (await self.get(path)).json()
        body = {"hash": read["hash"], "capacity": capacity}
        return await self.move(path, transition, body, etag=read["etag"])


@dataclass
class Desk:
    """A running gateway, and whoever comes to it."""

    client: httpx.AsyncClient
    settings: Settings
    clock: HouseClock
    app: FastAPI

    def person(
        self,
        subject: str,
        organisation: str,
        *,
        client: str = "desk",
        capacities: Sequence[str] = (),
        **said: Any,
    ) -> Person:
        wanted = Wanted(
            client_id=client,
            organisation=organisation,
            role="administrator",
            subject=subject,
            capacities=capacities,
            **said,
        )
        token = mint(self.settings, self.clock, wanted)
        return Person(self.client, {"Authorization": f"Bearer {token}"})

    def guardian(self, subject: str, organisation: str) -> Person:
        """The organisation's Caldicott Guardian."""
        return self.person(subject, organisation, capacities=("caldicott",))

    async def question(self, **said: Any) -> httpx.Response:
        """A doctor's question, at once."""
        headers = bearer(self.settings, self.clock, **said)
        body = {"nhs_number": "9990000018", "purpose": "direct-care"}
        return await self.client.post("/v1/journeys", json=body, headers=headers)

    async def publish(
        self, path: str, document: Mapping[str, Any], owners: Sequence[str]
    ) -> None:
        """The document drafted, submitted and signed by two people of each owner."""
        writer = self.person("writer", owners[0])
        made = await writer.create(path, document)
        assert made.status_code == 201, made.text
        place = f"{path}/{document['id']}"
        submitted = await writer.move(place, "submit")
        assert submitted.status_code == 200, submitted.text
        for owner in owners:
            for signer in (
                self.guardian("guardian", owner),
                self.person("manager", owner),
            ):
                signed = await signer.sign(place)
                assert signed.status_code == 200, signed.text


@asynccontextmanager
async def administering(path: Path) -> AsyncIterator[Desk]:
    """The started gateway of a configuration, and a client that knows its document."""
    clock = HouseClock()
    settings = load_settings(path, {})
    app = create_app(settings, clock)
    async with (
        app.router.lifespan_context(app),
        DocumentedClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
        ) as client,
    ):
        yield Desk(client, settings, clock, app)
