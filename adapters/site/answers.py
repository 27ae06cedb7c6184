"""An Answer on the wire and back, with nothing lost: each field, each moment's zone.

A day is a London day only with its zone: an offset alone would make the days of a
change of clocks an hour too short or too long.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from adapters.contract import (
    Answer,
    Caveat,
    Code,
    Detail,
    Event,
    FlagState,
    Identifier,
    Narrowed,
    Person,
)
from adapters.moment import Moment, Precision
from adapters.site.wire import (
    LONGEST_WAIT_S,
    Domain,
    Instant,
    NotSpoken,
    QuestionId,
    Reason,
    Spoken,
    State,
)
from adapters.site.wire import Code as Plain

_COPIED: Final = tuple(
    name for name in Event.__struct_fields__ if name not in {"start", "end", "recorded"}
)


class SaidMoment(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True
):
    """A moment: ISO 8601 with its offset, or a wall clock, its zone and its fold."""

    precision: Precision
    at: str
    zone: str | None = None
    fold: Literal[0, 1] = 0


class SaidEvent(Spoken, frozen=True, kw_only=True):
    """An event, field for field as the contract has it: a test holds the two equal."""

    kind: str
    record_id: str
    title: str
    status: str
    kind_code: str | None
    start: SaidMoment | None
    end: SaidMoment | None
    recorded: SaidMoment | None
    codes: tuple[Code, ...]
    labels: frozenset[str]
    detail: tuple[Detail, ...]
    subject: frozenset[Identifier] | None
    organisation: str | None
    version: str | None
    caveats: tuple[str, ...]

    def __repr__(self) -> str:
        return "SaidEvent()"


class SaidPerson(Spoken, frozen=True, kw_only=True):
    """What a source says of who the person is."""

    identifiers: frozenset[Identifier]
    name: str | None
    birth_date: SaidMoment | None
    gender: str | None
    postcode: str | None

    def __repr__(self) -> str:
        return "SaidPerson()"


class SaidFlag(Spoken, frozen=True, kw_only=True):
    """A flag as a source states it, and as of when."""

    flag: str
    present: bool
    as_of: SaidMoment


class SaidAnswer(Spoken, frozen=True, kw_only=True):
    """A source's answer after its organisation's own release."""

    as_of: SaidMoment
    held: frozenset[str]
    count: Annotated[int, Meta(ge=0)]
    events: tuple[SaidEvent, ...]
    person: SaidPerson | None
    caveats: tuple[Caveat, ...]
    flags: tuple[SaidFlag, ...]
    narrowed: Narrowed | None

    def __repr__(self) -> str:
        return "SaidAnswer()"


class Reply(Spoken, frozen=True, kw_only=True):
    """What became of a question at a site: an answer, or why there is none.

    `iat` in seconds of Unix time, by the site's clock.
    """

    iss: Plain
    aud: Plain
    jti: QuestionId
    iat: Instant
    state: State
    reason: Reason | None = None
    domain: Domain | None = None
    retry_after_s: Annotated[int, Meta(ge=0, le=LONGEST_WAIT_S)] | None = None
    answer: SaidAnswer | None = None


_REPLY: Final = msgspec.json.Decoder(Reply)


def spelt_reply(reply: Reply) -> bytes:
    """A reply as it is signed. UnicodeError for a text that UTF-8 cannot hold."""
    return msgspec.json.encode(reply)


def read_reply(data: bytes) -> Reply:
    """A reply out of its verified bytes. NotSpoken if they are none."""
    try:
        reply = _REPLY.decode(data)
        # Spelt again it is as long: no name came twice, and nothing stood between.
        is_ours = len(spelt_reply(reply)) == len(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise NotSpoken from None
    if not is_ours or (reply.answer is not None) != (reply.state == "answered"):
        raise NotSpoken
    return reply


def said(answer: Answer) -> SaidAnswer:
    """The answer as it goes on the wire."""
    person = answer.person
    return SaidAnswer(
        as_of=_of_instant(answer.as_of),
        held=answer.held,
        count=len(answer.events),
        events=tuple(map(_said_event, answer.events)),
        person=None
        if person is None
        else SaidPerson(
            identifiers=person.identifiers,
            name=person.name,
            birth_date=_said(person.birth_date),
            gender=person.gender,
            postcode=person.postcode,
        ),
        caveats=answer.caveats,
        flags=tuple(
            SaidFlag(
                flag=each.flag, present=each.present, as_of=_of_instant(each.as_of)
            )
            for each in answer.flags
        ),
        narrowed=answer.narrowed,
    )


def heard(given: SaidAnswer) -> Answer:
    """The answer that was said.

    NotSpoken where its count is not that of its events, or a time is none.
    """
    if given.count != len(given.events):
        raise NotSpoken
    try:
        return _heard(given)
    except (ValueError, OverflowError):
        raise NotSpoken from None


def _heard(given: SaidAnswer) -> Answer:
    person = given.person
    return Answer(
        events=tuple(map(_heard_event, given.events)),
        person=None
        if person is None
        else Person(
            identifiers=person.identifiers,
            name=person.name,
            birth_date=_moment(person.birth_date),
            gender=person.gender,
            postcode=person.postcode,
        ),
        as_of=_instant(given.as_of),
        held=given.held,
        caveats=given.caveats,
        flags=tuple(
            FlagState(flag=each.flag, present=each.present, as_of=_instant(each.as_of))
            for each in given.flags
        ),
        narrowed=given.narrowed,
    )


def _said_event(event: Event) -> SaidEvent:
    return SaidEvent(
        start=_said(event.start),
        end=_said(event.end),
        recorded=_said(event.recorded),
        **{name: getattr(event, name) for name in _COPIED},
    )


def _heard_event(given: SaidEvent) -> Event:
    return Event(
        start=_moment(given.start),
        end=_moment(given.end),
        recorded=_moment(given.recorded),
        **{name: getattr(given, name) for name in _COPIED},
    )


def _said(moment: Moment | None) -> SaidMoment | None:
    if moment is None:
        return None
    at = moment.at
    if isinstance(at.tzinfo, ZoneInfo) and at.tzinfo.key:
        wall = at.replace(tzinfo=None).isoformat()
        return SaidMoment(moment.precision, wall, at.tzinfo.key, _fold(at))
    return SaidMoment(moment.precision, at.isoformat())


def _fold(at: datetime) -> Literal[0, 1]:
    return 1 if at.fold else 0


def _of_instant(at: datetime) -> SaidMoment:
    return SaidMoment("second", at.isoformat())


def _moment(given: SaidMoment | None) -> Moment | None:
    return None if given is None else Moment(_at(given), given.precision)


def _instant(given: SaidMoment) -> datetime:
    return _at(given)


def _at(given: SaidMoment) -> datetime:
    at = datetime.fromisoformat(given.at)
    if given.zone is not None:
        if at.tzinfo is not None:
            raise NotSpoken
        at = at.replace(tzinfo=_zone(given.zone), fold=given.fold)
    if at.tzinfo is None:
        raise NotSpoken
    return at


@lru_cache(maxsize=64)
def _zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, OSError):
        raise NotSpoken from None
