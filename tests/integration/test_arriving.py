"""One call for every way: it goes on until it is cancelled."""

import asyncio
from typing import Any

import pytest

from adapters.arrivals import ArrivalState, Directory, arriving
from adapters.arrivals.arriving import way_of
from tests.inboxes import Told, knowing, until
from tests.parts.postgres import free_port
from tests.unit.arrivals.test_arrival_settings import MESH, SFTP, settings


async def ended(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_directory_is_watched_and_nothing_can_fail(tmp_path):
    told, state = Told(), ArrivalState()
    task = asyncio.create_task(
        arriving(
            Directory(),
            into=tmp_path,
            surroundings=knowing(tmp_path, {}),
            changed=told,
            state=state,
        )
    )
    await told.again()
    assert state.caveats == ()
    await ended(task)


async def test_an_inbox_that_cannot_be_reached_raises_nothing_and_is_told(tmp_path):
    said = {**SFTP, "host": "127.0.0.1", "port": free_port()}
    told, state = Told(), ArrivalState()
    surroundings = knowing(tmp_path, {"env:KEY": "no key"})
    task = asyncio.create_task(
        arriving(
            settings(said),
            into=tmp_path / "drops",
            surroundings=surroundings,
            changed=told,
            state=state,
        )
    )
    await until(lambda: state.since is not None)
    assert state.since == surroundings.now()
    assert state.caveats == ("arrival_failed",)
    assert state.error is not None
    assert state.error.reason == "credentials"
    await ended(task)


@pytest.mark.parametrize("said", [SFTP, MESH])
def test_where_nobody_says_what_to_take_everything_is_taken(tmp_path, said):
    way: Any = way_of(settings(said), into=tmp_path, surroundings=knowing(tmp_path, {}))
    assert way._settings.take == ("*",)
