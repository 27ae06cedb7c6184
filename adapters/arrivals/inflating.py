"""Bytes on their way, bounded; and gzip taken off them a little at a time."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from adapters.errors import Unavailable, Unreadable

# 64 KiB at a time, so that what inflates a thousandfold is stopped early.
_STEP: Final = 64 * 1024
_MAGIC: Final = b"\x1f\x8b"


def bounded(blocks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The same blocks; Unreadable `too_large` beyond `limit` bytes."""
    left = limit
    for block in blocks:
        left -= len(block)
        if left < 0:
            raise too_large()
        yield block


def inflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """What the blocks hold once gzip is taken off, any number of members in a row.

    Unavailable `cut` if the last is not whole, Unreadable `unreadable` if it is not
    gzip. What comes out of one block is at most 64 KiB at a time.
    """
    inflater, begun = zlib.decompressobj(wbits=31), False
    for block in blocks:
        waiting = block
        while waiting:
            try:
                plain = inflater.decompress(waiting, _STEP)
            except zlib.error:
                message = "the gzip of a message is broken. Have it sent again."
                raise Unreadable("unreadable", message) from None
            begun = True
            yield plain
            waiting = inflater.unconsumed_tail or inflater.unused_data
            if inflater.eof:
                inflater, begun = zlib.decompressobj(wbits=31), False
    if begun:
        raise Unavailable("cut", "a message was cut short. It is fetched again.")


def inflated_if_gzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same blocks, or what they hold where they begin as gzip does."""
    waiting = iter(blocks)
    first = b""
    while len(first) < len(_MAGIC) and (block := next(waiting, None)) is not None:
        first += block
    rest = _after(first, waiting)
    return inflated(rest) if first.startswith(_MAGIC) else rest


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def too_large() -> Unreadable:
    message = (
        "something in the inbox is larger than file_bytes. "
        "Raise it, or have it sent in parts."
    )
    return Unreadable("too_large", message)
