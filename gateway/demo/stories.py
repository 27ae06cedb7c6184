"""The stories: what befell each resident, told across the organisations that saw it.

Each story takes a resident's own calendar and gives records in the order they are
told, which is not always that of time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.demo import terms
from gateway.demo.chronicle import Coded, Fact, Place, Record, When
from gateway.demo.dates import Calendar, after, on
from gateway.demo.scenes import (
    attendance,
    call_out,
    clinic,
    consultation,
    delay,
    discharge,
    emergency,
    letter,
    long_standing,
    medicine,
    problem,
    rapid_response,
    referral,
    sessions,
    stay,
    support,
    visits,
)

Tell = Callable[[Calendar], Iterator[Record]]


def everyday_life(calendar: Calendar) -> Iterator[Record]:
    """What everyone has: a few visits to the surgery, an allergy, a long illness."""
    for _ in range(calendar.chance.randint(1, 3)):
        reason = calendar.chance.choice(terms.ORDINARY)
        pressure = Fact(
            "Systolic blood pressure", str(calendar.chance.randint(104, 168)), "mmHg"
        )
        yield from consultation(calendar, calendar.day(20, 1_300), reason, pressure)
    if calendar.chance.random() < 0.4:
        illness, drug, dose = calendar.chance.choice(terms.LONG_TERM)
        yield long_standing(calendar, illness)
        yield medicine(calendar, calendar.day(30, 600), drug, dose=dose)
    if calendar.chance.random() < 0.15:
        yield Record(
            place=Place.GP,
            kind="allergy",
            title=terms.PENICILLIN_ALLERGY.display,
            start=on(calendar.day(700, 1_400)),
            status="active",
            code=terms.PENICILLIN_ALLERGY,
        )
    if calendar.chance.random() < 0.5:
        yield Record(
            place=Place.GP,
            kind="immunisation",
            title=terms.FLU_VACCINE.display,
            start=on(calendar.day(20, 700)),
            code=terms.FLU_VACCINE,
        )
    yield _booking(calendar)


def _booking(calendar: Calendar) -> Record:
    """A booking at the surgery: kept, missed, or still to come."""
    missed = calendar.chance.random()
    if missed > 0.8:
        day = after(on(calendar.today).at, days=calendar.chance.randint(2, 40)).date()
        status = "planned"
    else:
        day = calendar.day(10, 900)
        status = "did-not-attend" if missed < 0.15 else "finished"
    start = calendar.working(day)
    return Record(
        place=Place.GP,
        kind="gp_appointment",
        title="Appointment with a GP",
        start=When(start),
        end=When(after(start, minutes=10)),
        status=status,
    )


def fall(calendar: Calendar) -> Iterator[Record]:
    """A fall at home, a broken hip, mended, and walking again with help."""
    run = emergency(
        calendar, calendar.clock(calendar.day(160, 1_100), 5, 23), terms.FALL
    )
    yield problem(terms.FALL, When(run.call, "day"))
    yield from call_out(run)
    yield from attendance(run)
    if calendar.chance.random() < 0.45:
        home = run.departure.date()
        yield letter(run.departure, "Emergency department letter: fall, no fracture")
        yield rapid_response(calendar, after(on(home).at, days=1).date(), terms.FALL)
        soon = after(on(home).at, days=3).date()
        yield from visits(calendar, soon, terms.PHYSIOTHERAPY, times=3)
        return
    nights = calendar.chance.randint(6, 16)
    yield from stay(
        run.departure, nights, reason=terms.HIP_FRACTURE, treated=terms.HIP_FIXATION
    )
    home = after(run.departure, days=nights + 2).date()
    yield from visits(calendar, home, terms.PHYSIOTHERAPY, times=6)
    yield clinic(calendar, after(on(home).at, days=40).date(), "Fracture")
    yield from support(calendar, home, "Reablement at home", weeks=6)


def stroke(calendar: Calendar) -> Iterator[Record]:
    """A stroke, found early or late, and the months of learning again."""
    run = emergency(
        calendar, calendar.clock(calendar.day(240, 1_200), 6, 22), terms.STROKE
    )
    yield from call_out(run)
    yield from attendance(run)
    yield Record(
        place=Place.ACUTE,
        kind="diagnostic_report",
        title=terms.CT_HEAD.display,
        start=When(after(run.arrival, minutes=28)),
        code=terms.CT_HEAD,
        facts=(Fact("conclusion", "No haemorrhage"),),
    )
    early = calendar.chance.random() < 0.4
    nights = calendar.chance.randint(4, 30)
    yield from stay(
        run.departure,
        nights,
        reason=terms.STROKE,
        treated=terms.THROMBOLYSIS if early else None,
    )
    home = after(run.departure, days=nights + 1).date()
    yield problem(terms.STROKE, When(run.call, "day"))
    yield from visits(calendar, home, terms.STROKE_REHABILITATION, times=8, every=4)
    yield clinic(calendar, after(on(home).at, days=42).date(), "Stroke")
    if nights > 14:
        yield from support(calendar, home, "Home care, twice a day", weeks=None)
    yield from sessions(
        calendar, after(on(home).at, days=60).date(), "Talking therapies", times=4
    )


def frailty(calendar: Calendar) -> Iterator[Record]:
    """Growing frail: help at home, a chest infection, and home again."""
    noticed = calendar.day(500, 1_200)
    score = Fact("Clinical frailty scale", str(calendar.chance.randint(5, 8)))
    yield from consultation(calendar, noticed, terms.FRAILTY, score)
    yield problem(terms.FRAILTY, on(noticed))
    yield from support(
        calendar, after(on(noticed).at, days=14).date(), "Home care, daily", weeks=None
    )
    yield from visits(
        calendar,
        after(on(noticed).at, days=30).date(),
        terms.NURSING,
        times=calendar.chance.randint(4, 12),
        every=21,
    )
    run = emergency(
        calendar, calendar.clock(calendar.day(60, 400), 4, 23), terms.BREATHLESS
    )
    yield from call_out(run)
    yield from attendance(run, known_to_gp=False)
    yield from stay(
        run.departure, calendar.chance.randint(3, 12), reason=terms.PNEUMONIA
    )
    if calendar.chance.random() < 0.3:
        yield from sessions(calendar, calendar.day(40, 300), "Memory service", times=2)


def maternity(calendar: Calendar) -> Iterator[Record]:
    """From the first appointment to the new birth visit."""
    birth = calendar.clock(calendar.day(60, 1_000), 2, 23)
    first = after(birth, days=-215).date()
    yield from consultation(calendar, first, terms.PREGNANCY)
    yield problem(terms.PREGNANCY, on(first))
    yield referral(calendar, first, "maternity")
    for weeks in (27, 20, 12, 6, 2):
        yield clinic(calendar, after(birth, days=-7 * weeks).date(), "Antenatal")
    section = calendar.chance.random() < 0.3
    yield from stay(
        after(birth, minutes=-360),
        3 if section else 1,
        reason=Coded("Birth of a child"),
        treated=terms.CAESAREAN if section else terms.LABOUR,
    )
    yield from visits(
        calendar, after(birth, days=8).date(), terms.HEALTH_VISITOR, times=2, every=30
    )
    if calendar.chance.random() < 0.2:
        seen = after(birth, days=50).date()
        yield from consultation(calendar, seen, terms.LOW_MOOD)
        yield from sessions(calendar, seen, "Perinatal team", times=4)


def crisis(calendar: Calendar) -> Iterator[Record]:
    """A mental health crisis, the night in the department, and what came after."""
    run = emergency(
        calendar,
        calendar.clock(calendar.day(150, 900), 17, 23),
        calendar.chance.choice((terms.OVERDOSE, terms.LOW_MOOD, terms.PSYCHOSIS)),
    )
    before = after(run.call, days=-calendar.chance.randint(20, 90)).date()
    yield from consultation(calendar, before, terms.LOW_MOOD)
    yield from sessions(calendar, before, "Community mental health team", times=1)
    yield from call_out(run)
    yield from attendance(run)
    yield Record(
        place=Place.MENTAL_HEALTH,
        kind="mental_health_contact",
        title="Psychiatric liaison in the emergency department",
        start=When(after(run.arrival, minutes=80)),
        end=When(after(run.arrival, minutes=140)),
    )
    yield from sessions(
        calendar,
        after(run.departure, days=1).date(),
        "Crisis resolution and home treatment",
        times=6,
        every=3,
    )
    yield problem(terms.DEPRESSION, on(after(run.call, days=9).date()))
    drug = calendar.chance.choice((terms.LITHIUM, terms.SERTRALINE))
    yield medicine(
        calendar, after(run.call, days=14).date(), drug, dose="One each night"
    )


def long_wait(calendar: Calendar) -> Iterator[Record]:
    """Referred, seen, listed, put off, and at last treated, or waiting still."""
    referred = calendar.day(300, 900)
    knee_or_eye = calendar.chance.random() < 0.6
    reason = terms.HIP_ARTHRITIS if knee_or_eye else terms.CATARACT
    team = "Orthopaedic" if knee_or_eye else "Eye"
    yield from consultation(calendar, referred, reason)
    yield problem(reason, on(referred))
    yield referral(calendar, referred, f"{team.lower()} clinic")
    seen = after(on(referred).at, days=calendar.chance.randint(90, 200)).date()
    missed = "did-not-attend" if calendar.chance.random() < 0.2 else "finished"
    yield clinic(calendar, seen, team, status=missed)
    put_off = after(on(seen).at, days=70).date()
    yield clinic(calendar, put_off, team, status="cancelled")
    if calendar.chance.random() < 0.4:
        to_come = after(on(calendar.today).at, days=30).date()
        yield clinic(calendar, to_come, team, status="planned")
        return
    treated = calendar.working(calendar.day(5, 25))
    if knee_or_eye:
        yield from stay(treated, 3, reason=reason, treated=terms.HIP_REPLACEMENT)
    else:
        yield Record(
            place=Place.ACUTE,
            kind="day_case",
            title=terms.CATARACT_SURGERY.display,
            start=When(treated),
            end=When(after(treated, minutes=240)),
            code=terms.CATARACT_SURGERY,
        )


def delayed_discharge(calendar: Calendar) -> Iterator[Record]:
    """Well enough to leave, and weeks on a ward while the care is arranged."""
    run = emergency(
        calendar, calendar.clock(calendar.day(200, 1_000), 6, 23), terms.CONFUSION
    )
    yield from call_out(run)
    yield from attendance(run)
    nights = calendar.chance.randint(28, 75)
    yield from stay(run.departure, nights, reason=terms.CONFUSION)
    ready = after(run.departure, days=nights // 3)
    yield delay(ready, discharge(run.departure, nights))
    yield from support(calendar, ready.date(), "Care home placement", weeks=None)
    yield problem(terms.DEMENTIA, on(after(run.departure, days=nights + 20).date()))
    yield from visits(
        calendar, after(run.departure, days=nights + 3).date(), terms.NURSING, times=3
    )
    yield from sessions(
        calendar, after(run.departure, days=nights).date(), "Memory service", times=2
    )


def ordinary(calendar: Calendar) -> Iterator[Record]:
    """No great event: perhaps a walk-in at the department, perhaps a clinic."""
    if calendar.chance.random() < 0.3:
        arrival = calendar.clock(calendar.day(15, 1_200), 8, 20)
        complaint = calendar.chance.choice((terms.CHEST_PAIN, terms.BACK_PAIN))
        yield Record(
            place=Place.ACUTE,
            kind="ed_attendance",
            title=f"Emergency department: {complaint.display}",
            start=When(arrival),
            end=When(after(arrival, minutes=calendar.chance.randint(60, 600))),
            code=complaint,
        )
    if calendar.chance.random() < 0.2:
        yield clinic(calendar, calendar.day(20, 900), "Dermatology")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story, whom it may befall, and how often among a hundred residents."""

    name: str
    tell: Tell
    ages: tuple[int, int]
    share: int
    gender: str | None = None


