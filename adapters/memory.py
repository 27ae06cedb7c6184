"""The plainest adapter: events in memory. It is real, and it is the others' oracle."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from adapters.contract import (
    Answer,
    Candidate,
    Event,
    Identifier,
    Identifiers,
    Person,
    Profile,
    Query,
    Traced,
    day_of_birth,
    tally,
)
from adapters.moment import in_utc
from adapters.vocabulary import category_of

_LONDON = ZoneInfo("Europe/London")


class MemoryAdapter:
    """Answers from `events`, each of which names its subject, ordered by start.

    `key` is the identifier system that tells the source's own people apart: any
    other identifier whose events carry two keys is a placeholder and links nobody.
    `people` are those it can describe, each once: nobody, until somebody is put there;
    `traced` likewise what it can state of merges.
    """

    def __init__(
        self,
        events: Sequence[Event],
        *,
        sector: str,
        held: frozenset[str],
        as_of: datetime,
        key: str | None = None,
    ) -> None:
        self.people: tuple[Candidate, ...] = ()
        self.traced: tuple[Traced, ...] = ()
        self._events = tuple(sorted(events, key=_by_start))
        self._key = key
        self._sector = sector
        self._as_of = as_of
        systems = {i.system for e in self._events for i in e.subject or ()}
        self.profile = Profile(
            adapter="memory/1",
            mapping=None,
            held=held,
            identifier_systems=frozenset(systems),
            key_system=key,
        )

    async def ask(self, query: Query) -> Answer:
        shared = frozenset(i for i in query.person.every if self._is_shared(i))
        wanted = query.person.every - shared
        theirs = [e for e in self._events if e.subject and e.subject & wanted]
        of_category = [
            e for e in theirs if category_of(e.kind, self._sector) in query.categories
        ]
        inside = [e for e in of_category if _inside(e, query)]
        undated = sum(e.start is None for e in of_category) if _bounded(query) else 0
        caveats = ["undated"] * undated + ["shared_identifier"] * len(shared)
        if len(inside) > query.limit:
            caveats.append("truncated")
        named = frozenset(i for e in theirs for i in e.subject or ())
        known = frozenset(i for i in named if not self._is_shared(i))
        return Answer(
            events=tuple(inside[: query.limit]),
            person=Person(identifiers=known) if theirs else None,
            as_of=self._as_of,
            held=self.profile.held,
            caveats=tally(caveats),
        )

    async def trace(self, person: Identifiers) -> tuple[Traced, ...]:
        """What was stated of them, and of whoever that leads to, oldest first."""
        subjects = [e.subject for e in self._events if e.subject]
        theirs = (subject for subject in subjects if subject & person.every)
        named = person.every.union(*theirs)
        named = frozenset(each for each in named if not self._is_shared(each))
        said: list[Traced] = []
        for _ in self.traced:  # a chain is no longer than that
            said = [each for each in self.traced if {each.from_, each.to} & named]
            named |= {end for each in said for end in (each.from_, each.to)}
        return tuple(sorted(said, key=_by_time))

    async def match(self, described: Person, *, limit: int) -> tuple[Candidate, ...]:
        """Those born on the day, in the order they were given."""
        day = day_of_birth(described)
        born = [e for e in self.people if day and day_of_birth(e.person) == day]
        return tuple(born[: limit + 1])

    def _is_shared(self, identifier: Identifier) -> bool:
        if self._key is None or identifier.system == self._key:
            return False
        reached = [e.subject for e in self._events if identifier in (e.subject or ())]
        keys = {i for s in reached for i in s or () if i.system == self._key}
        return len(keys) > 1

    async def aclose(self) -> None:
        """Nothing to close."""


def _by_time(traced: Traced) -> tuple[datetime, bool]:
    return traced.at, traced.how == "unmerged"


def _by_start(event: Event) -> tuple[bool, datetime, str]:
    # In UTC, since two London readings of one autumn hour compare by the wall clock.
    at = in_utc(event.start.at) if event.start else datetime.max.replace(tzinfo=UTC)
    return event.start is None, at, event.record_id


def _bounded(query: Query) -> bool:
    return query.since is not None or query.until is not None


def _inside(event: Event, query: Query) -> bool:
    # Written apart from Query.covers, on London days, so that the two check each other.
    if event.start is None or not _bounded(query):
        return not _bounded(query)
    first = event.start.at.astimezone(_LONDON).date()
    last = _last_day(event.start.at.astimezone(_LONDON).date(), event)
    return (query.since is None or last >= query.since) and (
        query.until is None or first < query.until
    )


def _last_day(first: date, event: Event) -> date:
    if event.start is not None and event.start.precision == "year":
        return first.replace(month=12, day=31)
    if event.start is not None and event.start.precision == "month":
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        return date.fromordinal(following.toordinal() - 1)
    return first
