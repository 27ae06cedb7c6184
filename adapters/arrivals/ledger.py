"""What was taken from an inbox, so that nothing is taken twice or forgotten.

It holds names, sizes, times and digests; never a byte of what the files say. Lost or
unreadable, it is begun anew: what still lies in the inbox is then fetched again and
put where it already lies.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from adapters.errors import Unavailable

_BYTES: Final = 64 << 20


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One file or message, as it was when it was taken."""

    size: int
    modified: float  # seconds since 1970, as its inbox tells it
    sha256: str
    stored: str  # the name it has in the source's directory

    def __repr__(self) -> str:
        return "Taken()"


class Ledger:
    """What was taken, by the name the inbox has for it.

    On disk a line for each, the latest last: noting one more is one short write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: dict[str, Taken] = {}
        self._lines = 0

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """As it stands on disk, as far as it can be read."""
        ledger = cls(path)
        try:
            with path.open("rb") as stream:
                data = stream.read(_BYTES)
        except OSError:
            return ledger
        for line in filter(None, data.splitlines()):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                name, taken = msgspec.json.decode(line, type=tuple[str, Taken])
                ledger._taken[name] = taken
            ledger._lines += 1
        return ledger

    def get(self, name: str) -> Taken | None:
        return self._taken.get(name)

    def note(self, name: str, taken: Taken) -> None:
        """Notes that it was taken, and sees to it that this is on disk.

        Unavailable `state` if it cannot be.
        """
        self._write(self._path, os.O_APPEND, [(name, taken)])
        self._taken[name] = taken
        self._lines += 1

    def keep_only(self, names: frozenset[str]) -> None:
        """Forgets what the inbox no longer lists, which cannot be taken again."""
        kept = {name: taken for name, taken in self._taken.items() if name in names}
        if len(kept) == self._lines:
            return
        beside = self._path.with_suffix(".writing")
        self._write(beside, os.O_TRUNC, kept.items())
        try:
            beside.replace(self._path)
        except OSError:
            raise _unnoted() from None
        self._taken, self._lines = kept, len(kept)

    def _write(
        self, path: Path, how: int, entries: Iterable[tuple[str, Taken]]
    ) -> None:
        # A line's end comes first too: the last line may have been cut short.
        lines = b"".join(b"\n" + msgspec.json.encode(entry) for entry in entries)
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | how
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
                stream.write(lines)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            raise _unnoted() from None


def _unnoted() -> Unavailable:
    message = (
        "what was taken from the inbox could not be noted; look at the state directory"
    )
    return Unavailable("state", message, domain="adapter")
