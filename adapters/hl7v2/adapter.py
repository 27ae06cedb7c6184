"""Answers from a feed of HL7 v2 messages, through an index that is kept up to date."""

import asyncio
import io
import ssl
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from adapters import nhs_number
from adapters.arrivals import ArrivalState, arriving, taking
from adapters.contract import Answer, Identifiers, Profile, Query, Traced
from adapters.errors import AdapterError, Unavailable
from adapters.hl7v2.answering import Asking, Source
from adapters.hl7v2.feed import Feed
from adapters.hl7v2.framing import Bad, Decoding
from adapters.hl7v2.index import Index
from adapters.hl7v2.intake import Intake
from adapters.hl7v2.journal import Journal
from adapters.hl7v2.mllp import Inlet, Refusal
from adapters.hl7v2.patient import Naming
from adapters.hl7v2.scope import held, manner
from adapters.hl7v2.settings import Hl7v2File, Listener
from adapters.hl7v2.times import Clock
from adapters.hl7v2.upkeep import Upkeep
from adapters.rejects import RejectedRows
from adapters.surroundings import Surroundings

_AGAIN_S: Final = 1.0  # before what was just received is taken into the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one source's files lie, and how callers of its listener are met."""

    directory: Path | None
    tls: ssl.SSLContext | None
    fingerprint: str


class Hl7v2:
    """Asks a feed of HL7 v2 messages."""

    def __init__(
        self, settings: Hl7v2File, place: Place, surroundings: Surroundings
    ) -> None:
        self._settings = settings
        self._place = place
        self._surroundings = surroundings
        naming = Naming(settings.systems, settings.key)
        clock = Clock(ZoneInfo(settings.zone))
        self._intake = Intake(
            decoding=Decoding(default=settings.encoding, named=settings.encodings),
            naming=naming,
            clock=clock,
            reads=frozenset(settings.reads),
            message_bytes=settings.message_bytes,
        )
        self._received = surroundings.state / "received"
        self._upkeep = self._kept(self._intake)
        self._source = Source(
            naming=naming,
            manner=manner(settings, surroundings.sector, clock),
            sector=surroundings.sector,
            held=held(settings, surroundings.sector),
            records=surroundings.limits.records,
        )
        systems = {*settings.authorities.values(), nhs_number.SYSTEM}
        self.profile = Profile(
            adapter="hl7v2/1",
            mapping=place.fingerprint,
            held=self._source.held,
            identifier_systems=frozenset(systems - nhs_number.SYSTEMS)
            | {nhs_number.SYSTEM},
            key_system=settings.key,
        )
        self._arrival = ArrivalState()
        self._inlet: Inlet | None = None
        self._is_deaf = False
        self._hint = asyncio.Event()

    def _kept(self, intake: Intake) -> Upkeep:
        return Upkeep(
            feed=Feed(
                directory=self._place.directory,
                pattern=self._settings.pattern,
                received=self._received,
            ),
            intake=intake,
            path=self._surroundings.state / "messages.sqlite",
            fingerprint=self._place.fingerprint,
            settle_s=self._settings.settle_s,
            now=self._surroundings.now,
        )

    @property
    def listens_on(self) -> int | None:
        """The port of the listener while it listens."""
        return self._inlet.port or None if self._inlet is not None else None

    async def ask(self, query: Query) -> Answer:
        """Answer from all messages that have come; see `adapters.contract`."""
        behind = await self._upkeep.bring_up_to_date()
        deaf = ("arrival_failed",) if self._is_deaf else ()
        notes = (*behind, *self._arrival.caveats, *deaf)
        return await asyncio.to_thread(
            self._upkeep.using, lambda index: self._answer(index, query, notes)
        )

    async def trace(self, person: Identifiers) -> tuple[Traced, ...]:
        """What messages said of any of these identifiers: merged, parted, replaced."""
        await self._upkeep.bring_up_to_date()
        return await asyncio.to_thread(
            self._upkeep.using, lambda index: self._traced(index, person)
        )

    async def rejected(self) -> tuple[RejectedRows, ...]:
        """The messages set aside; see `adapters.rejects`."""
        return await asyncio.to_thread(self._upkeep.using, Index.rejected)

    async def taken(self) -> Counter[str]:
        """How many messages of each type and trigger have been taken in: `ADT^A01`."""
        await self._upkeep.bring_up_to_date()
        return await asyncio.to_thread(self._upkeep.using, Index.types)

    async def watch(self) -> None:
        """Takes in what arrives, in the directory and over MLLP, until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._place.directory is not None:
                group.create_task(self._watch(self._place.directory))
            if self._settings.mllp is not None:
                group.create_task(self._listen(self._settings.mllp))
                group.create_task(self._take_in_when_told())

    async def forget(self) -> None:
        """Erases the index; what came, in files or over MLLP, is the organisation's."""
        await self._upkeep.stop()
        try:
            await asyncio.to_thread(self._upkeep.drop)
        except OSError:
            message = "the index could not be erased; look at the state directory"
            raise Unavailable("state", message, domain="adapter") from None

    async def aclose(self) -> None:
        """Stops an intake, closes the index. Twice is safe."""
        await self._upkeep.aclose()

    def _answer(self, index: Index, query: Query, notes: tuple[str, ...]) -> Answer:
        standing = index.standing()
        now = self._surroundings.now()
        as_of = min(standing.newest or now, now)
        with index.reading() as reading:
            asking = Asking(self._source, reading)
            return asking.answer(query, standing, as_of=as_of, notes=notes)

    def _traced(self, index: Index, person: Identifiers) -> tuple[Traced, ...]:
        with index.reading() as reading:
            return Asking(self._source, reading).trace(person)

    async def _watch(self, directory: Path) -> None:
        await arriving(
            taking(self._settings.arrival, self._settings.pattern),
            into=directory,
            surroundings=self._surroundings,
            changed=self._changed,
            state=self._arrival,
        )

    async def _changed(self) -> None:
        try:
            await self._upkeep.bring_up_to_date()
        except AdapterError:
            return  # answers tell of it

    async def _listen(self, listener: Listener) -> None:
        journal = Journal(self._received, self._surroundings.now)
        self._inlet = Inlet(
            settings=listener,
            tls=self._place.tls,
            message_bytes=self._settings.message_bytes,
            journal=journal,
            judge=self._judge,
            refused=self._upkeep.refuse,
            taken=self._hint.set,
            listening=self._hears,
            now=self._surroundings.now,
        )
        try:
            while True:
                try:
                    await self._inlet.serve()
                except OSError:
                    self._is_deaf = True  # the port is somebody else's; answers say so
                await asyncio.sleep(_AGAIN_S)
        finally:
            await journal.aclose()

    async def _take_in_when_told(self) -> None:
        """What was received is in the index soon, whether anybody asks or not."""
        while True:
            await self._hint.wait()
            self._hint.clear()
            await self._changed()
            await asyncio.sleep(_AGAIN_S)

    def _hears(self) -> None:
        self._is_deaf = False

    def _judge(self, block: bytes) -> Refusal | None:
        """Why a message that comes over MLLP cannot be taken, if it cannot."""
        arrived: datetime = self._surroundings.now()
        found = list(self._intake.read(io.BytesIO(block), arrived=arrived))
        for each in found:
            if isinstance(each, Bad):
                return each.reason, each.segment
        numbers = {each.number for each in found if not isinstance(each, Bad)}
        if len(numbers) != 1:
            return ("several" if numbers else "no_header"), None
        return None
