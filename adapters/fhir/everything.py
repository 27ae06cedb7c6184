"""A whole record asked for at once, by `$everything`, where that is the better way.

It is where all of a record is wanted: of every type that is read, and of no window
that the server could narrow by. Otherwise searches move less, and what was not asked
for is never fetched. Windows are not handed on: servers name HL7's definition of the
operation, repeat `start` in their links, and heed it not; those that do would hide
what has no date.

What it brings is taken only if it can be relied on: whole, of the types asked for,
about the person asked about. Else each type is searched for, as if it had not been
tried, and that is said. Nor is it believed to tell of a type until it once has. And
by itself it is kept to only where it has been found to be no slower.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Final

from adapters import nhs_number
from adapters.contract import Identifier, Query
from adapters.errors import AdapterError
from adapters.fhir.capabilities import Capabilities
from adapters.fhir.found import Budget, Found, Question
from adapters.fhir.plans import Plan
from adapters.fhir.references import Scope, identified
from adapters.fhir.resources import Patient
from adapters.fhir.search import Server
from adapters.fhir.settings import FhirSettings
from adapters.fhir.trial import Trial

NAME: Final = "$everything"
# Fewer types are as quickly searched, side by side.
_SEVERAL: Final = 4
# Of the time for a source: there must be enough left to search after all.
_SHARE: Final = 0.4
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")


class Everything:
    """Asks one server so, and learns whether that is worth while.

    What it learns lasts as long as the statement that the server makes of itself.
    """

    def __init__(
        self, settings: FhirSettings, server: Server, *, scope: Scope, source_s: float
    ) -> None:
        self._settings = settings
        self._server = server
        self._scope = scope
        self._patience_s = _SHARE * source_s
        self._is_offered = False
        self._covered: set[str] = set()  # types it has told of, of anybody
        self._trial = Trial()

    def meet(self, capabilities: Capabilities) -> None:
        """Begin anew, with a server that has spoken of itself anew."""
        # Its address names the Patient, so it is no way where nothing may go by GET.
        self._is_offered = (
            capabilities.everything
            and self._settings.everything != "never"
            and self._settings.search != "post-only"
        )
        self._covered.clear()
        self._trial = Trial()

    @property
    def is_preferred(self) -> bool:
        """Whether it is the better way, where it is suited."""
        return self._settings.everything == "always" or self._trial.is_at_once

    def took(self, seconds: float, *, at_once: bool) -> None:
        """Learn how long a whole record took, asked for at once or type by type."""
        self._trial.took(seconds, at_once=at_once)

    def suited(self, plans: Sequence[Plan], query: Query) -> frozenset[str]:
        """The types to be asked for so; none where searches are better or safer.

        Medicines come by reference, which only a search puts on the page of the
        record that refers to them.
        """
        types = frozenset(p.plain.name for p in plans if not p.brings_references)
        is_suited = (
            self._is_offered
            and len(plans) == len(self._settings.types)
            and len(types) >= _SEVERAL
            and not any(way.is_dated for plan in plans for way in plan.ways)
            and all(_is_nobodys_number(one, query) for one in plans[0].plain.known)
        )
        return types if is_suited else frozenset()

    async def fetch(
        self,
        types: frozenset[str],
        people: tuple[Patient, ...],
        *,
        budget: Budget,
        until: float,
    ) -> tuple[list[Found], frozenset[str]]:
        """What came, and the types that need not be searched for now.

        Neither if it cannot be relied on. `until` is by the clock of the event loop,
        and leaves as much time again to search.
        """
        founds = [
            Found(question=self._question(patient, types, people)) for patient in people
        ]
        left = until - asyncio.get_running_loop().time()
        patience_s = min(self._patience_s, left / 2)
        if not await self._has_come(founds, budget, patience_s):
            return [], frozenset()
        if not self._is_reliable(founds, types):
            return [], frozenset()
        self._covered |= _told(founds)
        return founds, types & self._covered

    def _question(
        self, patient: Patient, types: Iterable[str], known: tuple[Patient, ...]
    ) -> Question:
        return Question(
            name=NAME,
            parameters=(
                ("_type", ",".join(sorted(types))),
                ("_count", str(self._settings.page_size)),
            ),
            known=known,
            operation=f"Patient/{patient.id}/{NAME}",
        )

    async def _has_come(
        self, founds: list[Found], budget: Budget, patience_s: float
    ) -> bool:
        """Whether all of it came; a server that refuses or is late is let be."""
        try:
            async with asyncio.timeout(patience_s):
                for found in founds:
                    await self._server.search(found, budget)
        except (AdapterError, TimeoutError):
            self._is_offered = False
            return False
        return all(
            found.is_whole and "truncated" not in found.caveats for found in founds
        )

    def _is_reliable(self, founds: list[Found], types: frozenset[str]) -> bool:
        """Whether nothing but what was asked for came, of nobody but who was."""
        pages = [page for found in founds for page in found.pages]
        # What the records refer to comes along, of whatever type, where the server says
        # that it heeds which types are asked for.
        is_heeded = all("filter_unconfirmed" not in found.caveats for found in founds)
        others = [page for page in pages if page.unmapped]
        if _told(founds) - types or (others and not is_heeded):
            self._is_offered = False
            return False
        people = founds[0].question.known
        own = {one for patient in people for one in self._names(patient)}
        ids = {patient.id for patient in people}
        # A parent may be named in a child's record, which is then in its compartment.
        # A search by the subject finds only what is about the person.
        return all(
            {patient.id for patient in page.persons} <= ids
            and all(event.subject and event.subject & own for event in page.events)
            for page in pages
        )

    def _names(self, patient: Patient) -> frozenset[Identifier]:
        own, _ = identified(patient.identifier or (), self._scope.placeholders)
        return own | {Identifier(f"{self._scope.base}/Patient", patient.id or "")}


def _told(founds: list[Found]) -> set[str]:
    """The types of which records came."""
    return {
        event.record_id.partition("/")[0]
        for found in founds
        for page in found.pages
        for event in page.events
    }


def _is_nobodys_number(patient: Patient, query: Query) -> bool:
    """Whether a Patient's id may stand in an address: some are the NHS number."""
    own = patient.id or ""
    values = {one.value for one in query.person.every}
    values |= {one.value or "" for one in patient.identifier or ()}
    return (
        _ID.fullmatch(own) is not None
        and own not in values
        and not nhs_number.is_within(own)
    )
