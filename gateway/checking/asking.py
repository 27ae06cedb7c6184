"""Puts a check's questions to one adapter, each bounded in time.

This is not the fan-out of a journey: nothing that is answered here is shown to
anybody, and the only people asked for are synthetic.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median
from typing import Final, TypedDict, Unpack

from adapters import nhs_number
from adapters.contract import Adapter, Answer, Identifiers, Query
from adapters.errors import AdapterError, ConfigurationError
from adapters.rejects import RejectedRows, TellsRejected
from adapters.vocabulary import CATEGORIES
from gateway.checking.remedies import remedy_of
from gateway.checking.report import Finding, ok, wrong
from gateway.clock import Clock

_LIMIT: Final = 5000
_DIGITS: Final = re.compile(r"\d{3}[ -]?\d{3}[ -]?\d{4}", re.ASCII)


class Narrowed(TypedDict, total=False):
    """The parts of a query that a question sets; left out, nothing is narrowed."""

    since: date | None
    until: date | None
    categories: frozenset[str]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Seconds: for each question, and for the first, which may take in a drop."""

    each_s: float
    first_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer, what was asked, and when the answer was there."""

    answer: Answer = field(repr=False)
    query: Query = field(repr=False)
    at: datetime


class Asker:
    """Asks one adapter; remembers how long each answer took."""

    def __init__(
        self, adapter: Adapter, *, place: str, clock: Clock, bounds: Bounds
    ) -> None:
        self._adapter = adapter
        self._place = place
        self._clock = clock
        self._bounds = bounds
        self._took: list[float] = []

    @property
    def first_ms(self) -> int | None:
        """How long the first answer took; None without one."""
        return round(self._took[0] * 1000) if self._took else None

    @property
    def p50_ms(self) -> int | None:
        """The median of the answers after the first; None without one."""
        return round(median(self._took[1:]) * 1000) if self._took[1:] else None

    async def put(
        self, question: str, person: Identifiers, **narrowed: Unpack[Narrowed]
    ) -> Told | Finding:
        """The answer, or what was wrong instead of one."""
        whole: Narrowed = {
            "since": None,
            "until": None,
            "categories": CATEGORIES,
            "limit": _LIMIT,
        }
        query = Query(person=person, **(whole | narrowed))
        bound = self._bounds.each_s if self._took else self._bounds.first_s
        began = self._clock.monotonic()
        said = await self._tried(
            question, lambda: self._adapter.ask(query), bound=bound
        )
        if isinstance(said, Finding):
            return said
        if not isinstance(said, Answer):
            return self._defect(question, f"answered with {type(said).__name__}")
        self._took.append(self._clock.monotonic() - began)
        return Told(answer=said, query=query, at=self._clock.now())

    async def rejected(self) -> tuple[RejectedRows, ...] | Finding | None:
        """The rows set aside; None if the adapter does not tell of any."""
        if not isinstance(self._adapter, TellsRejected):
            return None
        bound = self._bounds.each_s
        told = await self._tried("rows", self._adapter.rejected, bound=bound)
        if isinstance(told, tuple | Finding):
            return told
        return self._defect("rows", f"answered with {type(told).__name__}")

    async def close(self) -> Finding:
        """Closes the adapter, twice, as it must bear."""
        for _ in range(2):
            bound = self._bounds.first_s
            done = await self._tried("closing", self._adapter.aclose, bound=bound)
            if isinstance(done, Finding):
                return done
        return ok("closing", "closed twice without complaint")

    async def _tried(
        self, question: str, doing: Callable[[], Awaitable[object]], *, bound: float
    ) -> object:
        try:
            async with asyncio.timeout(bound):
                return await doing()
        except TimeoutError:
            return self._late(question, bound)
        except AdapterError as error:
            return self._failed(question, error)
        except ConfigurationError as error:
            return wrong(question, str(error), where=self._place, remedy="Correct it.")
        except Exception as error:  # noqa: BLE001 - a defect of the adapter is what is looked for
            return self._defect(question, f"raised {type(error).__name__}")

    def _late(self, question: str, bound: float) -> Finding:
        return wrong(
            question,
            f"no answer within {bound:g} s",
            where=self._place,
            remedy="Index what people are looked up by, or raise limits.source_s.",
        )

    def _failed(self, question: str, error: AdapterError) -> Finding:
        told = str(error)
        if any(nhs_number.normalise(found) for found in _DIGITS.findall(told)):
            told = "the adapter's message holds an NHS number, and is not shown"
        return wrong(
            question,
            f"{error.reason}: {told}",
            where=self._place,
            remedy=remedy_of(error),
        )

    def _defect(self, question: str, what: str) -> Finding:
        return wrong(
            question,
            f"adapter_defect: {what}, against the contract",
            where="the adapter",
            remedy="Report it to the adapter's author; the conformance suite finds it.",
        )
