"""Drops that come late, twice, corrected, out of order, in part, or not at all."""

import json

import pytest

from adapters.errors import Unavailable, Unreadable
from tests.drop_series import (
    ACTION,
    BY_NAME,
    COLUMNS,
    QUERY,
    Row,
    Sent,
    Series,
    as_csv,
    codes,
    notes,
)
from tests.drops import manifest

pytestmark = pytest.mark.fault

JANUARY, FEBRUARY = "2024-01", "2024-02"
BY_MANIFEST = 'order = "manifest"'
MANIFESTS = 'manifest = "*.manifest.json"'


def sent(period: str, sequence: int, *rows: tuple[str, ...]) -> Sent:
    return Sent(period, sequence, tuple(Row(*row) for row in rows))


def arrive(series: Series, *each: Sent) -> None:
    for one in each:
        series.arrives(one.name, one.data)


def promise(series: Series, name: str, data: bytes, rows: int, **also: object) -> None:
    told = json.loads(manifest(name, data, rows)) | also
    series.arrives(f"{name}.manifest.json", json.dumps(told).encode())


async def test_a_drop_that_comes_again_byte_for_byte_overrides_nothing(tmp_path):
    series = Series(tmp_path, "")
    first = as_csv(COLUMNS, [Row("a", "first").cells])
    series.arrives("1.csv", first)
    series.arrives("2.csv", as_csv(COLUMNS, [Row("a", "corrected").cells]))
    series.arrives("1-again.csv", first)
    answer = await series.ask()
    assert notes(answer) == {"a": "corrected"}
    assert answer.caveats == ()


@pytest.mark.parametrize("rules", [("", 'newest = "name"'), (BY_NAME, "")])
async def test_what_is_said_again_under_a_name_of_its_own_is_said_again(
    tmp_path, rules
):
    series = Series(tmp_path, rules[0], top=rules[1])
    for number, note in ((3, "first"), (2, "corrected"), (1, "first")):
        arrive(series, sent(JANUARY, number, ("a", note)))
    assert notes(await series.ask()) == {"a": "first"}


async def test_a_late_drop_of_an_older_period_overrides_nothing_newer(tmp_path):
    series = Series(tmp_path, BY_NAME)
    adapter = series.open()
    arrive(series, sent(FEBRUARY, 1, ("a", "february"), ("b", "february")))
    assert notes(await adapter.ask(QUERY)) == {"a": "february", "b": "february"}
    arrive(series, sent(JANUARY, 1, ("a", "january"), ("c", "january")))
    answer = await adapter.ask(QUERY)
    assert notes(answer) == {"a": "february", "b": "february", "c": "january"}
    assert answer.caveats == ()
    await adapter.aclose()


async def test_how_fresh_it_is_goes_by_the_newest_period_not_by_what_came_last(
    tmp_path,
):
    series = Series(tmp_path, BY_NAME)
    arrive(series, sent(FEBRUARY, 1, ("a", "february")))
    fresh = (await series.ask()).as_of
    arrive(series, sent(JANUARY, 1, ("a", "january")))
    assert (await series.ask()).as_of == fresh


async def test_a_correction_of_which_nothing_can_be_read_leaves_what_was_said(tmp_path):
    series = Series(tmp_path, f'{BY_NAME}\ncorrects = "period"')
    adapter = series.open()
    arrive(series, sent(JANUARY, 1, ("a", "first")), sent(FEBRUARY, 1, ("b", "x")))
    await adapter.ask(QUERY)
    bad = as_csv(COLUMNS, [("a", "Ann", "31 Jan", "corrected", "N")])
    series.arrives(f"d_{JANUARY}_2.csv", bad)
    answer = await adapter.ask(QUERY)
    assert notes(answer) == {"a": "first", "b": "x"}
    assert codes(answer) == {"stale_intake": 1}
    series.arrives(f"d_{JANUARY}_2.csv", as_csv(COLUMNS, []))
    answer = await adapter.ask(QUERY)
    assert (notes(answer), answer.caveats) == ({"b": "x"}, ())
    await adapter.aclose()


@pytest.mark.parametrize(
    ("corrects", "told"),
    [
        ("rows", {"a": "corrected", "b": "first", "c": "february"}),
        ("period", {"a": "corrected", "c": "february"}),
    ],
)
async def test_a_corrected_drop_speaks_for_its_rows_or_for_its_period(
    tmp_path, corrects, told
):
    series = Series(tmp_path, f'{BY_NAME}\ncorrects = "{corrects}"')
    arrive(
        series,
        sent(JANUARY, 10, ("a", "corrected")),
        sent(FEBRUARY, 9, ("c", "february")),
        sent(JANUARY, 9, ("a", "first"), ("b", "first")),
    )
    answer = await series.ask()
    assert notes(answer) == told
    assert answer.caveats == ()


