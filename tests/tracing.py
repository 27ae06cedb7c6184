"""Sources that state merges, asked through a gateway's middle, and what is told."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers, Traced
from gateway.audit.records import Outcome
from gateway.journey.inquiry import inquire
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import doctor, house, memory, profile, question, source
from tests.people import LOCAL, number

OLD, NEW, THIRD = (number(place) for place in (5, 6, 7))
SPINE, WARD, CLINIC = "Z9A01.spine", "Z9B02.ward", "Z9C03.clinic"


def at(day):
    return datetime(2026, 1, day, 12, tzinfo=UTC)


def numbered(value):
    return Identifier(nhs_number.SYSTEM, value)


def local(value):
    return Identifier(LOCAL, value)


def by(*identifiers):
    numbers = [each for each in identifiers if isinstance(each, str)]
    others = frozenset(each for each in identifiers if not isinstance(each, str))
    return Identifiers(nhs_number=numbers[0] if numbers else None, others=others)


def said(from_, to, how="superseded", day=1):
    ends = [numbered(e) if isinstance(e, str) else e for e in (from_, to)]
    return Traced(from_=ends[0], to=ends[1], how=how, at=at(day))


def stating(*statements, events=(), **more):
    """A source in memory that states these, of its own people or none."""
    adapter = memory(*events, **more)
    adapter.traced = statements
    return adapter


class Teller(FakeAdapter):
    """Answers and states what it is told to, and remembers of whom."""

    def __init__(self, answers, traces=lambda _: (), *, of=None, slow_s=0):
        super().__init__(answers, profile=of or profile())
        self._traces = traces
        self._slow_s = slow_s
        self.traced = []

    async def trace(self, person):
        self.traced.append(person)
        await asyncio.sleep(self._slow_s)
        stated = self._traces(person)
        if isinstance(stated, Exception):
            raise stated
        return stated


class Told:
    """A journey, and the trail it left."""

    def __init__(self, journey, trail):
        self.journey = journey
        self.trail = trail

    @property
    def ids(self):
        return sorted(each.provenance.record_id for each in self.journey.events)

    @property
    def findings(self):
        return {each.code: each for each in self.journey.discrepancies}

    @property
    def level(self):
        return self.journey.completeness.level

    def link(self, record):
        (found,) = (
            each.provenance.link
            for each in self.journey.events
            if each.provenance.record_id == record
        )
        return found

    def of(self, name):
        reports = self.journey.completeness.sources
        (found,) = (each for each in reports if each.source == name)
        return found

    def codes(self, name):
        return {each.code for each in self.of(name).caveats}

    def audited(self, name):
        (outcome,) = (e for e in self.trail.records if isinstance(e, Outcome))
        (found,) = (each for each in outcome.sources if each.source == name)
        return found


async def told(sources, asked=OLD, *, policy=None, deadline_s=5.0, **registered):
    trail = FakeTrail()
    found = [
        replace(source(name, adapter), **registered.get(name.partition(".")[2], {}))
        for name, adapter in sources.items()
    ]
    person = asked if isinstance(asked, Identifiers) else by(asked)
    journey = await inquire(
        house(*found, trail=trail, policy=policy),
        doctor(),
        question(person=person, deadline_s=deadline_s),
    )
    return Told(journey, trail)
