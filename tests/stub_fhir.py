"""A small FHIR R4 server of ours, for tests: honest unless told to misbehave.

    async with StubFhir([patient, encounter]) as server:
        settings = f'kind = "fhir"\\nbase_url = "{server.base_url}"'

It binds a free port of 127.0.0.1 and serves `_search` by POST and GET, pages, self
links, `date` with ge, lt and `:missing`, `identifier`, `patient` and `_include` of
medicines; and, where it is told to say so, `$everything` as real servers do: with
`_type` and pages, the Patient always among the records, and `start` repeated in the
self link without being heeded. Resources are plain dicts, and are served as given.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from adapters.moment import read_iso, start_of_day

Resource = dict[str, Any]
Parameters = list[tuple[str, str]]

# Where each type keeps the time its `date` parameter searches by.
_DATES = {
    "Encounter": ("period",),
    "Appointment": ("start",),
    "EpisodeOfCare": ("period",),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "Immunization": ("occurrenceDateTime",),
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod"),
}


@dataclass(kw_only=True)
class Misbehaviour:
    """What the server does wrong. Keys of the maps and sets are type names, or "*"."""

    refuses_post: int | None = None  # the status it answers a POST with
    ignores: frozenset[str] = frozenset()  # search parameters it does not heed
    hides_self: bool = False
    hangs: frozenset[str] = frozenset()
    hangs_after_first_page: bool = False
    statuses: Mapping[str, int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    capabilities: Resource | None = None  # what it says of itself, in place of little
    next_page: str | None = None  # loop, foreign, outside, lost
    total: int | None = None  # instead of the true one
    repeats: bool = False  # each page begins with the last record of the page before
    bundle_type: str = "searchset"
    extra_entries: Iterable[Resource] = ()  # put into every searchset
    last_updated: str | None = None
    omits: frozenset[str] = frozenset()  # types that its $everything does not tell of


@dataclass(frozen=True)
class Asked:
    """One request the server received."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]

    @property
    def type(self) -> str:
        return self.path.removesuffix("/_search").rsplit("/", 1)[-1]


class StubFhir:
    """An asyncio server; use it as an async context manager."""

    def __init__(
        self, resources: Iterable[Resource], *, wrong: Misbehaviour | None = None
    ) -> None:
        self.resources = list(resources)
        self.wrong = wrong or Misbehaviour()
        self.asked: list[Asked] = []  # searches; a look at the metadata is none
        self.base_url = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/fhir"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._exchange(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        given = body.decode() if method == "POST" else parts.query
        parameters = parse_qsl(given, keep_blank_values=True)
        asked = Asked(method, unquote(parts.path), tuple(parameters), headers)
        if asked.type != "metadata":
            self.asked.append(asked)
        status, kind, content = await self._reply(asked)
        extra = "".join(f"{k}: {v}\r\n" for k, v in self.wrong.headers.items())
        writer.write(
            f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\n{extra}"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()

    async def _reply(self, asked: Asked) -> tuple[int, str, bytes]:
        wrong, name = self.wrong, asked.type
        json_type = "application/fhir+json"
        offset = int(dict(asked.parameters).get("_offset", "0"))
        if {name, "*"} & wrong.hangs or (wrong.hangs_after_first_page and offset):
            await asyncio.Event().wait()
        if asked.method == "POST" and wrong.refuses_post:
            return wrong.refuses_post, json_type, b"{}"
        status = wrong.statuses.get(name) or wrong.statuses.get("*")
        body = wrong.bodies.get(name) or wrong.bodies.get("*")
        if body:
            return status or 200, *body
        if status:
            return status, json_type, b'{"resourceType":"OperationOutcome"}'
        if name == "metadata":
            return (
                200,
                json_type,
                json.dumps(wrong.capabilities or CAPABILITIES).encode(),
            )
        if name == "$everything":
            bundle = self._everything(asked)
        else:
            bundle = self._searchset(name, list(asked.parameters))
        return 200, json_type, json.dumps(bundle).encode()

    def _searchset(self, name: str, parameters: Parameters) -> Resource:
        wrong = self.wrong
        heeded = [(k, v) for k, v in parameters if k.split(":")[0] not in wrong.ignores]
        found = [r for r in self.resources if _matches(r, name, heeded)]
        return self._bundle(name, parameters, found)

    def _everything(self, asked: Asked) -> Resource:
        """A Patient and what is in its compartment, in whichever role."""
        path = asked.path.split("/")
        patient = "/".join(path[-3:-1])
        given = dict(asked.parameters)
        types = set(given["_type"].split(",")) if "_type" in given else None
        if "_type" in self.wrong.ignores:
            types = None
        found = [
            r
            for r in self.resources
            if _name(r) == patient
            or (
                patient in _subjects(r) | _roles(r)
                and (types is None or r["resourceType"] in types)
                and r["resourceType"] not in self.wrong.omits
            )
        ]
        return self._bundle("/".join(path[2:]), list(asked.parameters), found)

    def _bundle(
        self, name: str, parameters: Parameters, found: list[Resource]
    ) -> Resource:
        wrong, given = self.wrong, dict(parameters)
        count, offset = int(given.get("_count", "50")), int(given.get("_offset", "0"))
        first = max(offset - 1, 0) if wrong.repeats else offset
        page = found[first : offset + count]
        entries = [self._entry(resource, "match") for resource in page]
        entries += [self._entry(r, "include") for r in self._included(page, given)]
        entries += [{"resource": resource} for resource in wrong.extra_entries]
        links = []
        if not wrong.hides_self:
            shown = [
                (k, v) for k, v in parameters if k.split(":")[0] not in wrong.ignores
            ]
            links.append(self._link("self", name, shown))
        if offset + count < len(found):
            links.append(self._next(name, parameters, offset + count))
        total = len(found) if wrong.total is None else wrong.total
        stamp = {"lastUpdated": wrong.last_updated} if wrong.last_updated else {}
        return {
            "resourceType": "Bundle",
            "type": wrong.bundle_type,
            "meta": stamp,
            "total": total,
            "link": links,
            "entry": entries,
        }

    def _included(
        self, page: list[Resource], given: Mapping[str, str]
    ) -> list[Resource]:
        if "_include" not in given:
            return []
        wanted = {r.get("medicationReference", {}).get("reference") for r in page}
        return [r for r in self.resources if _name(r) in wanted]

    def _entry(self, resource: Resource, mode: str) -> Resource:
        url = f"{self.base_url}/{resource['resourceType']}/{resource.get('id')}"
        return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}

    def _link(self, relation: str, name: str, parameters: Parameters) -> Resource:
        url = f"{self.base_url}/{name}?{urlencode(parameters)}"
        return {"relation": relation, "url": url}

    def _next(self, name: str, parameters: Parameters, offset: int) -> Resource:
        kept = [(k, v) for k, v in parameters if k != "_offset"]
        match self.wrong.next_page:
            case "loop":
                offset = 0 if offset > int(dict(kept)["_count"]) else offset
            case "foreign":
                return {"relation": "next", "url": f"http://127.0.0.2/fhir/{name}?x=1"}
            case "outside":
                outside = self.base_url.removesuffix("/fhir")
                return {"relation": "next", "url": f"{outside}/admin?_offset={offset}"}
            case "lost":
                kept = [(k, v) for k, v in kept if k == "_count"]
            case _:
                pass
        return self._link("next", name, [*kept, ("_offset", str(offset))])


