"""kill -9 amid concurrent writers: nothing acknowledged is lost, the chain holds."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from tests.trails import head_of, is_whole, rows_of, sqlite_url, trail_at

ROOT = Path(__file__).parents[2]
WRITERS = 4


async def writer(folder, name):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("audit_writer.py")),
        str(folder),
        name,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def acknowledged(process, enough):
    """What one writer was told is durable, killed once it was told enough."""
    lines = []
    async for line in process.stdout:
        lines.append(line)
        if len(lines) == enough:
            process.send_signal(signal.SIGKILL)
    await process.wait()
    whole = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return {int(n): journey for n, journey in whole}


@pytest.mark.fault
async def test_no_acknowledged_record_is_lost_when_writers_are_killed(tmp_path):
    seeded = random.Random(7)  # noqa: S311 - where to kill, not a secret
    writers = [await writer(tmp_path, f"w{n}") for n in range(WRITERS)]
    told = await asyncio.gather(
        *(acknowledged(each, seeded.randint(200, 500)) for each in writers)
    )
    stored = {
        n: json.loads(record).get("journey") for n, record, _ in rows_of(tmp_path)
    }
    for of_one in told:
        assert len(of_one) >= 200
        assert of_one.items() <= stored.items()
    assert is_whole(tmp_path)


@pytest.mark.fault
async def test_the_log_goes_on_after_a_kill(tmp_path):
    await acknowledged(await writer(tmp_path, "w"), 50)
    last = head_of(tmp_path).n
    trail = trail_at(sqlite_url(tmp_path))
    entry = await trail.start("0.1.0")
    await trail.aclose()
    assert entry.n == last + 1
    assert is_whole(tmp_path)
