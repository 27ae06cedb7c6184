"""From an inbox to the answer: what arrives is told of, without a start in between."""

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager

import pytest

from adapters.errors import Unavailable
from tests.drop_series import COLUMNS, QUERY, Row, Series, as_csv, codes, notes
from tests.inboxes import knowing, mesh_secrets
from tests.parts import mesh as mesh_part

pytestmark = pytest.mark.parts


def drop(*records: str) -> bytes:
    return as_csv(COLUMNS, [Row(record, "x").cells for record in records])


def told(**arrival) -> str:
    """The `[arrival]` table, on one line, as a source file may have it."""
    said = (f"{key} = {json.dumps(value)}" for key, value in arrival.items())
    return f"arrival = {{ {', '.join(said)} }}\n"


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


async def until_told(adapter, *records, caveats=()):
    """Asks, again and again, until these are told of, with these caveats."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(Unavailable):  # as long as nothing has arrived
                answer = await adapter.ask(QUERY)
                found = set(notes(answer)), set(codes(answer))
                if found == (set(records), set(caveats)):
                    return
            await asyncio.sleep(0.1)


def over_sftp(sshd, inbox):
    return told(
        kind="sftp",
        host="127.0.0.1",
        port=sshd.port,
        username=sshd.username,
        private_key="env:KEY",
        host_keys=[sshd.fingerprint],
        directory=str(inbox),
        settle_s=0,
        every_s=1,
        silent_s=3,
    )


async def test_what_is_put_into_an_sftp_inbox_is_told_of(sshd, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "1.csv").write_bytes(drop("a"))
    surroundings = knowing(tmp_path, {"env:KEY": sshd.key})
    series = Series(tmp_path, "", top=over_sftp(sshd, inbox), surroundings=surroundings)
    async with watching(series) as adapter:
        await until_told(adapter, "a")
        (inbox / "2.csv").write_bytes(drop("b", "c"))
        await until_told(adapter, "a", "b", "c")


async def test_an_inbox_that_fails_is_told_of_until_it_works_again(sshd, tmp_path):
    inbox = tmp_path / "inbox"
    surroundings = knowing(tmp_path, {"env:KEY": sshd.key})
    series = Series(tmp_path, "", top=over_sftp(sshd, inbox), surroundings=surroundings)
    series.arrives("1.csv", drop("a"))
    async with watching(series) as adapter:
        await until_told(adapter, "a", caveats=["arrival_failed"])
        inbox.mkdir()
        await until_told(adapter, "a")


async def test_what_is_sent_to_a_mesh_mailbox_is_told_of(mesh, tmp_path):
    top = told(
        kind="mesh",
        url=mesh.url,
        mailbox=mesh_part.RECEIVER,
        password="env:PASSWORD",
        shared_key="env:SHARED_KEY",
        certificate="env:CERTIFICATE",
        key="env:CLIENT_KEY",
        ca="env:CA",
        workflows=["TEST_WORKFLOW"],
        every_s=1,
    )
    surroundings = knowing(tmp_path, mesh_secrets(mesh))
    series = Series(tmp_path, "", top=top, surroundings=surroundings)
    await asyncio.to_thread(mesh.send, drop("a"))
    async with watching(series) as adapter:
        await until_told(adapter, "a")
        await asyncio.to_thread(mesh.send, drop("b"))
        await until_told(adapter, "a", "b")
        await asyncio.to_thread(mesh.report)
        await until_told(adapter, "a", "b", caveats=["delivery_reported"])
        assert len(await asyncio.to_thread(mesh.waiting)) == 1
