"""What a source shows when it is asked about people who do not exist."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapters import nhs_number
from adapters.contract import Caveat, Identifiers
from gateway.checking import of_nobody
from gateway.checking.report import Finding
from tests.checks import asker_of, checked_in, fake, found, is_told_whole, results
from tests.houses import ANN, NOW, answer, event
from tests.people import LOCAL

NHS = frozenset({nhs_number.SYSTEM})


def saying(**changes):
    return lambda _query: replace(answer(about=None), **changes)


def with_caveats(*codes):
    return saying(caveats=tuple(Caveat(code) for code in codes))


async def judged(folder, adapter, **registration):
    checked = checked_in(folder, adapter, **registration)
    told = await of_nobody.find_nobody(checked, asker_of(adapter))
    assert not isinstance(told, Finding), told
    return of_nobody.judge(checked, told[0])


async def narrowed(folder, adapter):
    checked, (person, *_) = checked_in(folder, adapter), of_nobody.strangers(NHS)
    return await of_nobody.narrowed(checked, asker_of(adapter), person, now=NOW)


def test_strangers_have_numbers_that_are_never_issued():
    numbers = {each.nhs_number for each in of_nobody.strangers(NHS | {LOCAL})}
    assert numbers == {nhs_number.normalise(each) for each in of_nobody.STRANGERS}
    assert len(numbers) == 3
    assert all(str(each).startswith("999") for each in numbers)


def test_without_nhs_numbers_strangers_are_asked_by_what_is_known():
    strangers = of_nobody.strangers(frozenset({LOCAL}))
    assert len({each.others for each in strangers}) == 3
    assert {i.system for each in strangers for i in each.others} == {LOCAL}


async def test_a_sound_source_has_nothing_to_mend(tmp_path):
    assert set(results(await judged(tmp_path, fake())).values()) == {"ok"}


async def test_another_stranger_is_tried_if_test_data_holds_one(tmp_path):
    first = Identifiers(nhs_number=of_nobody.STRANGERS[0])

    def answers(query):
        return answer(about=first if query.person == first else None)

    adapter = fake(answers)
    assert results(await judged(tmp_path, adapter))["unknown-person"] == "ok"
    assert len(adapter.asked) == 2


async def test_a_source_that_echoes_whoever_is_asked_knows_everybody(tmp_path):
    adapter = fake(lambda query: answer(about=query.person))
    echo = await of_nobody.find_nobody(checked_in(tmp_path, adapter), asker_of(adapter))
    assert isinstance(echo, Finding)
    assert echo.question == "unknown-person"
    assert "three people who do not exist" in echo.says


@pytest.mark.parametrize(
    "said", [answer(about=ANN), answer(event("r-1"), about=None)], ids=["header", "row"]
)
async def test_telling_of_somebody_else_is_wrong(tmp_path, said):
    wrong = found(await judged(tmp_path, fake(lambda _: said)), "unknown-person")
    assert "somebody else" in wrong.says
    assert is_told_whole(wrong)


async def test_a_source_without_nhs_numbers_is_noted(tmp_path):
    findings = await judged(tmp_path, fake(systems=[LOCAL]))
    assert is_told_whole(found(findings, "identifiers", "note"))


async def test_a_source_without_identifiers_is_wrong(tmp_path):
    adapter = fake()
    adapter.profile = replace(adapter.profile, identifier_systems=frozenset())
    assert is_told_whole(found(await judged(tmp_path, adapter), "identifiers"))


@pytest.mark.parametrize(
    ("profile", "said", "says"),
    [
        (["encounters", "moons"], ["encounters"], "1 of its categories"),
        ([], [], "holds no category"),
        (["encounters"], ["encounters", "problems"], "asked for: problems"),
    ],
)
async def test_categories_that_cannot_be_so_are_wrong(tmp_path, profile, said, says):
    adapter = fake(saying(held=frozenset(said)), held=profile)
    wrong = found(await judged(tmp_path, adapter), "held")
    assert says in wrong.says
    assert is_told_whole(wrong)


async def test_a_category_it_cannot_tell_of_now_is_noted(tmp_path):
    adapter = fake(held=["encounters", "problems"])
    said = found(await judged(tmp_path, adapter), "held", "note")
    assert said.says == "cannot tell now of problems"


async def test_an_as_of_without_a_zone_is_wrong(tmp_path):
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - the fault that is looked for
    findings = await judged(tmp_path, fake(saying(as_of=naive)))
    assert found(findings, "as-of").says == "has no time zone"
    assert "fresh" not in results(findings)


async def test_an_as_of_in_the_future_is_wrong(tmp_path):
    ahead = NOW + timedelta(seconds=1)
    wrong = found(await judged(tmp_path, fake(saying(as_of=ahead))), "as-of")
    assert wrong.says == "lies in the future: 2026-03-01T12:00:01+00:00"
    assert "clock" in wrong.remedy


@pytest.mark.parametrize(("age_s", "result"), [(60, "ok"), (61, "wrong")])
async def test_freshness_is_what_was_promised(tmp_path, age_s, result):
    adapter = fake(saying(as_of=NOW - timedelta(seconds=age_s)))
    findings = await judged(tmp_path, adapter, fresh_s=60)
    late = found(findings, "fresh", result)
    if result == "wrong":
        assert late.says == "is 61 s old; fresh_s promises 60 s"
        assert "throughline.toml, line" in late.where


async def test_an_unknown_caveat_is_wrong_and_not_repeated(tmp_path):
    wrong = found(await judged(tmp_path, fake(with_caveats("moonlit"))), "closed-lists")
    assert "moonlit" not in repr(wrong)
    assert is_told_whole(wrong)


@pytest.mark.parametrize("code", ["stale_intake", "drop_missing", "arrival_failed"])
async def test_a_drop_out_of_order_is_wrong(tmp_path, code):
    wrong = found(await judged(tmp_path, fake(with_caveats(code))), "caveats")
    assert wrong.says.startswith(code)
    assert is_told_whole(wrong)


@pytest.mark.parametrize("code", ["search_by_get", "rows_rejected"])
async def test_what_every_answer_would_say_is_noted(tmp_path, code):
    said = found(await judged(tmp_path, fake(with_caveats(code))), "caveats", "note")
    assert said.says.startswith(code)
    assert is_told_whole(said)


async def test_windows_categories_and_limits_are_taken(tmp_path):
    adapter = fake()
    assert results(await narrowed(tmp_path, adapter)) == {
        "window": "ok",
        "no-category": "ok",
        "limit": "ok",
    }
    assert adapter.asked[0].since == adapter.asked[0].until == NOW.date()
    assert adapter.asked[3].categories == frozenset()
    assert adapter.asked[4].limit == 1


@pytest.mark.parametrize(
    ("answers", "question"),
    [
        (lambda q: q.since is not None, "window"),
        (lambda q: not q.categories, "no-category"),
        (lambda q: q.limit == 1, "limit"),
    ],
)
async def test_what_is_told_outside_the_question_is_wrong(tmp_path, answers, question):
    told = answer(event("r-1"), event("r-2"))
    adapter = fake(lambda q: told if answers(q) else answer(about=None))
    findings = await narrowed(tmp_path, adapter)
    assert is_told_whole(found(findings, question))
    assert set(results(findings).values()) == {"ok", "wrong"}


async def test_a_question_that_fails_does_not_spoil_the_others(tmp_path):
    def answers(query):
        if not query.categories:
            raise ValueError
        return answer(about=None)

    assert results(await narrowed(tmp_path, fake(answers))) == {
        "window": "ok",
        "no-category": "wrong",
        "limit": "ok",
    }