async def test_of_two_files_of_one_period_the_one_made_later_corrects(tmp_path):
    name = (
        r"name = 'd_(?P<day>..)-(?P<month>..)-(?P<year>....)_at_(?P<created>.*)\.csv'"
    )
    series = Series(tmp_path, f'{name}\ncorrects = "period"')
    for when, note in (("0930", "later"), ("0815", "earlier")):
        data = as_csv(COLUMNS, [Row("a", note).cells])
        series.arrives(f"d_31-01-2024_at_{when}.csv", data)
    data = as_csv(COLUMNS, [Row("b", "of another year").cells])
    series.arrives("d_31-12-2023_at_2300.csv", data)
    assert notes(await series.ask()) == {"a": "later", "b": "of another year"}


async def test_a_record_taken_back_is_told_no_more_until_it_is_stated_again(tmp_path):
    series = Series(tmp_path, f"{BY_NAME}\n{ACTION}")
    adapter = series.open()
    arrive(series, sent(JANUARY, 1, ("a", "first"), ("b", "first")))
    assert notes(await adapter.ask(QUERY)) == {"a": "first", "b": "first"}
    arrive(series, sent(JANUARY, 2, ("a", "", "d ")))
    answer = await adapter.ask(QUERY)
    assert (notes(answer), answer.caveats) == ({"b": "first"}, ())
    arrive(series, sent(FEBRUARY, 1, ("a", "again", "U")))
    assert notes(await adapter.ask(QUERY)) == {"a": "again", "b": "first"}
    await adapter.aclose()


async def test_a_row_that_takes_back_needs_no_more_than_the_record_it_names(tmp_path):
    series = Series(tmp_path, f"{BY_NAME}\n{ACTION}")
    arrive(series, sent(JANUARY, 1, ("a", "first"), ("b", "first")))
    bare = [("a", "", "no date at all", "", "D"), ("", "Ann", "", "", "D")]
    series.arrives(f"d_{FEBRUARY}_1.csv", as_csv(COLUMNS, bare))
    answer = await series.ask()
    assert notes(answer) == {"b": "first"}
    assert codes(answer) == {"rows_rejected": 1}  # what names no record
    listed = (tmp_path / "state" / "quarantine.csv").read_text("utf-8")
    assert f"d_{FEBRUARY}_1.csv,3,id,no_record_id" in listed


async def test_within_a_file_of_actions_the_last_word_on_a_record_counts(tmp_path):
    series = Series(tmp_path, ACTION)
    rows = [
        *(("a", "first"), ("a", "second", "U"), ("b", "first"), ("b", "", "D")),
        *(("c", "", "D"), ("c", "stated after"), ("d", "same"), ("d", "same")),
    ]
    series.arrives("1.csv", sent(JANUARY, 1, *rows).data)
    answer = await series.ask()
    assert notes(answer) == {"a": "second", "c": "stated after", "d": "same"}
    assert "rows_rejected" not in codes(answer)


@pytest.mark.parametrize("word", ["", "X", "delete"])
async def test_an_action_nobody_listed_is_set_aside_not_guessed(tmp_path, word):
    series = Series(tmp_path, ACTION)
    series.arrives("1.csv", sent(JANUARY, 1, ("a", "first"), ("b", "x", word)).data)
    answer = await series.ask()
    assert notes(answer) == {"a": "first"}
    assert codes(answer) == {"rows_rejected": 1}
    listed = (tmp_path / "state" / "quarantine.csv").read_text("utf-8")
    assert "1.csv,3,action,unknown_action" in listed


async def test_a_list_of_deletions_takes_back_what_stood_before_it(tmp_path):
    name = BY_NAME.replace("d_", "(?:d|gone)_")
    series = Series(tmp_path, f'{name}\ndeletions = "gone_*.csv"')
    arrive(
        series,
        sent(JANUARY, 1, ("a", "first"), ("b", "first")),
        sent(FEBRUARY, 2, ("b", "again")),
    )
    gone = as_csv(("why", "id"), [("mistaken", "a"), ("twice", "a"), ("moved", "b")])
    series.arrives(f"gone_{FEBRUARY}_1.csv", gone)
    answer = await series.ask()
    assert (notes(answer), answer.caveats) == ({"b": "again"}, ())


async def test_a_list_of_deletions_without_the_records_id_is_refused(tmp_path):
    series = Series(tmp_path, 'deletions = "gone*"')
    series.arrives("1.csv", sent(JANUARY, 1, ("a", "first")).data)
    series.arrives("gone.txt", as_csv(("record", "why"), [("a", "mistaken")]))
    with pytest.raises(Unreadable) as refused:
        await series.ask()
    assert refused.value.reason == "schema"
    assert "gone.txt" in str(refused.value)
    assert "mistaken" not in str(refused.value)


