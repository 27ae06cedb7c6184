"""An SFTP inbox that fails or changes: nothing half arrives, and all is told."""

import asyncio
import os
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncssh
import pytest

from adapters.arrivals.sftp import Changed, Listed, connected
from adapters.arrivals.sftp_inbox import SftpInbox
from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from tests.inboxes import cutting, knowing, landed, on_its_way, sftp
from tests.parts.postgres import free_port

pytestmark = [pytest.mark.parts, pytest.mark.fault]


@pytest.fixture
def inbox(tmp_path):
    found = tmp_path / "inbox"
    found.mkdir()
    return found


@pytest.fixture
def way(sshd, inbox, tmp_path):
    def made(*, secrets=None, **more):
        return SftpInbox(
            sftp(sshd, inbox, **{"take": ["*.csv"], **more}),
            into=tmp_path / "drops",
            surroundings=knowing(tmp_path, secrets or {"env:KEY": sshd.key}),
        )

    return made


async def refusal(way) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await way.visit()
    return caught.value


async def test_a_server_with_another_host_key_is_told_nothing(way, sshd):
    other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint()
    error = await refusal(way(host_keys=[other]))
    assert isinstance(error, Refused)
    assert (error.reason, error.domain) == ("host_key", "adapter")
    assert "Accepted" not in (sshd.folder / "log").read_text()[-300:]


async def test_one_of_several_host_keys_is_enough(way, sshd):
    other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint()
    visit = await way(host_keys=[other, sshd.fingerprint + "="]).visit()
    assert visit.refused is None


def private_key(**how) -> str:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_private_key(**how).decode()


@pytest.mark.parametrize(
    "secret",
    [
        private_key(),
        "no key at all",
        private_key(format_name="pkcs8-pem", passphrase="of another"),
    ],
    ids=["unknown", "garbage", "encrypted"],
)
async def test_a_key_that_opens_nothing_is_refused(way, secret):
    error = await refusal(way(secrets={"env:KEY": secret}))
    assert isinstance(error, Refused)
    assert (error.reason, error.domain) == ("credentials", "adapter")


async def test_a_server_that_is_not_there_is_told(way):
    error = await refusal(way(port=free_port()))
    assert (type(error), error.reason) == (Unavailable, "connect")


async def test_an_inbox_that_is_not_there_is_told(way, tmp_path):
    error = await refusal(way(directory=str(tmp_path / "nowhere")))
    assert (type(error), error.reason) == (Unavailable, "inbox_missing")


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-slow\r\n", b"HTTP/1.1 400 no\r\n"])
async def test_a_server_that_falls_silent_is_not_waited_for(way, greeting):
    async with silent(greeting) as port:
        began = time.monotonic()
        error = await refusal(way(port=port, silent_s=0.5))
    assert error.reason in {"timeout", "cut", "unreadable"}
    assert time.monotonic() - began < 5


@asynccontextmanager
async def silent(greeting):
    """A server that greets, and says nothing more."""
    held = asyncio.Event()

    async def greet(reader, writer):
        writer.write(greeting)
        await held.wait()
        writer.transport.abort()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        held.set()
        server.close()
        await server.wait_closed()


async def test_a_connection_cut_in_the_middle_leaves_nothing(
    way, sshd, inbox, tmp_path
):
    body = os.urandom(2_000_000)
    (inbox / "a.csv").write_bytes(body)
    async with cutting(sshd.port, after=900_000) as port:
        error = await refusal(way(port=port))
    assert (type(error), error.reason) == (Unavailable, "cut")
    assert landed(tmp_path / "drops") == {}
    assert on_its_way(tmp_path / "drops") == []
    assert (await way().visit()).taken == 1
    assert landed(tmp_path / "drops") == {"a.csv": body}


async def test_a_visit_that_is_cancelled_leaves_nothing_and_ends_its_turn(
    way, sshd, inbox, tmp_path
):
    (inbox / "a.csv").write_bytes(os.urandom(5_000_000))
    task = asyncio.create_task(way().visit())
    folder = tmp_path / "drops" / ".arriving"
    while not (folder.exists() and on_its_way(tmp_path / "drops")):
        assert not task.done()
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert on_its_way(tmp_path / "drops") == []
    assert (await way().visit()).taken == 1


async def test_a_file_that_is_too_large_spoils_no_other(way, inbox, tmp_path):
    (inbox / "large.csv").write_bytes(bytes(2000))
    (inbox / "small.csv").write_bytes(b"a")
    visit = await way(file_bytes=1000).visit()
    assert (visit.taken, visit.refused.reason) == (1, "too_large")
    assert list(landed(tmp_path / "drops")) == ["small.csv"]


