"""What a profile shows to be mended is said with place and remedy, never a cell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.checking.of_rows import QUESTIONS, judge
from gateway.checking.profile import ColumnProfile, DataProfile
from tests.checks import found, is_told_whole, registered_in, results

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
START = ColumnProfile(
    key="start", column="Came on", filled=1000, absent=0, distinct=300
)
NUMBER = ColumnProfile(
    key="identifiers", column="NHSNo", filled=1000, absent=0, distinct=200, valid=1000
)


def profile(*columns, rejected=None, arrivals=(), **more):
    return DataProfile(
        rows=1000,
        is_whole=True,
        columns=columns or (START, NUMBER),
        rejected=rejected or {},
        repeated_ids=more.get("repeated_ids", 0),
        arrivals=arrivals,
    )


def judged(tmp_path, told):
    return judge(registered_in(tmp_path), told)


def test_a_whole_profile_has_nothing_to_mend(tmp_path):
    told = results(judged(tmp_path, profile()))
    assert set(told) == set(QUESTIONS)
    assert set(told.values()) == {"ok", "not-asked"}


def test_without_rows_nothing_is_asked(tmp_path):
    told = judged(tmp_path, replace(profile(), rows=0))
    assert set(results(told).values()) == {"not-asked"}


@pytest.mark.parametrize(
    ("question", "told", "says"),
    [
        ("rows-read", profile(rejected={"not_a_time": 20}), "not_a_time 20"),
        ("times-read", profile(replace(START, unreadable=11)), "'Came on' 11"),
        ("codes-translated", profile(replace(START, untranslated=3)), "too rare"),
        (
            "codes-translated",
            profile(replace(START, untranslated=30, words=("Home",))),
            "such as 'Home'",
        ),
        ("ids-unique", profile(repeated_ids=2), "<5 rows repeat"),
        ("numbers-valid", profile(START, replace(NUMBER, invalid=40)), "'NHSNo': 40"),
        ("placeholders", profile(replace(NUMBER, shared=2)), "'NHSNo': 2"),
    ],
)
def test_what_is_to_be_mended_is_a_note(tmp_path, question, told, says):
    finding = found(judged(tmp_path, told), question, "note")
    assert says in finding.says
    assert is_told_whole(finding)


def test_a_start_that_no_row_has_is_wrong(tmp_path):
    finding = found(judged(tmp_path, profile(replace(START, filled=0))), "times-read")
    assert is_told_whole(finding)


def test_a_few_rows_of_many_are_no_note(tmp_path):
    told = judged(tmp_path, profile(rejected={"not_a_time": 3}))
    assert results(told)["rows-read"] == "ok"
    assert any("<5 of 1000" in each.says for each in told)


@pytest.mark.parametrize(
    ("hours", "result"), [(0.5, "ok"), (24, "note"), (24 * 7, "note")]
)
def test_drops_are_held_against_the_promise(tmp_path, hours, result):
    arrivals = tuple(FIRST + timedelta(hours=hours * n) for n in range(4))
    told = judged(tmp_path, profile(arrivals=arrivals))  # fresh_s is an hour
    assert results(told)["cadence"] == result
    finding = next(each for each in told if each.question == "cadence")
    assert ("days" if hours > 48 else " h") in finding.says


def test_two_drops_show_no_cadence(tmp_path):
    told = judged(tmp_path, profile(arrivals=(FIRST, FIRST)))
    assert results(told)["cadence"] == "not-asked"


def test_of_a_part_it_is_said_that_it_is_one(tmp_path):
    told = judged(tmp_path, replace(profile(), is_whole=False))
    assert any("1000 rows looked at" in each.says for each in told)
