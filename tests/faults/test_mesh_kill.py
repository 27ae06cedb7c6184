"""Killed at any moment, what waits in a mailbox is neither lost nor doubled."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from adapters.arrivals.mesh_inbox import MeshInbox
from tests.faults.mesh_killed import MOMENTS
from tests.inboxes import knowing, landed, mesh_secrets, on_its_way
from tests.inboxes import mesh as settings_of

pytestmark = [pytest.mark.parts, pytest.mark.fault]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("moment", "names"),
    [*((moment, "message") for moment in MOMENTS), ("named, not yet noted", "sender")],
)
async def test_a_kill_neither_loses_nor_doubles(mesh, tmp_path, moment, names):
    body = b"a,b\n1,2\n" * 1000
    await asyncio.to_thread(mesh.send, body, filename="a.csv")
    settings, secrets = settings_of(mesh, names=names), mesh_secrets(mesh)
    said = {
        "moment": moment,
        "folder": str(tmp_path),
        "settings": settings.model_dump(mode="json"),
        "secrets": secrets,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.mesh_killed", json.dumps(said)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"there\n"
    process.kill()
    await process.wait()
    assert len(await asyncio.to_thread(mesh.waiting)) == 1
    way = MeshInbox(
        settings, into=tmp_path / "drops", surroundings=knowing(tmp_path, secrets)
    )
    assert (await way.visit()).refused is None
    assert list(landed(tmp_path / "drops").values()) == [body]
    assert on_its_way(tmp_path / "drops") == []
    assert await asyncio.to_thread(mesh.waiting) == []
    assert (await way.visit()).taken == 0
