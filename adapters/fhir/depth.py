"""How deeply JSON is nested, measured without reading it."""

import re
from collections.abc import Iterator
from typing import Final

_NOT_STRUCTURE: Final = bytes(one for one in range(256) if one not in b'{}[]"')
_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_PIECE: Final = 64 * 1024
_STRINGS: Final = re.compile(rb'"[^"]*"')


def is_deeper(page: bytes, depth: int) -> bool:
    """Whether objects and arrays are nested more than `depth` deep.

    Exact for JSON. Decoders guard only against overflow, and a limit that is not
    held is no limit.
    """
    skeleton = b"".join(_structure(piece) for piece in _pieces(page))
    if b'"' in skeleton:
        skeleton = _STRINGS.sub(b"", skeleton)
    for _ in range(depth):
        if not skeleton:
            return False
        # One round takes the innermost level of each branch away, and no more.
        skeleton = skeleton.replace(b"{}", b"")
    return bool(skeleton)


def _pieces(page: bytes) -> Iterator[bytes]:
    """The page in pieces, no escape cut in two: fast memory holds one at a time."""
    start = 0
    while start < len(page):
        piece = page[start : start + _PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = page[start : start + _PIECE + 1]
        yield piece
        start += len(piece)


def _structure(piece: bytes) -> bytes:
    """Its brackets, as braces, and the quotes that have some of them between."""
    plain = _without_escapes(piece) if b"\\" in piece else piece
    skeleton = plain.translate(_BRACES, delete=_NOT_STRUCTURE)
    # A quote pair without structure between changes nothing about what stands where.
    return skeleton.replace(b'""', b"")


def _without_escapes(piece: bytes) -> bytes:
    """Without each backslash and what it escapes, so that each quote is a real one."""
    if piece.count(b"\\") > len(piece) >> 6:  # so many that looking at each is slow
        return piece.replace(b"\\\\", b"").replace(b'\\"', b"")
    first, *rest = piece.split(b"\\")
    parts = iter(rest)
    # Nothing between two backslashes: the second is what the first escapes.
    kept = (part[1:] if part else next(parts, b"") for part in parts)
    return first + b"".join(kept)
