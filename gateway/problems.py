"""Every refusal, as RFC 9457: a stable code, a status, and the next step.

One table holds them all. No detail, pointer or code carries a value that was sent:
a caller's own field names are not echoed either, since they may be anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """What every problem of one code has in common."""

    status: int
    title: str
    next_step: str


PROBLEMS: Final[dict[str, Kind]] = {
    "request-invalid": Kind(
        400, "The request is not valid", "Correct the fields named in errors."
    ),
    "purpose-missing": Kind(
        400,
        "Exactly one purpose is needed",
        "Give one purpose of GET /v1/purposes; it is never assumed.",
    ),
    "purpose-unknown": Kind(
        400, "The purpose is not known", "Use a code of GET /v1/purposes."
    ),
    "identifier-invalid": Kind(
        400,
        "The identifier is not valid",
        "Check the number and its system; an NHS number has ten digits and a check.",
    ),
    "identifier-in-url": Kind(
        400, "An identifier stood in the URL", "Send identifiers in the body."
    ),
    "parameter-unknown": Kind(
        400, "A parameter is not known", "Remove what this route does not name."
    ),
    "duplicate-header": Kind(
        400, "A header came more than once", "Send each header once."
    ),
    "token-missing": Kind(
        401, "A token is needed", "Send one header: Authorization: Bearer <token>."
    ),
    "token-invalid": Kind(
        401, "The token was not accepted", "Ask your issuer for a new token."
    ),
    "reauthentication-needed": Kind(
        401,
        "A recent sign-in is needed",
        "Sign in again; the token's auth_time may be 5 minutes old.",
    ),
    "not-permitted": Kind(
        403,
        "This is not permitted",
        "Ask the owner of the data, or your administrator, about your registration.",
    ),
    "organisation-mismatch": Kind(
        403,
        "The organisation is not one of the token's",
        "Name one organisation of your token in NHSD-End-User-Organisation-ODS.",
    ),
    "not-found": Kind(404, "There is no such thing here", "Check the address."),
    "http-405": Kind(
        405, "The method is not allowed here", "Use a method of the Allow header."
    ),
    "http-406": Kind(406, "No such representation", "Accept application/json."),
    "http-408": Kind(
        408, "The request came too slowly", "Send the whole body at once."
    ),
    "conflict": Kind(
        409,
        "This is not possible in its present state",
        "Read it again, and do what its state allows.",
    ),
    "in-use": Kind(
        409,
        "It is in use, or has been",
        "What was signed or submitted is kept; withdraw it, or leave it.",
    ),
    "idempotency-mismatch": Kind(
        409,
        "The key was used for another request",
        "Give each new request an Idempotency-Key of its own.",
    ),
    "precondition-failed": Kind(
        412,
        "It was changed since you read it",
        "Read it again, look at what changed, and send the new ETag in If-Match.",
    ),
    "http-413": Kind(413, "The body is too large", "Send a smaller body."),
    "http-415": Kind(415, "The media type is not supported", "Send application/json."),
    "precondition-required": Kind(
        428,
        "It must be said which version is meant",
        "Read it, and send its ETag in If-Match.",
    ),
    "people-budget-spent": Kind(
        429,
        "Too many people on your word alone",
        "Ask again after Retry-After, or with evidence of the relationship.",
    ),
    "http-431": Kind(431, "The header is too large", "Send fewer or shorter headers."),
    "document-invalid": Kind(
        422,
        "The document is not valid",
        "Correct the places named in errors; each says what would be right.",
    ),
    "fingerprint-differs": Kind(
        422,
        "It is not the fingerprint of these keys",
        "Have it read out again at the site; if it still differs, trust no such keys.",
    ),
    "gate-failed": Kind(
        422,
        "The document may not be published as it is",
        "Mend every finding named in errors, then submit it again.",
    ),
    "required-sources-unmet": Kind(
        424,
        "What was required did not answer",
        "Read completeness; ask again, or require less.",
    ),
    "internal": Kind(
        500,
        "Something went wrong here",
        "Report the request id; nothing was released.",
    ),
    "no-source-answered": Kind(
        503,
        "No source answered",
        "Nothing is known about this person from here; ask again, or ask directly.",
    ),
    "audit-unavailable": Kind(
        503,
        "The audit trail cannot be written",
        "Nothing is asked or released without it; ask again shortly.",
    ),
    "issuer-unavailable": Kind(
        503,
        "The token could not be checked",
        "The issuer's keys cannot be reached; ask again shortly.",
    ),
    "policy-unavailable": Kind(
        503, "No policy is in force", "Ask again shortly; nothing is decided without."
    ),
    "overloaded": Kind(503, "Too much at once", "Ask again after Retry-After."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """Where a request is wrong (a JSON pointer of our own names) and how (a code).

    `message` is prose of ours where the code alone leaves a writer of policy at a
    loss: what would be right there, and never what was sent.
    """

    pointer: str
    code: str
    message: str | None = None


class RequestError(Exception):
    """A request is refused; `code` is one of PROBLEMS, which settles its status.

    `detail` is prose of ours and never holds what was sent. `completeness` is
    what a response would have said, in anything msgspec can encode.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.unmet: Sequence[object] | None = None
        self.completeness: object = None
        self.instance: str | None = None

    @property
    def kind(self) -> Kind:
        return PROBLEMS[self.code]

    @property
    def status(self) -> int:
        return self.kind.status

    def about_decision(self, decision_id: str) -> "RequestError":
        """The same refusal, with where its decision is explained."""
        self.instance = f"/v1/decisions/{decision_id}"
        return self

    def with_completeness(
        self, completeness: object, unmet: Sequence[object] | None = None
    ) -> "RequestError":
        """The same refusal, with what was and was not asked and answered."""
        self.completeness = completeness
        self.unmet = unmet
        return self


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every response that is not 2xx. Every field is always there."""

    type: str
    title: str
    status: int
    detail: str | None
    instance: str | None
    next_step: str
    request_id: str | None
    errors: Sequence[FieldError]
    unmet: Any
    completeness: Any


def problem_of(error: RequestError, request_id: str | None) -> Problem:
    return Problem(
        type=f"urn:throughline:problem:{error.code}",
        title=error.kind.title,
        status=error.status,
        detail=error.detail,
        instance=error.instance,
        next_step=error.kind.next_step,
        request_id=request_id,
        errors=error.errors,
        unmet=error.unmet,
        completeness=error.completeness,
    )


# What a client may do about it (RFC 6750, and RFC 9470 for an older sign-in).
_CHALLENGES: Final = {
    "token-invalid": ' error="invalid_token"',
    "reauthentication-needed": ' error="insufficient_user_authentication", max_age=300',
}


def problem_response(error: RequestError, request_id: str | None) -> Response:
    """The refusal as `application/problem+json`, with the headers its status wants."""
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer" + _CHALLENGES.get(error.code, "")
    if error.retry_after_s is not None or error.status == 503:
        headers["Retry-After"] = str(error.retry_after_s or 5)
    return Response(
        msgspec.json.encode(problem_of(error, request_id)),
        status_code=error.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def invalid_fields(errors: Sequence[Mapping[str, Any]]) -> RequestError:
    """Pydantic's errors as one refusal: place and kind, never the input.

    A purpose that is absent, empty or not one string is `purpose-missing`. The
    name of an unknown field is the caller's, so only its parent is pointed at.
    """
    fields = tuple(_field(error) for error in errors)
    missing = any(
        field.pointer == "/purpose" and field.code != "unknown" for field in fields
    )
    return RequestError(
        "purpose-missing" if missing else "request-invalid", errors=fields
    )


def _field(error: Mapping[str, Any]) -> FieldError:
    keys = list(error["loc"])
    if keys and keys[0] in {"body", "query", "path", "header"}:
        del keys[0]
    code = str(error["type"]).replace("_", "-")
    if code == "extra-forbidden":
        return FieldError(pointer=_pointer(keys[:-1]), code="unknown")
    return FieldError(pointer=_pointer(keys), code=code)


def _pointer(keys: Sequence[object]) -> str:
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def request_id_of(request: Request) -> str | None:
    """The id the edge gave this request, None where no edge stands before us."""
    found: str | None = getattr(request.state, "request_id", None)
    return found


def install_problem_handlers(app: FastAPI) -> None:
    """Make every refusal of the app a Problem, the framework's own included."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)  # noqa: S101 - registered for it alone
        return problem_response(error, request_id_of(request))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        return problem_response(invalid_fields(error.errors()), request_id_of(request))

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        code = _code_of(error.status_code)
        response = problem_response(RequestError(code), request_id_of(request))
        if error.status_code == 405 and error.headers:
            response.headers["Allow"] = error.headers.get("Allow", "")
        return response

    async def internal(request: Request, _: Exception) -> Response:
        return problem_response(RequestError("internal"), request_id_of(request))

    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, internal)


def _code_of(status: int) -> str:
    """The code for a status the framework chose, by itself."""
    if status == 404:
        return "not-found"
    if f"http-{status}" in PROBLEMS:
        return f"http-{status}"
    return "request-invalid" if 400 <= status < 500 else "internal"
