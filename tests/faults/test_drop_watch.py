"""Drops are taken in as they arrive, and what was made of them can be erased."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from adapters.csv_drop import upkeep
from adapters.csv_drop.index import read_imprint
from adapters.errors import Unavailable
from tests.drop_series import COLUMNS, QUERY, Row, Series, as_csv, codes, notes
from tests.surroundings import in_folder

pytestmark = pytest.mark.fault

EARLY = datetime(2000, 1, 1, tzinfo=UTC)  # so that every file looks just written


def drop(*records: str) -> bytes:
    return as_csv(COLUMNS, [Row(record, "x").cells for record in records])


@asynccontextmanager
async def watching(series: Series):
    adapter = series.open()
    task = asyncio.create_task(adapter.watch())
    try:
        yield adapter
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await adapter.aclose()


async def taken_in(folder, rows: int) -> None:
    """Until the index in place tells of so many rows, which nobody asked for."""
    async with asyncio.timeout(20):
        while True:
            imprint = read_imprint(folder / "state" / "index.drop")
            if imprint is not None and imprint.rows == rows:
                return
            await asyncio.sleep(0.02)


async def test_what_lies_there_and_what_arrives_is_taken_in_without_a_question(
    tmp_path,
):
    series = Series(tmp_path, "")
    series.arrives("1.csv", drop("a"))
    async with watching(series) as adapter:
        await taken_in(tmp_path, 1)
        series.arrives("2.csv", drop("b", "c"))
        await taken_in(tmp_path, 3)
        answer = await adapter.ask(QUERY)
        assert set(notes(answer)) == {"a", "b", "c"}
        assert answer.caveats == ()


async def test_a_drop_half_written_is_taken_in_once_it_is_whole(tmp_path):
    series = Series(tmp_path, "")
    series.arrives("1.csv", drop("a"))
    async with watching(series) as adapter:
        await taken_in(tmp_path, 1)
        series.arrives("2.csv", drop("b")[:-3])
        assert codes(await adapter.ask(QUERY)) == {"stale_intake": 1}
        series.arrives("2.csv", drop("b"))
        await taken_in(tmp_path, 2)


async def test_a_directory_that_is_not_there_yet_is_waited_for(tmp_path):
    series = Series(tmp_path, "")
    series.directory.rmdir()
    text = series.source.read_text("utf-8")
    poll = 'arrival = { kind = "directory", poll_s = 0.1 }\n'
    series.source.write_text(poll + text, "utf-8")
    async with watching(series) as adapter:
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await adapter.ask(QUERY)
        series.directory.mkdir()
        series.arrives("1.csv", drop("a"))
        await taken_in(tmp_path, 1)


async def test_what_was_derived_is_erased_and_built_anew_when_asked_again(tmp_path):
    series = Series(tmp_path, "")
    series.arrives("1.csv", drop("a") + b"too,few\n")
    adapter = series.open()
    await adapter.forget()
    await adapter.ask(QUERY)
    state = tmp_path / "state"
    assert {each.name for each in state.iterdir()} == {"index.drop", "quarantine.csv"}
    await adapter.forget()
    await adapter.forget()
    assert list(state.iterdir()) == []
    assert await adapter.rejected() == ()
    assert [each.name for each in series.directory.iterdir()] == ["1.csv"]
    answer = await adapter.ask(QUERY)
    assert set(notes(answer)) == {"a"}
    await adapter.aclose()


async def test_an_intake_under_way_is_ended_by_forgetting(tmp_path):
    series = Series(tmp_path, "")
    series.arrives("1.csv", drop(*(f"r{n}" for n in range(5000))))
    adapter = series.open()
    asked = asyncio.create_task(adapter.ask(QUERY))
    await asyncio.sleep(0.01)
    await adapter.forget()
    with pytest.raises(Unavailable):
        await asked
    state = tmp_path / "state"
    assert not state.exists() or list(state.iterdir()) == []
    await adapter.aclose()


async def test_files_that_do_not_settle_keep_nobody_from_stopping(tmp_path):
    series = Series(tmp_path, "", surroundings=in_folder(tmp_path, now=EARLY))
    text = series.source.read_text("utf-8").replace("settle_s = 0", "settle_s = 600")
    series.source.write_text(text, "utf-8")
    series.arrives("1.csv", drop("a"))
    adapter = series.open()
    asked = asyncio.create_task(adapter.ask(QUERY))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await adapter.aclose()
    with pytest.raises(Unavailable):
        await asked


async def test_what_cannot_be_erased_is_said(tmp_path):
    series = Series(tmp_path, "")
    (tmp_path / "state" / "index.drop").mkdir(parents=True)
    adapter = series.open()
    with pytest.raises(Unavailable) as refused:
        await adapter.forget()
    assert refused.value.reason == "state"
    await adapter.aclose()


async def test_without_a_state_directory_there_is_nothing_to_erase(tmp_path):
    series = Series(tmp_path, "")
    (tmp_path / "state").write_text("a file stands where the directory should")
    adapter = series.open()
    await adapter.forget()
    await adapter.aclose()


async def test_an_index_of_an_earlier_version_is_removed(tmp_path):
    series = Series(tmp_path, "")
    series.arrives("1.csv", drop("a"))
    (tmp_path / "state").mkdir()
    for name in upkeep._EARLIER:
        (tmp_path / "state" / name).write_bytes(b"SQLite format 3\0")
    answer = await series.ask()
    assert set(notes(answer)) == {"a"}
    found = {each.name for each in (tmp_path / "state").iterdir()}
    assert found == {"index.drop", "quarantine.csv"}


async def test_a_watch_tells_other_inboxes_which_names_it_takes(tmp_path, monkeypatch):
    series = Series(tmp_path, 'deletions = "gone*"')
    sftp = """\
[arrival]
kind = "sftp"
host = "127.0.0.1"
username = "drops"
private_key = "env:KEY"
host_keys = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]

[drops]
"""
    text = series.source.read_text("utf-8").replace("[drops]\n", sftp)
    series.source.write_text(text, "utf-8")
    found = []

    async def arriving(settings, **_: object) -> None:
        found.append(settings.take)
        await asyncio.Event().wait()

    monkeypatch.setattr(upkeep, "arriving", arriving)
    async with watching(series):
        await asyncio.sleep(0.05)
    assert found == [("*.csv", "gone*")]
