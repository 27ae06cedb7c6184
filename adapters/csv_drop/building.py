"""An index being built beside the one in use; nobody sees it until it is whole."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Self

from adapters.csv_drop.directory import Drop, is_same, replaced
from adapters.csv_drop.index import Account, Copied, Imprint, Section
from adapters.csv_drop.portion import Portion, Stopped

_BLOCK: Final = 1 << 20


@dataclass(slots=True, kw_only=True)
class Building:
    """The files of an index on their way."""

    final: Path
    path: Path
    stream: BinaryIO
    files: list[Copied] = field(default_factory=list)

    @classmethod
    def at(cls, final: Path) -> Self:
        path = final.with_suffix(".building")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        return cls(final=final, path=path, stream=os.fdopen(number, "w+b", 0))

    def copy(
        self,
        drop: Drop,
        source: BinaryIO,
        *,
        stop: Callable[[], bool],
        digested: bool,
    ) -> str | None:
        """Copies an open drop: its SHA-256 in hex, if it is asked for.

        Unreadable `incomplete` if it changed meanwhile; Stopped if told to stop.
        """
        digest = hashlib.sha256() if digested else None
        place, size = self.stream.tell(), 0
        while block := source.read(_BLOCK):
            if stop():
                raise Stopped
            self.stream.write(block)
            size += len(block)
            if digest is not None:
                digest.update(block)
        if size != drop.size or not is_same(source, drop):
            raise replaced(drop)
        self.files.append(Copied(name=drop.name, place=place, size=size))
        return digest.hexdigest() if digest else None

    def finish(
        self, imprint: Imprint, portions: Sequence[Portion], gone: Sequence[bytes]
    ) -> Account:
        """Puts the index in place, whole and on disk."""
        sections = [
            self._section(portion, bits)
            for portion, bits in zip(portions, gone, strict=True)
        ]
        account = Account(imprint=imprint, files=self.files, sections=sections)
        self.stream.write(account.written())
        os.fsync(self.stream.fileno())
        self.stream.close()
        self.path.replace(self.final)
        return account

    def _section(self, portion: Portion, gone: bytes) -> Section:
        self.stream.seek(0, os.SEEK_END)
        place = self.stream.tell()
        with portion.path.open("rb") as source:
            # Record ids were only needed to find those that come twice.
            _copied(source, self.stream, portion.records[0])
        bits = None
        if gone:
            bits = self.stream.tell()
            self.stream.write(gone)
        return Section(
            starts=place,
            rows=portion.rows,
            names=[[place + edge for edge in edges] for edges in portion.names],
            gone=bits,
        )

    def abandon(self) -> None:
        """Leaves nothing behind; after `finish` there is nothing to leave."""
        self.stream.close()
        for each in self.path.parent.glob(f"{self.path.name}*"):
            each.unlink(missing_ok=True)


def _copied(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size > 0 and (block := source.read(min(_BLOCK, size))):
        target.write(block)
        size -= len(block)
