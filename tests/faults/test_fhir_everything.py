"""A whole record asked for at once: when it is, what is believed of it, what is not."""

import asyncio
from datetime import date, timedelta

import pytest

from adapters.contract import Identifier
from adapters.fhir.tables import TYPES
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.fhir_asking import (
    NHS,
    NOW,
    about,
    asking,
    caveats,
    condition,
    ids,
    observation,
    patient,
)
from tests.people import number
from tests.stub_fhir import Misbehaviour, StubFhir, telling_everything

pytestmark = pytest.mark.fault
DAYS = [observation(f"o{day:02d}", f"2024-03-{day:02d}") for day in range(1, 10)]
RECORDS = [patient(), condition(), *DAYS, observation("never", None)]
TOLD = telling_everything(TYPES)
EVERYTHING = "$everything"
ALWAYS = 'everything = "always"\n'
MEDICINES = {name for name in TYPES if name.startswith("Medication")}


def at_once(**wrong):
    return Misbehaviour(capabilities=TOLD, **wrong)


async def ask(folder, query=None, *, records=RECORDS, wrong=None, settings="", **rest):
    async with (
        StubFhir(records, wrong=wrong or at_once()) as server,
        asking(server.base_url, folder, settings or ALWAYS, **rest) as adapter,
    ):
        return await adapter.ask(query or about()), server


def asked_for(server):
    return [asked.type for asked in server.asked if asked.type != "Patient"]


async def told_by_searches(folder, query=None, **rest):
    """What the same server tells where it is asked type by type."""
    settings = 'everything = "never"\n' + rest.pop("settings", "")
    answer, server = await ask(folder, query, settings=settings, **rest)
    assert EVERYTHING not in asked_for(server)
    return answer


async def test_a_whole_record_comes_at_once_as_it_would_by_type(tmp_path):
    answer, server = await ask(tmp_path)
    assert answer == await told_by_searches(tmp_path)
    assert len(answer.events) == 11
    assert caveats(answer) == {}
    (first,) = (one for one in server.asked if one.type == EVERYTHING)
    assert first.path.endswith("/Patient/p0/$everything")
    assert set(dict(first.parameters)["_type"].split(",")) == set(TYPES) - MEDICINES


async def test_pages_of_it_are_followed(tmp_path):
    answer, server = await ask(tmp_path, settings=ALWAYS + "page_size = 3")
    assert answer == await told_by_searches(tmp_path, settings="page_size = 3")
    assert asked_for(server).count(EVERYTHING) == 4


async def test_what_it_told_nothing_of_is_searched_for_until_it_once_has(tmp_path):
    """Catches a server believed: one that leaves a type out would hide it."""
    everybody = [*RECORDS, patient(1)]
    async with (
        StubFhir(everybody, wrong=at_once()) as server,
        asking(server.base_url, tmp_path, ALWAYS) as adapter,
    ):
        await adapter.ask(about())
        told = {"Observation", "Condition"}
        assert set(asked_for(server)) == {EVERYTHING, *TYPES} - told
        server.asked.clear()
        answer = await adapter.ask(about(1))
        assert set(asked_for(server)) == {EVERYTHING, *TYPES} - told
    assert (answer.events, caveats(answer)) == ((), {})


async def test_a_type_it_leaves_out_comes_all_the_same(tmp_path):
    wrong = at_once(omits=frozenset({"Condition"}))
    answer, _ = await ask(tmp_path, wrong=wrong)
    assert answer == await told_by_searches(tmp_path)


async def test_medicines_are_searched_for_with_what_they_refer_to(tmp_path):
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationReference": {"reference": "Medication/amox"},
        "subject": {"reference": "Patient/p0"},
    }
    medicine = {
        "resourceType": "Medication",
        "id": "amox",
        "code": {"coding": [{"display": "Amoxicillin 250 mg capsules"}]},
    }
    records = [*RECORDS, order, medicine]
    answer, server = await ask(
        tmp_path, records=records, settings=ALWAYS + "page_size = 2"
    )
    assert answer == await told_by_searches(
        tmp_path, records=records, settings="page_size = 2"
    )
    assert "Amoxicillin 250 mg capsules" in {event.title for event in answer.events}
    assert set(asked_for(server)) >= MEDICINES


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        (about(since=date(2024, 3, 1)), ""),
        (about(categories=CATEGORIES - {"documents"}), ""),
        (about(), 'everything = "never"'),
        (about(), ALWAYS + 'search = "post-only"'),
        (about(), ALWAYS + 'types = ["Condition", "Observation", "Flag"]'),
    ],
    ids=["window", "category", "never", "post-only", "few"],
)
async def test_less_than_a_whole_record_is_searched_for(tmp_path, query, settings):
    """Catches a category that was not asked for and is fetched with the others."""
    _, server = await ask(tmp_path, query, settings=settings)
    assert EVERYTHING not in asked_for(server)
    assert "Observation" in asked_for(server)


