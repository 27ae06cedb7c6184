"""A FHIR server that answers, but not as it should: what is said of it, and kept."""

import asyncio
import json
from datetime import date

import pytest

from adapters.contract import Identifier, Identifiers, Query
from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.fhir_asking import (
    NHS,
    about,
    asking,
    caveats,
    condition,
    ids,
    observation,
    patient,
)
from tests.people import number
from tests.stub_fhir import Misbehaviour, StubFhir

pytestmark = pytest.mark.fault
SINCE, UNTIL = date(2024, 3, 1), date(2024, 4, 1)
DAYS = [observation(f"o{day:02d}", f"2024-03-{day:02d}") for day in range(1, 10)]
LOCAL = "urn:throughline:test:mrn"


async def ask(folder, resources, query=None, *, wrong=None, settings="", **around):
    async with (
        StubFhir(resources, wrong=wrong) as server,
        asking(server.base_url, folder, settings, **around) as adapter,
    ):
        answer = await adapter.ask(query or about())
        return answer, server


async def fails(folder, resources, *, wrong, settings="", **around) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await ask(folder, resources, wrong=wrong, settings=settings, **around)
    return caught.value


async def test_all_pages_of_all_types_come(tmp_path):
    answer, server = await ask(
        tmp_path, [patient(), condition(), *DAYS], settings="page_size = 2"
    )
    assert len(answer.events) == 10
    assert answer.caveats == ()
    first = [one for one in server.asked if "_offset" not in dict(one.parameters)]
    assert {one.method for one in first} == {"POST"}


async def test_an_unknown_person_has_no_person_and_no_more_is_asked(tmp_path):
    answer, server = await ask(tmp_path, [patient(1), condition()])
    assert (answer.person, answer.events) == (None, ())
    assert [asked.type for asked in server.asked] == ["Patient"]


async def test_somebody_without_a_known_identifier_is_not_asked_about(tmp_path):
    query = Query(
        person=Identifiers(others=frozenset({Identifier("urn:elsewhere", "1")})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=10,
    )
    answer, server = await ask(tmp_path, [patient()], query)
    assert answer.person is None
    assert server.asked == []


async def test_denied_types_are_never_asked_for(tmp_path):
    query = about(categories=frozenset({"problems"}))
    answer, server = await ask(tmp_path, [patient(), condition(), *DAYS], query)
    assert ids(answer) == ["Condition/c1"]
    assert {asked.type for asked in server.asked} == {
        "Patient",
        "Condition",
        "Procedure",
        "Flag",
    }


async def test_no_category_asks_who_and_nothing_else(tmp_path):
    answer, server = await ask(tmp_path, [patient()], about(categories=frozenset()))
    assert answer.person is not None
    assert len(server.asked) == 1


async def test_no_identifier_stands_in_any_address(tmp_path):
    _, server = await ask(tmp_path, [patient(), *DAYS], settings="page_size = 2")
    assert all(number(0) not in asked.path for asked in server.asked)
    gets = [asked for asked in server.asked if asked.method == "GET"]
    assert gets
    assert all(number(0) not in str(asked.parameters) for asked in gets)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_without_post_is_asked_by_get_and_that_is_said(tmp_path, status):
    wrong = Misbehaviour(refuses_post=status)
    answer, _ = await ask(tmp_path, [patient(), condition()], wrong=wrong)
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer)["search_by_get"] >= 1


async def test_a_source_may_forbid_asking_by_get(tmp_path):
    error = await fails(
        tmp_path,
        [patient()],
        wrong=Misbehaviour(refuses_post=405),
        settings='search = "post-only"',
    )
    assert (type(error), error.reason) == (Refused, "unsupported")


async def test_a_filter_that_was_not_heeded_is_applied_here_and_said(tmp_path):
    early = observation("early", "2023-01-01")
    answer, _ = await ask(
        tmp_path,
        [patient(), early, *DAYS],
        about(since=SINCE, until=UNTIL),
        wrong=Misbehaviour(ignores=frozenset({"date"})),
    )
    assert len(answer.events) == 9
    assert caveats(answer)["filter_unconfirmed"] >= 1
    assert caveats(answer)["filter_ignored"] == 1


