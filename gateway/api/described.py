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
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what you have read.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new one for each new request; the same to repeat it. 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_HEADERS: Final = {
    "Prefer": _PREFER,
    "If-Match": _IF_MATCH,
    "Idempotency-Key": _IDEMPOTENCY_KEY,
}
_SENT: Final = {
    "ETag": "Names this very state; give it back in If-Match.",
    "Location": "Where what was made is to be read.",
}
_OF_EVERY_ROUTE: Final = (400, 408, 413, 500)  # the edge's own refusals
_STATUSES: Final = {
    400: "The request is not valid",
    401: "No token, or one that is not accepted",
    403: "Not permitted; no source was called",
    404: "There is no such thing here, or none that is yours to see",
    408: "The request came too slowly",
    409: "Its state, or an earlier request, does not allow this",
    412: "It was changed since you read it",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The document is not valid, or may not be published; errors says where",
    424: "What was required did not answer; completeness says who",
    429: "Too many people on your word alone; Retry-After says when",
    428: "It must be said which version is meant",
    500: "Something went wrong here; nothing was released",
    503: "No source answered, or nothing may be asked now",
}


def described(  # noqa: PLR0913 - one keyword for each thing a reader of the document needs
    operation_id: str,
    summary: str,
    *,
    answer: type[Struct] | None,
    status: int = 200,
    problems: Sequence[int] = (),
    body: type[BaseModel] | str | None = None,
    headers: Sequence[str] = (),
    sent: Sequence[str] = (),
    parameters: Sequence[dict[str, Any]] = (),
    open_to_all: bool = False,
) -> dict[str, Any]:
    """Keyword arguments for a route: its id, shapes, refusals and headers.

    `body` is the model that reads it, or a component's name; without an `answer`
    nothing is sent back. `headers` are those taken, `sent` those given.
    """
    extra: dict[str, Any] = {}
    given = [*(_HEADERS[name] for name in headers), *parameters]
    if given:
        extra["parameters"] = given
    if body is not None:
        extra["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _ref(body if isinstance(body, str) else body.__name__)
                }
            },
        }
    if open_to_all:
        extra["security"] = []
    return {
        "operation_id": operation_id,
        "summary": summary,
        "response_model": None,
        "status_code": status,
        "openapi_extra": extra,
        "responses": {
            status: _success(answer, sent),
            **{
                status: _refusal(status)
                for status in sorted({*_OF_EVERY_ROUTE, *problems})
            },
        },
    }


def _success(answer: type[Struct] | None, sent: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "The answer" if answer else "It is done"}
    if answer is not None:
        shape = {"schema": _ref(answer.__name__)}
        told["content"] = {"application/json": shape}
    if sent:
        told["headers"] = {
            name: {"description": _SENT[name], "schema": {"type": "string"}}
            for name in sent
        }
    return told


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _refusal(status: int) -> dict[str, Any]:
    return {
        "description": _STATUSES[status],
        "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
    }