async def test_a_window_no_search_could_narrow_is_applied_here_and_that_is_said(
    tmp_path,
):
    told = telling_everything(TYPES)
    for one in told["rest"][0]["resource"]:
        one["searchParam"] = [{"name": "patient"}]
    wrong = Misbehaviour(capabilities=told)
    query = about(since=date(2024, 3, 3), until=date(2024, 3, 6))
    answer, server = await ask(tmp_path, query, wrong=wrong)
    assert answer == await told_by_searches(tmp_path, query, wrong=wrong)
    assert ids(answer) == [f"Observation/o0{day}" for day in (3, 4, 5)]
    assert caveats(answer)["undated"] == 2
    assert caveats(answer)["filter_unconfirmed"] >= 1
    (first,) = (one for one in server.asked if one.type == EVERYTHING)
    assert {"start", "end", "_since"}.isdisjoint(dict(first.parameters))


@pytest.mark.parametrize(
    "wrong",
    [
        at_once(statuses={EVERYTHING: 403}),
        at_once(statuses={EVERYTHING: 404}),
        at_once(statuses={EVERYTHING: 400}),
        at_once(statuses={EVERYTHING: 500}),
        at_once(bodies={EVERYTHING: ("text/html", b"<html>log in</html>")}),
        at_once(bodies={EVERYTHING: ("application/fhir+json", b"{")}),
        at_once(hangs=frozenset({EVERYTHING})),
    ],
    ids=["refused", "unknown", "odd", "failed", "login", "broken", "hangs"],
)
async def test_a_refusal_is_followed_by_searches_and_not_asked_again(tmp_path, wrong):
    async with (
        StubFhir(RECORDS, wrong=wrong) as server,
        asking(server.base_url, tmp_path, ALWAYS, limits=Limits(source_s=1)) as adapter,
    ):
        answer = await adapter.ask(about())
        again = await adapter.ask(about())
        assert asked_for(server).count(EVERYTHING) == 1
    expected = await told_by_searches(tmp_path)
    assert answer.events == again.events == expected.events
    assert caveats(answer) == {"asked_by_type": 1}
    assert caveats(again) == {}


async def test_a_server_that_sends_other_types_is_not_asked_so_again(tmp_path):
    claim = {"resourceType": "Claim", "id": "x", "subject": {"reference": "Patient/p0"}}
    wrong = at_once(ignores=frozenset({"_type"}))
    order = condition("plan", resourceType="MedicationStatement")
    for odd in (claim, order):
        async with (
            StubFhir([*RECORDS, odd], wrong=wrong) as server,
            asking(server.base_url, tmp_path, ALWAYS) as adapter,
        ):
            answer = await adapter.ask(about())
            await adapter.ask(about())
            assert asked_for(server).count(EVERYTHING) == 1
        expected = await told_by_searches(tmp_path, records=[*RECORDS, odd])
        assert answer.events == expected.events
        assert caveats(answer) == {"asked_by_type": 1}


@pytest.mark.parametrize(
    "own",
    [
        condition("childs", who="Patient/p7", asserter={"reference": "Patient/p0"}),
        condition("nobodys", subject=None, asserter={"reference": "Patient/p0"}),
    ],
    ids=["another", "nobody"],
)
async def test_anothers_record_in_the_compartment_is_left_to_the_searches(
    tmp_path, own
):
    """A mother who tells of her child is no wrong person, and no alarm."""
    async with (
        StubFhir([*RECORDS, own], wrong=at_once()) as server,
        asking(server.base_url, tmp_path, ALWAYS) as adapter,
    ):
        answer = await adapter.ask(about())
        await adapter.ask(about())
        assert asked_for(server).count(EVERYTHING) == 2  # others may well be told of
    expected = await told_by_searches(tmp_path)
    assert answer.events == expected.events
    assert caveats(answer) == {"asked_by_type": 1}


