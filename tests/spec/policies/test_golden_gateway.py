"""The golden scenarios that need more than deciding: over HTTP, with spied sources."""

from dataclasses import replace

import pytest

from adapters.contract import FlagState
from gateway.settings import Limits
from tests.asking import FakeService, FakeSettings, asking
from tests.fakes import FakeAdapter, FakeTrail
from tests.gateways import QUESTION, code_of, fields_of, states_of
from tests.houses import (
    NOW,
    RECIPIENT,
    STATES,
    answer,
    clause,
    event,
    house,
    policy_of,
    profile,
    source,
)

OWNER, OTHER = "Z9A01", "Z9B02"


def spy(*events, flags=(), held=("encounters",)):
    """A source that answers so about Ann, states these flags, and counts questions."""
    stated = tuple(
        FlagState(flag=flag, present=flag in flags, as_of=NOW)
        for flag in (*STATES, *(set(flags) - set(STATES)))
    )
    said = replace(answer(*events), flags=stated, held=frozenset(held))
    return FakeAdapter(lambda _: said, profile=profile(held))


async def asked(*sources, policy=None, trail=None, **said):
    """The response to a doctor's question before a house of these sources."""
    service = FakeService(
        house=house(*sources, policy=policy, trail=trail),
        settings=FakeSettings(limits=Limits()),
    )
    async with asking(service) as client:
        return await client.post("/v1/journeys", json=QUESTION | said)


async def test_g01_without_an_agreement_no_source_is_called():
    untouched = spy(event("r1"))
    refused = await asked(
        source(f"{OTHER}.x", untouched), policy=policy_of([OWNER, "Z9C03"])
    )
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    assert untouched.asked == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"purpose": None}, "purpose-missing"),
        ({"purpose": ""}, "purpose-missing"),
        ({"purpose": ["direct-care"]}, "purpose-missing"),
        ({"purpose": "TREAT"}, "purpose-unknown"),
    ],
)
async def test_g06_a_question_without_its_purpose_is_no_question(said, code):
    untouched, trail = spy(event("r1")), FakeTrail()
    refused = await asked(source(f"{OWNER}.x", untouched), trail=trail, **said)
    assert (refused.status_code, code_of(refused)) == (400, code)
    assert [pointer for pointer, _ in fields_of(refused)] == ["/purpose"]
    assert untouched.asked == []


async def test_g09_a_role_that_is_not_granted_is_refused_before_any_call():
    untouched = spy(event("r1"))
    policy = policy_of([OWNER], clause(roles=["nurse"]))
    refused = await asked(source(f"{OWNER}.x", untouched), policy=policy)
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    assert untouched.asked == []


async def test_g25_an_item_with_a_label_is_left_out_and_no_more_is_said_of_it():
    held = spy(event("r1"), event("r2", labels=["STD"]), event("r3", labels=["PSY"]))
    answered = await asked(source(f"{OWNER}.x", held))
    journey = answered.json()
    shown = [each["provenance"]["record_id"] for each in journey["events"]]
    assert (answered.status_code, shown) == (200, ["r1", "r3"])
    assert "STD" not in answered.text
    assert "r2" not in answered.text


async def test_g26_an_item_with_a_label_nobody_knows_is_left_out():
    held = spy(event("r1"), event("r2", labels=["http://elsewhere.invalid|Q7"]))
    journey = (await asked(source(f"{OWNER}.x", held))).json()
    shown = [each["provenance"]["record_id"] for each in journey["events"]]
    assert shown == ["r1"]


async def test_g27_a_source_that_does_not_label_is_not_called_unless_cleared():
    untouched = spy(event("r1"))
    unlabelled = source(f"{OWNER}.x", untouched, labels="unlabelled")
    policy = policy_of([OWNER], clause(cleared_labels=["PSY"]))
    refused = await asked(unlabelled, policy=policy)
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    assert untouched.asked == []
    answered = await asked(unlabelled)
    assert states_of(answered.json()) == {f"{OWNER}.x": "ok"}


@pytest.mark.parametrize("flag", ["legally-restricted", "sensitive-record"])
async def test_g34_g35_a_person_who_may_not_be_told_of_is_unknown_here(flag):
    sources = [
        source(f"{OWNER}.x", spy(event("r1"), flags=[flag]), flags=STATES),
        source(f"{OTHER}.x", spy(event("r2"))),
    ]
    answered = await asked(*sources)
    assert states_of(answered.json()) == {
        f"{OWNER}.x": "unknown_person",
        f"{OTHER}.x": "ok",
    }
    assert "r1" not in answered.text
    assert flag not in answered.text


async def test_g35_a_sensitive_record_is_shown_to_its_own_organisation():
    policy = policy_of([RECIPIENT], clause())
    own = source(
        f"{RECIPIENT}.x", spy(event("r1"), flags=["sensitive-record"]), flags=STATES
    )
    answered = await asked(own, policy=policy)
    assert states_of(answered.json()) == {f"{RECIPIENT}.x": "ok"}
    restricted = source(
        f"{RECIPIENT}.x", spy(event("r1"), flags=["legally-restricted"]), flags=STATES
    )
    hidden = await asked(restricted, policy=policy)
    assert states_of(hidden.json()) == {f"{RECIPIENT}.x": "unknown_person"}


async def test_g28_of_a_vetoed_category_nothing_is_asked_and_the_rest_is_shown():
    forbids = {
        "kind": "local-rule",
        "id": f"LR-{OWNER}",
        "org": OWNER,
        "rules": [
            {
                "id": "v1",
                "effect": "veto",
                "when": {"categories": ["mental-health"]},
                "overridable": False,
                "why": "Kept in the trust",
            }
        ],
    }
    held = spy(
        event("r1", kind="medication", labels=["PSY"]),
        held=("mental-health", "medications"),
    )
    answered = await asked(
        source(f"{OWNER}.x", held, sector="mental-health"),
        policy=policy_of([OWNER], rules=[forbids]),
    )
    assert held.asked
    assert all("mental-health" not in query.categories for query in held.asked)
    shown = [each["provenance"]["record_id"] for each in answered.json()["events"]]
    assert shown == ["r1"]


async def test_g40_a_policy_that_cannot_be_evaluated_shows_nothing_of_anybody():
    untouched = spy(event("r1"))
    whole = policy_of([OWNER, OTHER])
    broken = replace(whole, dimensions={})
    refused = await asked(
        source(f"{OWNER}.x", untouched), source(f"{OTHER}.x", spy()), policy=broken
    )
    assert (refused.status_code, code_of(refused)) == (403, "not-permitted")
    assert untouched.asked == []
    assert "r1" not in refused.text


@pytest.mark.parametrize(
    ("registered", "state", "reason"),
    [
        ("none", "withheld", "optout_unconfirmed"),
        ("prefiltered", "ok", None),
    ],
)
async def test_g20_a_filter_that_is_not_confirmed_withholds(registered, state, reason):
    """Of a count there is nothing yet: of one person's journey the same is kept."""
    filtered = clause(obligations={"row_filters": ["ndo"]})
    held = source(f"{OWNER}.x", spy(event("r1")), flags={**STATES, "ndo": registered})
    answered = await asked(held, policy=policy_of([OWNER], filtered))
    (told,) = answered.json()["completeness"]["sources"]
    assert (told["state"], told["reason"]) == (state, reason)
    assert ("r1" in answered.text) == (state == "ok")