async def test_a_server_without_self_links_confirms_nothing(tmp_path):
    wrong = Misbehaviour(hides_self=True)
    answer, _ = await ask(tmp_path, [patient(), condition()], wrong=wrong)
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer)["filter_unconfirmed"] >= 2


async def test_the_undated_are_counted_though_dates_are_filtered_there(tmp_path):
    resources = [patient(), observation("never", None), condition(), *DAYS]
    answer, _ = await ask(tmp_path, resources, about(since=SINCE, until=UNTIL))
    assert len(answer.events) == 9
    assert caveats(answer) == {"undated": 2}


async def test_a_server_that_cannot_filter_by_date_is_asked_plainly(tmp_path):
    class Strict(StubFhir):
        def _searchset(self, name, parameters):
            if any(key.startswith("date") for key, _ in parameters):
                raise LookupError(name)
            return super()._searchset(name, parameters)

        async def _reply(self, asked):
            try:
                return await super()._reply(asked)
            except LookupError:
                return 400, "application/fhir+json", b"{}"

    async with (
        Strict([patient(), observation("early", "2023-01-01"), *DAYS]) as server,
        asking(server.base_url, tmp_path) as adapter,
    ):
        answer = await adapter.ask(about(since=SINCE, until=UNTIL))
    assert len(answer.events) == 9
    assert "type_failed" not in caveats(answer)
    assert caveats(answer)["filter_unconfirmed"] >= 1


@pytest.mark.parametrize(
    "limits", [Limits(pages=2), Limits(source_bytes=1500), Limits(records=3)]
)
async def test_limits_of_pages_bytes_and_records_cut_and_say_so(tmp_path, limits):
    answer, _ = await ask(
        tmp_path, [patient(), *DAYS], settings="page_size = 2", limits=limits
    )
    assert 0 < len(answer.events) < 9
    assert caveats(answer)["truncated"] >= 1


async def test_more_events_than_wanted_are_cut_from_the_oldest_on(tmp_path):
    answer, _ = await ask(tmp_path, [patient(), *DAYS], about(limit=4))
    assert ids(answer) == [f"Observation/o0{day}" for day in range(1, 5)]
    assert caveats(answer) == {"truncated": 1}


async def test_a_type_that_fails_does_not_lose_the_others(tmp_path):
    answer, _ = await ask(
        tmp_path,
        [patient(), condition(), *DAYS],
        wrong=Misbehaviour(statuses={"Observation": 500}),
    )
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer) == {"type_failed": 1}
    assert "observations" in answer.held


async def test_a_type_the_server_has_not_is_not_held(tmp_path):
    answer, _ = await ask(
        tmp_path,
        [patient(), condition()],
        wrong=Misbehaviour(statuses={"Observation": 404, "DiagnosticReport": 404}),
    )
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer) == {"not_found_type": 2}
    assert "observations" not in answer.held


async def test_a_type_refused_by_an_outcome_is_not_held(tmp_path):
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "not-supported"}],
    }
    body = ("application/fhir+json", json.dumps(outcome).encode())
    wrong = Misbehaviour(statuses={"Flag": 400}, bodies={"Flag": body})
    answer, _ = await ask(tmp_path, [patient(), condition()], wrong=wrong)
    assert caveats(answer) == {"not_found_type": 1}


async def test_if_every_type_fails_there_is_no_answer(tmp_path):
    names = ["Condition", "Observation"]
    error = await fails(
        tmp_path,
        [patient()],
        wrong=Misbehaviour(statuses={"Condition": 403, "Observation": 503}),
        settings=f"types = {names}",
    )
    assert isinstance(error, Unavailable)


async def test_a_late_type_does_not_spoil_the_others(tmp_path):
    answer, _ = await ask(
        tmp_path,
        [patient(), condition(), *DAYS],
        wrong=Misbehaviour(hangs=frozenset({"Observation"})),
        limits=Limits(source_s=0.5),
    )
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer) == {"type_failed": 1}


async def test_pages_that_came_in_time_are_kept(tmp_path):
    answer, _ = await ask(
        tmp_path,
        [patient(), *DAYS],
        wrong=Misbehaviour(hangs_after_first_page=True),
        settings="page_size = 2",
        limits=Limits(source_s=0.5),
    )
    assert len(answer.events) == 2
    assert caveats(answer) == {"truncated": 1}


