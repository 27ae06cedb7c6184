"""What stories are made of: a call-out, a stay, a clinic, a visit, each as records."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from gateway.demo import terms
from gateway.demo.chronicle import Coded, Fact, Place, Record, When
from gateway.demo.dates import Calendar, after, in_month, in_year, on


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """A call for an ambulance that ends in the emergency department."""

    call: datetime
    complaint: Coded
    minutes_to_scene: int
    hours_in_department: float

    @property
    def on_scene(self) -> datetime:
        return after(self.call, minutes=self.minutes_to_scene)

    @property
    def leaving(self) -> datetime:
        return after(self.on_scene, minutes=35)

    @property
    def arrival(self) -> datetime:
        return after(self.leaving, minutes=22)

    @property
    def handover(self) -> datetime:
        return after(self.arrival, minutes=18)

    @property
    def departure(self) -> datetime:
        return after(self.arrival, minutes=self.hours_in_department * 60)


def emergency(calendar: Calendar, call: datetime, complaint: Coded) -> Emergency:
    return Emergency(
        call=call,
        complaint=complaint,
        minutes_to_scene=calendar.chance.randint(7, 95),
        hours_in_department=calendar.chance.randint(2, 14),
    )


def call_out(run: Emergency) -> Iterator[Record]:
    """The ambulance's three legs: the call, the crew on scene, the way to hospital."""
    yield Record(
        place=Place.AMBULANCE,
        kind="ambulance_call",
        title=f"999 call: {run.complaint.display}",
        start=When(run.call),
        end=When(after(run.call, minutes=4)),
        code=run.complaint,
    )
    yield Record(
        place=Place.AMBULANCE,
        kind="ambulance_attendance",
        title=f"Crew on scene: {run.complaint.display}",
        start=When(run.on_scene),
        end=When(run.leaving),
        code=run.complaint,
    )
    yield Record(
        place=Place.AMBULANCE,
        kind="ambulance_conveyance",
        title="Taken to Aldermere Hospital",
        start=When(run.leaving),
        end=When(run.handover),
        code=run.complaint,
        facts=(Fact("destination", "Z9C03"),),
    )


def attendance(run: Emergency, *, known_to_gp: bool = True) -> Iterator[Record]:
    """The emergency department's record, and the copy that reached the surgery."""
    department = Record(
        place=Place.ACUTE,
        kind="ed_attendance",
        title=f"Emergency department: {run.complaint.display}",
        start=When(run.arrival),
        end=When(run.departure),
        code=run.complaint,
    )
    yield department
    if known_to_gp:
        yield Record(
            place=Place.GP,
            kind="ed_attendance",
            title=department.title,
            start=department.start,
            end=department.end,
            code=run.complaint,
            about=Place.ACUTE,
        )


def stay(
    admitted: datetime, nights: int, *, reason: Coded, treated: Coded | None = None
) -> Iterator[Record]:
    """An admission to discharge, with what was done, and the letter to the surgery."""
    discharged = discharge(admitted, nights)
    yield Record(
        place=Place.ACUTE,
        kind="inpatient_spell",
        title=f"Admitted: {reason.display}",
        start=When(admitted),
        end=When(discharged),
        code=reason,
    )
    if treated is not None:
        yield Record(
            place=Place.ACUTE,
            kind="procedure",
            title=treated.display,
            start=When(after(admitted, days=min(1, nights / 2))),
            code=treated,
        )
    yield letter(discharged, f"Discharge summary: {reason.display}")


def discharge(admitted: datetime, nights: int) -> datetime:
    """After the ward round, the letter and the medicines: twenty past four."""
    return after(admitted, days=nights).replace(hour=16, minute=20)


def delay(ready: datetime, discharged: datetime) -> Record:
    """The hospital's mark on someone who could have gone home."""
    return Record(
        place=Place.ACUTE,
        kind="flag",
        title="Discharge delayed: awaiting care package",
        start=When(ready),
        end=When(discharged),
        code=Coded("Discharge delayed: awaiting care package"),
    )


def letter(day: datetime, title: str) -> Record:
    return Record(place=Place.GP, kind="document", title=title, start=When(day))


def consultation(
    calendar: Calendar, day: date, reason: Coded, *facts: Fact
) -> Iterator[Record]:
    """Ten to twenty minutes at the surgery, and what was measured there."""
    start = calendar.working(day)
    yield Record(
        place=Place.GP,
        kind="gp_consultation",
        title=f"GP consultation: {reason.display}",
        start=When(start),
        end=When(after(start, minutes=calendar.chance.randint(8, 20))),
        code=reason,
    )
    for fact in facts:
        yield Record(
            place=Place.GP,
            kind="observation",
            title=fact.element,
            start=When(start),
            facts=(fact,),
            code=terms.MEASURES[fact.element],
        )


