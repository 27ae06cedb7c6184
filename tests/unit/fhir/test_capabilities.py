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


def one_of(told, folder, clock=None, source_s=4.0):
    around = surroundings(AiohttpTransport(), folder, limits=Limits(source_s=source_s))
    values = {name: getattr(around, name) for name in around.__slots__}
    return Statement(told, type(around)(**{**values, "now": clock or Clock()}))


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
