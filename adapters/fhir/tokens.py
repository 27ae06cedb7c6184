"""Tokens of an authorisation server: asked for once for all, kept while they last.

A failure of that server is never the source's: its reason is kept, its domain is
ours, and nothing it wrote is repeated but the error codes of RFC 6749.
"""

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote_plus

import msgspec

from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.fhir.assertion import assertion
from adapters.fhir.credentials import followed
from adapters.fhir.settings import OAuth2Settings
from adapters.http import Request, Response, retry_after
from adapters.surroundings import Surroundings
from adapters.tls import Identity

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_REPLY_BYTES: Final = 64 * 1024
# A slow server may yet answer for a later question; a silent one is left alone.
_MOST: Final = 4.0  # times as long as a source may take
# How long a question waits, as a share of the source's time: the failure is then
# still told as that of the authorisation server, not as the source's.
_SHARE: Final = 0.85
_EARLY: Final = timedelta(seconds=30)  # renewed so long before its end, or
_EARLY_SHARE: Final = 0.1  # at this share of its life, if that is later
_UNTOLD_S: Final = 60.0  # how long it lasts where the server does not say
_MOST_LIFE_S: Final = 86_400.0
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_CODES: Final = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "invalid_scope"),
        *("unauthorized_client", "unsupported_grant_type"),
    }
)

Form = tuple[tuple[str, str], ...]


class _Reply(msgspec.Struct, frozen=True, gc=False):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a type
    expires_in: float | str | None = None  # some servers write a number as text


class _Error(msgspec.Struct, frozen=True, gc=False):
    error: str


