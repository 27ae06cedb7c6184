"""What every route does with a request before its own work."""

import re
from typing import Final

from fastapi import Request

from adapters import nhs_number
from gateway.access.requester import Requester
from gateway.problems import RequestError
from gateway.service import Service

_DIGITS: Final = re.compile(r"\d[\d\s%+-]{8,20}\d")


def service_of(request: Request) -> Service:
    """The running service that this request came to."""
    service: Service = request.app.state.service
    return service


async def requester_of(request: Request) -> Requester:
    """Who is asking; refuses a stranger, and an identifier in the URL."""
    refuse_identifier_in_url(request)
    return await service_of(request).authenticator.authenticate(request.headers)


def refuse_identifier_in_url(request: Request) -> None:
    """RequestError identifier-in-url where the URL holds what may be an NHS number."""
    for text in (request.url.path, request.url.query):
        for found in _DIGITS.finditer(text):
            plain = re.sub(r"%20|[\s+-]", "", found[0])
            if nhs_number.normalise(plain) is not None:
                raise RequestError("identifier-in-url")


def only_parameters(request: Request, *known: str) -> None:
    """RequestError parameter-unknown unless each parameter is known and comes once."""
    names = [name for name, _ in request.query_params.multi_items()]
    if set(names) - set(known) or len(set(names)) != len(names):
        raise RequestError("parameter-unknown")


def json_body(request: Request) -> None:
    """RequestError http-415 unless the body says it is JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise RequestError("http-415")
