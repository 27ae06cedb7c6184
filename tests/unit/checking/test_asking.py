"""One question to one adapter: an answer, or what was wrong instead."""

import pytest

from adapters.contract import Identifiers
from adapters.errors import ConfigurationError, Refused, Unavailable, Unreadable
from gateway.checking.asking import Bounds, Told
from gateway.checking.remedies import remedy_of
from gateway.checking.report import Finding
from tests.checks import NUMBER, asker_of, fake, is_told_whole, nobody
from tests.fakes import FakeAdapter
from tests.houses import profile

PERSON = Identifiers(nhs_number=NUMBER)


def raising(error):
    def raises(_query):
        raise error

    return fake(raises)


async def put(adapter, **narrowed):
    return await asker_of(adapter).put("reached", PERSON, **narrowed)


async def test_an_answer_is_told_with_its_question():
    adapter = fake()
    told = await put(adapter, limit=7)
    assert isinstance(told, Told)
    assert (told.query, told.query.limit) == (adapter.asked[0], 7)
    assert NUMBER not in repr(told)


@pytest.mark.parametrize(
    ("error", "says", "remedy"),
    [
        (Unavailable("connect", "no way there"), "connect: no way", "runs"),
        (Unavailable("moon", "it is full"), "moon: it is full", "Ask again"),
        (Refused("refused", "no"), "refused: no", "let in"),
        (Refused("moon", "no"), "moon: no", "let in"),
        (Unreadable("schema", "no column x"), "schema: no column x", "mapping"),
        (Unreadable("moon", "not cheese"), "moon: not cheese", "contact"),
        (ConfigurationError("is empty", file="a.toml"), "a.toml: is empty", "Correct"),
    ],
)
async def test_a_failure_says_why_and_what_to_do(error, says, remedy):
    failed = await put(raising(error))
    assert isinstance(failed, Finding)
    assert failed.result == "wrong"
    assert says in failed.says
    assert remedy in str(failed.remedy)
    assert failed.where == "sources/gp.toml"


async def test_a_message_with_a_number_in_it_is_not_shown():
    spaced = f"{NUMBER[:3]} {NUMBER[3:6]} {NUMBER[6:]}"
    for written in (NUMBER, spaced):
        failed = await put(raising(Unavailable("busy", f"no row for {written}")))
        assert written not in failed.says
        assert "holds an NHS number" in failed.says


async def test_digits_that_are_no_number_are_shown():
    failed = await put(raising(Unavailable("busy", "line 1234567890")))
    assert "1234567890" in failed.says


async def test_a_defect_is_told_by_its_type_alone():
    failed = await put(raising(KeyError(NUMBER)))
    assert "KeyError" in failed.says
    assert NUMBER not in repr(failed)
    assert is_told_whole(failed)


async def test_what_is_no_answer_is_a_defect():
    failed = await put(fake(lambda _: None))
    assert "NoneType" in failed.says


async def test_an_adapter_that_is_not_asynchronous_is_a_defect():
    class Plain(FakeAdapter):
        def ask(self, query):
            return self._answers(query)

    failed = await put(Plain(nobody, profile=profile()))
    assert "TypeError" in failed.says


async def test_the_first_answer_may_take_longer_than_the_next():
    asker = asker_of(fake(waits_s=0.1), Bounds(each_s=0.01, first_s=5))
    first = await asker.put("reached", PERSON)
    second = await asker.put("window", PERSON)
    assert isinstance(first, Told)
    assert isinstance(second, Finding)
    assert second.says == "no answer within 0.01 s"
    assert is_told_whole(second)
    assert asker.first_ms is not None
    assert asker.first_ms >= 100
    assert asker.p50_ms is None


async def test_a_source_that_hangs_is_given_up():
    adapter = fake(waits_s=60)
    failed = await asker_of(adapter, Bounds(each_s=0.01, first_s=0.02)).put("x", PERSON)
    assert isinstance(failed, Finding)
    assert failed.says == "no answer within 0.02 s"
    assert adapter.cancelled == 1


async def test_rows_are_told_only_by_those_who_tell():
    class Broken(FakeAdapter):
        async def rejected(self):
            return None

    assert await asker_of(fake()).rejected() is None
    failed = await asker_of(Broken(nobody, profile=profile())).rejected()
    assert isinstance(failed, Finding)
    assert "NoneType" in failed.says


async def test_an_adapter_that_does_not_bear_closing_twice_is_told():
    class Once(FakeAdapter):
        closed = False

        async def aclose(self):
            if self.closed:
                raise RuntimeError("closed")
            self.closed = True

    assert (await asker_of(fake()).close()).result == "ok"
    failed = await asker_of(Once(nobody, profile=profile())).close()
    assert (failed.result, failed.question) == ("wrong", "closing")
    assert "RuntimeError" in failed.says


def test_every_reason_of_the_adapters_has_a_next_step():
    for error in (Unavailable, Refused, Unreadable):
        assert remedy_of(error("never heard of", "x")).endswith(".")
