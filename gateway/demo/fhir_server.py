"""A small read-only FHIR R4 server, for the demo's surgery and hospital.

`python -m gateway.demo.fhir_server --data FILE --port N` serves the resources of an
NDJSON file at http://127.0.0.1:N/fhir, searched by POST or GET, page by page.
"""

import argparse
import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.demo.fhir_search import (
    DATES,
    TYPES,
    Holdings,
    Misasked,
    Parameters,
    Resource,
    known_parameters,
)

BASE: Final = "/fhir"
_MEDIA: Final = "application/fhir+json; charset=utf-8"
_PAGE: Final = 50
_LARGEST_PAGE: Final = 200
_SEARCHES_KEPT: Final = 512  # each a page token; the oldest are forgotten first
_BODY_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a server behaves; by default, well.

    `slow_s` is waited before each search. `wrong` answers a search for one patient
    with the next one's record, as a server with a mixed-up index would.
    """

    slow_s: float = 0.0
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class _Search:
    """A search already made: its pages are cut from `found`."""

    resource_type: str
    applied: Parameters = field(repr=False)
    found: list[Resource] = field(repr=False)
    size: int


class Server:
    """The routes of one server over one set of resources."""

    def __init__(
        self, resources: Sequence[Resource], behaviour: Behaviour | None = None
    ) -> None:
        self._behaviour = behaviour or Behaviour()
        self._holdings = Holdings.of(resources)
        self._searches: OrderedDict[str, _Search] = OrderedDict()

    async def metadata(self, _: Request) -> Response:
        return _json(_capabilities())

    async def search(self, request: Request) -> Response:
        """POST {Type}/_search with a form, or GET {Type}/_search or {Type}."""
        resource_type = _served(request.path_params["type"])
        asked = parse_qsl(request.url.query, keep_blank_values=True)
        if request.method == "POST":
            asked += await _form(request)
        await asyncio.sleep(self._behaviour.slow_s)
        search = self._find(resource_type, asked, strict=_is_strict(request))
        return _json(self._bundle(search, _base(request), offset=0))

    async def page(self, request: Request) -> Response:
        """A later page, by the token that the page before gave."""
        token, _, offset = request.query_params.get("token", "").partition(".")
        search = self._searches.get(token)
        if search is None or not offset.isdecimal():
            raise HTTPException(410, "That page has expired. Search again.")
        await asyncio.sleep(self._behaviour.slow_s)
        return _json(
            self._bundle(search, _base(request), offset=int(offset), token=token)
        )

    async def read(self, request: Request) -> Response:
        kind = _served(request.path_params["type"])
        found = self._holdings.read(kind, request.path_params["id"])
        if found is None:
            raise HTTPException(404, "There is no such resource.")
        return _json(found)

    def _find(self, resource_type: str, asked: Parameters, *, strict: bool) -> _Search:
        known = known_parameters(resource_type)
        unknown = [
            n for n, _ in asked if n not in known and n not in {"_count", "_format"}
        ]
        if unknown and strict:
            raise Misasked("not-supported", "A search parameter is not supported.")
        applied = [(name, value) for name, value in asked if name in known]
        found = self._holdings.search(resource_type, applied)
        if self._behaviour.wrong:
            found = self._mixed_up(resource_type, found)
        return _Search(resource_type, applied, found, _size(asked))

    def _mixed_up(self, resource_type: str, found: list[Resource]) -> list[Resource]:
        """The same number of resources, of whoever comes next in the file."""
        held = self._holdings.by_type.get(resource_type, [])
        positions = [held.index(resource) for resource in found]
        return [held[(position + len(found)) % len(held)] for position in positions]

    def _bundle(
        self, search: _Search, base: str, *, offset: int, token: str | None = None
    ) -> Resource:
        until = offset + search.size
        applied = [*search.applied, ("_count", str(search.size))]
        links = [
            {
                "relation": "self",
                "url": f"{base}/{search.resource_type}?{urlencode(applied)}",
            }
        ]
        if until < len(search.found):
            token = token or self._keep(search)
            links.append(
                {"relation": "next", "url": f"{base}/_page?token={token}.{until}"}
            )
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(search.found),
            "link": links,
            "entry": [_entry(base, one) for one in search.found[offset:until]],
        }

    def _keep(self, search: _Search) -> str:
        token = secrets.token_urlsafe(12)
        self._searches[token] = search
        while len(self._searches) > _SEARCHES_KEPT:
            self._searches.popitem(last=False)
        return token


def create_app(
    resources: Sequence[Resource], behaviour: Behaviour | None = None
) -> ASGIApp:
    """The server as an ASGI application, under `/fhir`."""
    server = Server(resources, behaviour)
    return Starlette(
        routes=[
            Route(f"{BASE}/metadata", server.metadata, methods=["GET"]),
            Route(f"{BASE}/_page", server.page, methods=["GET"]),
            Route(f"{BASE}/{{type}}/_search", server.search, methods=["GET", "POST"]),
            Route(f"{BASE}/{{type}}", server.search, methods=["GET"]),
            Route(f"{BASE}/{{type}}/{{id}}", server.read, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refused, Misasked: _misasked},
    )


def load(path: Path) -> list[Resource]:
    """The resources of an NDJSON file, one to a line."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def _served(resource_type: str) -> str:
    if resource_type not in TYPES:
        raise HTTPException(404, "Resources of that type are not served here.")
    return resource_type


