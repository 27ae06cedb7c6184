"""What is sealed of a source's replies: the right person's records, once each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.contract import Caveat, Event, FlagState, Identifier, Identifiers
from adapters.moment import Moment
from gateway.journey import seal
from gateway.journey.identity import BY_LEARNED, BY_NHS_NUMBER, BY_SOURCE, learn
from gateway.journey.outcome import Answered, Failure, NotAsked, Reply
from policies.decide import Decision
from policies.release import release
from tests.houses import (
    ANN,
    BOB,
    NOW,
    PREFILTERED,
    answer,
    doctor,
    event,
    house,
    memory,
    policy_of,
    profile,
    question,
    source,
)
from tests.fakes import FakeAdapter
from tests.people import number
from gateway.policy.plan import plan
from gateway.journey import inquiry

BY_NUMBER = Identifiers(nhs_number=number(0))
KNOWN = learn(BY_NUMBER, [ANN.every], frozenset())
LOCAL_ONLY = Identifiers(others=ANN.others)
TIMED_OUT = Failure(state="timeout", reason="deadline", domain="source")


def sealed(*said, known=KNOWN, out_of_time=False, at=None):
    replies = [Reply(each, NOW, 1) for each in said]
    where = at or source("Z9A01.epr", memory())
    return seal.sealed(where, replies, known, out_of_time=out_of_time)


def opened(outcome, at=None, rules=()):
    """The entries that a full permit lets out."""
    where = at or source("Z9A01.epr", memory())
    case = inquiry._decided(
        house(where, policy=policy_of([where.organisation.ods], rules=rules)),
        doctor(),
        question(),
    )
    assert isinstance(outcome, Answered)
    return release(outcome.sealed, case.plans[0].decisions, NOW)
