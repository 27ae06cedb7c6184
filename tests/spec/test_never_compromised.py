"""What is never compromised, held by spies at the sources and at the trail.

Each law names a seeded defect that it catches.
"""

import asyncio
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Answer, FlagState, Identifiers, Query
from adapters.errors import Unavailable, Unreadable
from adapters.vocabulary import CATEGORIES, SECTORS, categories_of
from adapters.vocabulary import KINDS as KIND_CATEGORIES
from gateway.audit.records import Denied, Intent, Outcome
from gateway.clock import SystemClock
from gateway.journey.inquiry import inquire
from gateway.journey.journey import as_json
from gateway.journey.question import Require
from gateway.problems import RequestError
from gateway.settings import Limits
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import (
    ANN,
    BOB,
    NOW,
    STATES,
    answer,
    clause,
    doctor,
    event,
    house,
    policy_of,
    profile,
    question,
    source,
)

OWNERS = ("Z9A01", "Z9B02", "Z9C03")
HELD = ("encounters", "problems", "medications", "mental-health")


def spy(*events, held=HELD, about=ANN, waits_s=0.0):
    """A source that answers so, and remembers what it was asked."""
    said = replace(answer(*events, about=about), held=frozenset(held))
    return FakeAdapter(lambda _: said, profile=profile(held), waits_s=waits_s)


def broken(error):
    def raises(_: Query) -> Answer:
        raise error

    return FakeAdapter(raises, profile=profile(HELD))


async def refused(gateway, asked=None, *, who=None):
    with pytest.raises(RequestError) as caught:
        await inquire(gateway, who or doctor(), asked or question())
    return caught.value


# 2. Denied data is never fetched.

some_categories = st.frozensets(st.sampled_from(HELD), min_size=1)
clauses = st.lists(
    st.builds(
        lambda categories, roles, relationships: clause(
            categories=sorted(categories),
            roles=sorted(roles),
            relationships=sorted(relationships),
        ),
        some_categories,
        st.frozensets(st.sampled_from(["doctor", "nurse"]), min_size=1),
        st.frozensets(st.sampled_from(["registered", "referral"]), min_size=1),
    ),
    min_size=1,
    max_size=3,
).map(lambda made: [each | {"id": f"c{n}"} for n, each in enumerate(made)])
vetoes = st.dictionaries(st.sampled_from(OWNERS), some_categories, max_size=2)


def veto(owner, categories):
    return {
        "kind": "local-rule",
        "id": f"LR-{owner}",
        "org": owner,
        "rules": [
            {
                "id": "v1",
                "effect": "veto",
                "when": {"categories": sorted(categories)},
                "overridable": "false",
                "why": "Board",
            }
        ],
    }


def granted(made, owner, *, signed, vetoed, role, relationships):
    """By plain reading of the documents: what this owner lets this caller ask for."""
    if owner not in signed:
        return frozenset()
    open_to_them = frozenset[str]().union(
        *(
            each["categories"]
            for each in made
            if role in each["roles"] and relationships & set(each["relationships"])
        )
    )
    return open_to_them - vetoed.get(owner, frozenset())


@given(
    made=clauses,
    vetoed=vetoes,
    signed=st.frozensets(st.sampled_from(OWNERS), min_size=1),
    role=st.sampled_from(["doctor", "nurse"]),
    relationships=st.frozensets(st.sampled_from(["registered", "referral"])),
    categories=st.frozensets(st.sampled_from(sorted(CATEGORIES)), min_size=1),
)
def test_denied_cells_are_never_asked(
    made, vetoed, signed, role, relationships, categories
):
    """Caught: a query of all that a source holds, narrowed only at release."""
    spies = {owner: spy(event("r1")) for owner in OWNERS}
    policy = policy_of(
        signed, *made, rules=[veto(*each) for each in sorted(vetoed.items())]
    )
    gateway = house(
        *(source(f"{owner}.x", each) for owner, each in spies.items()), policy=policy
    )
    may = {
        owner: granted(
            made,
            owner,
            signed=signed,
            vetoed=vetoed,
            role=role,
            relationships=relationships,
        )
        & categories
        for owner in OWNERS
    }
    told = relationships or {"none"}
    asking = inquire(gateway, doctor(*told, role=role), question(categories=categories))
    try:
        asyncio.run(asking)
    except RequestError as error:
        assert error.code == "not-permitted"  # noqa: PT017 - refusing is one of two right ends
        assert not any(may.values())
    asked = {
        owner: [query.categories for query in each.asked]
        for owner, each in spies.items()
    }
    assert asked == {
        owner: [cells, cells] if cells else [] for owner, cells in may.items()
    }


