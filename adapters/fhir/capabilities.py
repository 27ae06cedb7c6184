"""What a FHIR server says of itself: which types it searches, by what, what else.

Read at the first question about somebody there, again after an hour, and sooner where
the server's replies are signed by another version than they were. A server that does
not say, or not in time, is asked as if it could do every search, and nothing more.
Statements are often wrong, so theirs only makes us ask more plainly and say more: no
record is left unasked for by it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import msgspec

from adapters.errors import AdapterError
from adapters.fhir.elements import Element, Reference
from adapters.surroundings import Surroundings

_KEPT: Final = timedelta(hours=1)
_TRIED_AGAIN: Final = timedelta(minutes=5)
# How long a question waits for the statement, at most and as a share of its time.
_PATIENCE_S: Final = 1.0
_SHARE: Final = 0.25
# Statements are long, and slow servers slower: it may come for a later question.
_MOST_S: Final = 30.0
_BOM: Final = b"\xef\xbb\xbf"
_EVERYTHING: Final = "http://hl7.org/fhir/OperationDefinition/Patient-everything"


class _Interaction(Element, frozen=True, gc=False):
    code: str | None = None


class _Parameter(Element, frozen=True, gc=False):
    name: str | None = None


class _Operation(Element, frozen=True, gc=False):
    definition: str | Reference | None = None  # STU3 has a Reference


class _Type(Element, frozen=True, gc=False):
    type: str | None = None
    interaction: tuple[_Interaction | None, ...] | None = None
    search_param: tuple[_Parameter | None, ...] | None = None
    search_include: tuple[str | None, ...] | None = None
    operation: tuple[_Operation | None, ...] | None = None


class _Rest(Element, frozen=True, gc=False):
    mode: str | None = None
    resource: tuple[_Type | None, ...] | None = None
    search_param: tuple[_Parameter | None, ...] | None = None
    operation: tuple[_Operation | None, ...] | None = None


class _Software(Element, frozen=True, gc=False):
    name: str | None = None
    version: str | None = None


class _Statement(Element, frozen=True, gc=False):
    resource_type: str | None = None
    fhir_version: str | None = None
    software: _Software | None = None
    rest: tuple[_Rest | None, ...] | None = None


_STATEMENT: Final = msgspec.json.Decoder(_Statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the server says it can be asked, as far as it says anything.

    Without any type, or without any parameter of a type, nothing is known of it.
    `includes` are the words of `_include` by type; `everything` is whether it tells
    all of a Patient's compartment at once, of the types that are asked for.
    """

    parameters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    includes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    everything: bool = False
    software: str | None = None
    fhir_version: str | None = None

    def may_search(self, name: str) -> bool:
        """False only where the server lists what it searches and leaves this out."""
        return not self.parameters or name in self.parameters

    def may_filter(self, name: str, parameter: str) -> bool:
        """False only where it lists the type's parameters and leaves this out."""
        listed = self.parameters.get(name)
        return not listed or parameter in listed

    def may_include(self, name: str, word: str) -> bool:
        """False only where it lists what may be included and leaves this out."""
        listed = self.includes.get(name)
        return not listed or not listed.isdisjoint({word, "*", f"{name}:*"})


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
    rests = [one for one in statement.rest or () if one and one.mode != "client"]
    parameters: dict[str, frozenset[str]] = {}
    includes: dict[str, frozenset[str]] = {}
    for rest in rests:
        everywhere = _names(rest.search_param)
        for one in rest.resource or ():
            if one is not None and one.type and _is_searched(one):
                own = _names(one.search_param)
                known = parameters.get(one.type, frozenset())
                # The parameters of every type say nothing of those of this one.
                parameters[one.type] = known | own | (everywhere if own else own)
                named = frozenset(word for word in one.search_include or () if word)
                includes[one.type] = includes.get(one.type, frozenset()) | named
    return Capabilities(
        parameters=parameters,
        includes={name: words for name, words in includes.items() if words},
        everything=_is_r4(statement) and any(map(_tells_everything, rests)),
        software=_software(statement),
        fhir_version=statement.fhir_version,
    )


def _is_r4(statement: _Statement) -> bool:
    """In STU3 the operation had no choice of types yet."""
    return (statement.fhir_version or "").startswith("4.")


def _tells_everything(rest: _Rest) -> bool:
    """By HL7's own definition, which has the choice of types; others may have not."""
    patients = (one for one in rest.resource or () if one and one.type == "Patient")
    offered = [*(rest.operation or ())]
    for one in patients:
        offered += one.operation or ()
    return any(
        one is not None
        and isinstance(one.definition, str)
        and one.definition.partition("|")[0] == _EVERYTHING
        for one in offered
    )


def _software(statement: _Statement) -> str | None:
    told = statement.software
    parts = (told.name, told.version) if told else ()
    return " ".join(part for part in parts if part) or None


def _is_searched(one: _Type) -> bool:
    codes = {each.code for each in one.interaction or () if each is not None}
    return not codes or "search-type" in codes


def _names(given: Iterable[_Parameter | None] | None) -> frozenset[str]:
    return frozenset(one.name for one in given or () if one is not None and one.name)


class Statement:
    """One server's statement, read beside the questions and kept for a while.

    `signed` tells how the server signs its replies: the words of its headers that
    name its software. When they change, the statement is read anew.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        surroundings: Surroundings,
        *,
        signed: Callable[[], str] = str,
    ) -> None:
        self._fetch = fetch
        self._around = surroundings
        self._signed = signed
        self._signature = ""
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
        # Two versions behind one address take turns: not at every turn, then.
        is_as_it_was = self._is_told and self._signed() == self._signature
        kept = _KEPT if is_as_it_was else _TRIED_AGAIN
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
        self._signature = self._signed()
        # Off the loop: the statement of a large server is more than a megabyte.
        told = await asyncio.to_thread(read_capabilities, body)
        if told.parameters:
            self._capabilities, self._is_told = told, True
