"""A transport that says who we are: by TLS, and by what each request shows."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from adapters.fhir.credentials import Referred
from adapters.fhir.settings import FhirSettings, OAuth2Settings, TlsSettings
from adapters.fhir.tokens import Tokens
from adapters.http import Request, Response
from adapters.surroundings import Surroundings
from adapters.tls import Identity, Papers

# What is refused though it was renewed is not renewed for every question anew.
_VAIN_S: Final = 30.0


class Credentials(Protocol):
    """What a request shows of who asks."""

    async def shown(self) -> dict[str, str]: ...

    async def renewed(self, refused: Mapping[str, str]) -> dict[str, str]: ...

    async def aclose(self) -> None: ...


class Access:
    """One source's way through the shared transport. Closing it leaves that open."""

    def __init__(
        self, settings: FhirSettings, surroundings: Surroundings, *, folder: Path
    ) -> None:
        self._transport = surroundings.transport
        self._loopback = settings.loopback
        self._identity = identity_of(settings.tls, surroundings, folder=folder)
        self._credentials = self._of(settings, surroundings, folder=folder)
        self._vain_at: float | None = None

    def _of(
        self, settings: FhirSettings, surroundings: Surroundings, *, folder: Path
    ) -> Credentials:
        auth = settings.auth
        if not isinstance(auth, OAuth2Settings):
            return Referred(auth, surroundings.secret)
        identity = self._identity
        if auth.tls is not None:
            identity = identity_of(auth.tls, surroundings, folder=folder)
        return Tokens(auth, surroundings, identity=identity, loopback=settings.loopback)

    async def send(self, request: Request) -> Response:
        """The reply; what we show is renewed once if that is refused.

        AdapterError as of the transport, and those of our own credentials.
        """
        shown = await self._credentials.shown()
        response = await self._once(request, shown)
        if response.status == 401 and not self._is_vain():
            renewed = await self._credentials.renewed(shown)
            if renewed != shown:
                response = await self._once(request, renewed)
                if response.status == 401:
                    self._vain_at = asyncio.get_running_loop().time()
        return response

    async def aclose(self) -> None:
        """Stop asking for a token, if that is going on. Twice is safe."""
        await self._credentials.aclose()

    def _is_vain(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._vain_at is not None and now < self._vain_at + _VAIN_S

    async def _once(self, request: Request, shown: Mapping[str, str]) -> Response:
        return await self._transport.send(
            replace(
                request,
                headers={**request.headers, **shown},
                tls=None if self._identity is None else await self._identity.context(),
                loopback=self._loopback,
            )
        )


def identity_of(
    tls: TlsSettings | None, surroundings: Surroundings, *, folder: Path
) -> Identity | None:
    """Who we are in TLS; None for nobody in particular. `folder` is the file's."""
    if tls is None:
        return None
    papers = Papers(
        certificate=tls.certificate,
        key=tls.key,
        ca=None if tls.ca is None else folder / tls.ca,
    )
    return Identity(papers, surroundings.secret)