def problem(reason: Coded, since: When, *, place: Place = Place.GP) -> Record:
    return Record(
        place=place,
        kind="condition",
        title=reason.display,
        start=since,
        status="active",
        code=reason,
    )


def long_standing(calendar: Calendar, reason: Coded) -> Record:
    """A problem of some years, dated as such problems are: to a month or a year."""
    # The youngest resident is six: no illness is older than that.
    day = calendar.day(500, 1_700)
    roughly = calendar.chance.choice((in_month, in_year, on))
    return problem(reason, roughly(day))


def medicine(calendar: Calendar, day: date, drug: Coded, *, dose: str) -> Record:
    return Record(
        place=Place.GP,
        kind="medication",
        title=drug.display,
        start=When(calendar.working(day)),
        status="active",
        code=drug,
        facts=(Fact("dose", dose),),
    )


def referral(calendar: Calendar, day: date, to: str) -> Record:
    return Record(
        place=Place.GP,
        kind="referral",
        title=f"Referral to {to}",
        start=When(calendar.working(day)),
        code=Coded(f"Referral to {to}"),
    )


def clinic(
    calendar: Calendar, day: date, name: str, *, status: str = "finished"
) -> Record:
    start = calendar.working(day)
    return Record(
        place=Place.ACUTE,
        kind="outpatient_appointment",
        title=f"{name} clinic",
        start=When(start),
        end=When(after(start, minutes=25)),
        status=status,
    )


def visits(
    calendar: Calendar, first: date, what: Coded, *, times: int, every: int = 7
) -> Iterator[Record]:
    """A course of community visits, none after today."""
    for week in range(times):
        start = calendar.working(after(on(first).at, days=week * every).date())
        if start.date() >= calendar.today:
            return
        yield Record(
            place=Place.COMMUNITY,
            kind="community_contact",
            title=what.display,
            start=When(start),
            end=When(after(start, minutes=calendar.chance.randint(20, 60))),
            status="did-not-attend" if calendar.chance.random() < 0.06 else "finished",
            code=what,
            facts=(Fact("mode", calendar.chance.choice(terms.CONTACT_MODES)),),
        )


def rapid_response(calendar: Calendar, day: date, reason: Coded) -> Record:
    start = calendar.clock(day, 9, 20)
    return Record(
        place=Place.COMMUNITY,
        kind="urgent_community_response",
        title=f"Two-hour response: {reason.display}",
        start=When(start),
        end=When(after(start, minutes=75)),
        code=reason,
    )


def sessions(
    calendar: Calendar, first: date, team: str, *, times: int, every: int = 14
) -> Iterator[Record]:
    """A referral to a mental health team and the contacts that follow it."""
    yield Record(
        place=Place.MENTAL_HEALTH,
        kind="mental_health_referral",
        title=f"Referred to {team}",
        start=on(first),
    )
    for turn in range(1, times + 1):
        start = calendar.working(after(on(first).at, days=turn * every).date())
        if start.date() >= calendar.today:
            return
        yield Record(
            place=Place.MENTAL_HEALTH,
            kind="mental_health_contact",
            title=team,
            start=When(start),
            end=When(after(start, minutes=50)),
            status="did-not-attend" if calendar.chance.random() < 0.1 else "finished",
            facts=(Fact("mode", calendar.chance.choice(terms.CONTACT_MODES)),),
        )


def support(
    calendar: Calendar, asked: date, service: str, *, weeks: int | None
) -> Iterator[Record]:
    """Social care's four event types; `weeks` None is a service still going on."""
    outcome = Fact("outcome", f"{service} agreed")
    begun = after(on(asked).at, days=calendar.chance.randint(6, 20)).date()
    ended = None if weeks is None else after(on(begun).at, days=weeks * 7).date()
    for kind, title, start, end in (
        ("social_care_request", "Request for support", asked, asked),
        ("social_care_assessment", "Care Act assessment", asked, begun),
        ("social_care_service", service, begun, ended),
    ):
        yield Record(
            place=Place.SOCIAL_CARE,
            kind=kind,
            title=title,
            start=on(start),
            end=None if end is None else on(end),
            status="active" if end is None else "finished",
            facts=(outcome,),
        )
    reviewed = after(on(begun).at, days=42).date()
    if reviewed < calendar.today and (ended is None or reviewed <= ended):
        yield Record(
            place=Place.SOCIAL_CARE,
            kind="social_care_review",
            title=f"Review of {service.lower()}",
            start=on(reviewed),
            end=on(reviewed),
            facts=(outcome,),
        )