async def test_only_deletions_and_no_drop_is_a_source_without_records(tmp_path):
    series = Series(tmp_path, 'deletions = "gone*"')
    series.arrives("gone.txt", as_csv(("id",), [("a",)]))
    answer = await series.ask()
    assert (answer.events, answer.person) == ((), None)


@pytest.mark.parametrize(
    ("rules", "numbers", "missing"),
    [
        ("", (1, 2, 3), 0),
        ("", (3, 1), 1),
        ("", (2, 7), 4),
        ("", (2, 3), 0),
        ("first = 1", (2, 3), 1),
        ("first = 0", (0, 1), 0),
        ('corrects = "period"', (1, 4), 0),
        ('corrects = "period"\nnumbered = "through"', (1, 4), 2),
    ],
)
async def test_a_gap_in_the_numbers_is_said_and_the_answer_is_a_part(
    tmp_path, rules, numbers, missing
):
    series = Series(tmp_path, f"{BY_NAME}\n{rules}")
    arrive(series, *(sent(JANUARY, n, (f"r{n}", "x")) for n in numbers))
    assert codes(await series.ask()) == ({"drop_missing": missing} if missing else {})
    # It is remembered with the index, and over once the missing drop has come.
    assert codes(await series.ask()) == ({"drop_missing": missing} if missing else {})
    arrive(series, *(sent(JANUARY, n, (f"r{n}", "x")) for n in range(max(numbers) + 1)))
    assert codes(await series.ask()) == {}


async def test_numbers_that_run_through_all_periods_are_missed_between_them(tmp_path):
    series = Series(tmp_path, f'{BY_NAME}\nnumbered = "through"')
    arrive(series, sent(JANUARY, 1, ("a", "x")), sent(FEBRUARY, 4, ("b", "x")))
    assert codes(await series.ask()) == {"drop_missing": 2}


async def test_a_gap_of_a_million_is_many_and_no_more(tmp_path):
    series = Series(tmp_path, f'{BY_NAME}\nnumbered = "through"')
    arrive(series, sent(JANUARY, 1, ("a", "x")), sent(JANUARY, 20240101, ("b", "x")))
    assert codes(await series.ask()) == {"drop_missing": 1000}


async def test_manifests_may_say_the_order(tmp_path):
    series = Series(tmp_path, BY_MANIFEST, top=MANIFESTS)
    for name, also, note in (
        ("x.csv", {"period": 202402, "sequence": 1}, "february"),
        ("y.csv", {"period": "202401", "sequence": 2}, "january corrected"),
        ("z.csv", {"period": "202401", "sequence": 1}, "january"),
    ):
        data = as_csv(COLUMNS, [Row("a", note).cells, Row(name, note).cells])
        series.arrives(name, data)
        promise(series, name, data, 2, **also)
    told = notes(await series.ask())
    assert told["a"] == "february"
    assert set(told) == {"a", "x.csv", "y.csv", "z.csv"}


async def test_manifests_may_say_it_by_when_a_drop_was_made(tmp_path):
    series = Series(tmp_path, BY_MANIFEST, top=MANIFESTS)
    for name, key, at in (
        ("x.csv", "created", "2024-03-02T00:30:00+01:00"),
        ("y.csv", "as_of", "2024-03-01T23:45:00"),
    ):
        data = as_csv(COLUMNS, [Row("a", name).cells])
        series.arrives(name, data)
        promise(series, name, data, 1, **{key: at})
    assert notes(await series.ask()) == {"a": "y.csv"}


async def test_a_manifest_that_does_not_say_the_order_is_incomplete(tmp_path):
    series = Series(tmp_path, BY_MANIFEST, top=MANIFESTS)
    data = as_csv(COLUMNS, [Row("a", "first").cells])
    series.arrives("x.csv", data)
    promise(series, "x.csv", data, 1)
    with pytest.raises(Unreadable) as refused:
        await series.ask()
    assert refused.value.reason == "incomplete"


@pytest.mark.parametrize("rules", ["", BY_MANIFEST])
async def test_a_drop_that_was_promised_and_is_not_there_is_missing(tmp_path, rules):
    series = Series(tmp_path, rules, top=MANIFESTS)
    first, second = (as_csv(COLUMNS, [Row(r, "x").cells]) for r in "ab")
    series.arrives("1.csv", first)
    promise(series, "1.csv", first, 1, period=1, sequence=1)
    promise(series, "2.csv", second, 1, period=1, sequence=2)
    promise(series, "elsewhere.txt", second, 1)  # none that this source reads
    answer = await series.ask()
    assert notes(answer) == {"a": "x"}
    assert codes(answer) == {"drop_missing": 1}
    series.arrives("2.csv", second)
    answer = await series.ask()
    assert (notes(answer), codes(answer)) == ({"a": "x", "b": "x"}, {})


