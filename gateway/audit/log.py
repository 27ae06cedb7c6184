"""The log in the store: a batch is one transaction, and extends a verified head."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from gateway.audit.chain import START, Entry, extend
from gateway.problems import RequestError
from gateway.settings import Audit
from gateway.store.database import Database, Identity
from gateway.store.failures import FAILURES
from gateway.store.tables import AuditHead, AuditRecord

_RECORDS: Final = AuditRecord.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_HEADS: Final = AuditHead.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_HEAD: Final = (
    select(_HEADS.c.n, _HEADS.c.chain).where(_HEADS.c.id == 1).with_for_update()
)

_T = TypeVar("_T")
# What a change does in its transaction: its result, and the texts that record it.
Written = Callable[[Connection], tuple[_T, Sequence[bytes]]]


class AuditUnavailable(RequestError):
    """The log cannot be written; `reason` is a code for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__("audit-unavailable")
        self.reason = reason


class Log:
    """The audit tables of one store, written by one task at a time per process."""

    def __init__(self, database: Database, settings: Audit) -> None:
        self._database = database
        self._settings = settings
        self._identity: Identity | None = None
        self._highest = 0
        self._sound = False

    async def open(self) -> Entry:
        """Migrate the store and verify where the log ends.

        AuditUnavailable (`store`, `broken`) if either cannot be done.
        """
        try:
            await self._database.migrate()
            self._identity = self._database.identity()
            head = await self._database.transact(_verified_head)
        except FAILURES:
            raise AuditUnavailable("store") from None
        self._highest = head.n
        self._sound = True
        return head

    async def append(self, texts: Sequence[bytes]) -> list[Entry]:
        """The entries of canonical texts, once durable, in their order.

        AuditUnavailable if they are not: `moved`, `no-space`, `broken`, `store`.
        """
        try:
            self._check_place()
            entries = await self._database.transact(
                partial(_appended, texts=texts, highest=self._highest)
            )
        except FAILURES:
            self._sound = False
            raise AuditUnavailable("store") from None
        except AuditUnavailable:
            self._sound = False
            raise
        self._highest = max(self._highest, entries[-1].n)
        self._sound = True
        return entries

    async def change(self, work: Written[_T]) -> tuple[_T, Entry]:
        """What `work` wrote and the texts it gave, durable together or not at all.

        AuditUnavailable as of `append`. Whatever else `work` raises undoes all of it
        and comes through; RequestError conflict where another wrote the same first.
        """
        try:
            self._check_place()
            result, entries = await self._database.transact(
                partial(_changed, work=work, highest=self._highest)
            )
        except FAILURES:
            self._sound = False
            raise AuditUnavailable("store") from None
        except AuditUnavailable:
            self._sound = False
            raise
        # An append may have gone on from here before this was resumed.
        self._highest = max(self._highest, entries[-1].n)
        self._sound = True
        return result, entries[-1]

    def is_sound(self) -> bool:
        """Whether what was last tried succeeded."""
        return self._sound

    async def aclose(self) -> None:
        self._sound = False
        await self._database.aclose()

    def _check_place(self) -> None:
        """The file is still the one we opened, and its disk has room to spare."""
        if self._database.identity() != self._identity:
            raise AuditUnavailable("moved")
        if self._database.free_bytes() < self._settings.min_free:
            raise AuditUnavailable("no-space")


def _changed(
    connection: Connection, *, work: Written[_T], highest: int
) -> tuple[_T, list[Entry]]:
    """One transaction: a change first, then its record; the head is held last.

    Two that write the same at once are no fault of the log: the second is refused.
    """
    try:
        result, texts = work(connection)
    except IntegrityError:
        message = "Something else was written at the same time. Send it again."
        raise RequestError("conflict", message) from None
    return result, _appended(connection, texts=texts, highest=highest)


def _appended(
    connection: Connection, *, texts: Sequence[bytes], highest: int
) -> list[Entry]:
    """One transaction: the texts become entries after the head, and it moves on."""
    head = _read_head(connection)
    if head.n < highest:
        raise AuditUnavailable("broken")  # the log was cut or put back
    entries = _extended(head, texts)
    write = _write_plainly if connection.dialect.name == "sqlite" else _write
    write(connection, entries, texts)
    return entries


def _write(
    connection: Connection, entries: Sequence[Entry], texts: Sequence[bytes]
) -> None:
    connection.execute(
        insert(_RECORDS),
        [
            {"n": entry.n, "record": text.decode("utf-8"), "chain": entry.chain}
            for entry, text in zip(entries, texts, strict=True)
        ],
    )
    connection.execute(
        update(_HEADS)
        .where(_HEADS.c.id == 1)
        .values(n=entries[-1].n, chain=entries[-1].chain)
    )


def _write_plainly(
    connection: Connection, entries: Sequence[Entry], texts: Sequence[bytes]
) -> None:
    """The same by SQLite's own driver, in the transaction that is open.

    While SQLAlchemy prepares each row the event loop waits for the thread.
    """
    driver: Any = connection.connection.driver_connection
    driver.executemany(
        "INSERT INTO audit_record (n, record, chain) VALUES (?, ?, ?)",
        [
            (entry.n, text.decode("utf-8"), entry.chain)
            for entry, text in zip(entries, texts, strict=True)
        ],
    )
    driver.execute(
        "UPDATE audit_head SET n = ?, chain = ? WHERE id = 1",
        (entries[-1].n, entries[-1].chain),
    )


def _read_head(connection: Connection) -> Entry:
    """The head, held against every other writer until the transaction ends."""
    found = connection.execute(_HEAD).first()
    if found is None:
        raise AuditUnavailable("broken")
    return Entry(n=found.n, chain=bytes(found.chain))


def _verified_head(connection: Connection) -> Entry:
    """The head, if the last entry leads to it from the one before, and is the last.

    The whole log is the verifier's to walk; this is what a start can afford.
    """
    head = _read_head(connection)
    highest = connection.scalar(select(func.max(_RECORDS.c.n)))
    rows = select(_RECORDS).where(_RECORDS.c.n >= head.n - 1).order_by(_RECORDS.c.n)
    last = [
        (row.n, row.record, bytes(row.chain)) for row in connection.execute(rows).all()
    ]
    if (highest or 0) != head.n or not _leads_to(head, last):
        raise AuditUnavailable("broken")
    return head


def _leads_to(head: Entry, last: Sequence[tuple[int, str, bytes]]) -> bool:
    """Whether the last entries, two where there are so many, end in the head."""
    numbers = [n for n, _, _ in last]
    if numbers != list(range(max(head.n - 1, 1), head.n + 1)):
        return False
    if not last:
        return head.chain == START
    n, text, chain = last[-1]
    previous = last[-2][2] if len(last) == 2 else START
    return chain == head.chain == extend(previous, n, text.encode("utf-8"))


def _extended(head: Entry, texts: Sequence[bytes]) -> list[Entry]:
    entries = []
    n, chain = head.n, head.chain
    for text in texts:
        n, chain = n + 1, extend(chain, n + 1, text)
        entries.append(Entry(n=n, chain=chain))
    return entries
