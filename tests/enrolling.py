"""Administrators of organisations who enrol their sites at a gateway."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapters.site.fingerprint import fingerprint
from adapters.site.keys import Keys, made_keys, own_keys, pinned_keys
from gateway.app import create_app
from gateway.clock import Clock
from gateway.service import Service
from gateway.settings import Settings, load_settings
from tests.configuration import ISSUER
from tests.documented import DocumentedClient
from tests.gateways import RECIPIENT, SOURCES, bearer
from tests.houses import HouseClock

OWNERS = [each.partition(".")[0] for each in SOURCES]
CLIENTS = "".join(
    f"""
[[clients]]
issuer = "{ISSUER}"
client_id = "{name}"
organisations = {json.dumps([*OWNERS, RECIPIENT])}
roles = ["administrator"]
purposes = []
scopes = {json.dumps(scopes)}
"""
    for name, scopes in (("desk", ["source:write"]), ("onlooker", ["policy:read"]))
)


@dataclass
class SiteKeys:
    """The keys that one site made: what it keeps, and what it hands over."""

    site: str
    private: str
    public: str

    @property
    def own(self) -> Keys:
        return own_keys(self.private)

    @property
    def handed(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.public)
        return found

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.site, pinned_keys(self.public))


def keys_made(site: str) -> SiteKeys:
    """New keys of a site."""
    return SiteKeys(site, *made_keys())


@dataclass
class Desk:
    """A started gateway, as administrators of organisations use it."""

    client: httpx.AsyncClient
    settings: Settings
    service: Service
    clock: Clock

    def as_of(self, organisation: str, client_id: str = "desk") -> Mapping[str, str]:
        return bearer(
            self.settings,
            self.clock,
            client_id=client_id,
            organisation=organisation,
            role="administrator",
            relationship=None,
        )

    async def post(
        self, organisation: str, path: str, body: object, **how: Any
    ) -> httpx.Response:
        headers = {**self.as_of(organisation), **how.pop("headers", {})}
        return await self.client.post(
            f"/v1/sites{path}", json=body, headers=headers, **how
        )

    async def register(
        self, organisation: str, made: SiteKeys, **changed: Any
    ) -> httpx.Response:
        body = {"site": made.site, "keys": made.handed} | changed
        return await self.post(organisation, "", body)

    async def confirm(
        self, organisation: str, made: SiteKeys, **said: Any
    ) -> httpx.Response:
        body = {"fingerprint": made.fingerprint} | said
        return await self.post(organisation, f"/{made.site}/confirm", body)

    async def revoke(
        self, organisation: str, site: str, **which: str
    ) -> httpx.Response:
        return await self.post(organisation, f"/{site}/revoke", which)

    async def enrol(
        self, organisation: str, made: SiteKeys, **said: Any
    ) -> dict[str, Any]:
        """Registered and confirmed."""
        assert (await self.register(organisation, made)).status_code == 201
        response = await self.confirm(organisation, made, **said)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def listed(self, organisation: str) -> list[dict[str, Any]]:
        response = await self.client.get("/v1/sites", headers=self.as_of(organisation))
        assert response.status_code == 200
        found: list[dict[str, Any]] = response.json()["items"]
        return found


@asynccontextmanager
async def desk_at(
    path: Path,
    clock: Clock | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Desk]:
    """The started gateway of a configuration; every response is as documented."""
    settings = load_settings(path, environment or {})
    clock = clock or HouseClock()
    app = create_app(settings, clock)
    async with (
        app.router.lifespan_context(app),
        DocumentedClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
            headers=bearer(settings, clock),
        ) as client,
    ):
        yield Desk(client, settings, app.state.service, clock)


def with_desk(path: Path) -> Path:
    """A gateway's configuration, with a client for administrators."""
    path.write_text(path.read_text("utf-8") + CLIENTS, "utf-8")
    return path