async def test_a_promised_correction_that_came_not_replaces_nothing(tmp_path):
    series = Series(tmp_path, f'{BY_MANIFEST}\ncorrects = "period"', top=MANIFESTS)
    for n in (1, 2, 3):
        data = as_csv(COLUMNS, [Row("a", f"number {n}").cells])
        promise(series, f"{n}.csv", data, 1, period=1, sequence=n)
        if n == 2:
            series.arrives("2.csv", data)
    answer = await series.ask()
    assert notes(answer) == {"a": "number 2"}
    assert codes(answer) == {"drop_missing": 1}  # the third: the first is replaced


async def test_the_newest_of_whole_truths_is_the_newest_it_says_it_is(tmp_path):
    series = Series(tmp_path, BY_NAME)
    text = series.source.read_text("utf-8").replace("append", "replace")
    series.source.write_text(text, "utf-8")
    arrive(series, sent(FEBRUARY, 1, ("a", "february")))
    arrive(series, sent(JANUARY, 1, ("a", "january"), ("b", "january")))
    answer = await series.ask()
    assert (notes(answer), answer.caveats) == ({"a": "february"}, ())


async def test_a_newer_whole_truth_that_is_promised_only_is_missed(tmp_path):
    series = Series(tmp_path, BY_MANIFEST, top=MANIFESTS)
    text = series.source.read_text("utf-8").replace("append", "replace")
    series.source.write_text(text, "utf-8")
    for n in (1, 2, 3):
        data = as_csv(COLUMNS, [Row("a", f"number {n}").cells])
        promise(series, f"{n}.csv", data, 1, sequence=n)
        if n == 2:
            series.arrives("2.csv", data)
    answer = await series.ask()
    assert notes(answer) == {"a": "number 2"}
    assert codes(answer) == {"drop_missing": 1}


async def test_a_drop_that_does_not_say_which_it_is_leaves_the_last_good_ones(tmp_path):
    series = Series(tmp_path, BY_NAME)
    adapter = series.open()
    arrive(series, sent(JANUARY, 1, ("a", "first")))
    await adapter.ask(QUERY)
    series.arrives("d_final_FINAL.csv", sent(JANUARY, 2, ("a", "which?")).data)
    answer = await adapter.ask(QUERY)
    assert notes(answer) == {"a": "first"}
    assert codes(answer) == {"stale_intake": 1}
    await adapter.aclose()
    (tmp_path / "state" / "index.drop").unlink()
    with pytest.raises(Unreadable) as refused:
        await series.ask()
    assert refused.value.reason == "unreadable"
    assert "d_final_FINAL.csv" in str(refused.value)


async def test_an_empty_directory_is_still_a_missing_drop(tmp_path):
    with pytest.raises(Unavailable) as refused:
        await Series(tmp_path, BY_NAME).ask()
    assert refused.value.reason == "drop_missing"


UNIQUE = """\
unique_by = ["start", { first_of = ["number", "who"] }]
prefer = ["-end", { column = "rank", ranked = ["best", "good"], blank = "first" }]
"""


async def test_rows_that_are_one_event_leave_the_one_preferred(tmp_path):
    series = Series(tmp_path, UNIQUE)
    columns = ("id", "who", "start", "note", "number", "end", "rank")
    day, other = "2024-03-01", "2024-03-02"
    series.arrives(
        "1.csv",
        as_csv(
            columns,
            [
                ("a", "Ann", day, "old", "", "9", "best"),
                ("b", "Ann", day, "older end", "", "8", "best"),
                ("c", "Ann", other, "no rank", "", "10", ""),
                ("d", "Ann", other, "ranked", "", "10", "best"),
                ("e", "Ann", other, "no end", "", "", "best"),
                ("f", "Ann", "2024-03-03", "first", "", "9", "good"),
                ("g", "Ann", "2024-03-03", "last", "", "9", "good"),
                ("h", "Ann", "2024-03-04", "good", "", "9", "good"),
                ("i", "Ann", "2024-03-04", "unlisted", "", "9", "so so"),
            ],
        ),
    )
    answer = await series.ask()
    told = {"a": "old", "c": "no rank", "g": "last", "h": "good"}
    assert (notes(answer), answer.caveats) == (told, ())
    series.arrives("2.csv", as_csv(columns, [("z", "Ann", day, "new", "", "1", "")]))
    del told["a"]
    assert notes(await series.ask()) == {**told, "z": "new"}
