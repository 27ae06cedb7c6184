"""The audit trail: append, and wait until it is durable, or be refused in time.

One task writes for the whole process, as many waiting records at once as a batch
holds, so that a hundred callers share one flush to disk. Whoever appends waits for
the commit of their own record, for no longer than `audit.write_s`.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy.engine import Connection

from adapters.contract import Identifier
from gateway.audit.chain import Entry
from gateway.audit.keys import Subject, SubjectKey, read_key
from gateway.audit.log import AuditUnavailable, Log
from gateway.audit.patience import settled
from gateway.audit.records import (
    AuditRecord,
    ClockJump,
    Stamp,
    Start,
    Stop,
    encoded,
    parts_of,
)
from gateway.clock import Clock
from gateway.settings import Audit, Settings
from gateway.store.database import Database

# So many batches may wait; more would not be durable within `write_s` anyway.
_BATCHES_WAITING: Final = 64
_JUMP: Final = timedelta(seconds=1)

_T = TypeVar("_T")
# What a change does on the store's connection: its result, and its own record.
Change = Callable[[Connection], tuple[_T, AuditRecord]]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A record's texts, to be written together, and whoever waits for them."""

    texts: list[bytes]
    done: "asyncio.Future[Entry]" = field(repr=False)


class Trail:
    """Appends to the log. Closing twice, or before the start, is safe."""

    def __init__(
        self,
        log: Log,
        key: SubjectKey,
        *,
        settings: Audit,
        clock: Clock,
        random_hex: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self._log = log
        self._key = key
        self._settings = settings
        self._clock = clock
        self._random_hex = random_hex
        self._process = random_hex(8)
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._changing: set[asyncio.Task[object]] = set()
        self._latest: datetime | None = None
        self._closing = False
        self._is_late = False

    def subject_of(self, person: str | Identifier) -> Subject:
        """A person as the trail names them, by NHS number (ten digits) or another."""
        if isinstance(person, str):
            return self._key.of_number(person)
        return self._key.of(person)

    def request_of(self, data: bytes) -> str:
        """What a caller sent, as it is known again: its HMAC in hex."""
        return self._key.of_request(data)

    async def start(self, version: str) -> Entry:
        """Continue the log from its verified head, and record that we began.

        AuditUnavailable if the log cannot be opened or does not end as its head
        says: then nothing may be asked.
        """
        try:
            await self._log.open()
            self._closing = False
            self._writer = asyncio.create_task(self._write())
            return await self.append(Start(version=version))
        except AuditUnavailable:
            await self._end()
            raise

    async def append(self, record: AuditRecord) -> Entry:
        """Where the log stands once this record is durable.

        AuditUnavailable if it is not known to be within `audit.write_s`; it may
        still become so. ValueError for a record that holds what it may not.
        A caller cancelled while waiting does not take the record back.
        """
        if self._writer is None or self._writer.done() or self._closing:
            raise AuditUnavailable("not-writing")
        if len(self._waiting) >= self._settings.batch * _BATCHES_WAITING:
            raise AuditUnavailable("full")
        waiting = self._queued(record)
        # Not `wait_for`, which would cancel the write of a caller who goes away.
        if not await settled(waiting.done, self._settings.write_s):
            waiting.done.cancel()
            self._is_late = True
            raise AuditUnavailable("slow")
        return waiting.done.result()

    async def change(self, work: Change[_T]) -> _T:
        """What `work` returned, once what it wrote and its record are both durable.

        `work` runs in a transaction of its own, which its record ends; others' records
        go on beside it. Whatever it raises undoes everything and reaches the caller.
        AuditUnavailable if all this is not known to be durable within `audit.write_s`.
        A caller cancelled while waiting does not take the change back.
        """
        if self._writer is None or self._writer.done() or self._closing:
            raise AuditUnavailable("not-writing")
        given_up = asyncio.Event()

        def written(connection: Connection) -> tuple[_T, list[bytes]]:
            result, record = work(connection)
            if given_up.is_set():
                raise AuditUnavailable("slow")  # what was refused is not done after all
            return result, self._stamped(record)

        changing = asyncio.create_task(self._log.change(written))
        self._changing.add(changing)
        changing.add_done_callback(self._forget)
        if not await settled(changing, self._settings.write_s):
            given_up.set()
            raise AuditUnavailable("slow")
        if changing.cancelled():
            raise AuditUnavailable("not-writing")  # we were closed meanwhile
        return changing.result()[0]

    async def aclose(self) -> None:
        """Record that we stop, if that can be written, and let go of the store."""
        if self._writer is None:
            return
        try:
            await self.append(Stop())
        except AuditUnavailable:
            pass  # the log says so itself: it has a start without a stop
        finally:
            await self._end()

    def is_writable(self) -> bool:
        """Whether the last batch was written, in time, while we are open."""
        return self._writer is not None and self._log.is_sound() and not self._is_late

    def _forget(self, changing: "asyncio.Task[object]") -> None:
        self._changing.discard(changing)
        if not changing.cancelled():
            changing.exception()  # seen: its caller may have gone

    def _queued(self, record: AuditRecord) -> _Waiting:
        texts = self._stamped(record)
        waiting = _Waiting(texts, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return waiting

    def _stamped(self, record: AuditRecord) -> list[bytes]:
        """The record's texts as of now, after that of a clock that went back."""
        now = self._clock.now()
        texts = []
        if self._latest is not None and now < self._latest - _JUMP:
            back = self._latest - now
            jump = ClockJump(back_ms=back // timedelta(milliseconds=1))
            texts += self._texts(jump, now)
        texts += self._texts(record, now)
        self._latest = now
        return texts

    def _texts(self, record: AuditRecord, now: datetime) -> list[bytes]:
        stamp = Stamp(id=self._random_hex(16), at=now, process=self._process)
        data = encoded(record, stamp)
        if len(data) <= self._settings.entry_bytes:
            return [data]
        return parts_of(data, stamp, part_bytes=self._settings.entry_bytes)

    async def _write(self) -> None:
        """The one writer of this process, until the trail is closed."""
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            while batch := self._batch():
                await self._written(batch)

    def _batch(self) -> list[_Waiting]:
        """The next records that somebody still waits for; whole records only."""
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and size < self._settings.batch:
            waiting = self._waiting.popleft()
            if not waiting.done.done():
                batch.append(waiting)
                size += len(waiting.texts)
        return batch

    async def _written(self, batch: list[_Waiting]) -> None:
        texts = [text for waiting in batch for text in waiting.texts]
        try:
            entries = await self._log.append(texts)
        except AuditUnavailable as error:
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
                    waiting.done.exception()  # seen: its caller may have gone
            return
        self._is_late = False
        last = -1
        for waiting in batch:
            last += len(waiting.texts)
            if not waiting.done.done():
                waiting.done.set_result(entries[last])

    async def _end(self) -> None:
        writer, self._writer = self._writer, None
        self._closing = True
        self._wake.set()
        if writer is not None:
            # Bounded like a write: a store that hangs may not hang the stop.
            under_way = [writer, *self._changing]
            await asyncio.wait(under_way, timeout=self._settings.write_s)
            for each in under_way:
                each.cancel()
            await asyncio.wait(under_way)
        await self._log.aclose()


def open_trail(settings: Settings, clock: Clock) -> Trail:
    """The trail that the configuration asks for; nothing is opened before `start`.

    ConfigurationError if its key, or the store's password, cannot be had.
    """
    audit = settings.audit
    key = read_key(audit.key_id, settings.secret(audit.key))
    database = Database(settings.database_url(), busy_s=audit.write_s)
    return Trail(Log(database, audit), key, settings=audit, clock=clock)
