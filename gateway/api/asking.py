"""What every route does with a request before its own work."""

from fastapi import Request

from gateway.access.requester import Requester
from gateway.problems import RequestError
from gateway.service import Service


def service_of(request: Request) -> Service:
    """The running service that this request came to."""
    service: Service = request.app.state.service
    return service


async def requester_of(request: Request) -> Requester:
    """Who is asking. RequestError for a stranger."""
    return await service_of(request).authenticator.authenticate(request.headers)


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
