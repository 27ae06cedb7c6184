"""Headers that writers of policy send: which state they mean, and which request."""

import re
from typing import Final

from fastapi import Request

from adapters import nhs_number
from gateway.problems import FieldError, RequestError

# One strong entity tag (RFC 9110, section 8.8.3), as we give them out.
_TAG: Final = re.compile(r'"([\x21\x23-\x7e]{1,200})"')
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def state_meant(request: Request) -> str:
    """The entity tag of If-Match, without its quotes.

    RequestError precondition-required without one; request-invalid for a list, a
    weak tag or `*`, which would mean whatever stands there by now.
    """
    given = request.headers.get("if-match")
    if given is None:
        raise RequestError("precondition-required")
    found = _TAG.fullmatch(given.strip())
    if found is None:
        raise _wrong("if-match", "If-Match holds one ETag of ours, with its quotes.")
    return found[1]


def request_key(request: Request) -> str:
    """The caller's own name for this request, by which a repeat is known.

    RequestError request-invalid if it is missing, or of another form.
    """
    key = request.headers.get("idempotency-key", "").strip()
    # It is kept for a day, and nobody's number may be.
    if _KEY.fullmatch(key) is None or nhs_number.is_within(key):
        raise _wrong(
            "idempotency-key",
            "Idempotency-Key is 1 to 255 visible characters, new for each request.",
        )
    return key


def entity_tag(state: str) -> str:
    """A state's name as the ETag header spells it."""
    return f'"{state}"'


def _wrong(header: str, detail: str) -> RequestError:
    fault = FieldError(pointer=f"/{header}", code="invalid")
    return RequestError("request-invalid", detail, errors=(fault,))