async def test_a_manifest_that_is_too_large_is_not_read_into_memory(
    way, inbox, tmp_path
):
    (inbox / "a.csv").write_bytes(b"a")
    (inbox / "a.json").write_bytes(b" " * ((1 << 20) + 1))
    visit = await way(take=["*.csv", "*.json"], manifest="*.json").visit()
    assert visit.refused.reason == "too_large"
    assert list(landed(tmp_path / "drops")) == ["a.csv"]


@pytest.fixture
async def server(sshd, inbox):
    async with connected(sftp(sshd, inbox, after="delete"), lambda _: sshd.key) as it:
        yield it


async def test_a_file_replaced_while_it_is_read_is_not_kept(server, inbox):
    path = inbox / "a.csv"
    path.write_bytes(bytes(1_000_000))
    listed = (await server.listing()).files["a.csv"]

    def write(_):
        path.write_bytes(bytes(1_500_000))

    with pytest.raises(Changed):
        await server.fetch(listed, write)


async def test_a_file_that_shrinks_or_went_is_not_kept(server, inbox):
    path = inbox / "a.csv"
    path.write_bytes(bytes(1_000_000))
    listed = (await server.listing()).files["a.csv"]

    def write(_):
        os.truncate(path, 300_000)
        os.utime(path, (listed.modified, listed.modified))

    with pytest.raises(Changed):
        await server.fetch(listed, write)
    with pytest.raises(Changed):
        await server.fetch(replace(listed, name="gone.csv"), write)


async def test_a_file_replaced_after_it_was_read_is_not_deleted(server, inbox):
    (inbox / "a.csv").write_bytes(b"newer")
    taken = Listed(name="a.csv", size=3, modified=1)
    with pytest.raises(Changed):
        await server.put_away(taken)
    assert landed(inbox) == {"a.csv": b"newer"}


async def test_a_file_that_grows_beyond_what_was_listed_is_not_kept(server, inbox):
    path = inbox / "a.csv"
    path.write_bytes(bytes(600_000))
    listed = (await server.listing()).files["a.csv"]
    with path.open("ab") as late:

        def write(_):
            late.write(bytes(100_000))
            late.flush()

        with pytest.raises(Changed):
            await server.fetch(listed, write)


async def test_an_inbox_of_endless_files_is_not_listed_to_its_end(
    server, inbox, monkeypatch
):
    monkeypatch.setattr("adapters.arrivals.sftp._LISTED", 3)
    for number in range(4):
        (inbox / f"{number}.csv").touch()
    with pytest.raises(Unreadable) as caught:
        await server.listing()
    assert caught.value.reason == "too_large"


async def test_what_is_gone_before_it_is_put_away_is_no_failure(server, inbox):
    with pytest.raises(Changed):
        await server.put_away(Listed(name="a.csv", size=3, modified=1))


async def test_an_archive_that_is_not_there_loses_nothing(way, inbox, tmp_path):
    (inbox / "a.csv").write_bytes(b"a")
    archive = tmp_path / "archive"
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await way(after="archive", archive=str(archive)).visit()
        assert caught.value.reason == "inbox_missing"
    archive.mkdir()
    assert (await way(after="archive", archive=str(archive)).visit()).refused is None
    assert landed(archive) == {"a.csv": b"a"}
    assert landed(tmp_path / "drops") == {"a.csv": b"a"}


async def test_a_file_that_never_settles_is_told_after_a_while(way, inbox, monkeypatch):
    monkeypatch.setattr("adapters.arrivals.sftp_inbox._PATIENCE_S", 0.1)
    waiting = way(marker=".done")
    (inbox / "a.csv").write_bytes(b"a")
    assert (await waiting.visit()).refused is None
    await asyncio.sleep(0.2)
    visit = await waiting.visit()
    assert isinstance(visit.refused, Unreadable)
    assert visit.refused.reason == "incomplete"


async def test_what_cannot_be_written_here_is_told(way, inbox, tmp_path):
    (inbox / "a.csv").write_bytes(b"a")
    (tmp_path / "drops" / "a.csv").mkdir(parents=True)
    error = await refusal(way())
    assert (type(error), error.reason, error.domain) == (
        Unavailable,
        "state",
        "adapter",
    )
    assert on_its_way(tmp_path / "drops") == []


async def test_what_was_taken_but_not_noted_is_taken_again(way, inbox, tmp_path):
    (inbox / "a.csv").write_bytes(b"a")
    (tmp_path / "state" / "arrivals.jsonl").mkdir(parents=True)
    error = await refusal(way(after="delete"))
    assert error.reason == "state"
    assert landed(inbox) == {"a.csv": b"a"}
    (tmp_path / "state" / "arrivals.jsonl").rmdir()
    assert (await way(after="delete").visit()).taken == 1
    assert landed(tmp_path / "drops") == {"a.csv": b"a"}
    assert landed(inbox) == {}
