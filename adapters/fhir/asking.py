"""All that one question asks of a server, side by side, within its time."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.contract import Query
from adapters.errors import AdapterError
from adapters.fhir.everything import Everything
from adapters.fhir.found import Budget, Found
from adapters.fhir.gathered import Gathered
from adapters.fhir.plans import Plan
from adapters.fhir.search import NotSearchable, Server

_Told = asyncio.Task[frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One question; what comes is put into `gathered`.

    `until` is by the clock of the event loop.
    """

    server: Server
    everything: Everything
    gathered: Gathered
    budget: Budget
    until: float

    async def run(self, plans: list[Plan], query: Query) -> None:
        """Ask all at once; what has not come when time is short is named as such.

        Raises the worst AdapterError if nothing came and every type failed.
        """
        whole = self.everything.suited(plans, query)
        types = whole if self.everything.is_preferred else frozenset[str]()
        began = asyncio.get_running_loop().time()
        told = asyncio.create_task(self._at_once(types, plans))
        tasks = {
            asyncio.create_task(
                self._follow(plan, told if plan.plain.name in types else None)
            ): plan
            for plan in plans
        }
        try:
            for task in await self._pending(tasks):
                self.gathered.stop(tasks[task].plain.name)
        finally:
            told.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(told, *tasks, return_exceptions=True)
        if whole:
            took = asyncio.get_running_loop().time() - began
            self.everything.took(took, at_once=bool(types))
        self.gathered.raise_if_nothing_came(len(plans))

    async def _pending(
        self, tasks: Iterable[asyncio.Task[None]]
    ) -> set[asyncio.Task[None]]:
        """Those that are not done when time is short."""
        loop = asyncio.get_running_loop()
        pending = set(tasks)
        while pending:
            # With nothing yet to show, the time is the caller's to end, not ours.
            left = self.until - loop.time() if self.gathered.has_records else None
            if left is not None and left <= 0:
                break
            done, pending = await asyncio.wait(
                pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        return pending

    async def _at_once(
        self, types: frozenset[str], plans: list[Plan]
    ) -> frozenset[str]:
        """The types that need no search, since their records came with all others."""
        if not types:
            return types
        found, told = await self.everything.fetch(
            types, plans[0].plain.known, budget=self.budget, until=self.until
        )
        self.gathered.found += found
        if not found:
            self.gathered.caveats.append("asked_by_type")
        return told

    async def _follow(self, plan: Plan, told: _Told | None) -> None:
        """One type: in the narrow ways if the server takes any, else plainly.

        Not at all where it was told of with all others.
        """
        name = plan.plain.name
        if told is not None and name in await asyncio.shield(told):
            self.gathered.caveats += [] if plan.ways else ["filter_unconfirmed"]
            return
        narrow = [self.gathered.add(Found(question=way)) for way in plan.ways]
        errors = await asyncio.gather(*map(self._search, narrow))
        if not narrow or any(isinstance(error, NotSearchable) for error in errors):
            self.gathered.drop(name)
            plain = Found(question=plan.plain, caveats=["filter_unconfirmed"])
            errors = [await self._search(self.gathered.add(plain))]
        for error in errors:
            if error is not None:
                self.gathered.fail(name, error)
                break

    async def _search(self, found: Found) -> AdapterError | None:
        try:
            await self.server.search(found, self.budget)
        except AdapterError as error:
            return error
        return None