@given(
    sector=st.sampled_from(sorted(SECTORS)),
    kind=st.sampled_from(sorted(KIND_CATEGORIES)),
    allowed=st.frozensets(st.sampled_from(sorted(CATEGORIES)), min_size=1),
)
def test_what_was_not_permitted_is_not_shown_even_if_a_source_tells_it(
    sector, kind, allowed
):
    """Caught: release by what was asked, not by what each record is."""
    held = categories_of(frozenset({kind}), sector) | allowed
    lying = spy(event("r1", kind=kind), held=held)
    gateway = house(
        source("Z9A01.x", lying, sector=sector),
        policy=policy_of(["Z9A01"], clause(categories=sorted(allowed))),
    )
    journey = asyncio.run(inquire(gateway, doctor(), question()))
    shown = categories_of(frozenset({kind}), sector) <= allowed
    assert len(journey.events) == shown


async def test_with_nothing_permitted_no_source_is_asked_and_the_refusal_is_audited():
    trail, untouched = FakeTrail(), spy(event("r1"))
    gateway = house(
        source("Z9A01.x", untouched), policy=policy_of(["Z9B02"]), trail=trail
    )
    refusal = await refused(gateway)
    assert (refusal.code, refusal.status) == ("not-permitted", 403)
    assert refusal.detail
    assert untouched.asked == []
    (record,) = trail.records
    assert isinstance(record, Denied)
    assert record.code == "not-permitted"


async def test_a_refusal_is_the_same_for_whoever_exists_or_does_not():
    gateway = house(source("Z9A01.x", spy(event("r1"))), policy=policy_of(["Z9B02"]))
    one = await refused(gateway, question(ANN))
    other = await refused(gateway, question(BOB))
    assert (one.code, one.detail, one.errors) == (other.code, other.detail, ())


# 6. Wrong person never shown.

anyone = st.sampled_from([ANN, BOB, Identifiers(others=BOB.others), Identifiers()])


@given(
    records=st.lists(st.tuples(anyone, st.booleans()), min_size=1, max_size=6),
    header=st.sampled_from([ANN, BOB, None]),
)
def test_a_wrong_persons_record_never_leaves(records, header):
    """Caught: a record shown because its neighbour was the right person's."""
    events = [
        event(f"BOBS-{n}" if of.every & BOB.every else f"r{n}", of=of, codes=[str(n)])
        for n, (of, _) in enumerate(records)
    ]
    gateway = house(
        source("Z9A01.x", spy(*events, about=header)),
        source("Z9B02.x", spy(event("good"))),
    )
    journey = asyncio.run(inquire(gateway, doctor(), question()))
    assert b"BOBS" not in as_json(journey)
    strangers = header == BOB or any(of.every & BOB.every for of, _ in records)
    first, second = journey.completeness.sources
    assert (first.reason == "identity_mismatch") == strangers
    assert second.state == "ok"
    if strangers:
        unnamed = [
            e for e, (of, _) in zip(events, records, strict=True) if not of.every
        ]
        shown = {each.provenance.record_id for each in journey.events}
        assert not shown & {each.record_id for each in unnamed}
        assert journey.completeness.level != "complete"


