"""How a question reaches a site: straight to it, over mutual TLS."""

from typing import Protocol

from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.http import Request, Response, Transport
from adapters.site.wire import QUESTIONS_PATH, NotSpoken, Refusal, read
from adapters.surroundings import Surroundings
from adapters.tls import Identity

_JSON = "application/json"
_JOSE = "application/jose"


class Carrier(Protocol):
    """Takes a question to a site and brings back what the site said.

    However it goes, it carries each question once: a second time is a replay.
    """

    async def carry(self, question: bytes, jti: str) -> bytes | Refusal:
        """The sealed answer, or why the site did not take the question.

        Raises AdapterError of the adapter's domain: that a site cannot be reached
        is no fault of the source behind it. Time is bounded by the caller.
        """
        ...

    async def aclose(self) -> None: ...


class Direct:
    """Asks a site at its own address."""

    def __init__(
        self,
        url: str,
        surroundings: Surroundings,
        *,
        identity: Identity | None,
        loopback: bool,
    ) -> None:
        self._url = url + QUESTIONS_PATH
        self._transport = surroundings.transport
        self._limits = surroundings.limits
        self._identity = identity
        self._loopback = loopback

    async def carry(self, question: bytes, jti: str) -> bytes | Refusal:  # noqa: ARG002 - a relay must know a question by its id
        tls = await self._identity.context() if self._identity else None
        request = Request(
            url=self._url,
            body=question,
            headers={"Content-Type": _JSON, "Accept": f"{_JOSE}, {_JSON}"},
            connect_s=self._limits.connect_s,
            page_bytes=self._limits.source_bytes,
            tls=tls,
            loopback=self._loopback,
            again=False,
        )
        return _received(await _sent(self._transport, request))

    async def aclose(self) -> None:
        """The transport is shared, and is not ours to close."""


async def _sent(transport: Transport, request: Request) -> Response:
    try:
        return await transport.send(request)
    except Unavailable as error:
        raise Unavailable(error.reason, str(error), domain="adapter") from None
    except (Refused, Unreadable) as error:
        raise type(error)(error.reason, str(error), domain="adapter") from None


def _received(response: Response) -> bytes | Refusal:
    if response.status == 200:
        if response.headers.get("content-type") != _JOSE:
            raise _no_site()
        return response.body
    try:
        return read(response.body, Refusal)
    except NotSpoken:
        raise _no_site(response.status) from None


def _no_site(status: int = 200) -> AdapterError:
    if status >= 500:
        message = f"the site failed (status {status}). Ask its administrator."
        return Unavailable("server_error", message, domain="adapter")
    message = "what stands at the site's address is no site. Correct url."
    return Unreadable("unreadable", message, domain="adapter")
