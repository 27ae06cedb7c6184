"""The questions that wait in one process, and the polls that wait for them.

Nothing here knows who asks, reads what is asked, or writes anything anywhere. Whatever
waits is bounded, by the site it is for.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from adapters.relay import Brought

_Kept = TypeVar("_Kept")


class Full(Exception):
    """As much waits already, for or of this site, as may."""


@dataclass(slots=True, eq=False)
class Question:
    """One question on its way to a site, and what came of it."""

    site: str
    jti: str
    posted: bytes = field(repr=False)
    is_elsewhere: bool = False  # another gateway holds it, and awaits its answer
    is_fetched: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    answer: "asyncio.Future[Brought]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), repr=False
    )


def _always() -> bool:
    return True


class Poll:
    """One poll of a site that is open, until it is given a question or gives up.

    `is_believed` says whether whoever opened it would be let open one now.
    """

    def __init__(self, site: str, is_believed: Callable[[], bool]) -> None:
        self.site = site
        self.is_believed = is_believed
        self.given: asyncio.Future[Question] = (
            asyncio.get_running_loop().create_future()
        )
        self.is_reserved = False  # something is being fetched for it


class Queue:
    """What waits, by site."""

    def __init__(self, *, questions: int, polls: int) -> None:
        self._most_questions = questions
        self._most_polls = polls
        self._held: dict[str, Question] = {}
        self._waiting: dict[str, deque[Question]] = {}
        self._polls: dict[str, deque[Poll]] = {}
        self._counts: dict[str, int] = {}
        self._is_closed = False

    def put(self, question: Question) -> None:
        """Hold a question, and hand it to a poll if one is open. Full; see above.

        ValueError if one of its id is held already.
        """
        if question.jti in self._held:
            message = "a question is carried once. Make a new one."
            raise ValueError(message)
        count = self._counts.get(question.site, 0)
        if count >= self._most_questions:
            raise Full
        self._counts[question.site] = count + 1
        self._held[question.jti] = question
        self._waiting.setdefault(question.site, deque()).append(question)
        self._match(question.site)

    def drop(self, question: Question) -> None:
        """Hold it no longer: it was answered, or nobody waits for its answer."""
        if self._held.pop(question.jti, None) is None:
            return
        left = self._counts[question.site] - 1
        _keep(self._counts, question.site, left)
        waiting = self._waiting.get(question.site)
        if waiting is not None and question in waiting:
            waiting.remove(question)
            _keep(self._waiting, question.site, waiting)

    def open(self, site: str, is_believed: Callable[[], bool] = _always) -> Poll:
        """A poll, given a question at once if one waits. Full; see above.

        One that is not believed any more when there is a question is ended instead.
        """
        if self._is_closed or len(self._polls.get(site, ())) >= self._most_polls:
            raise Full
        poll = Poll(site, is_believed)
        self._polls.setdefault(site, deque()).append(poll)
        self._match(site)
        return poll

    def shut(self, poll: Poll) -> None:
        """Nobody waits at this poll any more. What it was given stays fetched."""
        poll.given.cancel()
        polls = self._polls.get(poll.site)
        if polls is not None and poll in polls:
            polls.remove(poll)
            _keep(self._polls, poll.site, polls)

    def close(self) -> None:
        """End every poll that waits; none opens again. What was fetched may come."""
        self._is_closed = True
        polls, self._polls = self._polls, {}
        for each in polls.values():
            for poll in each:
                poll.given.cancel()

    def give_back(self, question: Question) -> None:
        """A question whose poll ended before it was handed out: it waits again.

        One that is held elsewhere goes to another poll here, or is lost.
        """
        if self._held.get(question.jti) is question and not question.answer.done():
            question.is_fetched.clear()
            self._waiting.setdefault(question.site, deque()).appendleft(question)
            self._match(question.site)
        elif question.is_elsewhere:
            poll = self.reserve(question.site)
            if poll is not None:
                poll.given.set_result(question)

    def reserve(self, site: str) -> Poll | None:
        """The poll that waited longest, for a question that is held elsewhere."""
        polls = self._polls.get(site)
        poll = _believed(polls) if polls else None
        _keep(self._polls, site, polls)
        if poll is not None:
            poll.is_reserved = True
        return poll

    def put_back(self, poll: Poll) -> None:
        """A poll that was reserved for nothing waits on, as the first."""
        poll.is_reserved = False
        if not poll.given.done():
            self._polls.setdefault(poll.site, deque()).appendleft(poll)
            self._match(poll.site)

    @property
    def asked(self) -> tuple[str, ...]:
        """The sites that questions wait for."""
        return tuple(self._waiting)

    @property
    def polled(self) -> tuple[str, ...]:
        """The sites whose polls wait."""
        return tuple(self._polls)

    def unfetched(self, site: str) -> tuple[str, ...]:
        """The ids of questions that still wait for a poll of the site."""
        return tuple(each.jti for each in self._waiting.get(site, ()))

    def fetch(self, site: str, jti: str) -> Question | None:
        """A question that waits, for a poll elsewhere: it waits no more here."""
        question = self._held.get(jti)
        waiting = self._waiting.get(site)
        if question is None or waiting is None or question not in waiting:
            return None
        waiting.remove(question)
        _keep(self._waiting, site, waiting)
        question.is_fetched.set()
        return question

    def awaits(self, site: str, jti: str) -> bool:
        """Whether this very site fetched it, and nothing was brought for it yet."""
        question = self._held.get(jti)
        return (
            question is not None
            and question.site == site
            and question.is_fetched.is_set()
            and not question.answer.done()
        )

    def bring(self, site: str, jti: str, brought: Brought) -> bool:
        """What a site brought; False where nobody awaits that, from this site."""
        if not self.awaits(site, jti):
            return False
        self._held[jti].answer.set_result(brought)
        return True

    def _match(self, site: str) -> None:
        """Hand the questions that wait to the polls that wait, the oldest first."""
        waiting, polls = self._waiting.get(site), self._polls.get(site)
        while waiting and polls and (poll := _believed(polls)):
            question = waiting.popleft()
            question.is_fetched.set()
            poll.given.set_result(question)
        _keep(self._waiting, site, waiting)
        _keep(self._polls, site, polls)


def _believed(polls: deque[Poll]) -> Poll | None:
    """The first that may be given something; those before it are ended."""
    while polls:
        poll = polls.popleft()
        if poll.given.done():
            continue
        if poll.is_believed():
            return poll
        poll.given.cancel()
    return None


def _keep(table: dict[str, _Kept], site: str, kept: _Kept | None) -> None:
    """Let nothing stay of a site of which nothing waits."""
    if kept:
        table[site] = kept
    else:
        table.pop(site, None)
