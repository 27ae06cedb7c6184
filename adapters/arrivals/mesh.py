"""A MESH mailbox: listed, read in bounded pieces, acknowledged.

The client of NHS England signs what is asked. What it would do without bounds is done
here: its pages, its unpacking and its reading of whole bodies.
"""

import re
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import mesh_client
import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter

from adapters.arrivals.inflating import bounded, inflated, inflated_if_gzip
from adapters.arrivals.settings import Mesh
from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.tls import Identity, Papers, fault_of_tls, turned_away

_BLOCK: Final = 64 * 1024
_PAGE_BYTES: Final = 4 << 20
_PAGES: Final = 100
_TURNED_AWAY_S: Final = 1.0
_CHUNKS: Final = 10_000
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_RANGE: Final = re.compile(r"\s*1\s*:\s*(\d{1,5})\s*")


class Gone(Exception):
    """A message that was listed is not there any more: somebody took it."""


class _Page(msgspec.Struct):
    messages: list[str] = msgspec.field(default_factory=list)
    links: dict[str, str | None] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the head of a message says, and its body, which can be read once."""

    workflow: str
    is_report: bool
    is_encrypted: bool
    file_name: str | None = field(repr=False)
    accepted: datetime | None
    body: Iterator[bytes] = field(repr=False)


class Mailbox:
    """A session with one mailbox. Every step is bounded, and ends soon after `stop`."""

    def __init__(
        self,
        settings: Mesh,
        secret: Callable[[str], str],
        *,
        context: ssl.SSLContext | None,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._stop = stop
        password, shared_key = secret(settings.password), secret(settings.shared_key)
        self._client = _Client(
            settings, password, shared_key=shared_key, context=context
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()  # type: ignore[no-untyped-call]  # the library's own

    def greet(self) -> None:
        """Tells MESH that somebody looks after the mailbox, as it asks of us daily."""
        with explained():
            self._client.handshake()  # type: ignore[no-untyped-call]  # the library's own

    def listed(self, most: int) -> list[str]:
        """The ids of the messages that wait there, in the mailbox's order."""
        found: list[str] = []
        url: str | None = f"{self._client.mailbox_url}/inbox"
        for _ in range(_PAGES):
            if url is None or len(found) >= most:
                break
            with explained():
                page = _page(self._client.got(url), self._stop)
            found += page.messages
            further = page.links.get("next")
            url = self._settings.url + further if further else None
            if url and not url.startswith(f"{self._client.mailbox_url}/inbox"):
                raise _strange()
        if not all(_ID.fullmatch(each) for each in found):
            raise _strange()
        return found[:most]

    @contextmanager
    def opened(self, message: str) -> Iterator[Message]:
        """A message whose body is still on its way. Gone if it is not there."""
        with explained(), self._chunk(message, 1) as first:
            head = first.headers
            total = _RANGE.fullmatch(head.get("Mex-Chunk-Range", "1:1"))
            if total is None or not 0 <= int(total[1]) <= _CHUNKS:
                raise _strange()
            body = bounded(
                self._wire(message, first, int(total[1])), self._settings.file_bytes
            )
            if _encoding(first) == "gzip":
                body = inflated(body)
            if _is_said(head.get("Mex-Content-Compressed")):
                body = inflated_if_gzip(bounded(body, self._settings.file_bytes))
            yield Message(
                workflow=head.get("Mex-WorkflowID", ""),
                is_report=head.get("Mex-MessageType", "").upper() == "REPORT",
                is_encrypted=_is_said(head.get("Mex-Content-Encrypted")),
                file_name=head.get("Mex-FileName"),
                accepted=_moment(head.get("Mex-StatusTimestamp")),
                body=bounded(body, self._settings.file_bytes),
            )

    def acknowledge(self, message: str) -> None:
        """Tells MESH that we have it, so that it is gone from there."""
        with explained():
            try:
                self._client.acknowledge_message(message)
            except requests.HTTPError as error:
                if _status(error) not in _GONE:
                    raise

    def _wire(
        self, message: str, first: requests.Response, total: int
    ) -> Iterator[bytes]:
        yield from _blocks(first, self._stop)
        for number in range(2, total + 1):
            with self._chunk(message, number) as chunk:
                if _encoding(chunk) != _encoding(first):
                    raise _strange()
                yield from _blocks(chunk, self._stop)

    @contextmanager
    def _chunk(self, message: str, number: int) -> Iterator[requests.Response]:
        try:
            chunk = self._client.retrieve_message_chunk(message, number)
        except requests.HTTPError as error:
            if _status(error) in _GONE:
                raise Gone from None
            raise
        with chunk:
            yield chunk


_GONE: Final = frozenset({404, 410})


