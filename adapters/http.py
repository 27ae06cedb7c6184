"""The source transport: bounded in time, bytes, redirects and compression.

`Transport` is what adapters lean on; `AiohttpTransport` is the one that ships. No
URL's query, no upstream text and no value ever stands in an error from here.
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Protocol
from urllib.parse import urlencode

import aiohttp
import yarl

from adapters.addresses import AddressRefused, GuardedResolver, is_address
from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.tls import fault_of_tls, turned_away

_HEAD_BYTES: Final = 32 * 1024
# aiohttp tells a head that is too long from a broken one by these words alone.
_LONG_HEADS: Final = ("Got more than", "Too many headers")
_MOST_RETRY_AFTER: Final = timedelta(hours=1)
# 64 KiB at a time, so that a page that inflates a thousandfold is stopped early.
_INFLATE_BYTES: Final = 64 * 1024
_BUSY: Final = frozenset({429, 502, 503, 504})
# How long a server that refuses our certificate takes to hang up on us, at most.
_TURNED_AWAY_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question over HTTP: a POST of `form` or of `body`, else a GET.

    A `body` is FHIR JSON, unless `headers` say otherwise.

    `page_bytes` bounds the reply on the wire and, apart, after inflating. `tls` is
    who we are to this server; connections are never shared with another identity's.
    `loopback`: its name may lead to this machine. `again`: if the connection is cut
    before a reply it may be sent once more, as a search may.
    """

    url: str = field(repr=False)
    form: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_s: float = 1.0
    page_bytes: int = 8 * 1024 * 1024
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    loopback: bool = False
    again: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole reply, inflated. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Sends one request. Closing twice, or before the first request, is safe."""

    async def send(self, request: Request) -> Response:
        """The reply, whatever its status below 300 or above 399.

        Raises Unavailable (connect, dns, tls, cut), Refused (redirect,
        address) or Unreadable (too_large, unreadable). Time is bounded by the caller.
        """
        ...

    async def aclose(self) -> None: ...


class AiohttpTransport:
    """One pool of connections for every source.

    Made anywhere; the pool opens at the first request, in the loop that sends it.
    """

    def __init__(
        self,
        *,
        connections: int = 256,
        per_source: int = 32,
        tls: ssl.SSLContext | None = None,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._connections = connections
        self._per_source = per_source
        self._tls = tls
        self._resolver = resolver
        # Apart, so that what one source may resolve to, no other may.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def send(self, request: Request) -> Response:
        try:
            return await self._once(request)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            fault = _fault(error)
            if fault.reason != "cut":
                raise fault from None
        if request.again:
            # A pooled connection that the source had closed looks like this. A
            # search changes nothing, so it may be sent again, once.
            try:
                return await self._once(request)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                fault = _fault(error)
        if fault.reason == "cut":
            fault = await self._turned_away(request) or fault
        raise fault

    async def aclose(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def _turned_away(self, request: Request) -> AdapterError | None:
        """Whether the connection was cut because the source refuses who we are."""
        url = yarl.URL(request.url, encoded=True)
        if url.scheme != "https" or not url.host or not url.port:
            return None
        host = url.host
        if not is_address(host):
            guard = GuardedResolver(loopback=request.loopback, resolver=self._resolver)
            try:
                async with asyncio.timeout(request.connect_s):
                    host = (await guard.resolve(host, url.port))[0]["host"]
            except (OSError, LookupError):  # TimeoutError is an OSError
                return None
        context = request.tls or self._tls
        if context is None:
            context = await asyncio.to_thread(ssl.create_default_context)
        return await turned_away(
            host,
            port=url.port,
            server_name=url.host,
            context=context,
            within_s=min(request.connect_s, _TURNED_AWAY_S),
        )

    async def _once(self, request: Request) -> Response:
        try:
            async with self._open(loopback=request.loopback).request(
                "GET" if (sent := _sent(request)) is None else "POST",
                yarl.URL(request.url, encoded=True),
                data=sent,
                headers=_headers(request),
                allow_redirects=False,
                ssl=True if request.tls is None else request.tls,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=request.connect_s
                ),
            ) as reply:
                return await _read(reply, request.page_bytes)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            raise
        except (aiohttp.ClientError, ssl.SSLError) as error:
            raise _fault(error) from None

    def _open(self, *, loopback: bool) -> aiohttp.ClientSession:
        if loopback not in self._sessions:
            self._sessions[loopback] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    limit_per_host=self._per_source,
                    ssl=True if self._tls is None else self._tls,
                    resolver=GuardedResolver(
                        loopback=loopback, resolver=self._resolver
                    ),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=_HEAD_BYTES,
                max_field_size=_HEAD_BYTES,
            )
        return self._sessions[loopback]


def _sent(request: Request) -> bytes | None:
    return request.body if request.form is None else urlencode(request.form).encode()


def _headers(request: Request) -> dict[str, str]:
    headers = {**request.headers, "Accept-Encoding": "gzip"}
    if request.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif request.body is not None:
        headers.setdefault("Content-Type", "application/fhir+json")
    return headers


async def _read(reply: aiohttp.ClientResponse, page_bytes: int) -> Response:
    if 300 <= reply.status < 400:
        message = "the source redirects. Configure the address it redirects to."
        raise Refused("redirect", message)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if (reply.content_length or 0) > page_bytes:
        raise _too_large()
    chunks = _bounded(reply.content.iter_any(), page_bytes)
    if _is_compressed(headers.get("content-encoding", "")):
        chunks = _inflated(chunks, page_bytes)
    try:
        body = b"".join([chunk async for chunk in chunks])
    except aiohttp.ClientPayloadError:
        raise _cut() from None
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        # The head had come, so this is no stale connection: do not ask again.
        raise _cut() from None
    return Response(status=reply.status, headers=headers, body=body)


def _is_compressed(encoding: str) -> bool:
    named = [part.strip().lower() for part in encoding.split(",") if part.strip()]
    named = [part for part in named if part != "identity"]
    if not named:
        return False
    if not set(named) <= {"gzip", "x-gzip"}:
        message = "the source compresses in a way it was not asked to. Use gzip."
        raise Unreadable("unreadable", message)
    if len(named) > 1:
        raise _too_large()  # compressed twice: it may grow a millionfold
    return True


async def _bounded(
    chunks: AsyncIterator[bytes], page_bytes: int
) -> AsyncIterator[bytes]:
    left = page_bytes
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise _too_large()
        yield chunk


async def _inflated(
    chunks: AsyncIterator[bytes], page_bytes: int
) -> AsyncIterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    left = page_bytes
    async for chunk in chunks:
        waiting = chunk
        while waiting:
            try:
                plain = inflater.decompress(waiting, _INFLATE_BYTES)
            except zlib.error:
                message = "the source's gzip is broken. Report it to the source."
                raise Unreadable("unreadable", message) from None
            left -= len(plain)
            if left < 0:
                raise _too_large()
            yield plain
            waiting = inflater.unconsumed_tail
    if not inflater.eof:
        raise _cut()


def fault_of(response: Response, now: datetime) -> AdapterError | None:
    """What a status means, None for 2xx. A Retry-After is at most an hour."""
    status = response.status
    if 200 <= status < 300:
        return None
    if status == 401:
        message = "the source does not accept our credentials. Renew them."
        return Refused("credentials", message, domain="adapter")
    if status == 403:
        return Refused("refused", "the source refuses us. Ask its administrator.")
    if status in _BUSY:
        return Unavailable(
            "busy",
            f"the source is busy (status {status}). Ask again later.",
            retry_after_s=retry_after(response.headers.get("retry-after"), now),
        )
    if status >= 500:
        message = f"the source failed (status {status}). Ask its administrator."
        return Unavailable("server_error", message)
    return Unreadable(
        "unexpected_status",
        f"the source does not understand the question (status {status}). "
        "Check base_url and types in its source file.",
    )


def retry_after(text: str | None, now: datetime) -> int | None:
    """Whole seconds from a number or an HTTP date, 0 to 3600; None for garbage."""
    if text is None:
        return None
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit():
        seconds = float(stripped[:12])
    else:
        try:
            at = parsedate_to_datetime(stripped)
        except ValueError:
            return None
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (aware - now).total_seconds()
    return int(min(max(seconds, 0.0), _MOST_RETRY_AFTER.total_seconds()))


def _too_large() -> Unreadable:
    message = "the source's reply is larger than allowed. Ask for smaller pages."
    return Unreadable("too_large", message)


def _unresolved(error: OSError) -> AdapterError:
    if not isinstance(error, AddressRefused):
        return Unavailable("dns", "the source's name is unknown. Check base_url.")
    message = (
        "the source's name leads to this machine, or to an address where no source "
        "is. Correct base_url; say loopback = true if it is on this machine."
    )
    return Refused("address", message, domain="adapter")


def _cut() -> Unavailable:
    return Unavailable("cut", "the source's reply was cut short. Ask again.")


def _fault(error: Exception) -> AdapterError:
    tls = fault_of_tls(error)
    if tls is not None:
        return tls
    match error:
        case aiohttp.ClientConnectorDNSError():
            return _unresolved(error.os_error)
        case aiohttp.ClientConnectorError() | TimeoutError():
            return Unavailable("connect", "no connection. Is the source running?")
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            if any(sign in str(error.__cause__) for sign in _LONG_HEADS):
                return _too_large()
            message = "the source does not speak HTTP. Check base_url."
            return Unreadable("unreadable", message)
        case _:
            return _cut()