CAPABILITIES: Resource = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
}


PATIENT_EVERYTHING = "http://hl7.org/fhir/OperationDefinition/Patient-everything"


def telling_everything(types: Iterable[str], **said: Any) -> Resource:
    """The CapabilityStatement of a server that has `$everything`, and all searches."""
    named = [{"name": name} for name in ("patient", "date")]
    listed: list[Resource] = [{"type": name, "searchParam": named} for name in types]
    everything = {"name": "everything", "definition": PATIENT_EVERYTHING}
    listed.append(
        {
            "type": "Patient",
            "searchParam": [{"name": "identifier"}],
            "operation": [everything],
        }
    )
    rest = [{"mode": "server", "resource": listed}]
    return CAPABILITIES | {"rest": rest} | said


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource.get('id')}"


def _matches(resource: Resource, name: str, parameters: Parameters) -> bool:
    if resource["resourceType"] != name:
        return False
    return all(_satisfies(resource, name, one) for one in parameters)


def _satisfies(resource: Resource, name: str, parameter: tuple[str, str]) -> bool:
    key, value = parameter
    if key == "identifier":
        own = {
            f"{i.get('system')}|{i.get('value')}"
            for i in resource.get("identifier", [])
        }
        return bool(own & {one.replace("\\", "") for one in value.split(",")})
    if key in {"birthdate", "family"}:
        return _is_described(resource, key, value)
    if key in {"patient", "_id"}:
        own = _subjects(resource) if key == "patient" else {str(resource.get("id"))}
        return bool(own & set(value.split(",")))
    if key == "date:missing":
        return (_period(resource, name) is None) == (value == "true")
    if key == "date":
        return _is_within(resource, name, value)
    return True


def _is_described(resource: Resource, key: str, value: str) -> bool:
    """A surname by how it begins, in any case."""
    if key == "birthdate":
        return bool(resource.get("birthDate") == value)
    names = [str(one.get("family", "")) for one in resource.get("name", [])]
    return any(one.casefold().startswith(value.casefold()) for one in names)


def _subjects(resource: Resource) -> set[str]:
    given = [resource.get("subject"), resource.get("patient")]
    given += [one.get("actor") for one in resource.get("participant", [])]
    return {one.get("reference", "") for one in given if one}


def _roles(resource: Resource) -> set[str]:
    """Whom a record names otherwise than as whom it is about."""
    given = [resource.get(role) for role in ("asserter", "recorder")]
    return {one.get("reference", "") for one in given if one}


def _period(resource: Resource, name: str) -> tuple[str, str | None] | None:
    for element in _DATES.get(name, ()):
        value = resource.get(element)
        if isinstance(value, str):
            return value, resource.get("end", value)
        if value and value.get("start"):
            return value["start"], value.get("end")
    return None


def _is_within(resource: Resource, name: str, value: str) -> bool:
    period = _period(resource, name)
    if period is None:
        return False
    bound = start_of_day(date.fromisoformat(value[2:]))
    try:
        first = read_iso(period[0])
        last = read_iso(period[1]) if period[1] else None
    except ValueError:
        return True
    if value.startswith("lt"):
        return first is None or first[0].at < bound
    return last is None or last[0].latest > bound
