"""JSON from strangers: read strictly, so that what was checked is what was meant.

The standard library alone would take the last of two equal names, NaN, half a
surrogate pair, and any depth until the stack ends.
"""

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn

_DEPTH: Final = 64

# One pass over strings and brackets. Every alternative consumes what it starts on,
# possessively, so that hostile quotes cost no more than their length.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class UnsafeJson(ValueError):
    """The bytes are not JSON we take; `code` says how, and never shows them."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DuplicateName(UnsafeJson):
    """A name came twice in an object.

    `names` are those repeated in the outermost object, to compare with: they are
    the sender's and belong in no message.
    """

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__("duplicate-name")
        self.names = names


def read(data: bytes, *, depth: int = _DEPTH) -> Any:  # noqa: ANN401 - any JSON value
    """The value of UTF-8 JSON without a byte order mark.

    UnsafeJson for duplicate names, NaN and infinities (also by overflow), lone
    surrogates, nesting deeper than `depth`, and what is not JSON at all.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise UnsafeJson("byte-order-mark")
    text = _decoded(data)
    if _too_deep(data, depth):
        raise UnsafeJson("too-deep")
    repeats = _Repeats()
    try:
        value = json.loads(
            text,
            object_pairs_hook=repeats.built,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnsafeJson:
        raise
    except ValueError:
        raise UnsafeJson("not-json") from None
    if repeats.any:
        raise DuplicateName(repeats.last if isinstance(value, dict) else frozenset())
    if b"\\u" in data:
        _refuse_lone_surrogates(value)
    return value


def read_object(data: bytes, *, depth: int = _DEPTH) -> dict[str, Any]:
    """As `read`, of a JSON object and nothing else."""
    value = read(data, depth=depth)
    if not isinstance(value, dict):
        raise UnsafeJson("not-an-object")
    return value


class _Repeats:
    """Builds objects and remembers which repeated a name; the outermost comes last."""

    def __init__(self) -> None:
        self.any = False
        self.last: frozenset[str] = frozenset()

    def built(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self.last = frozenset()
        if len(found) != len(pairs):
            self.any = True
            counts = Counter(name for name, _ in pairs)
            self.last = frozenset(name for name in counts if counts[name] > 1)
        return found


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UnsafeJson("not-utf-8") from None


def _too_deep(data: bytes, depth: int) -> bool:
    level = 0
    for token in _TOKEN.finditer(data):
        if token[0] in b"[{":
            level += 1
            if level > depth:
                return True
        elif token[0] in b"]}":
            level -= 1
    return False


def _refuse_constant(_: str) -> NoReturn:
    raise UnsafeJson("not-a-number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UnsafeJson("not-a-number")
    return value


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafeJson("lone-surrogate") from None
