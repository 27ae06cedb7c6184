"""What cannot be right among the events shown, or does not fit together. Pure.

Read off what the caller sees, and nothing else: times at the grain they are shown,
and no event whose status is hidden. So nothing withheld can be told from a finding.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from adapters.contract import Event
from adapters.moment import LONDON, Moment, in_utc
from gateway.journey.grain import floored, taken_out
from gateway.journey.journey import Discrepancy, JourneyEvent
from policies.obligations import View

# Who is moved may be in two hospitals' books for a while.
TRANSFER: Final = timedelta(hours=24)
# A clock an hour off, or a zone left out, twice over.
ASTRAY: Final = timedelta(hours=2)
MOST: Final = 50  # overlaps told one by one
_CROWD: Final = (
    200  # of one kind in one place within `ASTRAY`: nothing tells them apart
)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_NOT_HAPPENED: Final = frozenset(
    {"planned", "cancelled", "did-not-attend", "entered-in-error"}
)
# What a person takes part in. Reports, letters and referrals may follow a death.
TAKES_PART: Final = frozenset(
    {
        *("gp_consultation", "ed_attendance", "inpatient_spell", "inpatient_episode"),
        *("ward_stay", "day_case", "critical_care_stay", "outpatient_appointment"),
        *("community_contact", "urgent_community_response", "mental_health_contact"),
        *("ambulance_attendance", "ambulance_conveyance", "immunisation"),
        *("social_care_assessment", "social_care_review", "nhs111_call"),
    }
)
_Span: TypeAlias = tuple[datetime, datetime]  # in UTC, the end exclusive


class Shown(NamedTuple):
    """An event as it is told, with what it was told from, its view and its source's."""

    event: JourneyEvent
    record: Event
    view: View
    as_of: datetime

    @property
    def source(self) -> str:
        """The id of its source."""
        return self.event.provenance.source

    @property
    def place(self) -> str | None:
        """Where it happened, as shown; None where that is hidden."""
        hidden = "event.organisation" in taken_out(self.view)
        return None if hidden else self.event.provenance.organisation.ods

    @property
    def counts(self) -> bool:
        """Whether it is told as something that happened."""
        is_hidden = "event.status" in taken_out(self.view)
        return not is_hidden and self.event.status not in _NOT_HAPPENED

    @property
    def start(self) -> _Span | None:
        """When it may have begun, as shown."""
        return _span(floored(self.record.start, self.view))

    @property
    def end(self) -> _Span | None:
        """When it may have ended, as shown."""
        return _span(floored(self.record.end, self.view))


def findings(shown: Sequence[Shown]) -> list[Discrepancy]:
    """What a reader must look at before trusting these events, in a steady order.

    `shown` are in the journey's order.
    """
    counted = [each for each in shown if each.counts]
    deaths = [each for each in counted if each.event.kind == "death" and each.start]
    found = [
        _together(
            "negative_stay",
            [each for each in counted if "reversed" in each.event.caveats],
            "Ends before it starts: one of its times is wrong, and it has no duration.",
        ),
        _together(
            "clock_skew",
            [each for each in counted if _is_ahead(each)],
            "Dated after the time its source spoke of: a clock or a date is wrong.",
        ),
        _deaths_differ(deaths),
        _after(deaths, counted),
        *_different_times(counted),
        *_overlaps(counted),
    ]
    return [each for each in found if each is not None]


def _together(
    code: str, concerned: Sequence[Shown], meaning: str
) -> Discrepancy | None:
    """One discrepancy about all of these; None about none."""
    if not concerned:
        return None
    return Discrepancy(
        code=code,
        sources=sorted({each.source for each in concerned}),
        events=[each.event.id for each in concerned],
        at=None,
        meaning=meaning,
    )


def _is_ahead(each: Shown) -> bool:
    if "after_as_of" not in each.event.caveats:
        return False
    start = each.start
    return start is not None and start[0] > each.as_of


def _deaths_differ(deaths: Sequence[Shown]) -> Discrepancy | None:
    spans = [span for each in deaths if (span := each.start)]
    apart = len(spans) > 1 and max(a for a, _ in spans) >= min(b for _, b in spans)
    return _together(
        "death_dates_differ",
        deaths if apart else [],
        "Different dates of death are recorded for this person.",
    )


def _after(deaths: Sequence[Shown], counted: Iterable[Shown]) -> Discrepancy | None:
    """What a dead person cannot have taken part in; of several deaths, the last."""
    if not deaths:
        return None
    last = max(_end_of_day(span[1]) for each in deaths if (span := each.start))
    later = [
        each
        for each in counted
        if each.event.kind in TAKES_PART and (start := each.start) and start[0] >= last
    ]
    return _together(
        "events_after_death",
        [*deaths, *later] if later else [],
        "Contacts are recorded after the day of a recorded death: the death, or the "
        "contacts, may be somebody else's.",
    )


def _end_of_day(until: datetime) -> datetime:
    """The end of the London day in which a span ends; `until` is exclusive."""
    if until.year == 1:
        return until  # before there was a London day to end
    day = (until - timedelta(microseconds=1)).astimezone(LONDON).date()
    if day == date.max:
        return _LAST
    return in_utc(datetime.combine(day + timedelta(days=1), time(), LONDON))