async def test_a_header_about_somebody_else_shows_nothing_of_them():
    said = replace(
        answer(event("r1", of=Identifiers()), about=BOB, name="Bob", born="1961-02-03"),
        held=frozenset(HELD),
    )
    wrong = FakeAdapter(lambda _: said, profile=profile(HELD))
    gateway = house(source("Z9A01.x", wrong), source("Z9B02.x", spy(event("good"))))
    journey = await inquire(gateway, doctor(), question())
    assert b"Bob" not in as_json(journey)
    assert b"1961" not in as_json(journey)
    assert [each.code for each in journey.discrepancies] == ["identity_mismatch"]


# 5. Audit first, fail closed.


async def test_the_intent_is_durable_before_a_source_is_asked():
    trail = FakeTrail()
    seen = []

    def look(_):
        seen.append([type(each) for each in trail.records])
        return answer(event("r1"))

    watching = FakeAdapter(look, profile=profile())
    await inquire(house(source("Z9A01.x", watching), trail=trail), doctor(), question())
    assert seen[0] == [Intent]
    assert [type(each) for each in trail.records] == [Intent, Outcome]


async def test_without_an_intent_no_source_is_asked():
    untouched = spy(event("r1"))
    gateway = house(source("Z9A01.x", untouched), trail=FakeTrail(fails_at=0))
    refusal = await refused(gateway)
    assert (refusal.code, refusal.status) == ("audit-unavailable", 503)
    assert untouched.asked == []


async def test_without_an_outcome_nothing_is_released():
    gateway = house(source("Z9A01.x", spy(event("r1"))), trail=FakeTrail(fails_at=1))
    refusal = await refused(gateway)
    assert (refusal.code, refusal.status) == ("audit-unavailable", 503)
    assert refusal.completeness is None


async def test_a_refused_journey_has_its_outcome_too():
    trail = FakeTrail()
    gateway = house(source("Z9A01.x", broken(Unreadable("cut", "m"))), trail=trail)
    await refused(gateway)
    _, outcome = trail.records
    assert isinstance(outcome, Outcome)
    assert (outcome.result, outcome.level) == ("no-source-answered", "none")


# 1. Absence is information.


async def test_all_sources_down_is_a_problem_and_never_an_empty_journey():
    gateway = house(
        source("Z9A01.x", broken(Unavailable("busy", "m", retry_after_s=30))),
        source("Z9B02.x", broken(Unreadable("unreadable", "m"))),
    )
    refusal = await refused(gateway)
    assert (refusal.code, refusal.status) == ("no-source-answered", 503)
    assert refusal.retry_after_s == 30
    found = msgspec.to_builtins(refusal.completeness)
    assert found["level"] == "none"
    assert [each["state"] for each in found["sources"]] == ["unavailable", "error"]


async def test_a_late_source_does_not_spoil_the_others():
    gateway = house(
        source("Z9A01.x", spy(event("r1"))),
        source("Z9B02.x", spy(event("r2"), waits_s=5)),
        limits=Limits(source_s=0.3),
    )
    before = SystemClock().monotonic()
    journey = await inquire(gateway, doctor(), question(deadline_s=1.0))
    assert SystemClock().monotonic() - before < 1.0 + 0.1
    assert [each.provenance.record_id for each in journey.events] == ["r1"]
    states = [each.state for each in journey.completeness.sources]
    assert states == ["ok", "timeout"]
    assert journey.completeness.level == "partial"


