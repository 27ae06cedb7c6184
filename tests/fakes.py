"""Fakes, each held to the real thing by tests/unit/test_fakes.py."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Profile, Query
from gateway.audit.chain import Entry
from gateway.audit.keys import Subject, SubjectKey
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import AuditRecord


class FakeClock:
    """A clock that moves when told to."""

    def __init__(self, at: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self.at = at
        self.passed = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.passed

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.passed += seconds


class FakeTrail:
    """A trail in memory: what was appended, in order; or a trail that fails."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.records: list[AuditRecord] = []
        self.fails_at = fails_at

    def subject_of(self, person: str | Identifier) -> Subject:
        return SubjectKey(key_id="test", key=b"k" * 32).of(
            Identifier(nhs_number.SYSTEM, person) if isinstance(person, str) else person
        )

    async def append(self, record: AuditRecord) -> Entry:
        if self.fails_at == len(self.records):
            raise AuditUnavailable("slow")
        self.records.append(record)
        return Entry(n=len(self.records), chain=b"\0" * 32)

    def is_writable(self) -> bool:
        return self.fails_at is None


class FakeAdapter:
    """A source that does what it is told: answer, wait, fail; and remembers asking."""

    def __init__(
        self,
        answers: Callable[[Query], Answer],
        *,
        profile: Profile,
        waits_s: float = 0,
    ) -> None:
        self._answers = answers
        self.profile = profile
        self._waits_s = waits_s
        self.asked: list[Query] = []
        self.cancelled = 0

    async def ask(self, query: Query) -> Answer:
        self.asked.append(query)
        try:
            await asyncio.sleep(self._waits_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self._answers(query)

    async def aclose(self) -> None:
        """Nothing to close."""
