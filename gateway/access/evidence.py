"""What an organisation's own records show of a relationship with a person. Pure.

One table says which records show what, and for how long. What is not known shows
nothing: a record without a start, or of which it is not said that it is open.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

from adapters.contract import Event
from adapters.moment import LONDON, Moment
from adapters.vocabulary import category_of
from gateway.settings import Evidence as Windows

_PRIMARY_CARE: Final = "primary-care"
_OPEN: Final = frozenset({"active", "on-hold"})
_UNTIL_NOW: Final = frozenset({"active", "on-hold", "finished", "unknown"})
_STAYS: Final = frozenset(
    {"inpatient_spell", "inpatient_episode", "ward_stay", "critical_care_stay"}
)
_CONTACTS: Final = frozenset(
    {
        *("gp_consultation", "ed_attendance", "day_case", "outpatient_appointment"),
        *("encounter", "nhs111_call", "ambulance_call", "ambulance_attendance"),
        *("ambulance_conveyance", "community_contact", "urgent_community_response"),
        "mental_health_contact",
    }
)
# A booking that nobody said was kept may not have been.
_BOOKINGS: Final = frozenset({"outpatient_appointment"})
_ON_CASELOAD: Final = frozenset(
    {
        *("community_contact", "urgent_community_response", "mental_health_contact"),
        *("social_care_assessment", "social_care_review"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidenced:
    """A relationship that a record shows: whose it is, and from when until when.

    `reference` leads to the record for whoever holds the key, and tells no content.
    """

    kind: str
    organisation: str  # ODS code, of whose record it is
    reference: str
    as_of: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the record beside itself: whose it is, and as of when."""

    organisation: str
    sector: str
    as_of: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Which records show a relationship, and until when a record does.

    `back` is how long before now such a record may have begun; None: any time.
    """

    kinds: frozenset[str]
    until: Callable[[Event, Known, Windows], datetime | None]
    back: Callable[[Windows], timedelta | None]
    sectors: Callable[[str], bool] = lambda _: True


_Table: TypeAlias = Mapping[str, tuple[_Rule, ...]]


def _while_open(event: Event, known: Known, windows: Windows) -> datetime | None:
    """An open record shows it a while longer than its source was last known to be."""
    if event.status not in _OPEN or _ended(event, known):
        return None
    return min(known.as_of, known.now) + timedelta(hours=windows.open_hours)


def _stay(event: Event, known: Known, windows: Windows) -> datetime | None:
    if _ended(event, known):
        return _after(event.end, hours=windows.encounter_hours)
    longest = _after(event.start, days=windows.stay_days)
    return _earlier(_while_open(event, known, windows), longest)


def _contact(event: Event, known: Known, windows: Windows) -> datetime | None:
    """A contact lasts hours: one never closed counts no longer than one that was."""
    last = event.end if _ended(event, known) else event.start
    return _after(last, hours=windows.encounter_hours)


def _referral(event: Event, known: Known, windows: Windows) -> datetime | None:
    life = _after(event.start, days=windows.referral_days)
    return _earlier(_while_open(event, known, windows), life)


def _seen(event: Event, known: Known, windows: Windows) -> datetime | None:
    last = event.end if _ended(event, known) else event.start
    return _after(last, days=windows.caseload_days)


def _is_primary(sector: str) -> bool:
    return sector == _PRIMARY_CARE


def _is_other(sector: str) -> bool:
    return sector != _PRIMARY_CARE


_TABLE: Final[_Table] = {
    "active-encounter": (
        _Rule(
            kinds=_STAYS,
            until=_stay,
            back=lambda w: timedelta(days=w.stay_days, hours=w.encounter_hours),
        ),
        _Rule(
            kinds=_CONTACTS,
            until=_contact,
            # One that began long before it ended is a stay, and told as such.
            back=lambda w: timedelta(days=1, hours=w.encounter_hours),
        ),
    ),
    "registered": (
        _Rule(
            kinds=frozenset({"episode_of_care"}),
            until=_while_open,
            back=lambda _: None,
            sectors=_is_primary,
        ),
    ),
    "referral": (
        _Rule(
            kinds=frozenset({"referral", "mental_health_referral"}),
            until=_referral,
            back=lambda w: timedelta(days=w.referral_days),
        ),
    ),
    "caseload": (
        _Rule(
            kinds=frozenset({"social_care_service"}),
            until=_while_open,
            back=lambda _: None,
        ),
        _Rule(
            kinds=frozenset({"episode_of_care"}),
            until=_while_open,
            back=lambda _: None,
            sectors=_is_other,
        ),
        _Rule(
            kinds=_ON_CASELOAD,
            until=_seen,
            back=lambda w: timedelta(days=w.caseload_days + 1),
        ),
    ),
}

# What own records can show, strongest first.
KINDS: Final = tuple(_TABLE)
_WOULD_SHOW: Final = {
    "active-encounter": "an encounter at your organisation, open or recent",
    "registered": "an open registration with your organisation",
    "referral": "an open referral at your organisation",
    "caseload": "a place on your organisation's caseload",
}


def would_permit(kinds: Iterable[str]) -> str | None:
    """Which records would permit what is refused for want of these relationships.

    None where own records can show none of them.
    """
    ways = [_WOULD_SHOW[kind] for kind in kinds if kind in _WOULD_SHOW]
    if not ways:
        return None
    told = " or ".join(ways)
    return f"{told[0].upper()}{told[1:]} would permit."


def categories(kind: str, sector: str) -> frozenset[str]:
    """The categories that hold what shows a relationship, at a source of a sector."""
    return frozenset(
        category_of(each, sector)
        for rule in _TABLE[kind]
        if rule.sectors(sector)
        for each in rule.kinds
    )


def since(
    kinds: Iterable[str], sector: str, *, now: datetime, windows: Windows
) -> date | None:
    """The first London day on which a record that shows any of them may have begun.

    None: any day.
    """
    spans = [
        rule.back(windows)
        for kind in kinds
        for rule in _TABLE[kind]
        if rule.sectors(sector)
    ]
    known = [span for span in spans if span is not None]
    if len(known) < len(spans) or not known:
        return None
    today = now.astimezone(LONDON).date()
    back = min(max(known).days + 1, today.toordinal() - 1)
    return today - timedelta(days=back)


def until(
    kind: str, event: Event, known: Known, *, windows: Windows
) -> datetime | None:
    """The instant until which a record shows a relationship; None: it shows none.

    A record of another organisation, one that has not begun, did not take place or
    was entered in error shows nothing, and neither does one whose time has passed.
    """
    if not _counts(event, known):
        return None
    ends = [
        rule.until(event, known, windows)
        for rule in _TABLE[kind]
        if event.kind in rule.kinds and rule.sectors(known.sector)
    ]
    latest = max((each for each in ends if each is not None), default=None)
    return latest if latest is not None and latest > known.now else None


def _counts(event: Event, known: Known) -> bool:
    if event.status not in _UNTIL_NOW or event.start is None:
        return False
    may_lie_ahead = event.kind in _BOOKINGS or event.start.latest > known.now
    if event.status == "unknown" and may_lie_ahead:
        return False  # nobody said that it took place
    if event.organisation not in {None, known.organisation}:
        return False
    return event.start.at <= min(known.now, known.as_of)


def _ended(event: Event, known: Known) -> bool:
    """Whether it is over. An end that is yet to come is only expected."""
    return event.end is not None and event.end.at <= known.now


def _after(moment: Moment | None, *, days: int = 0, hours: int = 0) -> datetime | None:
    """So long after the earliest instant that a moment can mean."""
    if moment is None:
        return None
    try:
        return moment.at + timedelta(days=days, hours=hours)
    except OverflowError:
        return None


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two; None if either is none."""
    return None if one is None or other is None else min(one, other)
