"""What evidence may not do: tell what is hidden, serve patients, act untold."""

import asyncio
from dataclasses import replace

import pytest

from adapters.contract import FlagState, Identifier, Person
from adapters.errors import Unavailable
from gateway.access.acting import actor_of
from gateway.access.budget import PeopleBudget
from gateway.audit.keys import Subject
from gateway.break_glass.glass import Glass
from gateway.journey.inquiry import inquire
from gateway.notices.channels import Channels
from gateway.problems import RequestError
from tests.fakes import FakeAdapter
from tests.houses import (
    ANN,
    NOW,
    RECIPIENT,
    STATES,
    answer,
    clause,
    doctor,
    event,
    memory,
    policy_of,
    profile,
    question,
    source,
)
from tests.journeys import WHOLE, says
from tests.own_sources import BOTH, HELD, OWN, REFERRED, SEEN, Asked, Watched
from tests.people import OLD, number
from tests.unit.journey.test_duties import OFFICER, kept

OPEN_STAY = event(
    "own-7",
    "2026-02-11T08:15:00+00:00",
    kind="inpatient_spell",
    status="active",
)


@pytest.mark.parametrize("role", ["patient", "proxy"])
async def test_what_an_organisation_knows_is_no_evidence_for_patients(role):
    """Else one agreement for both would show each patient everybody's records."""
    wants = clause(
        roles=["doctor", role], relationships=["active-encounter", "referral", "self"]
    )
    asked = Asked(Watched(SEEN, REFERRED), wants)
    refusal = await asked.refused(doctor("none", role=role))
    assert refusal.code == "not-permitted"
    assert asked.own.asked == []
    assert (await asked.told()).decision.relationships


def seen_as(**obligations):
    wants = clause(relationships=["active-encounter"], obligations=obligations)
    return Asked(Watched(SEEN), wants)


@pytest.mark.parametrize(
    ("grain", "expires"),
    [
        ("exact", "2026-03-04T09:00:00Z"),
        ("day", "2026-03-04T00:00:00Z"),
        ("month", "2026-03-04T00:00:00Z"),
        ("year", None),
    ],
)
async def test_when_evidence_expires_tells_no_time_more_exactly_than_it_is_shown(
    grain, expires
):
    asked = seen_as(date_grain=grain)
    if expires is None:
        assert (await asked.refused()).code == "not-permitted"
        return
    (shown,) = (await asked.told()).decision.relationships
    assert shown.expires == expires


async def test_evidence_that_would_last_by_what_is_hidden_is_none():
    """It has not ended; of what is shown, it ended when the month began."""
    ending = event(
        "own-9",
        "2026-02-27T08:00:00+00:00",
        end="2026-03-20",
        status="active",
    )
    wants = clause(
        relationships=["active-encounter"], obligations={"date_grain": "month"}
    )
    assert (await Asked(Watched(ending), wants).refused()).code == "not-permitted"


async def test_a_status_that_is_hidden_shows_nothing_open():
    wants = clause(relationships=["active-encounter"])
    hidden = wants | {"obligations": {"hide_fields": ["event.status"]}}
    assert (await Asked(Watched(OPEN_STAY), wants).told()).decision.relationships
    assert (await Asked(Watched(OPEN_STAY), hidden).refused()).code == "not-permitted"


async def test_a_record_cancelled_is_none_though_its_status_is_hidden():
    cancelled = event("own-1", "2026-03-01T09:00:00+00:00", status="cancelled")
    hidden = clause(
        relationships=["active-encounter"],
        obligations={"hide_fields": ["event.status"]},
    )
    assert (await Asked(Watched(cancelled), hidden).refused()).code == "not-permitted"


async def test_a_record_elsewhere_is_none_though_its_place_is_hidden():
    elsewhere = event("own-1", "2026-03-01T09:00:00+00:00", organisation="Z9A01")
    hidden = clause(
        relationships=["active-encounter"],
        obligations={"hide_fields": ["event.organisation"]},
    )
    assert (await Asked(Watched(elsewhere), hidden).refused()).code == "not-permitted"


