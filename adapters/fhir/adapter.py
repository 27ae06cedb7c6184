"""Asks one FHIR server: who is this, then each type of record about them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from adapters.contract import (
    Answer,
    Candidate,
    Identifiers,
    Person,
    Profile,
    Query,
    Traced,
    day_of_birth,
    tally,
)
from adapters.errors import Refused, Unreadable
from adapters.fhir import structured_record
from adapters.fhir.access import Access
from adapters.fhir.asking import Asking
from adapters.fhir.capabilities import UNKNOWN, Capabilities, Statement
from adapters.fhir.everything import Everything
from adapters.fhir.found import Budget, Found, Question
from adapters.fhir.gathered import Gathered
from adapters.fhir.merging import answered_as, named, statements
from adapters.fhir.person import (
    candidates,
    current,
    flags_of,
    matched,
    person_of,
    question_by_birth,
    question_for,
)
from adapters.fhir.plans import plans_for
from adapters.fhir.references import Scope
from adapters.fhir.resources import Patient
from adapters.fhir.search import NotSearchable, Server
from adapters.fhir.settings import FhirSettings, load
from adapters.fhir.tables import kinds_of
from adapters.fhir.window import narrowed
from adapters.source_file import fingerprint
from adapters.surroundings import Surroundings
from adapters.vocabulary import categories_of

# After this share of the time for a source, what has come is answered and what has
# not is named: nearly everything is worth more than nothing.
_SHARE: Final = 0.85
_LINKS: Final = 3  # from one Patient to the next, who was replaced in turn


def build(path: Path, surroundings: Surroundings) -> "FhirAdapter":
    """The adapter a source file describes; nothing is asked of the server yet.

    ConfigurationError, naming file, line, key and remedy, if the file is wrong.
    """
    settings = load(path)
    access = Access(settings, surroundings, folder=path.parent)
    return FhirAdapter(settings, surroundings, access=access, mapping=fingerprint(path))


class FhirAdapter:
    """One server of R4 or STU3. Closing it leaves the transport open: it is shared."""

    def __init__(
        self,
        settings: FhirSettings,
        surroundings: Surroundings,
        *,
        access: Access,
        mapping: str | None = None,
    ) -> None:
        surroundings = replace(surroundings, transport=access)
        self._settings = settings
        self._around = surroundings
        self._access = access
        self._scope = Scope(
            sector=surroundings.sector,
            zone=ZoneInfo(settings.zone),
            base=settings.base_url,
            ods_systems=frozenset(settings.ods_systems),
            labels=frozenset(settings.labels),
            placeholders=frozenset(settings.identifiers.placeholders),
            json_depth=surroundings.limits.json_depth,
            version=settings.version,
        )
        self._server = Server(settings, surroundings, scope=self._scope)
        self._statement = Statement(
            self._server.statement,
            surroundings,
            signed=lambda: self._server.signature,
        )
        self._known = UNKNOWN
        self._everything = Everything(
            settings,
            self._server,
            scope=self._scope,
            source_s=surroundings.limits.source_s,
        )
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
        await self._access.aclose()

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
        if self._settings.ask_by == "structured-record":
            return await self._record(query, budget)
        patients = await self._patients(asked, budget)
        everyone = _everyone(patients)
        if not everyone:
            await self._doubt_nobody(patients)
        people = matched(everyone, query.person, self._scope.placeholders)
        gathered = Gathered(found=[patients], caveats=list(people.caveats))
        if people.same:
            plans = plans_for(
                [
                    n
                    for n in self._settings.types
                    if self._held((n,)) & query.categories
                ],
                query,
                people.same,
                server=await self._capabilities(),
                page_size=self._settings.page_size,
            )
            asking = Asking(
                server=self._server,
                everything=self._everything,
                gathered=gathered,
                budget=budget,
                until=until,
            )
            await asking.run(plans, query)
            gathered.doubt(p.plain.name for p in plans if not p.is_listed)
        return self._answer(query, people.same or people.others[:1], gathered)

    async def trace(self, person: Identifiers) -> tuple[Traced, ...]:
        """What Patients say of whom they replaced; see `adapters.contract`.

        Nothing where only a whole record can be had. Unreadable where links lead to
        nobody that can be read.
        """
        identifiers = self._settings.identifiers
        asked = question_for(person, identifiers.systems, self._scope.placeholders)
        if asked is None or self._settings.ask_by != "search":
            return ()
        limits = self._around.limits
        budget = Budget(bytes=limits.source_bytes, records=limits.records)
        first = await self._patients(asked, budget)
        found, people = [first], _everyone(first)
        for _ in range(_LINKS):
            missing = named(people, self._scope) - {each.id for each in people}
            if not missing:
                break
            found.append(await self._linked(missing, budget))
            people += [p for p in _everyone(found[-1]) if p.id in missing]
        as_of = self._as_of(found)
        followed = (
            answered_as(person, _everyone(first), self._scope, as_of=as_of)
            if identifiers.follows_superseded
            else ()
        )
        said = (*followed, *statements(people, self._scope, as_of=as_of))
        return tuple(sorted(said, key=lambda each: each.at))

    async def _linked(self, ids: frozenset[str], budget: Budget) -> Found:
        """The Patients of these ids, as far as the server tells."""
        wanted = sorted(ids)[: self._settings.page_size]
        parameters = (("_id", ",".join(wanted)), ("_count", str(len(wanted))))
        question = Question(name="Patient", parameters=parameters)
        return await self._server.search(Found(question=question), budget)

    async def match(self, described: Person, *, limit: int) -> tuple[Candidate, ...]:
        """Patients of that day of birth and surname; see `adapters.contract`.

        Asked by POST alone, and for one page: nothing of it stands in an address.
        Nobody where only a whole record can be had. Unreadable `too_large` where the
        page is not all there is, `unreadable` where one of them cannot be read: who
        is the only one alike would not be known.
        """
        parameters = question_by_birth(described, limit + 1)
        born = day_of_birth(described)
        if not parameters or born is None or self._settings.ask_by != "search":
            return ()
        question = Question(name="Patient", parameters=parameters, stays_in_body=True)
        limits = self._around.limits
        budget = Budget(bytes=limits.source_bytes, records=limits.records)
        found = await self._server.search(Found(question=question), budget)
        if any(page.rejected for page in found.pages):
            message = "a Patient of that day cannot be read. Report it to its owner."
            raise Unreadable("unreadable", message)
        as_of = self._as_of([found])
        people = tuple(candidates(_everyone(found), born, self._scope, as_of=as_of))
        if "truncated" in found.caveats and len(people) <= limit:
            message = "the source holds more people than it tells of at once."
            raise Unreadable("too_large", message)
        return people[: limit + 1]

    async def _record(self, query: Query, budget: Budget) -> Answer:
        """The same of a server that gives one person's record, or none."""
        areas = structured_record.wanted(
            self._settings.types, query.categories, self._around.sector
        )
        found = await structured_record.fetched(
            self._server, query, areas, budget=budget
        )
        people = matched(_everyone(found), query.person, self._scope.placeholders)
        gathered = Gathered(
            found=[found] if people.same else [],
            caveats=[*people.caveats, *structured_record.unanswered(found, areas)],
        )
        return self._answer(query, people.same or people.others[:1], gathered)

    async def _patients(self, asked: str, budget: Budget) -> Found:
        parameters = (("identifier", asked), ("_count", str(self._settings.page_size)))
        found = Found(question=Question(name="Patient", parameters=parameters))
        try:
            await self._server.search(found, budget)
        except NotSearchable:
            raise _no_search() from None
        everyone = _everyone(found)
        is_unread = not everyone and any(page.rejected for page in found.pages)
        if is_unread or not all(patient.id for patient in everyone):
            message = "the source's Patient record cannot be read. Report it to it."
            raise Unreadable("unreadable", message)
        return found

    async def _doubt_nobody(self, patients: Found) -> None:
        """That nobody was found counts only where the identifier was looked at.

        Refused where the server does not confirm that, and says that it cannot.
        """
        if "filter_unconfirmed" not in patients.caveats:
            return
        if not (await self._capabilities()).may_filter("Patient", "identifier"):
            raise _no_search()

    async def _capabilities(self) -> Capabilities:
        """What the server says of itself; what was learned of another is forgotten."""
        known = await self._statement.known()
        if known is not self._known:
            if known.software != self._known.software:
                self._server.forget()
            self._known = known
            self._everything.meet(known)
        return known

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


def _no_search() -> Refused:
    message = "the source does not search for Patients by identifier."
    return Refused("unsupported", f"{message} Ask its owner.")