def _different_times(counted: Sequence[Shown]) -> Iterator[Discrepancy | None]:
    """Two records of what is, or seems, one thing, of which the times do not fit."""
    by_id = {each.event.id: (place, each) for place, each in enumerate(counted)}
    found = [
        (place, by_id[twin][0])
        for place, each in enumerate(counted)
        for twin in each.event.same_as
        if twin in by_id and by_id[twin][0] > place
        if _apart(each.end, by_id[twin][1].end)
    ]
    for one, other in sorted({*found, *_near(counted)}):
        yield _together(
            "same_event_different_times",
            [counted[one], counted[other]],
            "Two sources tell of what may be one thing, at different times: find out "
            "whether it happened once or twice.",
        )


def _apart(one: _Span | None, other: _Span | None) -> bool:
    """Whether two times, as precise as they are known, cannot be the same."""
    if one is None or other is None:
        return False
    return one[1] <= other[0] or other[1] <= one[0]


def _near(counted: Sequence[Shown]) -> Iterator[tuple[int, int]]:
    """Contacts of one kind, place and code in two sources, a little time apart.

    Only where each is the other's one candidate, and neither has a twin there.
    """
    near: dict[tuple[int, str], list[int]] = {}
    for group in _groups(counted):
        for one, other in _close(group):
            left, right = counted[one], counted[other]
            if _seems_one(left, right):
                near.setdefault((one, right.source), []).append(other)
                near.setdefault((other, left.source), []).append(one)
    for (one, _), candidates in near.items():
        other = candidates[0]
        back = near[other, counted[one].source]
        if one < other and len(candidates) == 1 and back == [one]:
            yield one, other


def _groups(counted: Sequence[Shown]) -> Iterator[list[tuple[datetime, int]]]:
    """Starts and places of the contacts of one kind in one place, by time."""
    by_place: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
    for index, each in enumerate(counted):
        if each.event.kind not in TAKES_PART or each.event.start_precision not in {
            "minute",
            "second",
        }:
            continue
        place, start = each.place, each.start
        if place is not None and start is not None:
            group = by_place.setdefault((each.event.kind, place), [])
            group.append((start[0], index))
    for group in by_place.values():
        if len({counted[index].source for _, index in group}) > 1:
            yield sorted(group)


def _close(group: Sequence[tuple[datetime, int]]) -> Iterator[tuple[int, int]]:
    """Every two within `ASTRAY` of each other, once; crowds left out."""
    starts = [start for start, _ in group]
    for place, (start, index) in enumerate(group):
        end = bisect_right(starts, min(start, _LAST - ASTRAY) + ASTRAY)
        if end - place <= _CROWD:
            for _, other in group[place + 1 : end]:
                yield index, other


def _seems_one(left: Shown, right: Shown) -> bool:
    if left.source == right.source or not _apart(left.start, right.start):
        return False
    if left.event.same_as or right.event.same_as:
        return False
    return bool(_codes(left) & _codes(right))


def _codes(each: Shown) -> frozenset[tuple[str | None, str]]:
    return frozenset((c.system, c.code) for c in each.event.codes if c.code is not None)


def _overlaps(counted: Sequence[Shown]) -> Iterator[Discrepancy | None]:
    """Inpatient spells at two organisations at once, for longer than a transfer."""
    pairs = list(islice(_overlapping(counted), MOST + 1))
    for one, other in sorted(pairs[:MOST]):
        yield _together(
            "overlapping_stays",
            [counted[one], counted[other]],
            "Stays at two organisations overlap by more than a day: one of them, or "
            "its end, may be wrong, or somebody else's.",
        )
    if len(pairs) > MOST:
        yield Discrepancy(
            code="overlapping_stays",
            sources=[],
            events=[],
            at=None,
            meaning="More stays at different organisations overlap than are listed.",
        )


def _overlapping(counted: Sequence[Shown]) -> Iterator[tuple[int, int]]:
    """Every two such stays, by the places of both; the times are certain ones."""
    stays = sorted(_stays(counted))
    under_way: dict[str, list[tuple[datetime, int]]] = {}
    for start, end, index in stays:
        stay = counted[index]
        for place, there in under_way.items():
            there[:] = [each for each in there if each[0] - start > TRANSFER]
            if place != stay.place:
                for _, other in there:
                    if counted[other].event.id not in stay.event.same_as:
                        yield min(index, other), max(index, other)
        under_way.setdefault(stay.place or "", []).append((end, index))


def _stays(counted: Sequence[Shown]) -> Iterator[tuple[datetime, datetime, int]]:
    """Stays of more than a day: their latest start, earliest end, and place.

    One that goes on lasts until its source's own time, at least.
    """
    for index, each in enumerate(counted):
        if each.event.kind != "inpatient_spell" or each.place is None:
            continue
        start, end = each.start, each.end
        goes_on = end is None and each.event.status == "active"
        until = in_utc(each.as_of) if goes_on else end[0] if end else None
        if start is not None and until is not None and until - start[1] > TRANSFER:
            yield start[1], until, index


def _span(moment: Moment | None) -> _Span | None:
    """The first instant a time as shown can mean, and the one after the last."""
    return None if moment is None else (in_utc(moment.at), in_utc(moment.latest))
