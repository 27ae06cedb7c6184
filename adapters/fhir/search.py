"""One search of a FHIR server, from its first page to its last.

A search is a POST, so that no identifier travels in a URL; the links that the server
gives for further pages are followed only within its own base.
"""

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import msgspec

from adapters.errors import AdapterError, Unreadable
from adapters.fhir.credentials import authorisation
from adapters.fhir.elements import BROKEN, OperationOutcome
from adapters.fhir.reading import Reading, read_bundle
from adapters.fhir.references import Scope
from adapters.fhir.resources import Patient
from adapters.fhir.settings import FhirSettings
from adapters.http import Request, Response, fault_of
from adapters.surroundings import Surroundings

# Statuses by which servers say that they take no POST, or have no such type.
_NO_POST: Final = frozenset({404, 405, 501})
_NO_TYPE: Final = frozenset({404, 405, 410, 501})
_BAD_QUESTION: Final = frozenset({400, 422})
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_SEARCHSETS: Final = frozenset({"searchset", "collection", None})
# Beyond this, a page is read beside the event loop: it would hold it too long.
_LONG_PAGE: Final = 256 * 1024
_OUTCOME: Final = msgspec.json.Decoder(OperationOutcome)

Parameters = tuple[tuple[str, str], ...]


class NotSearchable(Unreadable):
    """The server does not search in this way; `not_found_type` if not at all."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """What all searches of one question may use together."""

    bytes: int
    records: int

    def spend(self, size: int, records: int) -> None:
        self.bytes -= size
        self.records -= records

    @property
    def is_spent(self) -> bool:
        return self.bytes <= 0 or self.records <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A type, what is asked of it, and the patients its records may refer to."""

    name: str
    parameters: Parameters = field(repr=False)
    known: tuple[Patient, ...] = field(default=(), repr=False)
    is_dated: bool = False  # whether a filter by date is among the parameters

    @property
    def filters(self) -> frozenset[str]:
        """The parameters that narrow what is found."""
        names = (_bare(name) for name, _ in self.parameters)
        return frozenset(name for name in names if not name.startswith("_"))


@dataclass(slots=True, kw_only=True)
class Found:
    """The pages of one search as they come, and what must be said of them."""

    question: Question
    pages: list[Reading] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    is_whole: bool = False


class Server:
    """Sends searches to one FHIR server and reads what comes back."""

    def __init__(
        self, settings: FhirSettings, surroundings: Surroundings, *, scope: Scope
    ) -> None:
        self._base = settings.base_url
        self._settings = settings
        self._around = surroundings
        self._scope = scope
        self._takes_post = True

    async def search(self, found: Found, budget: Budget) -> Found:
        """Every page, put into `found` as it comes.

        A failure of the first page raises; of a later one it truncates.
        NotSearchable where the server does not search this type in this way.
        """
        response = await self._first(found)
        visited: set[str] = set()
        while True:
            reading = await self._read(response, found)
            budget.spend(len(response.body), reading.resources)
            following = _link(reading, "next")
            if following is None:
                found.is_whole = True
                _check_whole(found)
                return found
            url = urljoin(f"{self._base}/", following)
            visited.add(_link(reading, "self") or "")
            if (
                budget.is_spent
                or len(found.pages) >= self._around.limits.pages
                or url in visited
                or not self._may_follow(url, found)
            ):
                found.caveats.append("truncated")
                return found
            visited.add(url)
            try:
                response = await self._send(url, None)
                _raise_fault(response, self._around)
            except AdapterError:
                found.caveats.append("truncated")
                return found

    async def statement(self) -> bytes:
        """What the server says of itself, as it is. AdapterError as for a search."""
        response = await self._send(f"{self._base}/metadata", None)
        _raise_fault(response, self._around)
        return response.body

    async def _first(self, found: Found) -> Response:
        question = found.question
        url = f"{self._base}/{question.name}"
        if self._takes_post:
            response = await self._send(f"{url}/_search", question.parameters)
            if response.status not in _NO_POST or self._settings.search == "post-only":
                _raise_fault(response, self._around)
                return response
        response = await self._send(f"{url}?{urlencode(question.parameters)}", None)
        _raise_fault(response, self._around)
        self._takes_post = False
        found.caveats.append("search_by_get")
        return response

    async def _send(self, url: str, form: Parameters | None) -> Response:
        headers = self._headers()
        response = await self._once(url, form, headers)
        if response.status == 401 and headers != (renewed := self._headers()):
            response = await self._once(url, form, renewed)
        return response

    async def _once(
        self, url: str, form: Parameters | None, headers: dict[str, str]
    ) -> Response:
        limits = self._around.limits
        return await self._around.transport.send(
            Request(
                url=url,
                form=form,
                headers=headers,
                connect_s=limits.connect_s,
                page_bytes=limits.page_bytes,
            )
        )

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/fhir+json",
            **authorisation(self._settings.auth, self._around.secret),
        }

    async def _read(self, response: Response, found: Found) -> Reading:
        try:
            _check_type(response)
            if len(response.body) > _LONG_PAGE:
                reading = await self._around.long_work.do(
                    partial(
                        read_bundle, response.body, self._scope, found.question.known
                    )
                )
            else:
                reading = read_bundle(response.body, self._scope, found.question.known)
            _check_searchset(reading)
        except Unreadable:
            if not found.pages:
                raise
            found.caveats.append("truncated")
            return Reading()
        reading.as_of = reading.as_of or _date_of(response)
        found.pages.append(reading)
        return reading

    def _may_follow(self, url: str, found: Found) -> bool:
        """Within the server's base, and still asking what was asked."""
        base, there = urlsplit(self._base), urlsplit(url)
        if (base.scheme, base.netloc) != (there.scheme, there.netloc):
            return False
        root = base.path.rstrip("/")
        if there.path != root and not there.path.startswith(f"{root}/"):
            return False
        if ".." in there.path or "%2e" in there.path.lower():
            return False
        shown, next_shown = _shown(found.pages[0], "self"), _names(url)
        if shown is None or not shown & next_shown:
            return True  # an opaque continuation, which repeats nothing
        return not (shown & found.question.filters) - next_shown


