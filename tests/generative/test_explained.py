"""What is explained is what was decided: through the trail and back, cell by cell."""

from dataclasses import replace
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.acting import actor_of
from gateway.audit.keys import Subject
from gateway.audit.records import Stamp, encoded
from gateway.break_glass.glass import Glass
from gateway.decisions.entries import Entry
from gateway.decisions.explained import of_entry
from gateway.journey import inquiry, record
from gateway.journey.evidence import Found
from gateway.journey.question import Claim
from gateway.notices.channels import Channels
from tests.houses import (
    NOW,
    RECIPIENT,
    STATES,
    clause,
    doctor,
    house,
    memory,
    policy_of,
    question,
    source,
)

HELD = ("encounters", "medications", "documents")
OWNERS = ("Z9A01", "Z9B02")
STAMP = Stamp(id="00" * 16, at=NOW, process="ab")


def some(*values, least=1):
    return st.lists(
        st.sampled_from(values), unique=True, min_size=least, max_size=len(values)
    )


demands = st.fixed_dictionaries(
    {},
    optional={
        "notify": some("privacy-officer", "owner", "patient"),
        "justify": st.just("true"),
        "max_age_days": st.sampled_from(["30", "365"]),
    },
)
clauses = st.lists(
    st.builds(
        clause,
        categories=some(*HELD),
        roles=some("doctor", "nurse"),
        relationships=some("registered", "referral", "self-claimed", "none"),
        assurance=some("aal2", "aal3"),
        cleared_labels=st.sampled_from(
            [["unlabelled"], ["PSY"], ["PSY", "unlabelled"]]
        ),
        break_glass=st.sampled_from(["both", "only"]),
        obligations=demands,
    ),
    min_size=1,
    max_size=4,
)
rules = st.lists(
    st.fixed_dictionaries(
        {
            "effect": st.just("veto"),
            "when": st.fixed_dictionaries(
                {}, optional={"categories": some(*HELD), "roles": some("nurse", "gp")}
            ),
            "overridable": st.sampled_from(["true", "false"]),
            "why": st.just("Board"),
        }
    ),
    max_size=2,
)
callers = st.builds(
    lambda held, role, assurance: doctor(
        *(held or ["none"]), role=role, assurance=assurance
    ),
    some("registered", "referral", "stale:referral", least=0),
    st.sampled_from(["doctor", "nurse"]),
    st.sampled_from(["aal2", "aal3", None]),
)
questions = st.builds(
    lambda claim, agreement: question(
        claim=Claim(kind="self-claimed", reason="on call") if claim else None,
        agreement=agreement,
    ),
    st.booleans(),
    st.sampled_from([None, "DSA-TEST", "DSA-NONE", "not a code"]),
)
channels = some("privacy-officer", "owner", least=0).map(
    lambda told: Channels(
        addresses={
            (RECIPIENT if each == "privacy-officer" else "Z9A01", each): "https://x"
            for each in told
        }
    )
)


def broken(who):
    return Glass(
        id="bgl_a",
        caller=actor_of(who),
        person=Subject(key_id="k", hmac="ab"),
        purpose="direct-care",
        reason_code="other",
        declared_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
        review_by=NOW,
    )


@given(clauses, rules, callers, questions, channels, st.booleans())
def test_a_decision_is_explained_as_it_was_decided(
    granted, vetoes, who, asked, told, breaks
):
    """Catches an attribute left out of the record, or read back as another."""
    numbered = [each | {"id": f"c{n}"} for n, each in enumerate(granted)]
    local = {
        "kind": "local-rule",
        "id": "LR-1",
        "org": "Z9A01",
        "rules": [each | {"id": f"v{n}"} for n, each in enumerate(vetoes)],
    }
    policy = policy_of(OWNERS, *numbered, rules=[local] if vetoes else [])
    gateway = house(
        source("Z9A01.x", memory(held=HELD), flags=STATES),
        source("Z9B02.x", memory(held=HELD), labels="unlabelled"),
        policy=policy,
    )
    gateway = replace(gateway, channels=told)
    glass = broken(who) if breaks else None
    begun = inquiry._begun(gateway, policy, (who, asked), glass=glass)
    case = inquiry._decided(gateway, begun, policy, found=Found())
    data = encoded(record.intent(gateway.trail, case), STAMP)
    entry = msgspec.json.decode(data, type=Entry)
    explained = of_entry(
        entry,
        policy,
        abilities=lambda justified: gateway.able(RECIPIENT, justified=justified),
        owner=None,
    )
    decided = {
        (plan.source.id, category): decision
        for plan in case.plans
        for category, decision in plan.decisions.items()
    }
    assert {(each.source, each.category) for each in explained} == set(decided)
    for each in explained:
        decision = decided[each.source, each.category]
        assert (each.effect, each.authority) == (decision.effect, decision.authority)
        assert each.because == decision.because[:1]
        assert each.obligations == tuple(sorted(decision.view.demanded))
