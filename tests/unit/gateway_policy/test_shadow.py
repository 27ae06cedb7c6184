"""A second set decides beside: what it would change is counted, and changes nothing."""

from datetime import UTC, datetime

from structlog.testing import capture_logs

from gateway.policy.plan import SUPPORTED, plan
from gateway.policy.shadow import log_flips
from policies.request import Request
from tests.houses import RECIPIENT, clause, memory, policy_of, source

SOURCES = [
    source("Z9A01.gp", memory(held=("encounters", "medications"))),
    source("Z9B02.epr", memory(held=("encounters",))),
]
OWNERS = ("Z9A01", "Z9B02")


def asked() -> Request:
    return Request(
        operation="journey.read",
        mode="identified",
        purpose="direct-care",
        agreement=None,
        recipient=RECIPIENT,
        role="doctor",
        assurance="aal2",
        relationships=frozenset({"registered"}),
        break_glass=False,
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )


def flips(policy, shadow):
    request = asked()
    categories = frozenset({"encounters", "medications"})
    plans = plan(policy, request, SOURCES, categories=categories)
    with capture_logs() as told:
        found = log_flips(shadow, request, plans, abilities=lambda _: SUPPORTED)
    return dict(found), told


def test_without_a_shadow_nothing_is_tried():
    assert flips(policy_of(OWNERS), None) == ({}, [])


def test_a_shadow_that_decides_alike_is_silent():
    assert flips(policy_of(OWNERS), policy_of(OWNERS)) == ({}, [])


def test_what_would_newly_be_refused_or_allowed_is_counted_by_source():
    every, some = policy_of(OWNERS), policy_of(["Z9B02"])
    found, told = flips(every, some)
    assert found == {("Z9A01.gp", "newly-refused"): 2}
    assert told == [
        {
            "event": "policy_shadow_flip",
            "log_level": "info",
            "source": "Z9A01.gp",
            "code": "newly-refused",
            "reason": some.version,
            "count": 2,
        }
    ]
    assert flips(some, every)[0] == {("Z9A01.gp", "newly-allowed"): 2}


def test_what_would_be_seen_otherwise_is_counted_too():
    hiding = clause(obligations={"date_grain": "month"})
    found, _ = flips(policy_of(OWNERS), policy_of(OWNERS, hiding))
    assert found == {("Z9A01.gp", "other-view"): 2, ("Z9B02.epr", "other-view"): 1}


def test_what_is_refused_by_both_is_no_flip():
    research = clause(purposes=["research"])
    nobody = policy_of(OWNERS, research)
    assert flips(nobody, policy_of(["Z9A01"], research))[0] == {}
