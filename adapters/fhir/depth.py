"""How deeply JSON is nested, measured without reading it."""

import re
from typing import Final

_NOT_STRUCTURE: Final = bytes(one for one in range(256) if one not in b'{}[]"')
# The letters that may follow a backslash stay until the escapes are gone.
_NOT_ESCAPES: Final = bytes(one for one in range(256) if one not in b'{}[]"\\bfnrtu/')
_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_STRINGS: Final = re.compile(rb'"[^"]*"')


def is_deeper(page: bytes, depth: int) -> bool:
    """Whether objects and arrays are nested more than `depth` deep.

    Exact for JSON. Decoders guard only against overflow, and a limit that is not
    held is no limit.
    """
    skeleton = page
    if b"\\" in page:
        # In pairs from the left, so that each quote left is a real one.
        skeleton = page.translate(None, delete=_NOT_ESCAPES)
        skeleton = skeleton.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = skeleton.translate(_BRACES, delete=_NOT_STRUCTURE)
    # A quote pair without structure between changes nothing about what stands where.
    skeleton = skeleton.replace(b'""', b"")
    if b'"' in skeleton:
        skeleton = _STRINGS.sub(b"", skeleton)
    for _ in range(depth):
        if not skeleton:
            return False
        # One round takes the innermost level of each branch away, and no more.
        skeleton = skeleton.replace(b"{}", b"")
    return bool(skeleton)
