"""Where a drop stands is what its sender says, whatever the names sort like."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from adapters.csv_drop.rules import Drops
from adapters.csv_drop.standing import (
    Placed,
    Standing,
    counting,
    natural,
    told_by_manifest,
    told_by_name,
)

DATED = "(?P<day>..)(?P<month>..)(?P<year>....)"
MONTHLY = "(?P<period>..)-(?P<year>....)-(?P<month>..)"
TIMED = "a_(?P<period>.)(_t(?P<created>.))?"
RULES = Drops(name="(?P<period>.*)")


def placed(name: str, period: str = "", sequence: int | None = None, **also) -> Placed:
    return Placed(
        name=name, standing=Standing(period=period, sequence=sequence), **also
    )


def names(*each: Placed, rules: Drops = RULES, only_newest: bool = False):
    return counting(each, rules, only_newest=only_newest).names


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("v2", "v10"),
        ("2024-9-30", "2024-10-01"),
        ("2023Q4", "2024Q1"),
        ("", "1"),
        ("a", "b"),
        ("1a", "1b"),
        ("99", "100x"),
    ],
)
def test_texts_are_ordered_as_people_order_them(earlier, later):
    assert natural(earlier) < natural(later)


@pytest.mark.parametrize(
    ("name", "pattern", "standing"),
    [
        ("a_7.csv", r"a_(?P<sequence>\d+)\.csv", Standing(sequence=7)),
        ("a_007.csv", r"a_(?P<sequence>\d+)\.csv", Standing(sequence=7)),
        ("a_x.csv", r"a_(?P<sequence>\d+)\.csv", None),
        ("a_x.csv", r"a_(?P<sequence>.)\.csv", None),
        ("a_\u0663.csv", r"a_(?P<sequence>\d+)\.csv", None),
        ("xa_7.csv", r"a_(?P<sequence>\d+)\.csv", None),
        ("a_.csv", r"a_(?P<period>\d*)\.csv", None),
        ("31122024", DATED, Standing(period="2024-12-31")),
        ("GP-2024-12", MONTHLY, Standing(period="GP/2024-12")),
        ("a_1_t9", TIMED, Standing(period="1", created="9")),
        ("a_1", TIMED, Standing(period="1")),
    ],
)
def test_a_name_says_what_its_groups_say(name, pattern, standing):
    assert told_by_name(name, pattern) == standing


def test_a_manifest_says_when_it_was_made_in_one_zone():
    at = datetime(2024, 7, 1, 12, tzinfo=UTC)
    summer = at.astimezone(timezone(timedelta(hours=1)))
    assert told_by_manifest(None, None, at) == told_by_manifest(None, None, summer)
    assert told_by_manifest("p", 1, None) == Standing(period="p", sequence=1)
    assert told_by_manifest(None, None, None) is None


def test_period_comes_before_number_and_number_before_name():
    found = names(
        placed("c", "2", 1), placed("b", "1", 9), placed("a", "1", 10), placed("d", "1")
    )
    assert found == ("d", "b", "a", "c")


def test_names_that_people_order_alike_still_have_one_order():
    one, other = placed("a01", "1"), placed("a1", "1")
    assert names(one, other) == names(other, one)


def test_several_parts_of_one_number_all_count():
    rules = Drops(name="(?P<period>.*)", corrects="period")
    found = names(
        placed("part-1", "1", 2),
        placed("part-2", "1", 2),
        placed("old", "1", 1),
        rules=rules,
    )
    assert found == ("part-1", "part-2")


def test_of_files_that_are_only_promised_none_counts():
    count = counting([placed("a", is_there=False)], RULES, only_newest=True)
    assert (count.names, count.missing) == ((), 1)