async def test_evidence_of_one_person_serves_no_other_question():
    asked = Asked(Watched(SEEN))
    await asked.told()
    assert (await asked.refused(person=somebody(3))).code == "not-permitted"


@pytest.mark.parametrize("found", [True, False])
async def test_who_is_to_be_told_is_told_of_the_looking_too(tmp_path, found):
    """The owner of the data wants to be told of each question, found or not."""
    channels = Channels(addresses={(RECIPIENT, "owner"): OFFICER})
    watched = clause(
        relationships=["active-encounter"], obligations={"notify": ["owner"]}
    )
    own = source(OWN, memory(*([SEEN] if found else []), held=HELD))
    policy = policy_of([RECIPIENT], watched)
    async with kept(tmp_path, own, policy=policy, channels=channels) as opened:
        gateway, outbox, woken = opened
        try:
            journey = await inquire(gateway, doctor("none"), question())
            reference = journey.decision.decision_id
        except RequestError as refusal:
            reference = (refusal.instance or "").rpartition("/")[2]
        assert await outbox() == [(RECIPIENT, "owner", "agreement", reference)]
        assert woken


async def test_where_nobody_can_be_told_nothing_is_looked_for():
    asked = seen_as(notify=["owner"])
    assert (await asked.refused()).code == "not-permitted"
    assert asked.own.asked == []


def flagged(*events):
    flag = FlagState(flag="legally-restricted", present=True, as_of=NOW)
    return replace(answer(*events), flags=(flag,))


class Hospital(FakeAdapter):
    """A source of one's own, which says what it is told and is watched."""

    def __init__(self, said):
        systems = {*WHOLE.identifier_systems}
        of = replace(profile(HELD, systems), whole_person=True)
        super().__init__(lambda _: said, profile=of)


SILENT_OF = {
    "one restricted": flagged(SEEN),
    "one restricted, of many records": flagged(
        *(event(f"own-{n}", "2026-02-28T09:00:00+00:00") for n in range(9))
    ),
    "one unknown": answer(about=None),
}


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize("disputed", [True, False])
async def test_one_to_be_silent_of_is_asked_for_as_a_stranger_is(limit, disputed):
    """As often, by the same identifiers, in as many records, and told in one way.

    Somebody else teaches a number that the hospital can be asked by, or two do that
    do not agree.
    """
    wants = clause(id="c1", relationships=["none"], categories=["encounters"])
    more = clause(id="c2", relationships=["active-encounter"])
    seen = {}
    teachers = [teaching("Z9A01.gp", "O-1"), teaching("Z9B02.epr", "O-2")]
    teachers = teachers if disputed else teachers[:1]
    policy = policy_of([RECIPIENT, "Z9A01", "Z9B02"], wants, more)
    for case, said in SILENT_OF.items():
        own = Hospital(said)
        asked = Asked(own, wants, more, flags=STATES)
        asked.house = replace(
            asked.house,
            policy=lambda: policy,
            sources=(mine(asked.house), *teachers),
        )
        journey = await asked.told(limit=limit)
        (told,) = [e for e in journey.completeness.sources if e.source == OWN]
        asks = [(q.person, q.since, q.categories, q.limit) for q in own.asked]
        seen[case] = (
            asks,
            asked.kinds,
            but_for_time(told),
            journey.discrepancies,
            journey.completeness.statement,
            journey.completeness.gaps,
            journey.person,
        )
    first = seen.pop("one unknown")
    assert len(first[0]) > 1
    for case, each in seen.items():
        assert each == first, case


def mine(house):
    (found,) = [each for each in house.sources if each.id == OWN]
    return found


def but_for_time(told):
    return {n: getattr(told, n) for n in told.__struct_fields__ if n != "took_ms"}


def teaching(name, old):
    """A source that knows the person by an old number too."""
    person = Person(identifiers=ANN.every | {Identifier(OLD, old)})
    return source(name, says(replace(answer(), person=person)))


def somebody(nth):
    return replace(question().person, nhs_number=number(nth), others=frozenset())


