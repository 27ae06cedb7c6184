"""Servers that say what they cannot do, say it wrongly, or say nothing."""

from datetime import date, timedelta

import pytest

from adapters.contract import Query
from adapters.errors import Refused
from tests.fhir_asking import (
    NOW,
    about,
    asking,
    caveats,
    condition,
    ids,
    observation,
)
from tests.fhir_asking import patient as a_patient
from tests.stub_fhir import Misbehaviour, StubFhir

pytestmark = pytest.mark.fault
APRIL = about(since=date(2024, 4, 1), until=date(2024, 5, 1))
RECORDS = [
    a_patient(),
    condition(),
    observation("before", "2024-03-31"),
    observation("within", "2024-04-12"),
    observation("after", "2024-05-01"),
    observation("undated", None),
]


def listed(name, *parameters):
    return {"type": name, "searchParam": [{"name": p} for p in parameters]}


def statement(*types):
    rest = {"mode": "server", "resource": list(types)}
    return {"resourceType": "CapabilityStatement", "rest": [rest]}


async def ask(folder, query: Query, wrong: Misbehaviour, settings=""):
    async with (
        StubFhir(RECORDS, wrong=wrong) as server,
        asking(server.base_url, folder, settings) as adapter,
    ):
        return await adapter.ask(query), server


def parameters(server, name):
    return [
        {key for key, _ in asked.parameters}
        for asked in server.asked
        if asked.type == name
    ]


async def test_what_the_server_cannot_filter_by_is_filtered_here_and_said(tmp_path):
    says = statement(listed("Patient", "identifier"), listed("Observation", "patient"))
    answer, server = await ask(tmp_path, APRIL, Misbehaviour(capabilities=says))
    assert ids(answer) == ["Observation/within"]
    assert parameters(server, "Observation") == [{"patient", "_count"}]
    assert caveats(answer)["undated"] == 2  # the condition, and one observation
    assert caveats(answer)["filter_unconfirmed"] == 1


async def test_a_server_that_can_filter_is_asked_to(tmp_path):
    says = statement(listed("Observation", "patient", "date"))
    answer, server = await ask(tmp_path, APRIL, Misbehaviour(capabilities=says))
    assert ids(answer) == ["Observation/within"]
    assert sorted(parameters(server, "Observation"), key=sorted) == [
        {"_count", "date", "patient"},
        {"_count", "date:missing", "patient"},
    ]
    assert "filter_unconfirmed" not in caveats(answer)


async def test_a_server_that_has_only_the_subject_is_asked_by_it(tmp_path):
    says = statement(listed("Observation", "subject"), listed("Condition", "code"))
    _, server = await ask(tmp_path, about(), Misbehaviour(capabilities=says))
    assert parameters(server, "Observation") == [{"subject", "_count"}]
    assert parameters(server, "Condition") == [{"patient", "_count"}]


async def test_a_type_not_listed_is_asked_for_all_the_same(tmp_path):
    """Catches a statement believed: what it leaves out would be missing unsaid."""
    says = statement(listed("Condition", "patient"))
    answer, _ = await ask(tmp_path, about(), Misbehaviour(capabilities=says))
    assert len(ids(answer)) == 5
    types = 'types = ["Condition", "Observation"]'
    answer, _ = await ask(tmp_path, about(), Misbehaviour(capabilities=says), types)
    assert caveats(answer) == {}


async def test_a_type_not_listed_of_which_none_came_is_not_held(tmp_path):
    says = statement(listed("Condition", "patient"), listed("Observation", "patient"))
    types = 'types = ["Condition", "Observation", "AllergyIntolerance"]'
    answer, _ = await ask(tmp_path, about(), Misbehaviour(capabilities=says), types)
    assert len(ids(answer)) == 5
    assert caveats(answer) == {"not_found_type": 1}
    assert answer.held == {"problems", "observations"}


async def test_a_type_not_listed_that_fails_is_said_once(tmp_path):
    says = statement(listed("Condition", "patient"))
    for status, said in ((404, "not_found_type"), (500, "type_failed")):
        wrong = Misbehaviour(capabilities=says, statuses={"AllergyIntolerance": status})
        types = 'types = ["Condition", "AllergyIntolerance"]'
        answer, _ = await ask(tmp_path, about(), wrong, types)
        assert caveats(answer) == {said: 1}


