"""One search of a FHIR server, from its first page to its last.

A search is a POST, so that no identifier travels in a URL; the links that the server
gives for further pages are followed only within its own base.
"""

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from adapters.errors import AdapterError, Unreadable
from adapters.fhir.elements import BROKEN, OperationOutcome
from adapters.fhir.found import Budget, Found, Parameters, bare, given, link, unborne
from adapters.fhir.reading import Reading, read_bundle
from adapters.fhir.references import Scope
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
_SIGNED: Final = ("server", "x-powered-by", "x-fhir-server-version")
_OUTCOME: Final = msgspec.json.Decoder(OperationOutcome)


class NotSearchable(Unreadable):
    """The server does not search in this way; `not_found_type` if not at all."""


class NobodyThere(Unreadable):
    """An operation about one person answers that there is nobody by that number."""


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
        self.signature = ""  # how its last reply was signed

    def forget(self) -> None:
        """What was learned of how it may be asked: it may be another one by now."""
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
            following = link(reading, "next")
            if following is None:
                found.is_whole = True
                found.caveats += unborne(found)
                return found
            url = urljoin(f"{self._base}/", following)
            visited.add(link(reading, "self") or "")
            if (
                found.question.stays_in_body
                or budget.is_spent
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
        if question.operation is not None:
            url = f"{self._base}/{question.operation}"
            if question.parameters:
                url = f"{url}?{urlencode(question.parameters)}"
            response = await self._send(url, None, body=question.body)
            _raise_fault(response, self._around)
            return response
        url = f"{self._base}/{question.name}"
        by_post = question.stays_in_body or self._settings.search == "post-only"
        if self._takes_post or by_post:
            response = await self._send(f"{url}/_search", question.parameters)
            if response.status not in _NO_POST or by_post:
                _raise_fault(response, self._around)
                return response
        response = await self._send(f"{url}?{urlencode(question.parameters)}", None)
        _raise_fault(response, self._around)
        self._takes_post = False
        found.caveats.append("search_by_get")
        return response

    async def _send(
        self, url: str, form: Parameters | None, *, body: bytes | None = None
    ) -> Response:
        limits = self._around.limits
        response = await self._around.transport.send(
            Request(
                url=url,
                form=form,
                body=body,
                headers={"Accept": "application/fhir+json"},
                connect_s=limits.connect_s,
                page_bytes=limits.page_bytes,
            )
        )
        self.signature = _signature(response)
        return response

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
        own, next_shown = link(found.pages[0], "self") or "", _names(url)
        shown = _names(own)
        # A continuation that repeats nothing is opaque; so is one of the base itself,
        # which names no type that could be searched anew.
        if not shown & next_shown or there.path.rstrip("/") == root:
            return True
        return not (shown & found.question.filters) - next_shown


def _signature(response: Response) -> str:
    """The software that answered, as far as its headers name it."""
    return "; ".join(response.headers.get(name, "") for name in _SIGNED)


def _names(url: str) -> frozenset[str]:
    return frozenset(bare(name) for name, _ in given(url))


def _raise_fault(response: Response, around: Surroundings) -> None:
    status = response.status
    if status in _NO_TYPE and _is_nobody(response.body):
        message = "the source knows nobody by that number."
        raise NobodyThere("unknown_person", message)
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


def _is_nobody(body: bytes) -> bool:
    """Whether an outcome says, as GP Connect has it, that a patient is not there."""
    try:
        issues = _OUTCOME.decode(body).issue or ()
    except BROKEN:
        return False
    said = {
        one.code for issue in issues if issue.details for one in issue.details.codes
    }
    return "PATIENT_NOT_FOUND" in said


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
