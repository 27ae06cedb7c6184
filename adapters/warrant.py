"""What a question to a site carries: the decision it rests on, and what came of it.

No other kind of source ever sees one: an adapter does not learn who asks or why. A
site decides again, by its organisation's own rules, and so it must be told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A question put to a site, by its id, and what came back.

    `answer` is the SHA-256 of the signed answer in hex; None: none came that could
    be believed. Both ends record it, and so their trails can be held together.
    """

    question: str
    answer: str | None = None


class Exchanges:
    """What one source was sent for one question, and what it answered: it grows."""

    def __init__(self) -> None:
        self._answers: dict[str, str | None] = {}

    def sent(self, question: str) -> None:
        """A question is about to leave."""
        self._answers[question] = None

    def answered(self, question: str, digest: str) -> None:
        """What was answered to it was verified."""
        self._answers[question] = digest

    @property
    def every(self) -> tuple[Exchange, ...]:
        """All of them, in the order in which they were sent."""
        return tuple(
            Exchange(question=question, answer=answer)
            for question, answer in self._answers.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Categories that a policy grants alike, under which relationship and view.

    `view` is the most that may be shown, as plain data: the axes of an obligation.
    """

    relationship: str
    categories: frozenset[str]
    view: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warrant:
    """One decision on one source: who asks, what for, and what was granted.

    `owner` is the organisation whose data it is about, as the gateway has it; `policy`
    is the version of the set that decided; `organisation` and `role` are the
    requester's; `until` is when an answer is of no more use.
    """

    decision: str
    owner: str
    policy: str
    journey: str
    purpose: str
    operation: str
    mode: str
    organisation: str
    role: str
    assurance: str | None
    agreement: str | None
    break_glass: bool
    granted: tuple[Granted, ...]
    until: datetime
    exchanges: Exchanges = field(default_factory=Exchanges, repr=False, compare=False)