@pytest.mark.parametrize(
    "wrong",
    [
        Misbehaviour(statuses={"metadata": 404}),
        Misbehaviour(statuses={"metadata": 401}),
        Misbehaviour(statuses={"metadata": 503}),
        Misbehaviour(hangs=frozenset({"metadata"})),
        Misbehaviour(bodies={"metadata": ("text/html", b"<html>log in</html>")}),
        Misbehaviour(bodies={"metadata": ("application/fhir+json", b"{")}),
        Misbehaviour(capabilities=statement()),
    ],
)
async def test_a_statement_that_is_not_to_be_had_changes_nothing(tmp_path, wrong):
    plainly, before = await ask(tmp_path, APRIL, Misbehaviour())
    answer, server = await ask(tmp_path, APRIL, wrong)
    assert (answer.events, answer.held) == (plainly.events, plainly.held)
    assert answer.caveats == plainly.caveats
    assert {one.parameters for one in server.asked} == {
        one.parameters for one in before.asked
    }


class Watched(StubFhir):
    """A server that also notes who looks at its metadata."""

    def __init__(self, resources):
        super().__init__(resources)
        self.looked_at = []

    async def _reply(self, asked):
        self.looked_at.append(asked.type)
        return await super()._reply(asked)


async def test_nobody_known_there_asks_for_no_statement(tmp_path):
    async with Watched(RECORDS) as server, asking(server.base_url, tmp_path) as adapter:
        await adapter.ask(about(7))
        assert server.looked_at == ["Patient"]
        await adapter.ask(about())
        await adapter.ask(about())
    assert server.looked_at.count("metadata") == 1


async def test_nobody_found_by_what_the_server_does_not_search_by_is_no_answer(
    tmp_path,
):
    """Catches "unknown person" of a server that never looked at the identifier."""
    says = statement(listed("Patient", "name"), listed("Condition", "patient"))
    wrong = Misbehaviour(capabilities=says, hides_self=True)
    with pytest.raises(Refused) as caught:
        await ask(tmp_path, about(7), wrong)
    assert caught.value.reason == "unsupported"
    for confirmed in (
        Misbehaviour(capabilities=says),
        Misbehaviour(hides_self=True),
        Misbehaviour(statuses={"metadata": 500}, hides_self=True),
    ):
        answer, _ = await ask(tmp_path, about(7), confirmed)
        assert (answer.person, answer.events) == (None, ())


async def test_what_may_not_come_along_is_not_asked_to(tmp_path):
    orders = listed("MedicationRequest", "patient")
    statements = listed("MedicationStatement", "patient")
    says = statement(
        orders | {"searchInclude": ["MedicationRequest:encounter"]},
        statements | {"searchInclude": ["MedicationStatement:medication"]},
    )
    _, server = await ask(tmp_path, about(), Misbehaviour(capabilities=says))
    assert parameters(server, "MedicationRequest") == [{"patient", "_count"}]
    assert parameters(server, "MedicationStatement") == [
        {"patient", "_count", "_include"}
    ]


async def test_a_server_renewed_is_asked_anew_how_it_may_be_asked(tmp_path):
    """What was learned of the old one (that it takes no POST) is forgotten."""
    clock = [NOW]
    told = statement(listed("Condition", "patient"))
    old = Misbehaviour(
        capabilities=told | {"software": {"name": "Ward", "version": "1"}},
        refuses_post=405,
        headers={"X-Powered-By": "Ward 1"},
    )
    async with (
        StubFhir(RECORDS, wrong=old) as server,
        asking(server.base_url, tmp_path, now=lambda: clock[0]) as adapter,
    ):
        await adapter.ask(about())
        server.wrong = Misbehaviour(
            capabilities=told | {"software": {"name": "Ward", "version": "2"}},
            headers={"X-Powered-By": "Ward 2"},
        )
        clock[0] += timedelta(minutes=6)
        server.asked.clear()
        await adapter.ask(about())
        assert {one.method for one in server.asked if one.type == "Patient"} == {"GET"}
        assert "POST" in {one.method for one in server.asked}