class _Client(mesh_client.MeshClient):
    """The client of NHS England, kept to one server and to our own certificates."""

    def __init__(
        self,
        settings: Mesh,
        password: str,
        *,
        shared_key: str,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(
            settings.url,
            settings.mailbox,
            password,
            shared_key=shared_key.encode(),
            timeout=settings.silent_s,
            max_retries=0,
            application_name="throughline",
        )
        self._session.trust_env = False  # no proxy, no netrc of this machine's user
        self._session.max_redirects = 0
        if context is not None:
            self._session.mount(self._url, _Tls(context))

    def got(self, url: str) -> requests.Response:
        """The head of a reply; its body is yet to be read."""
        reply = self._session.get(
            url,
            timeout=self._timeout,
            stream=True,
            headers={"Accept-Encoding": "identity"},
        )
        reply.raise_for_status()
        return reply


class _Tls(HTTPAdapter):
    """Connections of one context, with no authority but its own."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **given: Any) -> None:  # noqa: ANN401 - as it takes them
        super().init_poolmanager(*args, ssl_context=self._context, **given)

    def cert_verify(self, *_: object) -> None:
        """Adds nothing: it would make us believe every public authority."""


async def context_of(
    settings: Mesh, secret: Callable[[str], str]
) -> ssl.SSLContext | None:
    """Who we are, and whose word we take. Unavailable `tls` if no papers fit."""
    if not settings.url.startswith("https:"):
        return None
    with ExitStack() as held:
        papers = Papers(
            certificate=settings.certificate,
            key=settings.key,
            ca=_authorities(settings, secret, held),
        )
        try:
            return await Identity(papers, secret).context()
        except Unavailable:
            message = (
                "certificate, key or ca under [arrival] are missing, are not PEM, or "
                "do not fit. Correct what they refer to."
            )
            raise Unavailable("tls", message, domain="adapter") from None


async def see_that_we_are_let_in(
    settings: Mesh, context: ssl.SSLContext | None
) -> None:
    """Unavailable `tls` if a connection is cut because MESH does not believe us."""
    parts = urlsplit(settings.url)
    if context is None or parts.hostname is None:
        return
    fault = await turned_away(
        parts.hostname,
        port=parts.port or 443,
        server_name=parts.hostname,
        context=context,
        within_s=_TURNED_AWAY_S,
    )
    if fault is not None:
        raise fault


def _authorities(
    settings: Mesh, secret: Callable[[str], str], held: ExitStack
) -> Path | None:
    if settings.ca is not None:
        # No secret, so that it may lie in a file for as long as it is read.
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        (folder / "ca.pem").write_text(secret(settings.ca), "ascii")
        return folder / "ca.pem"
    known = mesh_client.try_get_endpoint_from_url(settings.url)
    return Path(known.verify) if known else None


def _page(reply: requests.Response, stop: threading.Event) -> _Page:
    with reply:
        data = b"".join(bounded(_blocks(reply, stop), _PAGE_BYTES))
    try:
        return msgspec.json.decode(data, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _strange() from None


def _blocks(reply: requests.Response, stop: threading.Event) -> Iterator[bytes]:
    """What comes, as it comes, so that a drip cannot hold us."""
    while block := reply.raw.read1(_BLOCK, decode_content=False):
        if stop.is_set():
            raise Unavailable("cut", "the visit to the mailbox was ended.")
        yield block


def _encoding(reply: requests.Response) -> str:
    named = reply.headers.get("Content-Encoding", "").strip().lower()
    if named not in {"", "identity", "gzip"}:
        raise _strange()
    return named.replace("identity", "")


def _is_said(flag: str | None) -> bool:
    return (flag or "").strip().upper() in {"Y", "TRUE"}


def _moment(digits: str | None) -> datetime | None:
    try:
        return datetime.strptime(digits or "", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _status(error: requests.HTTPError) -> int:
    """The status, with the connection let go: nobody reads the body."""
    if error.response is None:
        return 0
    error.response.close()
    return error.response.status_code


def _strange() -> Unreadable:
    message = "the mailbox answers as MESH does not. Check url; else report it."
    return Unreadable("unreadable", message)


@contextmanager
def explained() -> Iterator[None]:
    """What goes wrong with MESH as what a source says of it; nothing is quoted."""
    try:
        yield
    except requests.HTTPError as error:
        raise _fault_of_status(_status(error)) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _fault(error) from None


def _fault_of_status(status: int) -> AdapterError:
    if status in {401, 403}:
        message = "MESH does not accept mailbox, password or shared_key. Correct them."
        return Refused("credentials", message, domain="adapter")
    if status in {425, 429, 502, 503, 504}:
        return Unavailable("busy", f"MESH is busy (status {status}).")
    if status >= 500:
        return Unavailable("server_error", f"MESH failed (status {status}).")
    return _strange()


def _fault(error: Exception) -> AdapterError:
    found = next(filter(None, map(_told, _causes(error))), None)
    message = "what MESH sent was cut short. It is asked again."
    return found or Unavailable("cut", message)


def _told(cause: BaseException) -> AdapterError | None:
    """What one of the causes tells; None if it tells nothing."""
    match cause:
        case ssl.SSLError():
            return fault_of_tls(cause)
        case urllib3.exceptions.NameResolutionError():
            return Unavailable("dns", "the name in url is unknown. Check it.")
        case urllib3.exceptions.NewConnectionError() | ConnectionRefusedError():
            return Unavailable("connect", "no connection to MESH.")
        case urllib3.exceptions.TimeoutError() | TimeoutError():
            return Unavailable("timeout", "MESH is silent.")
        case requests.TooManyRedirects():
            message = "MESH redirects. Correct url to where it redirects."
            return Refused("redirect", message)
        case _:
            return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what each library between says it came from."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__context__, each.__cause__, getattr(each, "reason", None)]
        waiting += list(each.args)
