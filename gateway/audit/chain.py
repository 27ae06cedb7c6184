"""The hash chain: h = SHA256(00 || canon), c_n = SHA256(01 || c_{n-1} || n || h)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

START: Final = bytes(32)  # c_0: there is nothing before the first entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where the log stood once a record was durable: its number and the chain."""

    n: int
    chain: bytes = field(repr=False)

    @property
    def head(self) -> str:
        """The chain as the API shows it."""
        return f"sha256:{self.chain.hex()}"


def record_hash(canonical: bytes) -> bytes:
    """H of a record, 32 bytes."""
    return hashlib.sha256(b"\x00" + canonical).digest()


def extend(previous: bytes, n: int, canonical: bytes) -> bytes:
    """c_n, 32 bytes, from c_{n-1} and the record that is entry n (from 1)."""
    return hashlib.sha256(
        b"\x01" + previous + n.to_bytes(8, "big") + record_hash(canonical)
    ).digest()


def first_broken(rows: Iterable[tuple[int, str, bytes]], head: Entry) -> int | None:
    """The first entry that does not follow from those before it, None if all do.

    `rows` are (n, canonical text, c_n), ascending from 1. A log that ends before or
    after its head is broken at the entry after its last common one.
    """
    previous, expected = START, 1
    for n, text, stored in rows:
        if n != expected or extend(previous, n, text.encode("utf-8")) != stored:
            return expected
        previous, expected = stored, expected + 1
    if (head.n, head.chain) != (expected - 1, previous):
        return min(head.n + 1, expected)
    return None
