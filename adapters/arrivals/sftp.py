"""A directory on an OpenSSH server: listed, read, and tidied where that is wanted.

The server is known by the fingerprint of its host key and nothing else, we are known
to it by a key: no password, no agent and no file of the user's own has a part in it.
"""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import asyncssh

from adapters.arrivals.inflating import too_large
from adapters.arrivals.naming import is_plain
from adapters.arrivals.settings import Sftp
from adapters.errors import AdapterError, Refused, Unavailable, Unreadable

_T = TypeVar("_T")
_BLOCK: Final = 256 * 1024
_LISTED: Final = 50_000
_ASIDE: Final = ".throughline-"  # what is being put away
_NO_KEY: Final = (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)
_LOST: Final = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file as the server lists it."""

    name: str = field(repr=False)
    size: int
    modified: int  # seconds since 1970, by the server's clock

    def is_like(self, size: float, modified: float) -> bool:
        """Whether it may have the content of a file that was so large and so old."""
        return (self.size, self.modified) == (size, modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The plain files of the inbox, and those that were being put away, by name."""

    files: dict[str, Listed]
    aside: dict[str, Listed]


class Changed(Exception):
    """A file is not the one that was listed: it is looked at again later."""


class Server:
    """One connection's view of the inbox. Every step is bounded in time."""

    def __init__(self, client: asyncssh.SFTPClient, settings: Sftp) -> None:
        self._client = client
        self._settings = settings

    async def listing(self) -> Listing:
        """What lies there now; links and folders are no files."""
        files, aside = dict[str, Listed](), dict[str, Listed]()
        for entry in await self._within(self._entries()):
            name = _decoded(entry.filename)
            put_by = name.startswith(_ASIDE)
            name = name.removeprefix(_ASIDE)
            listed = _listed(name, entry.attrs) if is_plain(name) else None
            if listed is not None:
                (aside if put_by else files)[name] = listed
        return Listing(files=files, aside=aside)

    async def fetch(self, listed: Listed, write: Callable[[bytes], None]) -> None:
        """Reads the file into `write`, to the byte as it was listed.

        Changed if it is another by now, or becomes one meanwhile.
        """
        with explained(gone=Changed):
            file = await self._within(
                self._client.open(self._path(listed.name), "rb", encoding=None)
            )
            async with file:
                await self._see_that_it_is(listed, file)
                left = listed.size
                while block := await self._within(file.read(_BLOCK)):
                    left -= len(block)
                    if left < 0:
                        raise Changed
                    write(cast("bytes", block))
                await self._see_that_it_is(listed, file)
        if left:
            raise Changed

    async def whole(self, listed: Listed, limit: int) -> bytes:
        """The content of a small file. Unreadable `too_large` beyond `limit` bytes."""
        if listed.size > limit:
            raise too_large()
        blocks: list[bytes] = []
        await self.fetch(listed, blocks.append)
        return b"".join(blocks)

    async def put_away(self, listed: Listed) -> None:
        """Archives or deletes the file. Changed if it is another by now.

        It is moved aside first, so that what goes is what was looked at.
        """
        here, aside = self._path(listed.name), self._path(_ASIDE + listed.name)
        with explained(gone=Changed):
            await self._move(here, aside)
            now = await self._within(self._client.lstat(aside))
        if _listed(listed.name, now) != listed:
            await self.put_back(listed.name)
            raise Changed
        await self.finish(listed)

    async def finish(self, listed: Listed) -> None:
        """Archives or deletes what lies aside."""
        aside, archive = self._path(_ASIDE + listed.name), self._settings.archive
        with explained():
            if archive is None:
                await self._within(self._client.remove(aside))
                return
            kept = f"{archive}/{listed.name}"
            if await self._within(self._client.lexists(kept)):
                kept = f"{kept}.{listed.modified}"
            await self._within(self._client.posix_rename(aside, kept))

    async def put_back(self, name: str) -> None:
        """Gives what lies aside its name again.

        Unreadable `incomplete` if another file has it: both are left as they are.
        """
        with explained(gone=Changed):
            await self._move(self._path(_ASIDE + name), self._path(name))

    async def remove(self, name: str) -> None:
        """Removes a file; one that is gone is no error."""
        with explained(), contextlib.suppress(asyncssh.SFTPNoSuchFile):
            await self._within(self._client.remove(self._path(name)))

    async def _entries(self) -> list[asyncssh.SFTPName]:
        found: list[asyncssh.SFTPName] = []
        with explained():
            async for entry in self._client.scandir(self._settings.directory.encode()):
                found.append(entry)
                if len(found) > _LISTED:
                    message = f"the inbox holds more than {_LISTED} files. Tidy it."
                    raise Unreadable("too_large", message)
        return found

    async def _move(self, here: str, there: str) -> None:
        """Unlike what POSIX calls renaming it never takes the place of another."""
        try:
            await self._within(self._client.rename(here, there))
        except asyncssh.SFTPFailure:
            message = (
                "a file in the inbox was replaced while it was put away; look at "
                f"those whose names begin with {_ASIDE}"
            )
            raise Unreadable("incomplete", message) from None

    async def _see_that_it_is(
        self, listed: Listed, file: asyncssh.SFTPClientFile
    ) -> None:
        if _listed(listed.name, await self._within(file.stat())) != listed:
            raise Changed

    async def _within(self, step: Awaitable[_T]) -> _T:
        async with asyncio.timeout(self._settings.silent_s):
            return await step

    def _path(self, name: str) -> str:
        return f"{self._settings.directory}/{name}"


