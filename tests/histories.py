"""Strategies: histories of a few people, and questions about them.

Dates crowd around the clock changes and the ends of days, months and years, so
that windows cut through them and records fall on one another.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from hypothesis import strategies as st

from adapters.conformance import Carries
from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.moment import LONDON, Moment, Precision, localise
from adapters.vocabulary import CATEGORIES, STATUSES
from tests.people import LOCAL, PLACEHOLDER, person

PEOPLE = (person(0), person(1), person(2, numbered=False))
NOBODY = person(9)

DAYS = st.sampled_from(
    [
        date(2023, 12, 31),
        date(2024, 1, 1),
        date(2024, 2, 29),
        date(2024, 3, 30),
        date(2024, 3, 31),  # the clock goes forward
        date(2024, 4, 1),
        date(2024, 10, 26),
        date(2024, 10, 27),  # and back
        date(2024, 10, 28),
        date(2024, 12, 31),
    ]
)
TIMES = st.sampled_from(
    [(0, 0), (0, 30), (1, 0), (1, 30), (2, 0), (12, 0), (23, 0), (23, 59)]
)
TITLES = st.text(
    st.characters(
        min_codepoint=33, max_codepoint=0x24F, blacklist_categories=("Cc", "Cf", "Zs")
    ),
    min_size=1,
    max_size=12,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Events of a few people, and questions to put about them."""

    events: tuple[Event, ...]
    queries: tuple[Query, ...]
    key: str = LOCAL


@st.composite
def moments(draw, precisions: frozenset[str]) -> Moment:
    """A moment of one of the precisions, in London's or a fixed offset."""
    precision: Precision = draw(st.sampled_from(sorted(precisions)))
    day = draw(DAYS)
    if precision in {"minute", "second"}:
        hour, minute = draw(TIMES)
        second = draw(st.sampled_from([0, 59])) if precision == "second" else 0
        naive = datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - localised below
        offset = draw(st.sampled_from([None, 0, 60, 330, -300]))
        if offset is not None:
            zone = timezone(timedelta(minutes=offset))
            return Moment(naive.replace(tzinfo=zone), precision)
        at, caveat = localise(naive, LONDON)
        # A doubtful reading is a question of its own; here every reading is plain.
        return Moment(at if caveat is None else at.replace(hour=12), precision)
    month = 1 if precision == "year" else day.month
    first = day.day if precision == "day" else 1
    return Moment(datetime(day.year, month, first, tzinfo=LONDON), precision)


@st.composite
def subjects(draw) -> frozenset[Identifier]:
    """What a record names: its person's key, and perhaps number and placeholder."""
    someone = draw(st.sampled_from(PEOPLE))
    named: frozenset[Identifier] = (
        someone.every if draw(st.booleans()) else someone.others
    )
    return named | (frozenset({PLACEHOLDER}) if draw(st.booleans()) else frozenset())


@st.composite
def events(draw, carries: Carries) -> tuple[Event, ...]:
    """Up to a dozen events, each with its own record id."""
    kinds = st.sampled_from(sorted(carries.kinds))
    starts = moments(carries.precisions)
    told = []
    for nth in range(draw(st.integers(0, 12))):
        start = draw(st.one_of(st.none(), starts) if carries.undated else starts)
        told.append(
            Event(
                kind=draw(kinds),
                record_id=f"r-{nth}",
                title=draw(TITLES),
                status=draw(st.sampled_from(sorted(STATUSES))),
                start=start,
                subject=draw(subjects()),
            )
        )
    return tuple(told)


@st.composite
def queries(draw) -> Query:
    """A question about one of the people, or about nobody; windows may be empty."""
    someone = draw(st.sampled_from([*PEOPLE, NOBODY]))
    asked = draw(
        st.sampled_from(
            [
                someone,
                Identifiers(nhs_number=someone.nhs_number),
                Identifiers(others=someone.others),
                Identifiers(others=frozenset({PLACEHOLDER})),
                Identifiers(others=someone.others | {PLACEHOLDER}),
            ]
        )
    )
    every = st.just(CATEGORIES)
    return Query(
        person=asked,
        since=draw(st.none() | DAYS),
        until=draw(st.none() | DAYS),
        categories=draw(every | st.frozensets(st.sampled_from(sorted(CATEGORIES)))),
        limit=draw(st.sampled_from([1, 3, 1000])),
    )


@st.composite
def histories(draw, carries: Carries) -> History:
    """A history a kind of source has room for, with four questions about it."""
    asked = draw(st.lists(queries(), min_size=1, max_size=4))
    return History(events=draw(events(carries)), queries=tuple(asked))