def _bare(name: str) -> str:
    return name.partition(":")[0]


def _names(url: str) -> frozenset[str]:
    query = urlsplit(url).query
    return frozenset(
        _bare(name) for name, _ in parse_qsl(query, keep_blank_values=True)
    )


def _link(reading: Reading, relation: str) -> str | None:
    for link in (reading.bundle.link if reading.bundle else None) or ():
        if link.relation == relation and link.url:
            return link.url
    return None


def _shown(reading: Reading, relation: str) -> frozenset[str] | None:
    url = _link(reading, relation)
    return None if url is None else _names(url)


def _raise_fault(response: Response, around: Surroundings) -> None:
    status = response.status
    if status in _NO_TYPE or (
        status in _BAD_QUESTION and _is_unsupported(response.body)
    ):
        message = "the source does not search this type. Leave it out of `types`."
        raise NotSearchable("not_found_type", message)
    if status in _BAD_QUESTION:
        message = "the source does not understand a parameter of the question."
        raise NotSearchable("unexpected_status", message)
    fault = fault_of(response, around.now())
    if fault is not None:
        raise fault


def _is_unsupported(body: bytes) -> bool:
    try:
        issues = _OUTCOME.decode(body).issue or ()
    except BROKEN:
        return False
    return any(issue.code in {"not-supported", "not-found"} for issue in issues)


def _check_type(response: Response) -> None:
    """The reply must say that it is JSON in UTF-8; a login page often says 200."""
    kind, _, rest = response.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if kind in {"application/fhir+xml", "application/xml", "text/xml"}:
        message = "the source answers in XML, which is not read yet. Ask it for JSON."
        raise Unreadable("xml", message)
    if kind and kind != "application/json" and not kind.endswith("+json"):
        message = "the source answered with something that is not FHIR JSON."
        raise Unreadable("unreadable", f"{message} Is there a login page before it?")
    for part in rest.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
            if charset not in _UTF8:
                message = "the source's reply is not in UTF-8. Report it to the source."
                raise Unreadable("unreadable", message)


def _check_searchset(reading: Reading) -> None:
    bundle = reading.bundle
    is_bare = bundle is None or bundle.resource_type != "Bundle"
    failed = any(reading.outcomes[grave] for grave in ("fatal", "error"))
    if failed and not reading.matches:
        message = "the source reported an error instead of an answer. Ask its owner."
        raise Unreadable("outcome_reported", message)
    if is_bare or (bundle is not None and bundle.type not in _SEARCHSETS):
        message = "the source did not answer a search with a searchset."
        raise Unreadable("unreadable", f"{message} Check base_url.")


def _date_of(response: Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None


def _check_whole(found: Found) -> None:
    """Whether as many came as the server counted, and by the filters asked."""
    received = sum(page.matches - page.duplicates for page in found.pages)
    totals = [page.bundle.total for page in found.pages if page.bundle]
    promised = max((total for total in totals if total is not None), default=None)
    if promised is not None and received < promised:
        found.caveats.append("truncated")
    shown = _shown(found.pages[0], "self")
    aliases = {"subject", "patient"}
    asked = found.question.filters
    if shown is None or not all(
        name in shown or (name in aliases and shown & aliases) for name in asked
    ):
        found.caveats.append("filter_unconfirmed")
