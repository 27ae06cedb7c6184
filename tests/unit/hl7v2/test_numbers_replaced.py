"""NHS numbers that messages replace, and put back: stated, and of whom."""

import pytest

from adapters import nhs_number
from adapters.contract import Identifiers
from tests.hl7 import adt, feed, message, names, pid, segment, stay
from tests.people import number

BEFORE, AFTER = number(5), number(0)
SEEN = adt(
    "A04", pid("K1", 5), visit=stay("20240301", number="V1", kind="E"), at="20240301"
)


def replaced(trigger="A47", prior="K1", into="K1", *, at="20240310", old=5, new=0):
    mrg = segment("MRG", {1: names(prior, old)})
    return adt(trigger, pid(into, new), mrg, at=at)


async def traced(folder, *messages, asked=AFTER):
    async with feed(folder, *messages) as adapter:
        found = await adapter.trace(Identifiers(nhs_number=asked))
    return [
        (each.from_.value, each.to.value, each.how)
        for each in found
        if each.from_.system == nhs_number.SYSTEM
    ]


def stated(found):
    """What ties or parts the two, always told of the one as the earlier."""
    ways = [each for each in found if each[2] != "renumbered"]
    assert {each[:2] for each in ways} == {(BEFORE, AFTER)}
    return [how for _, _, how in ways]


@pytest.mark.parametrize("trigger", ["A46", "A47"])
@pytest.mark.parametrize("asked", [BEFORE, AFTER])
async def test_a_change_of_number_is_stated_to_whoever_asks_by_either(
    tmp_path, trigger, asked
):
    found = await traced(tmp_path, SEEN, replaced(trigger), asked=asked)
    assert found == [(BEFORE, AFTER, "superseded")]


@pytest.mark.parametrize("trigger", ["A18", "A30", "A34", "A36", "A39", "A40", "A43"])
async def test_a_merge_of_two_numbers_is_no_word_that_they_are_one(tmp_path, trigger):
    """The source itself keeps two such people apart."""
    found = await traced(tmp_path, SEEN, replaced(trigger, prior="K0"))
    assert found == [(BEFORE, AFTER, "renumbered")]


async def test_a_change_of_everything_at_once_is_no_word_either(tmp_path):
    found = await traced(tmp_path, SEEN, replaced(prior="K0"))
    assert {how for _, _, how in found} == {"renumbered"}


async def test_the_number_put_back_undoes_its_replacing(tmp_path):
    back = replaced(at="20240312", old=0, new=5)
    found = await traced(tmp_path, SEEN, replaced(), back)
    assert stated(found) == ["superseded", "unmerged"]


@pytest.mark.parametrize("old", [5, 0])
async def test_an_unlinking_undoes_it_too(tmp_path, old):
    new = 5 - old
    apart = message(
        "ADT^A37",
        segment("EVN", {2: "20240315"}),
        pid("K1", new),
        pid("K2", old),
        at="20240315",
    )
    found = await traced(tmp_path, SEEN, replaced(), apart)
    assert stated(found) == ["superseded", "unmerged"]


async def test_an_unlinking_of_what_was_never_replaced_states_nothing(tmp_path):
    apart = message(
        "ADT^A37",
        segment("EVN", {2: "20240315"}),
        pid("K1", 5),
        pid("K2", 0),
        at="20240315",
    )
    assert await traced(tmp_path, SEEN, apart, asked=BEFORE) == []