async def test_if_every_type_hangs_the_caller_ends_it(tmp_path):
    everything = Misbehaviour(hangs=frozenset({"Condition", "Flag", "Procedure"}))
    query = about(categories=frozenset({"problems"}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await ask(
                tmp_path,
                [patient()],
                query,
                wrong=everything,
                limits=Limits(source_s=0.1),
            )


async def test_a_bad_later_page_truncates(tmp_path):
    class Garbled(StubFhir):
        async def _reply(self, asked):
            if "_offset" in dict(asked.parameters):
                return self.wrong.total or 200, "application/fhir+json", b"{"
            return await super()._reply(asked)

    for status in (200, 500):
        async with (
            Garbled([patient(), *DAYS], wrong=Misbehaviour(total=status)) as server,
            asking(server.base_url, tmp_path, "page_size = 2") as adapter,
        ):
            answer = await adapter.ask(about())
        assert len(answer.events) == 2
        assert caveats(answer)["truncated"] >= 1


async def test_a_wrong_person_is_said_by_name_and_not_asked_about(tmp_path):
    resources = [patient(1), condition(who="Patient/p1")]
    wrong = Misbehaviour(ignores=frozenset({"identifier"}))
    answer, server = await ask(tmp_path, resources, wrong=wrong)
    assert answer.person is not None
    assert answer.person.identifiers == {Identifier(NHS, number(1))}
    assert answer.events == ()
    assert [asked.type for asked in server.asked] == ["Patient"]


async def test_other_people_are_removed_where_ours_is_among_them(tmp_path):
    resources = [patient(1), patient(0), patient(2), condition()]
    wrong = Misbehaviour(ignores=frozenset({"identifier"}))
    answer, _ = await ask(tmp_path, resources, wrong=wrong)
    assert answer.person is not None
    assert answer.person.identifiers == {Identifier(NHS, number(0))}
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer)["filter_ignored"] == 2


async def test_another_persons_record_comes_with_its_own_subject(tmp_path):
    resources = [patient(), condition(), condition("c2", who="Patient/p7")]
    wrong = Misbehaviour(ignores=frozenset({"patient"}))
    answer, server = await ask(tmp_path, resources, wrong=wrong)
    subjects = {event.record_id: event.subject for event in answer.events}
    assert subjects == {
        "Condition/c1": frozenset({Identifier(NHS, number(0))}),
        "Condition/c2": frozenset({Identifier(f"{server.base_url}/Patient", "p7")}),
    }


async def test_a_restricted_person_may_hide_their_number(tmp_path):
    hidden = patient(identifier=[], meta={"security": [{"code": "R"}]})
    wrong = Misbehaviour(ignores=frozenset({"identifier"}))
    answer, _ = await ask(tmp_path, [hidden, condition()], wrong=wrong)
    assert ids(answer) == ["Condition/c1"]
    assert [(flag.flag, flag.present) for flag in answer.flags] == [
        ("sensitive-record", True)
    ]


async def test_a_patient_that_cannot_be_read_is_not_an_unknown_person(tmp_path):
    error = await fails(tmp_path, [patient(birthDate=7)], wrong=None)
    assert (type(error), error.reason) == (Unreadable, "unreadable")


async def test_a_reported_error_is_passed_on(tmp_path):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    wrong = Misbehaviour(extra_entries=[outcome])
    answer, _ = await ask(
        tmp_path, [patient(), condition()], wrong=wrong, settings='types=["Condition"]'
    )
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer) == {"outcome_reported": 2}


async def test_what_has_no_place_is_counted(tmp_path):
    claim = {"resourceType": "Claim", "id": "x"}
    answer, _ = await ask(
        tmp_path,
        [patient(), condition(), condition("bad", code=7)],
        wrong=Misbehaviour(extra_entries=[claim]),
        settings='types = ["Condition"]',
    )
    assert ids(answer) == ["Condition/c1"]
    assert caveats(answer) == {"unmapped": 2, "unreadable_record": 1}