async def test_somebody_else_among_the_records_is_left_to_the_searches(tmp_path):
    linked = {"resourceType": "Patient", "id": "p7"}
    wrong = at_once()

    class Linked(StubFhir):
        def _everything(self, asked):
            bundle = super()._everything(asked)
            bundle["entry"].append({"resource": linked, "search": {"mode": "match"}})
            bundle["total"] += 1
            return bundle

    async with (
        Linked(RECORDS, wrong=wrong) as server,
        asking(server.base_url, tmp_path, ALWAYS) as adapter,
    ):
        answer = await adapter.ask(about())
    assert answer.events == (await told_by_searches(tmp_path)).events
    assert caveats(answer) == {"asked_by_type": 1}


@pytest.mark.parametrize("how", ["loop", "foreign", "outside"])
async def test_a_record_that_is_cut_short_is_searched_for(tmp_path, how):
    class Cut(StubFhir):
        def _next(self, name, parameters, offset):
            wrong, self.wrong = self.wrong, self.wrong
            if EVERYTHING not in name:
                self.wrong = at_once()
            link = super()._next(name, parameters, offset)
            self.wrong = wrong
            return link

    async with (
        Cut(RECORDS, wrong=at_once(next_page=how)) as server,
        asking(server.base_url, tmp_path, ALWAYS + "page_size = 3") as adapter,
    ):
        answer = await adapter.ask(about())
    assert answer.events == (await told_by_searches(tmp_path)).events
    assert caveats(answer) == {"asked_by_type": 1}


async def test_fewer_records_than_were_counted_are_searched_for(tmp_path):
    class Short(StubFhir):
        def _everything(self, asked):
            bundle = super()._everything(asked)
            del bundle["entry"][2]
            return bundle

    async with (
        Short(RECORDS, wrong=at_once()) as server,
        asking(server.base_url, tmp_path, ALWAYS) as adapter,
    ):
        answer = await adapter.ask(about())
    assert answer.events == (await told_by_searches(tmp_path)).events
    assert caveats(answer) == {"asked_by_type": 1}


@pytest.mark.parametrize("own", [number(0), f"nhs-{number(3)}", "H-17", "p 0", "p/0"])
async def test_an_id_that_is_a_number_of_the_person_stands_in_no_address(tmp_path, own):
    """Catches the NHS number in a URL, where servers use it as the Patient's id."""
    numbers = [
        {"system": NHS, "value": number(0)},
        {"system": "urn:throughline:test:mrn", "value": "H-17"},
    ]
    records = [patient(id=own, identifier=numbers), condition(who=f"Patient/{own}")]
    answer, server = await ask(tmp_path, records=records)
    assert EVERYTHING not in asked_for(server)
    assert all(own not in asked.path for asked in server.asked)
    assert ids(answer) == ["Condition/c1"]


async def test_two_patients_of_one_person_are_each_asked_about(tmp_path):
    twin = patient(id="p0-again")
    records = [*RECORDS, twin, condition("c2", who="Patient/p0-again")]
    answer, server = await ask(tmp_path, records=records)
    assert answer == await told_by_searches(tmp_path, records=records)
    assert asked_for(server).count(EVERYTHING) == 2
    assert Identifier(NHS, number(0)) in answer.person.identifiers


async def test_what_was_learned_ends_with_the_statement_it_was_learned_beside(
    tmp_path,
):
    wrong = at_once(statuses={EVERYTHING: 500})
    clock = [NOW]
    async with (
        StubFhir(RECORDS, wrong=wrong) as server,
        asking(server.base_url, tmp_path, ALWAYS, now=lambda: clock[0]) as adapter,
    ):
        await adapter.ask(about())
        server.wrong = at_once()
        await adapter.ask(about())
        assert asked_for(server).count(EVERYTHING) == 1
        clock[0] += timedelta(minutes=61)
        answer = await adapter.ask(about())
        assert asked_for(server).count(EVERYTHING) == 2
    assert caveats(answer) == {}


async def test_by_itself_it_is_kept_to_where_it_is_no_slower(tmp_path):
    """Catches fewer requests that take a clinician's time."""

    class Slow(StubFhir):
        slow = EVERYTHING

        async def _reply(self, asked):
            is_slow = asked.type not in {"Patient", "metadata"}
            if is_slow and (asked.type == EVERYTHING) == (self.slow == EVERYTHING):
                await asyncio.sleep(0.2)
            return await super()._reply(asked)

    for slow, expected in ((EVERYTHING, 3), ("searches", 7)):
        async with (
            Slow([patient(), *DAYS], wrong=at_once()) as server,
            asking(server.base_url, tmp_path) as adapter,
        ):
            server.slow = slow
            answers = [await adapter.ask(about()) for _ in range(10)]
            assert asked_for(server).count(EVERYTHING) == expected
            assert all(answer == answers[0] for answer in answers)
