"""TLS to a source: who we are, whose word we take, and whose fault a failure is."""

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.errors import ConfigurationError, Unavailable

# OpenSSL verify codes: self-signed, unknown issuer, no leaf signature. It is our
# list of authorities that lacks theirs, so the adapter's side must act.
_UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21, 27})
# Certificate and key are two files, and the one is renewed a moment before the other.
_HALF_RENEWED_S: Final = 60.0
_REFUSED: Final = (
    "the source's certificate is not from an authority we trust, or it refuses "
    "ours. Correct the certificates configured here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """Where our certificate, its key and the authorities we believe are to be found.

    `certificate` and `key` refer to secrets of PEM: both or neither. `ca` is a file
    of PEM; without it the authorities are those this machine trusts.
    """

    certificate: str | None = None
    key: str | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What stood in them."""

    certificate: str | None = field(repr=False)
    key: str | None = field(repr=False)
    ca: str | None = field(repr=False)


class Identity:
    """The context of one server's connections, made anew when its files are renewed."""

    def __init__(self, papers: Papers, secret: Callable[[str], str]) -> None:
        self._papers = papers
        self._secret = secret
        self._read: _Read | None = None
        self._context: ssl.SSLContext | None = None
        self._awry_since: float | None = None
        self._making = asyncio.Lock()

    async def context(self) -> ssl.SSLContext:
        """The context for what the files hold now.

        Unavailable `tls`, of the adapter's domain, if they hold no certificate, key
        or authority, or none that fit; for a minute of that the former ones do.
        """
        async with self._making:
            try:
                read = await asyncio.to_thread(self._reading)
                if self._context is None or read != self._read:
                    self._context = await asyncio.to_thread(_made, read)
                    self._read = read
            except (OSError, ValueError, ConfigurationError):
                return self._former()
            self._awry_since = None
            return self._context

    def _reading(self) -> _Read:
        papers = self._papers
        return _Read(
            certificate=self._secret(papers.certificate)
            if papers.certificate
            else None,
            key=self._secret(papers.key) if papers.key else None,
            ca=papers.ca.read_text("ascii") if papers.ca else None,
        )

    def _former(self) -> ssl.SSLContext:
        now = asyncio.get_running_loop().time()
        if self._awry_since is None:
            self._awry_since = now
        if self._context is None or now - self._awry_since > _HALF_RENEWED_S:
            message = (
                "our certificate, its key or the authorities under [tls] are missing, "
                "are not PEM, or do not fit. Correct what [tls] refers to."
            )
            raise Unavailable("tls", message, domain="adapter")
        return self._context


def _made(read: _Read) -> ssl.SSLContext:
    if read.ca == "":  # which would be taken for none, and so for every authority
        message = "the file of authorities is empty"
        raise ValueError(message)
    context = ssl.create_default_context(cadata=read.ca)
    if read.certificate is not None and read.key is not None:
        with ExitStack() as closing:
            certificate = _in_memory(read.certificate, closing)
            key = _in_memory(read.key, closing)
            # Without a password of ours OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password=_no_password)
    return context


def _in_memory(text: str, closing: ExitStack) -> str:
    """A path to the text, which OpenSSL wants, without a key ever being on a disk."""
    file = os.fdopen(os.memfd_create("tls"), "w", encoding="ascii")
    closing.enter_context(file)
    file.write(text)
    file.flush()
    return f"/proc/self/fd/{file.fileno()}"


def _no_password() -> str:
    message = "the key is encrypted"
    raise ValueError(message)


def fault_of_tls(error: Exception) -> Unavailable | None:
    """What is wrong with certificates, and whose it is to mend; else None."""
    given = (
        getattr(error, "certificate_error", None),
        getattr(error, "os_error", None),
        error.__cause__,
        error,
    )
    cause = next((one for one in given if isinstance(one, ssl.SSLError)), None)
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        ours = cause.verify_code in _UNKNOWN_AUTHORITY
    else:
        # An alert is theirs about us: they refuse our certificate or want one.
        ours = "ALERT" in str(cause.reason)
    if ours:
        return Unavailable("tls", _REFUSED, domain="adapter")
    message = "the source's certificate is not valid for it. Tell the source."
    return Unavailable("tls", message)


async def turned_away(
    host: str, *, port: int, server_name: str, context: ssl.SSLContext, within_s: float
) -> Unavailable | None:
    """Whether a server hangs up on us before it is asked anything, and why.

    In TLS 1.3 a server refuses our certificate after we believe to be connected, and
    what it says of that is lost where we had begun to write. So nothing is written
    here. A server that would let us in waits for a question.
    """
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=server_name
            )
            try:
                told = await _heard(reader)
            finally:
                writer.transport.abort()
    except ssl.SSLError as error:
        return fault_of_tls(error)
    except OSError:  # silent, as it should be; or not there any more
        return None
    return None if told else Unavailable("tls", _REFUSED, domain="adapter")


async def _heard(reader: asyncio.StreamReader) -> bytes:
    """What is said to us unasked, nothing if the other side hangs up."""
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""