def _decoded(name: bytes | str) -> str:
    """Bytes that are no UTF-8 become what no pattern and no plain name has."""
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def _listed(name: str, attrs: asyncssh.SFTPAttrs) -> Listed | None:
    if attrs.permissions is None or not stat.S_ISREG(attrs.permissions):
        return None
    return Listed(name=name, size=attrs.size or 0, modified=attrs.mtime or 0)


# What asyncssh would otherwise find on this machine, or let a server ask for.
_NOTHING_ELSE: Final[dict[str, Any]] = {
    "config": None,
    "agent_path": None,
    "client_certs": (),
    "pkcs11_provider": None,
    "password": None,
    "password_auth": False,
    "kbdint_auth": False,
    "host_based_auth": False,
    "gss_kex": False,
    "gss_auth": False,
    "disable_trivial_auth": True,
    "x509_trusted_certs": None,
    "compression_algs": ("none",),  # nothing that can grow on its way
    "known_hosts": ([], [], []),  # the fingerprint alone decides
}


class _Client(asyncssh.SSHClient):
    """Believes a server that shows a key of one of these fingerprints."""

    def __init__(self, fingerprints: tuple[str, ...]) -> None:
        self._fingerprints = fingerprints

    def validate_host_public_key(
        self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey
    ) -> bool:
        return key.get_fingerprint("sha256").rstrip("=") in self._fingerprints


@asynccontextmanager
async def connected(
    settings: Sftp, secret: Callable[[str], str]
) -> AsyncIterator[Server]:
    """A connection, closed at the end. Raises AdapterError if there can be none."""
    with explained():
        key = await asyncio.to_thread(_key, settings, secret)
        connection = await asyncssh.connect(
            settings.host,
            settings.port,
            username=settings.username,
            client_keys=[key],
            client_factory=lambda: _Client(settings.host_keys),
            connect_timeout=settings.silent_s,
            login_timeout=settings.silent_s,
            **_NOTHING_ELSE,
        )
    try:
        with explained():
            async with asyncio.timeout(settings.silent_s):
                client = await connection.start_sftp_client()
        yield Server(client, settings)
    finally:
        connection.abort()
        with contextlib.suppress(asyncssh.Error, OSError):
            await connection.wait_closed()


def _key(settings: Sftp, secret: Callable[[str], str]) -> asyncssh.SSHKey:
    return asyncssh.import_private_key(secret(settings.private_key))


@contextmanager
def explained(*, gone: type[Changed] | None = None) -> Iterator[None]:
    """What goes wrong with a server as what a source says of it; nothing is quoted.

    `gone` is raised instead where it is one file that is not there any more.
    """
    try:
        yield
    except (AdapterError, Changed):
        raise
    except (asyncssh.Error, OSError, *_NO_KEY) as error:
        if gone is not None and isinstance(error, asyncssh.SFTPNoSuchFile):
            raise gone from None
        raise _fault(error) from None


def _fault(error: Exception) -> AdapterError:
    match error:
        case asyncssh.HostKeyNotVerifiable():
            message = (
                "the server shows another host key than host_keys has. Ask its "
                "administrator whether it was changed before you correct it."
            )
            return Refused("host_key", message, domain="adapter")
        case error if isinstance(error, _NO_KEY):
            message = "private_key refers to no key, or to one that needs a passphrase."
            return Refused("credentials", message, domain="adapter")
        case asyncssh.PermissionDenied():
            message = "the server does not accept our key. Have it added there."
            return Refused("credentials", message, domain="adapter")
        case asyncssh.SFTPPermissionDenied():
            message = "the server refuses us the inbox. Ask its administrator."
            return Refused("refused", message)
        case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath():
            message = "the inbox is not there. Correct directory or archive."
            return Unavailable("inbox_missing", message, domain="adapter")
        case _:
            return _fault_of_the_way(error)


def _fault_of_the_way(error: Exception) -> AdapterError:
    match error:
        case TimeoutError():
            return Unavailable("timeout", "the inbox's server is silent. Is it well?")
        case socket.gaierror():
            return Unavailable("dns", "the server's name is unknown. Check host.")
        case error if isinstance(error, _LOST):
            return Unavailable("cut", "the connection to the inbox was cut.")
        case OSError():
            return Unavailable("connect", "no connection. Is the server running?")
        case _:
            message = "the server does not do what SFTP asks of it. Report it."
            return Unreadable("unreadable", message)
