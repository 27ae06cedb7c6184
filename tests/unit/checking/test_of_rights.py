"""A source that tells what it lets us do is asked for it; no other has a finding."""

import asyncio

import pytest

from adapters.contract import Rights
from adapters.errors import Unavailable
from gateway.checking import of_rights
from tests.checks import TEXT, checked_in, fake
from tests.fakes import FakeAdapter


class Telling(FakeAdapter):
    """An adapter that tells its rights, or fails to."""

    told: Rights | Exception | None = None

    async def rights(self) -> Rights:
        if self.told is None:
            await asyncio.sleep(60)
        if isinstance(self.told, Exception):
            raise self.told
        assert self.told is not None
        return self.told


def telling(told):
    plain = fake()
    adapter = Telling(plain._answers, profile=plain.profile)
    adapter.told = told
    return adapter


async def test_a_source_that_cannot_tell_has_no_finding(tmp_path):
    assert await of_rights.rights(checked_in(tmp_path, fake())) == []


@pytest.mark.parametrize(
    ("told", "result", "says"),
    [
        (Rights(may_write=False, is_read_only=True), "ok", "nothing more"),
        (Rights(may_write=True, is_read_only=True), "note", "might write"),
        (Rights(may_write=True, is_read_only=False), "wrong", "does not hold"),
        (Unavailable("cut", "the database closed"), "note", "cut: the database"),
    ],
)
async def test_what_is_granted_is_a_finding(tmp_path, told, result, says):
    (found,) = await of_rights.rights(checked_in(tmp_path, telling(told)))
    assert (found.question, found.result) == ("reads-only", result)
    assert says in found.says
    assert (found.remedy is None) == (result == "ok")


async def test_a_source_that_hangs_is_not_waited_for(tmp_path):
    text = TEXT.replace("source_s = 2", "connect_s = 0.05\nsource_s = 0.1")
    checked = checked_in(tmp_path, telling(None), text=text)
    (found,) = await of_rights.rights(checked)
    assert (found.result, found.says) == ("note", "took too long")
