"""Senders over MLLP: slow, cut, huge, many; nothing acknowledged is ever lost."""

import asyncio
import contextlib
import os
import resource
import signal
import ssl
import sys
from pathlib import Path

import pytest
import trustme

from adapters.contract import Watches
from adapters.hl7v2 import build
from adapters.hl7v2.framing import END, START
from adapters.hl7v2.journal import Journal
from tests.corpus import ROOT
from tests.hl7 import (
    SOURCE,
    adt,
    count,
    everything,
    message,
    of_kind,
    only,
    person,
    pid,
    segment,
    stay,
)
from tests.serving import free_port
from tests.surroundings import NOW, in_folder

pytestmark = pytest.mark.fault

LISTENER = "\n[mllp]\nport = 0\nmessage_s = 0.4\nidle_s = 5\nconnections = 3\n"


def listening(more: str = "", *, directory: bool = False) -> str:
    head = SOURCE if directory else SOURCE.replace('directory = "feed"\n', "")
    return head + LISTENER + more


def admission(who="K1", visit="V1", control="c1"):
    return adt(
        "A01", pid(who), visit=stay("20240309", number=visit), control=control
    ).encode()


def block(data: bytes) -> bytes:
    return START + data + END + b"\r"


def written(folder: Path, source: str) -> Path:
    path = folder / "source.toml"
    path.write_text(source)
    return path


@contextlib.asynccontextmanager
async def inlet(folder: Path, source: str = listening()):
    """An adapter that listens, and is stopped."""
    around = in_folder(folder)
    adapter = build(written(folder, source), around)
    assert isinstance(adapter, Watches)
    watching = asyncio.create_task(adapter.watch())
    while adapter.listens_on is None:
        assert not watching.done(), watching.exception()
        await asyncio.sleep(0.01)
    try:
        yield adapter
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await adapter.aclose()
        await around.transport.aclose()


async def connect(adapter, **options):
    return await asyncio.open_connection("127.0.0.1", adapter.listens_on, **options)


async def answered(reader) -> list[str]:
    """The segments of the next answer."""
    async with asyncio.timeout(5):
        data: bytes = await reader.readuntil(END + b"\r")
    assert data.startswith(START)
    return data[1:-2].decode().removesuffix("\r").split("\r")


async def send(adapter, *datas: bytes) -> list[list[str]]:
    """What each of several blocks is answered, over one connection."""
    reader, writer = await connect(adapter)
    answers = []
    for data in datas:
        writer.write(data)
        answers.append(await answered(reader))
    writer.close()
    return answers


def code(answer: list[str]) -> str:
    return answer[1].split("|")[1]


async def test_a_message_is_acknowledged_and_answered_from(tmp_path):
    async with inlet(tmp_path) as adapter:
        (answer,) = await send(adapter, block(admission()))
        told = await adapter.ask(everything(person("K1")))
    header = answer[0].split("|")
    assert header[4:6] == ["APP", "SITE"]
    assert header[8] == "ACK^A01^ACK"
    assert answer[1:] == ["MSA|AA|c1"]
    assert only(told, "inpatient_spell").record_id == "V1"


async def test_two_messages_in_one_packet_are_two(tmp_path):
    both = block(admission()) + block(admission("K2", "V2", "c2"))
    async with inlet(tmp_path) as adapter:
        reader, writer = await connect(adapter)
        writer.write(both)
        codes = [(await answered(reader))[1] for _ in range(2)]
        writer.close()
        assert of_kind(await adapter.ask(everything(person("K2"))), "inpatient_spell")
    assert codes == ["MSA|AA|c1", "MSA|AA|c2"]


async def test_a_message_in_many_packets_is_one(tmp_path):
    async with inlet(tmp_path) as adapter:
        reader, writer = await connect(adapter)
        for byte in block(admission()):
            writer.write(bytes([byte]))
            await writer.drain()
        assert code(await answered(reader)) == "AA"
        writer.close()


async def test_one_cut_in_the_middle_is_not_taken(tmp_path):
    async with inlet(tmp_path) as adapter:
        _, writer = await connect(adapter)
        writer.write(block(admission())[:-20])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await send(adapter, block(admission("K2", "V2", "c2")))
        told = await adapter.ask(everything(person("K1")))
    assert (told.events, told.person) == ((), None)


async def test_a_block_that_does_not_end_in_time_is_refused(tmp_path):
    async with inlet(tmp_path) as adapter:
        reader, writer = await connect(adapter)
        writer.write(block(admission())[:-2])
        answer = await answered(reader)
        assert await reader.read() == b""
        writer.close()
        (rejected,) = await adapter.rejected()
    assert (code(answer), answer[2].split("|")[3].split("^")[0]) == ("AE", "207")
    assert (rejected.reason, rejected.rows) == ("incomplete", 1)


