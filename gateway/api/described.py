"""How a route describes itself to the OpenAPI document.

Routes read and write bytes themselves, so what they take and give is said here, by the
names of the components that `gateway.api.document` makes.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from pydantic import BaseModel

from gateway.problems import MEDIA_TYPE

_PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`handling=strict`: a complete journey or 424.",
    "schema": {"type": "string"},
}
_HEADERS: Final = {"Prefer": _PREFER}
_OF_EVERY_ROUTE: Final = (400, 408, 413, 500)  # the edge's own refusals
_STATUSES: Final = {
    400: "The request is not valid",
    401: "No token, or one that is not accepted",
    403: "Not permitted; no source was called",
    404: "There is no such thing here",
    408: "The request came too slowly",
    413: "The body is too large",
    415: "The body is not JSON",
    424: "What was required did not answer; completeness says who",
    500: "Something went wrong here; nothing was released",
    503: "No source answered, or nothing may be asked now",
}


def described(  # noqa: PLR0913 - one keyword for each thing a reader of the document needs
    operation_id: str,
    summary: str,
    *,
    answer: type[Struct],
    problems: Sequence[int] = (),
    body: type[BaseModel] | None = None,
    headers: Sequence[str] = (),
    parameters: Sequence[dict[str, Any]] = (),
    open_to_all: bool = False,
) -> dict[str, Any]:
    """Keyword arguments for a route: its id, shapes, refusals and headers."""
    extra: dict[str, Any] = {}
    given = [*(_HEADERS[name] for name in headers), *parameters]
    if given:
        extra["parameters"] = given
    if body is not None:
        extra["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(body.__name__)}},
        }
    if open_to_all:
        extra["security"] = []
    return {
        "operation_id": operation_id,
        "summary": summary,
        "response_model": None,
        "openapi_extra": extra,
        "responses": {
            200: {
                "description": "The answer",
                "content": {"application/json": {"schema": _ref(answer.__name__)}},
            },
            **{
                status: _refusal(status)
                for status in sorted({*_OF_EVERY_ROUTE, *problems})
            },
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _refusal(status: int) -> dict[str, Any]:
    return {
        "description": _STATUSES[status],
        "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
    }
