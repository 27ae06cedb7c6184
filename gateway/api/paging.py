"""Lists, page by page: how long a page is, and where the next begins."""

from typing import Any, Final

from gateway.problems import FieldError, RequestError

MOST: Final = 200
USUAL: Final = 50
LIMIT: Final[dict[str, Any]] = {
    "name": "limit",
    "in": "query",
    "required": False,
    "description": "Items on a page.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST},
}
CURSOR: Final[dict[str, Any]] = {
    "name": "cursor",
    "in": "query",
    "required": False,
    "description": "`next` of the page before.",
    "schema": {"type": "string"},
}


def size_of(limit: str | None) -> int:
    """How many items a page holds. RequestError request-invalid if not 1 to 200."""
    if limit is None:
        return USUAL
    if limit.isascii() and limit.isdigit() and len(limit) <= 3:
        size = int(limit)
        if 1 <= size <= MOST:
            return size
    raise RequestError(
        "request-invalid",
        f"limit is a number from 1 to {MOST}.",
        errors=(FieldError(pointer="/limit", code="invalid"),),
    )