async def test_a_slow_sender_does_not_hold_up_the_others(tmp_path):
    async with inlet(tmp_path) as adapter:
        _, slow = await connect(adapter)
        slow.write(START + b"MSH|")
        await slow.drain()
        (answer,) = await send(adapter, block(admission()))
        slow.close()
    assert code(answer) == "AA"


async def test_a_huge_message_is_refused_and_its_sender_let_go(tmp_path):
    source = "message_bytes = 2048\n" + listening()
    huge = adt("A01", pid("K1", f5="x" * 5000), visit=stay("20240309")).encode()
    async with inlet(tmp_path, source) as adapter:
        reader, writer = await connect(adapter)
        writer.write(block(huge))
        answer = await answered(reader)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        (more,) = await send(adapter, block(admission()))
    assert (code(answer), code(more)) == ("AE", "AA")
    assert "too large" in answer[2]


@pytest.mark.parametrize(
    ("data", "wanted", "reason"),
    [
        (b"not HL7 at all", "AR", "no_header"),
        (b"MSH\r", "AR", "no_header"),
        (b"MSH|^~\\&|A|B\rPID|1\r", "AR", "no_message_type"),
        (b"MSH|^^\\&|A|B|||1||ADT^A01|1\r", "AR", "bad_delimiters"),
        (admission() + admission("K2", "V2", "c2"), "AR", "several"),
        (admission().replace(b"K1", b"\xff\xfe"), "AR", "undecodable"),
        (message("ADT^A01", header={18: "KLINGON"}).encode(), "AR", "unknown_encoding"),
        (b"\xff\xfeM\0S\0H\0", "AR", "utf_16"),
        (message("ADT^A01", segment("PV1", {2: "I"})).encode(), "AE", "no_identifier"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_a_reason(
    tmp_path, data, wanted, reason
):
    async with inlet(tmp_path) as adapter:
        answers = await send(adapter, block(data), block(admission("K3", "V3", "c3")))
        told = await adapter.ask(everything(person("K3")))
        (rejected,) = await adapter.rejected()
    assert [code(answer) for answer in answers] == [wanted, "AA"]
    assert (rejected.reason, rejected.file) == (reason, "(refused over MLLP)")
    assert count(told, "rows_rejected") == 1


async def test_a_refusal_repeats_nothing_of_the_patient(tmp_path):
    nameless = message(
        "ADT^A01", segment("PID", {5: "Unmistakable^Name"}), control="c1"
    )
    async with inlet(tmp_path) as adapter:
        (answer,) = await send(adapter, block(nameless.encode()))
    assert "Unmistakable" not in "\r".join(answer)
    assert answer[2].startswith("ERR||PID|101^")


async def test_what_is_no_block_ends_the_conversation(tmp_path):
    async with inlet(tmp_path) as adapter:
        reader, writer = await connect(adapter)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_more_senders_than_allowed_are_let_go_at_once(tmp_path):
    async with inlet(tmp_path) as adapter:
        held = [await connect(adapter) for _ in range(3)]
        for _, writer in held:
            writer.write(b"\r\n")
        await asyncio.sleep(0.05)
        reader, writer = await connect(adapter)
        assert await reader.read() == b""
        for _, each in [*held, (reader, writer)]:
            each.close()


async def test_a_message_that_cannot_be_stored_is_not_acknowledged(tmp_path):
    async with inlet(tmp_path) as adapter:
        received = tmp_path / "state" / "received"
        received.parent.mkdir(exist_ok=True)
        received.write_text("a file where the folder should be")
        refused, *_ = await send(adapter, block(admission()))
        received.unlink()
        taken, *_ = await send(adapter, block(admission()))
        told = await adapter.ask(everything(person("K1")))
    assert (code(refused), code(taken)) == ("AE", "AA")
    assert "send again" in refused[2]
    assert of_kind(told, "inpatient_spell")


async def test_the_same_message_sent_again_is_taken_once(tmp_path):
    async with inlet(tmp_path) as adapter:
        answers = await send(adapter, *[block(admission())] * 3)
        told = await adapter.ask(everything(person("K1")))
    assert [code(answer) for answer in answers] == ["AA"] * 3
    assert len(told.events) == 1
    assert count(told, "duplicate_record") == 2


async def test_many_senders_at_once_share_writes_and_lose_nothing(tmp_path):
    async def one(adapter, nth):
        visits = range(nth * 100, nth * 100 + 20)
        return await send(
            adapter, *(block(admission("K1", f"V{n}", f"c{n}")) for n in visits)
        )

    async with inlet(tmp_path) as adapter:
        answers = await asyncio.gather(*(one(adapter, nth) for nth in range(3)))
        told = await adapter.ask(everything(person("K1")))
    assert {code(a) for each in answers for a in each} == {"AA"}
    assert len(told.events) == 60


async def test_files_and_mllp_are_one_feed(tmp_path):
    (tmp_path / "feed").mkdir()
    gone = adt("A03", pid("K1"), visit=stay(f45="20240312"), at="20240312")
    (tmp_path / "feed" / "later.hl7").write_text(gone, newline="")
    async with inlet(tmp_path, listening(directory=True)) as adapter:
        await send(adapter, block(admission()))
        told = await adapter.ask(everything(person("K1")))
    assert only(told, "inpatient_spell").status == "finished"


async def test_before_anything_came_the_source_says_so(tmp_path):
    async with inlet(tmp_path) as adapter:
        with pytest.raises(Exception, match="no message has come") as caught:
            await adapter.ask(everything(person("K1")))
    assert getattr(caught.value, "reason", None) == "drop_missing"


async def test_forgetting_keeps_what_came_over_mllp(tmp_path):
    async with inlet(tmp_path) as adapter:
        await send(adapter, block(admission()))
        await adapter.ask(everything(person("K1")))
        await adapter.forget()
        assert not list((tmp_path / "state").glob("messages.sqlite*"))
        told = await adapter.ask(everything(person("K1")))
        await adapter.forget()
        await adapter.forget()
    assert of_kind(told, "inpatient_spell")


async def test_what_a_crash_cut_is_repaired_before_more_is_written(tmp_path):
    folder = tmp_path / "received"
    folder.mkdir()
    path = folder / f"{NOW:%Y-%m-%d}.mllp"
    path.write_bytes(block(b"first") + START + b"half of a mess")
    journal = Journal(folder, lambda: NOW)
    await journal.append(b"second")
    await journal.aclose()
    await journal.aclose()
    assert path.read_bytes() == block(b"first") + block(b"second")


async def test_a_disk_that_is_full_leaves_what_was_there_whole(tmp_path):
    """Catches half a message that later ones are appended to."""
    journal = Journal(tmp_path / "received", lambda: NOW)
    await journal.append(b"first")
    path = tmp_path / "received" / f"{NOW:%Y-%m-%d}.mllp"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 3, hard))
    try:
        with pytest.raises(OSError, match="large"):
            await journal.append(b"second")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == block(b"first")
    await journal.append(b"third")
    assert path.read_bytes() == block(b"first") + block(b"third")
    await journal.aclose()


async def test_over_tls_callers_must_show_their_certificate(tmp_path):
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    own = authority.issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = 'certificate = "cert.pem"\nkey = "key.pem"\nca = "ca.pem"\n'
    caller = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with inlet(tmp_path, listening(tls)) as adapter:
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            reader, writer = await connect(adapter, ssl=caller)
            writer.write(block(admission()))
            assert await reader.read() == b""
        authority.issue_cert("sender@example.invalid").configure_cert(caller)
        reader, writer = await connect(adapter, ssl=caller)
        writer.write(block(admission()))
        assert code(await answered(reader)) == "AA"
        writer.close()


RECEIVER = """\
import asyncio, sys
from pathlib import Path
from adapters.hl7v2 import build
from tests.surroundings import in_folder

async def main():
    folder = Path(sys.argv[1])
    adapter = build(folder / "source.toml", in_folder(folder))
    await adapter.watch()

asyncio.run(main())
"""


async def test_killed_it_has_lost_nothing_that_was_acknowledged(tmp_path):
    """Catches an acknowledgement sent before the message is on disk."""
    port = free_port()
    (tmp_path / "source.toml").write_text(
        listening().replace("port = 0", f"port = {port}")
    )
    taken = []
    for life in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RECEIVER, str(tmp_path), cwd=ROOT
        )
        reader, writer = await _patiently(port)
        for n in range(life * 1000, life * 1000 + 400):
            writer.write(block(admission("K1", f"V{n}", f"c{n}")))
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                assert code(await answered(reader)) == "AA"
                taken.append(f"V{n}")
            if len(taken) >= (life + 1) * 25:
                os.kill(process.pid, signal.SIGKILL)
                break
        writer.close()
        await process.wait()
    around = in_folder(tmp_path)
    adapter = build(tmp_path / "source.toml", around)
    told = await adapter.ask(everything(person("K1")))
    await adapter.aclose()
    await around.transport.aclose()
    assert len(taken) >= 75
    assert set(taken) <= {event.record_id for event in told.events}


async def _patiently(port):
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)