@pytest.mark.parametrize(
    "failing",
    [
        broken(Unavailable("connect", "m", retry_after_s=60)),
        broken(Unreadable("unreadable", "m")),
        broken(ZeroDivisionError()),
        spy(event("r9", of=BOB)),
        spy(event("r9", kind="x-ray")),
        spy(about=None),
    ],
)
async def test_what_befalls_one_source_leaves_the_others_events_equal(failing):
    def others():
        return (
            source("Z9A01.x", spy(event("r1"), event("r2", "2024"))),
            source("Z9B02.x", spy(event("r1"), event("r3", None))),
        )

    whole = await inquire(house(*others()), doctor(), question())
    spoilt = await inquire(
        house(*others(), source("Z9C03.x", failing)), doctor(), question()
    )
    assert [timeless(each) for each in spoilt.events] == [
        timeless(each) for each in whole.events
    ]
    named = [each.source for each in spoilt.completeness.sources]
    assert named == ["Z9A01.x", "Z9B02.x", "Z9C03.x"]


def timeless(shown):
    kept = msgspec.to_builtins(shown)
    del kept["provenance"]["retrieved_at"]
    return kept


async def test_unmet_conditions_show_no_event_and_say_what_is_missing():
    gateway = house(
        source("Z9A01.x", spy(event("r1"))),
        source("Z9B02.x", broken(Unreadable("unreadable", "m"))),
    )
    asked = question(require=Require(sources=frozenset({"Z9B02.x"})), strict=True)
    refusal = await refused(gateway, asked)
    assert (refusal.code, refusal.status) == ("required-sources-unmet", 424)
    assert refusal.unmet is not None
    assert [each.condition for each in refusal.unmet] == ["source", "strict"]
    assert msgspec.to_builtins(refusal.completeness)["answered"] == 1


@pytest.mark.parametrize("name", ["sources", "organisations", "sectors"])
async def test_requiring_what_may_not_be_seen_is_refused_before_anything_is_asked(
    name,
):
    trail, untouched = FakeTrail(), spy(event("r1"))
    gateway = house(
        source("Z9A01.x", untouched),
        source("Z9B02.x", spy(event("r2")), sector="community"),
        policy=policy_of(["Z9A01"]),
        trail=trail,
    )
    hidden = {"sources": "Z9B02.x", "organisations": "Z9B02", "sectors": "community"}
    asked = question(require=Require(**{name: frozenset({hidden[name]})}))
    refusal = await refused(gateway, asked)
    assert (refusal.code, refusal.status) == ("request-invalid", 400)
    assert [each.pointer for each in refusal.errors] == [f"/require/{name}"]
    assert untouched.asked == []
    assert [type(each) for each in trail.records] == [Denied]


async def test_a_person_flagged_as_restricted_cannot_be_told_from_an_unknown_one():
    """Caught: a count, a caveat, a name or a taught identifier that tells."""

    def gateway(said):
        stating = FakeAdapter(lambda _: said, profile=profile(HELD))
        return house(
            source("Z9A01.x", stating, flags=STATES),
            source("Z9B02.x", spy(event("r2"))),
        )

    def stated(present):
        return tuple(
            FlagState(flag=flag, present=present, as_of=NOW)
            for flag in ("legally-restricted", "sensitive-record")
        )

    known = replace(
        answer(event("r1"), name="Ann", born="1950-01-02", caveats=["undated"]),
        flags=stated(True),
    )
    unknown = replace(answer(about=None), flags=stated(False))
    told = [
        await inquire(gateway(said), doctor(), question()) for said in (known, unknown)
    ]
    restricted, stranger = (msgspec.to_builtins(each) for each in told)
    for each in (restricted, stranger):
        for report in each["completeness"]["sources"]:
            report["took_ms"] = None
        for shown in each["events"]:
            shown["provenance"]["retrieved_at"] = None
        del each["journey_id"], each["decision"]["decision_id"]
    assert restricted == stranger


# 8. No patient value in an error.


async def test_no_refusal_shows_a_patient_value():
    gateway = house(source("Z9A01.x", broken(Unreadable("cut", "m"))))
    refusal = await refused(gateway)
    text = (
        repr(refusal) + str(refusal) + repr(msgspec.to_builtins(refusal.completeness))
    )
    for each in ANN.every:
        assert each.value not in text
