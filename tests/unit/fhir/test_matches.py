"""Whom a FHIR server holds of a day of birth: asked by POST, for one page."""

import pytest

from adapters.contract import Identifier, Identifiers, Person, Query
from adapters.errors import Unreadable
from adapters.fhir.person import question_by_birth
from adapters.vocabulary import CATEGORIES
from tests import registers
from tests.people import LOCAL
from tests.stub_fhir import Misbehaviour

BORN = registers.moment("1956-03-14")


def someone(key, name="Ann Marham", born=BORN):
    return Person(
        identifiers=frozenset({Identifier(LOCAL, key)}), name=name, birth_date=born
    )


ANN = someone("K-1")


def everything(person):
    return Query(
        person=Identifiers(others=person.identifiers),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=100,
    )


PEOPLE = (ANN, someone("K-2", "Beth Marham"), someone("K-3", "Ann Quill"))


def opened(folder, *people, **changed):
    return registers.open_fhir(folder, people or PEOPLE, LOCAL, **changed)


async def test_it_asks_by_post_for_the_day_and_the_surname(tmp_path):
    async with opened(tmp_path) as (adapter, server):
        found = await adapter.match(ANN, limit=5)
        (asked,) = server.asked
    assert asked.method == "POST"
    assert dict(asked.parameters) == {
        "birthdate": "1956-03-14",
        "family": "Marham",
        "_count": "6",
    }
    assert [each.person.name for each in found] == ["Ann Marham", "Beth Marham"]
    assert found[0].flags == ()


async def test_a_server_that_takes_no_post_is_told_nothing(tmp_path):
    wrong = Misbehaviour(refuses_post=405)
    async with opened(tmp_path, wrong=wrong) as (adapter, server):
        with pytest.raises(Unreadable):
            await adapter.match(ANN, limit=5)
        assert {each.method for each in server.asked} == {"POST"}


async def test_after_searches_by_get_it_still_asks_by_post(tmp_path):
    wrong = Misbehaviour(refuses_post=405)
    async with opened(tmp_path, wrong=wrong) as (adapter, server):
        await adapter.ask(everything(ANN))
        assert server.asked[-1].method == "GET"
        with pytest.raises(Unreadable):
            await adapter.match(ANN, limit=5)
        assert server.asked[-1].method == "POST"


async def test_a_server_that_ignores_the_filter_is_filtered_here(tmp_path):
    other = someone("K-9", born=registers.moment("1990-01-02"))
    wrong = Misbehaviour(ignores=frozenset({"birthdate"}))
    async with opened(tmp_path, ANN, other, wrong=wrong) as (adapter, _):
        (only,) = await adapter.match(ANN, limit=5)
    assert only.person.identifiers == ANN.identifiers


async def test_no_link_is_followed(tmp_path):
    people = [someone(f"K-{nth}") for nth in range(9)]
    async with opened(tmp_path, *people) as (adapter, server):
        assert len(await adapter.match(ANN, limit=4)) == 5
        assert len(server.asked) == 1


async def test_a_page_that_is_not_all_and_tells_too_few_is_no_answer(tmp_path):
    young = [
        someone(f"K-{nth}", born=registers.moment("1990-01-02")) for nth in range(9)
    ]
    wrong = Misbehaviour(ignores=frozenset({"birthdate"}))
    async with opened(tmp_path, *young, ANN, wrong=wrong) as (adapter, _):
        with pytest.raises(Unreadable) as caught:
            await adapter.match(ANN, limit=4)
    assert caught.value.reason == "too_large"


async def test_one_record_that_comes_twice_is_one(tmp_path):
    twice = registers.patients([ANN])[0]
    wrong = Misbehaviour(extra_entries=[twice], total=1)
    async with opened(tmp_path, ANN, wrong=wrong) as (adapter, _):
        assert len(await adapter.match(ANN, limit=4)) == 1


async def test_a_restricted_patient_is_told_with_that_flag(tmp_path):
    async with opened(tmp_path, ANN) as (adapter, server):
        server.resources[0]["meta"] = {"security": [{"code": "R"}]}
        (only,) = await adapter.match(ANN, limit=4)
    assert [(e.flag, e.present) for e in only.flags] == [("sensitive-record", True)]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Ann Marham", "Marham"),
        ("MARHAM, Ann", "MARHAM"),
        ("Ann van der Berg", "Berg"),
        ("Ann O'Marham", "O'Marham"),
        ("Ann Mar|ham", "Mar\\|ham"),
        ("Marham", None),
        (", Ann", None),
        (None, None),
    ],
)
def test_a_name_is_searched_by_its_surname(name, family):
    parameters = dict(question_by_birth(someone("K-1", name), 5))
    assert parameters.get("family") == family
    assert bool(parameters) is (family is not None)


def test_without_a_day_nobody_is_asked_for():
    assert question_by_birth(someone("K-1", born=None), 5) == ()
    year = registers.moment("1956")
    assert question_by_birth(someone("K-1", born=year), 5) == ()


async def test_with_somebody_who_cannot_be_read_nobody_is_known_to_be_the_only_one(
    tmp_path,
):
    unreadable = {"resourceType": "Patient", "id": "p-9", "birthDate": ["1956"]}
    wrong = Misbehaviour(extra_entries=[unreadable])
    async with opened(tmp_path, ANN, wrong=wrong) as (adapter, _):
        with pytest.raises(Unreadable) as caught:
            await adapter.match(ANN, limit=4)
    assert caught.value.reason == "unreadable"
