"""What a server says of itself, as far as it can be believed."""

import asyncio
import json
from datetime import timedelta

import msgspec
import pytest

from adapters.errors import Unavailable
from adapters.fhir import capabilities
from adapters.fhir.capabilities import UNKNOWN, Statement, read_capabilities
from adapters.http import AiohttpTransport
from adapters.surroundings import Limits
from tests.fhir_asking import NOW, surroundings

SEARCHED = {"code": "search-type"}


def listed(name, *parameters, **fields):
    return {"type": name, "searchParam": [{"name": p} for p in parameters], **fields}


def statement(*types, **fields):
    rest = {"mode": "server", "resource": list(types), **fields}
    return {"resourceType": "CapabilityStatement", "rest": [rest]}


def read(told):
    return read_capabilities(json.dumps(told).encode())


def test_the_types_and_the_parameters_of_each_are_read():
    known = read(statement(listed("Encounter", "date", "patient"), listed("Flag")))
    assert known.parameters == {
        "Encounter": frozenset({"date", "patient"}),
        "Flag": frozenset(),
    }


def test_only_what_is_listed_without_something_lacks_it():
    known = read(statement(listed("Encounter", "patient"), listed("Flag")))
    assert known.may_filter("Encounter", "patient")
    assert not known.may_filter("Encounter", "date")
    assert known.may_filter("Flag", "date")
    assert known.may_filter("Observation", "date")
    assert known.may_search("Flag")
    assert not known.may_search("Observation")


def test_nothing_said_forbids_nothing():
    assert UNKNOWN.may_search("Observation")
    assert UNKNOWN.may_filter("Observation", "date")
    assert read(statement()) == UNKNOWN


def test_a_type_that_is_only_read_by_id_is_not_searched():
    known = read(
        statement(
            listed("Encounter", "date", interaction=[{"code": "read"}, None]),
            listed("Condition", "code", interaction=[{"code": "read"}, SEARCHED]),
        )
    )
    assert set(known.parameters) == {"Condition"}


def test_parameters_of_every_type_join_those_of_each_that_names_its_own():
    known = read(
        statement(
            listed("Encounter", "date"),
            listed("Flag"),
            searchParam=[{"name": "patient"}, None, {}],
        )
    )
    assert known.parameters["Encounter"] == {"date", "patient"}
    assert known.parameters["Flag"] == frozenset()