async def test_a_local_identifier_that_reaches_two_people_links_nobody(tmp_path):
    shared = {"system": LOCAL, "value": "TEMP"}
    first, second = patient(0), patient(1)
    for one in (first, second):
        one["identifier"] = [*one["identifier"], shared]
    query = Query(
        person=Identifiers(others=frozenset({Identifier(LOCAL, "TEMP")})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=10,
    )
    settings = f'[identifiers]\nsystems = ["{NHS}", "{LOCAL}"]'
    answer, _ = await ask(
        tmp_path, [first, second, condition()], query, settings=settings
    )
    assert (answer.person, answer.events) == (None, ())
    assert caveats(answer) == {"shared_identifier": 1}


async def test_a_placeholder_is_neither_asked_by_nor_passed_on(tmp_path):
    one = patient()
    one["identifier"] = [*one["identifier"], {"system": LOCAL, "value": "TEMP"}]
    settings = f'[identifiers]\nsystems = ["{NHS}"]\nplaceholders = ["TEMP"]'
    answer, _ = await ask(tmp_path, [one], settings=settings)
    assert answer.person is not None
    assert answer.person.identifiers == {Identifier(NHS, number(0))}


async def test_credentials_are_sent_and_read_again_when_refused(tmp_path):
    secrets = {"env:TOKEN": "old"}

    class Guarded(StubFhir):
        async def _reply(self, asked):
            if asked.headers.get("authorization") != "Bearer new":
                secrets["env:TOKEN"] = "new"
                return 401, "application/fhir+json", b"{}"
            return await super()._reply(asked)

    settings = '[auth]\nkind = "bearer"\ntoken = "env:TOKEN"'
    async with (
        Guarded([patient(), condition()]) as server,
        asking(server.base_url, tmp_path, settings, secrets=secrets) as adapter,
    ):
        answer = await adapter.ask(about())
    assert ids(answer) == ["Condition/c1"]


async def test_a_name_and_password_are_sent_as_basic(tmp_path):
    settings = '[auth]\nkind = "basic"\nusername = "env:U"\npassword = "env:P"'
    secrets = {"env:U": "us", "env:P": "pw"}
    _, server = await ask(tmp_path, [patient()], settings=settings, secrets=secrets)
    assert {asked.headers["authorization"] for asked in server.asked} == {
        "Basic dXM6cHc="
    }


async def test_as_of_is_the_oldest_that_the_source_says(tmp_path):
    wrong = Misbehaviour(last_updated="2026-10-31T09:00:00Z")
    answer, _ = await ask(tmp_path, [patient(), *DAYS], wrong=wrong)
    assert answer.as_of.isoformat() == "2026-10-31T09:00:00+00:00"
    wrong = Misbehaviour(headers={"Date": "Sat, 31 Oct 2026 08:00:00 GMT"})
    answer, _ = await ask(tmp_path, [patient(), *DAYS], wrong=wrong)
    assert answer.as_of.isoformat() == "2026-10-31T08:00:00+00:00"
    wrong = Misbehaviour(last_updated="2028-02-30", headers={"Date": "soon"})
    answer, _ = await ask(tmp_path, [patient()], wrong=wrong)
    assert answer.as_of.isoformat() == "2026-11-01T12:00:00+00:00"


async def test_stu3_is_refused_by_name(tmp_path):
    profile = "https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-Patient-1"
    error = await fails(tmp_path, [patient(meta={"profile": [profile]})], wrong=None)
    assert (type(error), error.reason) == (Unreadable, "stu3")


async def test_a_medicine_is_named_by_what_came_with_it(tmp_path):
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
    answer, _ = await ask(tmp_path, [patient(), order, medicine])
    assert [event.title for event in answer.events] == ["Amoxicillin 250 mg capsules"]


async def test_a_cancelled_question_leaves_nothing_running(tmp_path):
    wrong = Misbehaviour(hangs=frozenset({"Observation"}))
    before = asyncio.all_tasks()
    async with (
        StubFhir([patient()], wrong=wrong) as server,
        asking(server.base_url, tmp_path) as adapter,
    ):
        task = asyncio.create_task(adapter.ask(about()))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        names = {str(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert not any("FhirAdapter" in name for name in names)
