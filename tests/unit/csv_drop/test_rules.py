"""What `[drops]` may say, and what it is refused for, by line and with a remedy."""

import pytest

from adapters.csv_drop import build
from adapters.errors import ConfigurationError
from tests.drop_series import ACTION, BY_NAME, COLUMNS, Row, Series, as_csv
from tests.surroundings import in_folder

UNIQUE = 'unique_by = ["start"]'


def refusal(folder, drops: str, *, top: str = "", mode: str = "append") -> str:
    series = Series(folder, drops, top=top)
    text = series.source.read_text("utf-8").replace("append", mode)
    series.source.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        series.open()
    assert str(refused.value).startswith(f"{series.source}, line ")
    return str(refused.value)


@pytest.mark.parametrize(
    ("drops", "told"),
    [
        ("name = '('", "drops.name: is no regular expression"),
        ("name = 'd_.*'", "drops.name: needs named groups"),
        ("name = '(?P<when>.*)'", "known are created, day, month, period"),
        (f'{BY_NAME}\norder = "manifest"', "give one of both"),
        ('order = "manifest"', "needs manifest"),
        ('order = "name"', "drops.order"),
        ('corrects = "period"', 'corrects = "period" needs a name'),
        ('numbered = "through"', 'numbered = "through" needs a name'),
        ("first = 1", "first needs a name"),
        (f"{BY_NAME}\nfirst = -1", "drops.first"),
        ('prefer = ["-end"]', "add that"),
        ("unique_by = [{ where = { start = ['x'] } }]", "name a column, or several"),
        ('unique_by = [{ column = "a", first_of = ["b"] }]', "name a column, or sev"),
        (f'{UNIQUE}\nprefer = [{{ column = "a", reads = "day" }}]', "drops.prefer"),
        (
            f'{UNIQUE}\nprefer = [{{ column = "a", ranked = ["x"], reads = "time" }}]',
            "an order of their own",
        ),
        (
            f'{UNIQUE}\nprefer = [{{ column="a", ranked=["x"], descending=true }}]',
            "an order of their own",
        ),
        ('action = { column = "a", deleted = [], stated = ["N"] }', "drops.action"),
        ('action = { column = "a", deleted = ["D"] }', "drops.action.stated"),
        (
            'action = { column = "a", deleted = ["D"], stated = ["N", "d "] }',
            "in both lists",
        ),
        ('deletions = "../gone.csv"', "take the path out"),
        ('deletions = "gone.zip"', "Unpack them first"),
        ('corects = "rows"', "Did you mean corrects?"),
    ],
)
def test_rules_that_say_nothing_sensible_stop_the_start(tmp_path, drops, told):
    assert told in refusal(tmp_path, drops)


def test_deletions_need_files_that_stand_beside_each_other(tmp_path):
    assert 'mode = "append"' in refusal(tmp_path, 'deletions = "x"', mode="replace")


def test_the_order_is_said_once(tmp_path):
    told = refusal(tmp_path, BY_NAME, top='newest = "name"')
    assert "take newest out" in told


@pytest.mark.parametrize(
    ("drops", "key"),
    [
        ('action = { column = "no", deleted = ["D"], stated = ["N"] }', "drops.action"),
        ('unique_by = ["start", "no"]', "drops.unique_by"),
        ('unique_by = [{ first_of = ["who", "no"] }]', "drops.unique_by"),
        ('unique_by = [{ column = "who", where = { no = ["x"] } }]', "drops.unique_by"),
        (f'{UNIQUE}\nprefer = ["-no"]', "drops.prefer"),
    ],
)
def test_a_column_that_only_the_rules_name_must_be_there_too(tmp_path, drops, key):
    series = Series(tmp_path, drops)
    series.arrives("1.csv", as_csv(COLUMNS, [Row("a", "x").cells]))
    with pytest.raises(ConfigurationError) as refused:
        series.open()
    assert f"{key}" in str(refused.value)
    assert "there is no column 'no'" in str(refused.value)


async def test_a_list_of_deletions_is_no_drop_whose_columns_are_looked_at(tmp_path):
    series = Series(tmp_path, f'{ACTION}\ndeletions = "z_gone.csv"')
    series.arrives("z_gone.csv", as_csv(("id",), [("a",)]))
    await build(series.source, in_folder(tmp_path)).aclose()
    series.arrives("a.csv", as_csv(("id", "who"), [("a", "Ann")]))
    with pytest.raises(ConfigurationError, match="there is no column 'note'"):
        series.open()