_REPLY: Final = msgspec.json.Decoder(_Reply)
_ERROR: Final = msgspec.json.Decoder(_Error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    header: str = field(repr=False)
    early: datetime  # from when on another is asked for
    until: datetime


class Tokens:
    """The token of one source. Closing it twice, or unused, is safe."""

    def __init__(
        self,
        settings: OAuth2Settings,
        surroundings: Surroundings,
        *,
        identity: Identity | None,
        loopback: bool = False,
    ) -> None:
        self._settings = settings
        self._around = surroundings
        self._identity = identity
        self._loopback = loopback
        self._token: _Token | None = None
        self._flight: asyncio.Task[_Token | AdapterError] | None = None

    async def shown(self) -> dict[str, str]:
        """The header of a token that lasts. AdapterError, of our domain, if none."""
        token, now = self._token, self._around.now()
        if token is None or now >= token.until:
            token = await self._asked()
        elif now >= token.early:
            self._begun()  # for those who come later: this one still does
        return {"Authorization": token.header}

    async def renewed(self, refused: Mapping[str, str]) -> dict[str, str]:
        """The header of another token than the one that was refused."""
        if self._token and self._token.header == refused.get("Authorization"):
            self._token = None
        return await self.shown()

    async def aclose(self) -> None:
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.cancel()
            await asyncio.wait([flight])

    async def _asked(self) -> _Token:
        """Ask for one, or wait for the one that is being asked for."""
        flight = self._begun()
        # Unlike a timeout, this ends the wait and not the flight.
        patience = _SHARE * self._around.limits.source_s
        done, _ = await asyncio.wait({flight}, timeout=patience)
        if not done or flight.cancelled():
            raise _late()
        outcome = flight.result()
        if isinstance(outcome, AdapterError):
            raise outcome
        return outcome

    def _begun(self) -> asyncio.Task[_Token | AdapterError]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
        return self._flight

    async def _fly(self) -> _Token | AdapterError:
        try:
            async with asyncio.timeout(_MOST * self._around.limits.source_s):
                self._token = await self._fetched()
        except TimeoutError:
            return _late()
        except AdapterError as error:
            return error
        else:
            return self._token
        finally:
            self._flight = None

    async def _fetched(self) -> _Token:
        try:
            response = await self._sent()
        except Unavailable as error:
            if error.reason != "cut":
                raise _ours(error) from None
            # With another assertion: a server takes none twice.
            try:
                response = await self._sent()
            except AdapterError as cut:
                raise _ours(cut) from None
        except (Refused, Unreadable) as error:
            raise _ours(error) from None
        if fault := _fault_of(response, self._around.now()):
            raise fault
        return _read(response.body, self._around.now())

    async def _sent(self) -> Response:
        around = self._around
        headers, form = await asyncio.to_thread(self._asking)
        return await around.transport.send(
            Request(
                url=self._settings.token_url,
                form=form,
                headers={"Accept": "application/json", **headers},
                connect_s=around.limits.connect_s,
                page_bytes=_REPLY_BYTES,
                tls=None if self._identity is None else await self._identity.context(),
                loopback=self._loopback,
                again=False,
            )
        )

    def _asking(self) -> tuple[dict[str, str], Form]:
        """The headers and form of a request, with secrets as they are now."""
        settings = self._settings
        form: Form = (("grant_type", "client_credentials"),)
        if settings.scope:
            form += (("scope", settings.scope),)
        if settings.method == "private_key_jwt":
            key = followed(self._around.secret, settings.key)
            signed = assertion(settings, key, self._around.now())
            own = ("client_assertion_type", _ASSERTION_TYPE)
            return {}, (*form, own, ("client_assertion", signed))
        told = followed(self._around.secret, settings.client_secret).strip()
        if settings.method == "client_secret_post":
            own = ("client_id", settings.client_id)
            return {}, (*form, own, ("client_secret", told))
        # RFC 6749 §2.3.1 has both quoted before they are joined.
        pair = ":".join(quote_plus(one) for one in (settings.client_id, told))
        basic = base64.b64encode(pair.encode()).decode()
        return {"Authorization": f"Basic {basic}"}, form


def _fault_of(response: Response, now: datetime) -> AdapterError | None:
    status = response.status
    if 200 <= status < 300:
        return None
    if status in {400, 401, 403}:
        error = _code(response.body)
        message = (
            f"the authorisation server does not accept who we are{error}. See "
            "client_id, key, kid, algorithm, audience and scope under [auth], and "
            "what is registered there."
        )
        return Refused("credentials", message, domain="adapter")
    if status == 429 or status >= 500:
        busy = status in {429, 502, 503, 504}
        return Unavailable(
            "busy" if busy else "server_error",
            f"the authorisation server failed (status {status}). Ask its owner.",
            domain="adapter",
            retry_after_s=retry_after(response.headers.get("retry-after"), now),
        )
    message = (
        f"there is no token endpoint at auth.token_url (status {status}). Correct it."
    )
    return Unreadable("unexpected_status", message, domain="adapter")


def _code(body: bytes) -> str:
    """The error code in brackets, if it is one of RFC 6749."""
    try:
        code = _ERROR.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return f" ({code})" if code in _CODES else ""


def _read(body: bytes, now: datetime) -> _Token:
    try:
        reply = _REPLY.decode(body)
        lasts_s = _UNTOLD_S if reply.expires_in is None else float(reply.expires_in)
        # What is no number compares to none, and so lasts no time at all.
        lasts = timedelta(seconds=min(max(0.0, lasts_s), _MOST_LIFE_S))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise _no_token() from None
    if reply.token_type.lower() != "bearer" or not _TOKEN.fullmatch(reply.access_token):
        raise _no_token()
    until = now + lasts
    return _Token(
        header=f"Bearer {reply.access_token}",
        early=until - min(_EARLY, lasts * _EARLY_SHARE),
        until=until,
    )


def _no_token() -> Unreadable:
    message = "what auth.token_url answered is no bearer token. Correct it, or ask it."
    return Unreadable("unreadable", message, domain="adapter")


def _late() -> Unavailable:
    message = "the authorisation server at auth.token_url is slow. Ask its owner."
    return Unavailable("busy", message, domain="adapter")


def _ours(error: AdapterError) -> AdapterError:
    """The same failure, as one of getting a token."""
    if error.domain == "adapter" and error.reason == "credentials":
        return error
    kind = Unavailable if isinstance(error, Unavailable) else type(error)
    message = (
        f"no token could be had at auth.token_url ({error.reason}). See that the "
        "address is right, that it can be reached from here, and [auth.tls]."
    )
    return kind(error.reason, message, domain="adapter")
