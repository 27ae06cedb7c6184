"""Asks one FHIR R4 server: who is this, then each type of record about them."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from adapters.contract import Answer, Profile, Query, tally
from adapters.errors import AdapterError, Refused, Unreadable
from adapters.fhir.capabilities import Capabilities, Statement
from adapters.fhir.gathered import Gathered, Plan
from adapters.fhir.person import current, flags_of, matched, person_of, question_for
from adapters.fhir.references import Scope
from adapters.fhir.resources import Patient
from adapters.fhir.search import Budget, Found, NotSearchable, Question, Server
from adapters.fhir.settings import FhirSettings, load
from adapters.fhir.tables import TYPES, kinds_of
from adapters.fhir.window import narrowed, pushed
from adapters.source_file import fingerprint
from adapters.surroundings import Surroundings
from adapters.vocabulary import categories_of

# After this share of the time for a source, what has come is answered and what has
# not is named: nearly everything is worth more than nothing.
_SHARE: Final = 0.85


def build(path: Path, surroundings: Surroundings) -> "FhirAdapter":
    """The adapter a source file describes; nothing is asked of the server yet.

    ConfigurationError, naming file, line, key and remedy, if the file is wrong.
    """
    return FhirAdapter(load(path), surroundings, mapping=fingerprint(path))


class FhirAdapter:
    """One FHIR R4 server. Closing it leaves the transport open: it is shared."""

    def __init__(
        self,
        settings: FhirSettings,
        surroundings: Surroundings,
        *,
        mapping: str | None = None,
    ) -> None:
        self._settings = settings
        self._around = surroundings
        self._scope = Scope(
            sector=surroundings.sector,
            zone=ZoneInfo(settings.zone),
            base=settings.base_url,
            ods_systems=frozenset(settings.ods_systems),
            labels=frozenset(settings.labels),
            placeholders=frozenset(settings.identifiers.placeholders),
            json_depth=surroundings.limits.json_depth,
        )
        self._server = Server(settings, surroundings, scope=self._scope)
        self._statement = Statement(self._server.statement, surroundings)
        self.profile = Profile(
            adapter="fhir/1",
            mapping=mapping,
            held=self._held(settings.types),
            identifier_systems=frozenset(
                current(system) for system in settings.identifiers.systems
            ),
            whole_person=True,  # records hang on the Patient, not on its identifiers
        )

    async def aclose(self) -> None:
        """Stop reading what the server says of itself, if that is still going on."""
        await self._statement.aclose()

    async def ask(self, query: Query) -> Answer:
        """See `Adapter.ask`. Types whose categories are not asked for are not read.

        Somebody else's Patient, if that is all the server finds, is answered as the
        person, without events: nothing more is asked about the wrong person.
        """
        asked = question_for(
            query.person, self._settings.identifiers.systems, self._scope.placeholders
        )
        if asked is None:
            return Answer(
                events=(), person=None, as_of=self._around.now(), held=self.profile.held
            )
        loop = asyncio.get_running_loop()
        until = loop.time() + _SHARE * self._around.limits.source_s
        limits = self._around.limits
        budget = Budget(bytes=limits.source_bytes, records=limits.records)
        patients = await self._patients(asked, budget)
        people = matched(_everyone(patients), query.person, self._scope.placeholders)
        gathered = Gathered(found=[patients], caveats=list(people.caveats))
        if people.same:
            server = await self._statement.known()
            plans = self._plans(query, people.same, server)
            await self._gather(plans, gathered, budget=budget, until=until)
            gathered.doubt(p.plain.name for p in plans if not p.is_listed)
        return self._answer(query, people.same or people.others[:1], gathered)

    async def _patients(self, asked: str, budget: Budget) -> Found:
        parameters = (("identifier", asked), ("_count", str(self._settings.page_size)))
        found = Found(question=Question(name="Patient", parameters=parameters))
        try:
            await self._server.search(found, budget)
        except NotSearchable:
            message = "the source does not search for Patients by identifier."
            raise Refused("unsupported", f"{message} Ask its owner.") from None
        everyone = _everyone(found)
        is_unread = not everyone and any(page.rejected for page in found.pages)
        if is_unread or not all(patient.id for patient in everyone):
            message = "the source's Patient record cannot be read. Report it to it."
            raise Unreadable("unreadable", message)
        return found

    def _plans(
        self, query: Query, known: tuple[Patient, ...], server: Capabilities
    ) -> list[Plan]:
        """What to ask of each type whose categories the query has, dates apart."""
        people = ",".join(f"Patient/{patient.id}" for patient in known)
        plans: list[Plan] = []
        for name in self._settings.types:
            if not self._held((name,)) & query.categories:
                continue
            plain = (
                (_person_parameter(name, server), people),
                ("_count", str(self._settings.page_size)),
            )
            plans.append(
                Plan(
                    plain=Question(name=name, parameters=plain, known=known),
                    ways=tuple(
                        Question(
                            name=name,
                            parameters=plain + extra,
                            known=known,
                            is_dated=any(key == TYPES[name].date for key, _ in extra),
                        )
                        for extra in _extras(name, query, server)
                    ),
                    is_listed=server.may_search(name),
                )
            )
        return plans

    async def _gather(
        self, plans: list[Plan], gathered: Gathered, *, budget: Budget, until: float
    ) -> None:
        """Ask all at once; what has not come when time is short is named as such."""
        tasks = {
            asyncio.create_task(self._follow(plan, gathered, budget)): plan
            for plan in plans
        }
        try:
            pending = await self._wait(set(tasks), gathered, until)
            for task in pending:
                gathered.stop(tasks[task].plain.name)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        gathered.raise_if_nothing_came(len(plans))

    async def _wait(
        self, tasks: set[asyncio.Task[None]], gathered: Gathered, until: float
    ) -> set[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        pending = tasks
        while pending:
            # With nothing yet to show, the time is the caller's to end, not ours.
            left = until - loop.time() if gathered.has_records else None
            if left is not None and left <= 0:
                break
            done, pending = await asyncio.wait(
                pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        return pending

    async def _follow(self, plan: Plan, gathered: Gathered, budget: Budget) -> None:
        """One type: in the narrow ways if the server takes any, else plainly."""
        name = plan.plain.name
        narrow = [gathered.add(Found(question=way)) for way in plan.ways]
        errors = await asyncio.gather(
            *(self._search(found, budget) for found in narrow)
        )
        if not narrow or any(isinstance(error, NotSearchable) for error in errors):
            gathered.drop(name)
            plain = Found(question=plan.plain, caveats=["filter_unconfirmed"])
            errors = [await self._search(gathered.add(plain), budget)]
        for error in errors:
            if error is not None:
                gathered.fail(name, error)
                break

    async def _search(self, found: Found, budget: Budget) -> AdapterError | None:
        try:
            await self._server.search(found, budget)
        except AdapterError as error:
            return error
        return None

    def _answer(
        self, query: Query, patients: tuple[Patient, ...], gathered: Gathered
    ) -> Answer:
        as_of = self._as_of(gathered.found)
        events, caveats = narrowed(
            gathered.events(), query, sector=self._around.sector, as_of=as_of
        )
        caveats += ["filter_ignored"] * gathered.unheeded(query)
        told = [name for name in self._settings.types if name not in gathered.refused]
        return Answer(
            events=events,
            person=person_of(patients, self._scope),
            as_of=as_of,
            held=self._held(told),
            caveats=tally([*caveats, *gathered.caveats, *gathered.said()]),
            flags=flags_of(patients, as_of),
        )

    def _as_of(self, found: Iterable[Found]) -> datetime:
        """The oldest of what the pages say, and never later than now."""
        stamps = [page.as_of for one in found for page in one.pages if page.as_of]
        return min([*stamps, self._around.now()])

    def _held(self, types: Iterable[str]) -> frozenset[str]:
        sector = self._around.sector
        kinds = (kinds_of(name, sector) for name in types)
        return categories_of(frozenset().union(*kinds), sector)


def _everyone(found: Found) -> list[Patient]:
    return [patient for page in found.pages for patient in page.persons]


def _person_parameter(name: str, server: Capabilities) -> str:
    """`patient`, or `subject` on a server that has only that for the type."""
    own = TYPES[name].patient
    has_subject = not server.may_filter(name, own) and server.may_filter(
        name, "subject"
    )
    return "subject" if has_subject else own


def _extras(
    name: str, query: Query, server: Capabilities
) -> list[tuple[tuple[str, str], ...]]:
    """The narrow ways of asking: within the window, and what has no date at all.

    A date filter hides the undated, which must be counted; so they are asked for
    apart. Without a window, all is asked at once. None where the server says that
    it cannot filter by date: it is then asked for all, and the window applied here.
    """
    searched = TYPES[name]
    include = (("_include", searched.include),) if searched.include else ()
    window = pushed(query, searched.date) if searched.date else ()
    if not window or searched.date is None:
        return [include]
    if not server.may_filter(name, searched.date):
        return []
    return [window + include, ((f"{searched.date}:missing", "true"), *include)]
