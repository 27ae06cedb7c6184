"""What a FHIR server says of itself: which types it searches, and by what.

Read at the first question about somebody there and again after an hour; a server
that does not say, or not in time, is asked as if it could do all. Statements are
often wrong, so theirs only makes us ask more plainly and say more: no record is left
unasked for by it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import msgspec

from adapters.errors import AdapterError
from adapters.fhir.elements import Element
from adapters.surroundings import Surroundings

_KEPT: Final = timedelta(hours=1)
_TRIED_AGAIN: Final = timedelta(minutes=5)
# How long a question waits for the statement, at most and as a share of its time.
_PATIENCE_S: Final = 1.0
_SHARE: Final = 0.25
# Statements are long, and slow servers slower: it may come for a later question.
_MOST_S: Final = 30.0
_BOM: Final = b"\xef\xbb\xbf"


class _Interaction(Element, frozen=True, gc=False):
    code: str | None = None


class _Parameter(Element, frozen=True, gc=False):
    name: str | None = None


class _Type(Element, frozen=True, gc=False):
    type: str | None = None
    interaction: tuple[_Interaction | None, ...] | None = None
    search_param: tuple[_Parameter | None, ...] | None = None


class _Rest(Element, frozen=True, gc=False):
    mode: str | None = None
    resource: tuple[_Type | None, ...] | None = None
    search_param: tuple[_Parameter | None, ...] | None = None


class _Statement(Element, frozen=True, gc=False):
    resource_type: str | None = None
    rest: tuple[_Rest | None, ...] | None = None


_STATEMENT: Final = msgspec.json.Decoder(_Statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The search parameters of each type the server searches, as far as it says.

    Without any type, or without any parameter of a type, nothing is known of it.
    """

    parameters: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def may_search(self, name: str) -> bool:
        """False only where the server lists what it searches and leaves this out."""
        return not self.parameters or name in self.parameters

    def may_filter(self, name: str, parameter: str) -> bool:
        """False only where it lists the type's parameters and leaves this out."""
        listed = self.parameters.get(name)
        return not listed or parameter in listed


UNKNOWN: Final = Capabilities()


def read_capabilities(body: bytes) -> Capabilities:
    """What a CapabilityStatement says of searching; UNKNOWN where it is none.

    Source: FHIR R4 CapabilityStatement, `rest.resource` and `rest.searchParam`.
    """
    try:
        statement = _STATEMENT.decode(body.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return UNKNOWN
    if statement.resource_type != "CapabilityStatement":
        return UNKNOWN
    parameters: dict[str, frozenset[str]] = {}
    for rest in statement.rest or ():
        if rest is None or rest.mode == "client":
            continue
        everywhere = _names(rest.search_param)
        for one in rest.resource or ():
            if one is not None and one.type and _is_searched(one):
                own = _names(one.search_param)
                known = parameters.get(one.type, frozenset())
                # The parameters of every type say nothing of those of this one.
                parameters[one.type] = known | own | (everywhere if own else own)
    return Capabilities(parameters=parameters)


def _is_searched(one: _Type) -> bool:
    codes = {each.code for each in one.interaction or () if each is not None}
    return not codes or "search-type" in codes


def _names(given: Iterable[_Parameter | None] | None) -> frozenset[str]:
    return frozenset(one.name for one in given or () if one is not None and one.name)


class Statement:
    """One server's statement, read beside the questions and kept for a while."""

    def __init__(
        self, fetch: Callable[[], Awaitable[bytes]], surroundings: Surroundings
    ) -> None:
        self._fetch = fetch
        self._around = surroundings
        self._capabilities = UNKNOWN
        self._task: asyncio.Task[None] | None = None
        self._tried = surroundings.now()
        self._is_told = False
        self._began = 0.0

    async def known(self) -> Capabilities:
        """What is known, reading it first if that is due.

        Waits for it a moment only; then what was known before is told, and what
        comes late is there for a later question.
        """
        if self._task is None or (self._task.done() and self._is_due()):
            self._tried = self._around.now()
            self._began = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._read())
        if not self._task.done():
            patience = min(_PATIENCE_S, _SHARE * self._around.limits.source_s)
            waited = asyncio.get_running_loop().time() - self._began
            # Unlike asyncio.timeout, this cancels nothing when the time is up.
            await asyncio.wait({self._task}, timeout=max(patience - waited, 0.0))
        return self._capabilities

    def _is_due(self) -> bool:
        kept = _KEPT if self._is_told else _TRIED_AGAIN
        return self._around.now() >= self._tried + kept

    async def aclose(self) -> None:
        """Stop reading. Twice, or before it has begun, is safe."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _read(self) -> None:
        self._is_told = False
        try:
            async with asyncio.timeout(_MOST_S):
                body = await self._fetch()
        except (AdapterError, TimeoutError):
            return  # what was known before, if anything, is still the best there is
        # Off the loop: the statement of a large server is more than a megabyte.
        told = await asyncio.to_thread(read_capabilities, body)
        if told.parameters:
            self._capabilities, self._is_told = told, True
