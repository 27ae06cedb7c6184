"""kill -9 amid changes of policy: each is whole or was never begun."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.policy.in_force import InForce
from gateway.settings import Policy
from tests.policy_store import A, author, office_at
from tests.trails import is_whole, rows_of, sqlite_url

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]


async def killed(folder, *, after_lines, then_s) -> list[int]:
    """The versions that a publisher was told are in force before it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("policy_publisher.py")),
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    told = []
    async for line in process.stdout:
        told.append(line)
        if len(told) == after_lines:
            await asyncio.sleep(then_s)
            process.send_signal(signal.SIGKILL)
    await process.wait()
    return [int(line) for line in told if line.endswith(b"\n")]


async def test_a_publisher_that_is_killed_leaves_nothing_half_published(tmp_path):
    folder = tmp_path
    for then_s in (0.0, 0.013, 0.031, 0.057):
        told = await killed(folder, after_lines=2, then_s=then_s)
        assert is_whole(folder)
        changes = [
            json.loads(record)
            for _, record, _ in rows_of(folder)
            if json.loads(record)["type"] == "change"
        ]
        async with office_at(sqlite_url(folder)) as office:
            snapshot = await office.admin.snapshot()
            assert snapshot.revision == len(changes)
            published = [each for each in changes if each["policy"]]
            turn = await office.admin.active()
            assert turn.set_version == published[-1]["policy"]
            versions = await office.admin.versions(
                "agreement", "DSA-1", actor=author(A)
            )
            assert versions[0].version >= told[-1]
            in_force = InForce(office.database, office.clock, Policy())
            await in_force.follow()
            assert in_force.current().version == turn.set_version
            await cleared(office, versions[0])


async def cleared(office, newest) -> None:
    """The way made free for the next version, whatever became of the newest."""
    if newest.state == "draft":
        doing = office.admin.delete
    elif newest.state == "submitted":
        doing = office.admin.reject
    else:
        return
    await doing("agreement", newest.id, actor=author(A), if_match=newest.etag)