def test_what_it_would_ask_of_others_and_what_is_null_is_passed_over():
    told = statement(listed("Encounter", "date"), None, {"searchParam": []})
    told["rest"] += [None, {"mode": "client", "resource": [listed("Flag", "date")]}]
    told["rest"].append({"resource": [listed("Encounter", "patient")]})
    assert read(told).parameters == {"Encounter": frozenset({"date", "patient"})}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe{",
        b"[]",
        b"{}",
        b'{"resourceType": "OperationOutcome"}',
        b'{"resourceType": "CapabilityStatement", "rest": {}}',
        b'{"resourceType": "CapabilityStatement", "rest": null}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_statement_says_nothing(body):
    assert read_capabilities(body) == UNKNOWN


def test_a_byte_order_mark_hides_no_statement():
    body = b"\xef\xbb\xbf" + json.dumps(statement(listed("Flag", "date"))).encode()
    assert read_capabilities(body).parameters == {"Flag": frozenset({"date"})}


class Told:
    """A server's metadata: what it says next, in how long, and how often asked."""

    def __init__(self, *replies, delay_s=0.0):
        self.replies = list(replies)
        self.delay_s = delay_s
        self.times = 0

    async def __call__(self):
        self.times += 1
        await asyncio.sleep(self.delay_s)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return msgspec.json.encode(reply)


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def one_of(told, folder, clock=None, source_s=4.0, signed=str):
    around = surroundings(AiohttpTransport(), folder, limits=Limits(source_s=source_s))
    values = {name: getattr(around, name) for name in around.__slots__}
    around = type(around)(**{**values, "now": clock or Clock()})
    return Statement(told, around, signed=signed)


FLAG = statement(listed("Flag", "date"))
ENCOUNTER = statement(listed("Encounter", "date"))


async def test_it_is_read_once_for_many_questions(tmp_path):
    told = Told(FLAG, delay_s=0.01)
    server = one_of(told, tmp_path)
    known = await asyncio.gather(*(server.known() for _ in range(5)))
    known.append(await server.known())
    assert {tuple(one.parameters) for one in known} == {("Flag",)}
    assert told.times == 1


async def test_it_is_read_again_after_an_hour(tmp_path):
    told, clock = Told(FLAG, ENCOUNTER), Clock()
    server = one_of(told, tmp_path, clock)
    assert not (await server.known()).may_search("Encounter")
    clock.now += timedelta(minutes=59)
    assert not (await server.known()).may_search("Encounter")
    clock.now += timedelta(minutes=1)
    assert (await server.known()).may_search("Encounter")


async def test_a_server_that_fails_to_say_is_not_asked_again_at_once(tmp_path):
    told, clock = Told(Unavailable("busy", "busy"), FLAG), Clock()
    server = one_of(told, tmp_path, clock)
    assert await server.known() == UNKNOWN
    assert await server.known() == UNKNOWN
    assert told.times == 1
    clock.now += timedelta(minutes=5)
    assert set((await server.known()).parameters) == {"Flag"}


async def test_what_was_said_before_holds_when_nothing_is_said_now(tmp_path):
    told, clock = Told(FLAG, {"resourceType": "OperationOutcome"}), Clock()
    server = one_of(told, tmp_path, clock)
    await server.known()
    clock.now += timedelta(hours=1)
    assert set((await server.known()).parameters) == {"Flag"}
    assert told.times == 2


async def test_a_slow_statement_holds_no_question_up_and_serves_a_later_one(tmp_path):
    told = Told(FLAG, delay_s=0.1)
    server = one_of(told, tmp_path, source_s=0.04)
    began = asyncio.get_running_loop().time()
    assert await server.known() == UNKNOWN
    assert asyncio.get_running_loop().time() - began < 0.09
    await asyncio.sleep(0.3)
    assert set((await server.known()).parameters) == {"Flag"}
    assert told.times == 1


async def test_a_statement_that_never_comes_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(capabilities, "_MOST_S", 0.01)
    server = one_of(Told(FLAG, delay_s=60), tmp_path)
    assert await server.known() == UNKNOWN


async def test_a_cancelled_question_leaves_it_to_the_next(tmp_path):
    told = Told(FLAG, delay_s=0.02)
    server = one_of(told, tmp_path)
    asking = asyncio.create_task(server.known())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert set((await server.known()).parameters) == {"Flag"}
    assert told.times == 1


async def test_closing_stops_it_and_is_safe_at_any_time(tmp_path):
    server = one_of(Told(FLAG, delay_s=60), tmp_path, source_s=0.01)
    await server.aclose()
    await server.known()
    before = len(asyncio.all_tasks())
    await server.aclose()
    assert len(asyncio.all_tasks()) == before - 1
    await server.aclose()


PATIENT = "http://hl7.org/fhir/OperationDefinition/Patient-everything"


def telling(definition, version="4.0.1", **rest):
    operation = [None, {"name": "everything", "definition": definition}]
    told = statement(listed("Patient", "identifier", operation=operation), **rest)
    return read(told | {"fhirVersion": version})


@pytest.mark.parametrize("definition", [PATIENT, f"{PATIENT}|4.0.1"])
def test_everything_is_offered_by_the_published_definition(definition):
    assert telling(definition).everything
    of_all = statement(listed("Flag"), operation=[{"definition": definition}])
    assert read(of_all | {"fhirVersion": "4.0.1"}).everything


@pytest.mark.parametrize(
    ("definition", "version"),
    [
        (None, "4.0.1"),
        ("http://hl7.org/fhir/OperationDefinition/Encounter-everything", "4.0.1"),
        ("http://127.0.0.1/fhir/OperationDefinition/Patient-everything", "4.0.1"),
        (PATIENT, "3.0.2"),
        (PATIENT, None),
    ],
)
def test_everything_of_another_definition_may_have_no_choice_of_types(
    definition, version
):
    assert not telling(definition, version).everything


def test_everything_of_another_type_is_none_of_a_patient():
    told = statement(listed("Flag", operation=[{"definition": PATIENT}]))
    assert not read(told | {"fhirVersion": "4.0.1"}).everything


@pytest.mark.parametrize(
    ("words", "may"),
    [
        (["MedicationRequest:medication"], True),
        (["*"], True),
        (["MedicationRequest:*"], True),
        (["MedicationRequest:patient", None], False),
        ([], True),
        (None, True),
    ],
)
def test_what_may_come_along_is_read(words, may):
    known = read(statement(listed("MedicationRequest", "patient", searchInclude=words)))
    assert known.may_include("MedicationRequest", "MedicationRequest:medication") is may
    assert known.may_include("Flag", "Flag:author")


def test_the_software_and_the_version_of_fhir_are_read():
    told = statement(listed("Flag")) | {
        "fhirVersion": "4.0.1",
        "software": {"name": "Ward", "version": "2.1"},
    }
    assert (read(told).software, read(told).fhir_version) == ("Ward 2.1", "4.0.1")
    assert read(told | {"software": {"name": "Ward"}}).software == "Ward"
    assert read(told | {"software": {}}).software is None


class Signed:
    """How a server signs its replies at the moment."""

    def __init__(self):
        self.words = "Ward 1"

    def __call__(self):
        return self.words


async def test_it_is_read_again_when_replies_are_signed_by_another(tmp_path):
    """Catches a server renewed overnight that is still asked as the old one was."""
    clock, signed, told = Clock(), Signed(), Told(FLAG, ENCOUNTER)
    server = one_of(told, tmp_path, clock, signed=signed)
    await server.known()
    clock.now += timedelta(minutes=10)
    assert set((await server.known()).parameters) == {"Flag"}
    signed.words = "Ward 2"
    assert set((await server.known()).parameters) == {"Encounter"}
    clock.now += timedelta(minutes=10)
    await server.known()
    assert told.times == 2


async def test_two_that_take_turns_are_not_read_at_every_turn(tmp_path):
    clock, signed, told = Clock(), Signed(), Told(FLAG)
    server = one_of(told, tmp_path, clock, signed=signed)
    for turn in range(12):
        signed.words = f"Ward {turn % 2}"
        await server.known()
        clock.now += timedelta(minutes=1)
    assert told.times <= 3