def _is_strict(request: Request) -> bool:
    return "handling=strict" in request.headers.get("prefer", "").replace(" ", "")


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{BASE}"


def _size(asked: Parameters) -> int:
    for name, value in asked:
        if name == "_count":
            if not value.isdecimal() or not int(value):
                raise Misasked("value", "_count is a whole number above zero.")
            return min(int(value), _LARGEST_PAGE)
    return _PAGE


async def _form(request: Request) -> list[tuple[str, str]]:
    media = request.headers.get("content-type", "").partition(";")[0].strip()
    if media != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send a search as application/x-www-form-urlencoded.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise HTTPException(413, "That search is too long.")
    try:
        text = body.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True)
    except UnicodeDecodeError:
        raise HTTPException(400, "A search is UTF-8.") from None


def _entry(base: str, resource: Resource) -> Resource:
    return {
        "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": "match"},
    }


def _capabilities() -> Resource:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {"mode": "server", "resource": [_capability(t) for t in sorted(TYPES)]}
        ],
    }


def _capability(resource_type: str) -> Resource:
    date = DATES.get(resource_type, ("",))[0]
    kinds = {"_id": "token", "identifier": "token", date: "date"}
    searched = [
        {"name": name, "type": kinds.get(name, "reference")}
        for name in sorted(known_parameters(resource_type))
        if "." not in name and name != "_include"  # declared otherwise, or not at all
    ]
    return {
        "type": resource_type,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": searched,
    }


_ISSUES: Final = {
    404: "not-found",
    405: "not-supported",
    410: "expired",
    413: "too-long",
    415: "not-supported",
}


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else ""
    return _json(_outcome(_ISSUES.get(status, "invalid"), text), status)


async def _misasked(_: Request, error: Exception) -> Response:
    code = error.code if isinstance(error, Misasked) else "exception"
    return _json(_outcome(code, str(error)), 400)


def _outcome(code: str, text: str) -> Resource:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON value
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, media_type=_MEDIA)


def main(
    arguments: Sequence[str] | None = None,
) -> None:  # pragma: no cover - it runs in its own process, which the tests start
    """Serve until stopped; on 127.0.0.1 alone, for nothing here is protected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--slow-s", type=float, default=0.0)
    parser.add_argument("--wrong", action="store_true")
    given = parser.parse_args(arguments)
    behaviour = Behaviour(slow_s=given.slow_s, wrong=given.wrong)
    uvicorn.run(
        create_app(load(given.data), behaviour),
        host="127.0.0.1",
        port=given.port,
        log_level="warning",
        access_log=False,  # a log line would show a search by GET
        timeout_graceful_shutdown=1,  # a slow answer need not be waited for
    )


if __name__ == "__main__":  # pragma: no cover - as main
    main()