@pytest.mark.parametrize("most", [1, 3])
async def test_whoever_walks_through_numbers_is_stopped_before_a_source_is_asked(most):
    """Else each number's refusal, or none, would tell whose the hospital knows."""
    asked = Asked(Watched(SEEN), lookups=PeopleBudget(most))
    codes = [
        (await asked.refused(person=somebody(nth))).code for nth in range(2, most + 4)
    ]
    assert codes == ["not-permitted"] * most + ["people-budget-spent"] * 2
    assert len(asked.own.asked) == most
    again = await asked.refused(person=somebody(2))
    assert again.code == "not-permitted"  # asked for before: no other person
    assert (await asked.refused(person=ANN)).code == "people-budget-spent"
    spent = await asked.refused(person=somebody(9))
    assert 0 < (spent.retry_after_s or 0) <= 3601
    assert asked.kinds[-1] == "denied"
    other = doctor("none", subject="u2")
    assert (await asked.told(other)).decision.relationships


async def test_whoever_is_known_is_not_counted_as_looked_for_in_vain():
    asked = Asked(Watched(SEEN), lookups=PeopleBudget(1))
    for _ in range(3):
        await asked.told()
    assert (await asked.refused(person=somebody(2))).code == "not-permitted"


async def test_a_source_that_is_down_does_not_use_up_its_doctors_questions():
    def fail(_):
        raise Unavailable("connect", "Look after it.")

    own = FakeAdapter(fail, profile=WHOLE)
    asked = Asked(own, lookups=PeopleBudget(1))
    for nth in range(2, 5):
        assert (await asked.refused(person=somebody(nth))).code == "not-permitted"


async def test_breaking_the_glass_is_never_held_up_by_it():
    sealed = Sealed(id="bgl_a")
    wants = clause(relationships=["active-encounter"])
    asked = Asked(Watched(SEEN), wants, lookups=PeopleBudget(1), breaking=sealed)
    await asked.refused(person=somebody(2))
    assert (await asked.refused()).code == "people-budget-spent"
    before = len(asked.own.asked)
    await asked.refused(break_glass="a token")  # nobody here can be told of it
    assert len(asked.own.asked) == before + 1


class Sealed:
    """Of glass that is broken, whose token is always good."""

    def __init__(self, **told):
        self.told = told

    async def redeem(self, _token, requester, *, person, purpose):
        return Glass(
            caller=actor_of(requester),
            person=Subject(key_id="k", hmac="ab"),
            purpose=purpose,
            reason_code="other",
            declared_at=NOW,
            expires_at=NOW,
            review_by=NOW,
            **self.told,
        )


async def test_of_many_at_once_no_more_are_looked_for():
    asked = Asked(Watched(SEEN), lookups=PeopleBudget(2))
    refusals = await asyncio.gather(
        *(asked.refused(person=somebody(nth)) for nth in range(2, 8))
    )
    codes = sorted(each.code for each in refusals)
    assert codes == ["not-permitted"] * 2 + ["people-budget-spent"] * 4


async def test_what_needs_no_evidence_is_answered_though_nobody_is_looked_for_more():
    wants = clause(id="c1", relationships=["none"], categories=["encounters"])
    more = clause(id="c2", relationships=["active-encounter"])
    asked = Asked(Watched(SEEN), wants, more, lookups=PeopleBudget(1))
    await asked.told(person=somebody(2))
    asked.trail.records.clear()
    journey = await asked.told()
    assert journey.events
    assert journey.decision.relationships == []
    assert asked.kinds == ["intent", "outcome"]


async def test_the_least_is_asked_that_could_matter():
    """Two questions of one's own where evidence matters, one where it cannot."""
    token = Asked(Watched(SEEN), BOTH)
    await token.told(doctor("active-encounter", "referral"))
    found = Asked(Watched(SEEN), BOTH)
    await found.told()
    assert [len(each.own.asked) for each in (token, found)] == [1, 2]
    assert [len(each.surgery.asked) for each in (token, found)] == [1, 1]
    nobody = Asked(Watched(SEEN), clause(relationships=["none"]))
    await nobody.told()
    assert len(nobody.own.asked) == 1