STORIES: Final = (
    Story(name="fall", tell=fall, ages=(66, 94), share=10),
    Story(name="stroke", tell=stroke, ages=(52, 90), share=6),
    Story(name="frailty", tell=frailty, ages=(78, 97), share=10),
    Story(name="maternity", tell=maternity, ages=(21, 42), share=10, gender="female"),
    Story(name="crisis", tell=crisis, ages=(18, 60), share=7),
    Story(name="long-wait", tell=long_wait, ages=(45, 85), share=10),
    Story(name="delayed-discharge", tell=delayed_discharge, ages=(74, 96), share=5),
    Story(name="ordinary", tell=ordinary, ages=(6, 88), share=42),
)


def shared_by_all(calendar: Calendar) -> Iterator[Record]:
    """The story worth asking for first: one fall that all six organisations saw."""
    yield from delayed_after_fall(calendar)
    illness, drug, dose = terms.LONG_TERM[0]
    yield long_standing(calendar, illness)
    yield medicine(calendar, calendar.day(30, 200), drug, dose=dose)


def delayed_after_fall(calendar: Calendar) -> Iterator[Record]:
    """A fall, a hip mended, weeks waiting for care, and low mood when home."""
    run = emergency(calendar, calendar.clock(calendar.day(230, 300), 6, 20), terms.FALL)
    yield from consultation(
        calendar, after(run.call, days=-40).date(), terms.MEDICATION_REVIEW
    )
    yield from call_out(run)
    yield from attendance(run)
    yield from stay(
        run.departure, 31, reason=terms.HIP_FRACTURE, treated=terms.HIP_FIXATION
    )
    ready = after(run.departure, days=12)
    yield delay(ready, discharge(run.departure, 31))
    yield from support(calendar, ready.date(), "Home care, twice a day", weeks=None)
    home = after(run.departure, days=33).date()
    yield from visits(calendar, home, terms.PHYSIOTHERAPY, times=5)
    yield clinic(calendar, after(on(home).at, days=40).date(), "Fracture")
    low = after(on(home).at, days=55).date()
    yield from consultation(calendar, low, terms.LOW_MOOD)
    yield from sessions(calendar, low, "Older people's mental health", times=3)
