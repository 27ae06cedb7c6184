"""A directory is watched: told at once where that is possible, looked at elsewhere."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.arrivals.watching import Watch
from tests.inboxes import Told


@contextlib.asynccontextmanager
async def watching(folder: Path, told: Told, *, poll_s: float = 3600):
    watch = Watch(folder, poll_s=poll_s, changed=told)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_lies_there_already_is_told_at_the_start(tmp_path):
    told = Told()
    async with watching(tmp_path, told):
        await told.again()


async def test_a_new_file_is_told_without_waiting_for_the_next_look(tmp_path):
    told = Told()
    async with watching(tmp_path, told):
        await told.again()
        await asyncio.sleep(0.7)  # by now it listens
        (tmp_path / "a.csv").write_text("x")
        await told.again()


async def test_what_comes_before_it_listens_is_not_missed(tmp_path):
    told = Told()
    async with watching(tmp_path, told):
        await told.again()
        (tmp_path / "a.csv").write_text("x")
        await told.again()


async def test_what_is_not_a_file_is_not_told(tmp_path):
    told = Told()
    async with watching(tmp_path, told):
        await told.again()
        (tmp_path / "folder").mkdir()
        (tmp_path / "link.csv").symlink_to("/etc/hostname")
        await asyncio.sleep(1.2)
    assert told.times == 1


async def test_a_directory_that_is_not_there_is_waited_for(tmp_path):
    told = Told()
    later = tmp_path / "later"
    async with watching(later, told, poll_s=0.1):
        await asyncio.sleep(0.3)
        assert told.times == 0
        later.mkdir()
        await told.again()


async def test_a_directory_put_in_the_place_of_another_is_watched_too(tmp_path):
    told = Told()
    folder = tmp_path / "drops"
    folder.mkdir()
    async with watching(folder, told, poll_s=0.3):
        await told.again()
        shutil.rmtree(folder)
        await told.again()  # nothing lies there any more
        folder.mkdir()
        await told.again()
        await asyncio.sleep(0.5)
        (folder / "a.csv").write_text("x")
        await told.again()


@contextmanager
def deaf(monkeypatch) -> Iterator[None]:
    """A file system that tells of nothing, as a network share does."""
    monkeypatch.setattr("watchfiles.watch", _no_watches)
    yield


def _no_watches(*_paths, **_settings):
    raise OSError


async def test_where_nobody_tells_it_looks_for_itself(tmp_path, monkeypatch):
    told = Told()
    with deaf(monkeypatch):
        async with watching(tmp_path, told, poll_s=0.1):
            await told.again()
            (tmp_path / "a.csv").write_text("x")
            await told.again()


async def test_it_looks_when_it_is_asked_to(tmp_path, monkeypatch):
    told = Told()
    with deaf(monkeypatch):
        async with watching(tmp_path, told) as watch:
            await told.again()
            await asyncio.sleep(0.7)
            (tmp_path / "a.csv").write_text("x")
            watch.look()
            await told.again()
