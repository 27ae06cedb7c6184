"""Files of a feed that come late, change, vanish; an index that fails."""

import asyncio
import contextlib
import os
import sqlite3
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from adapters.contract import Forgets, Watches
from adapters.errors import Unavailable, Unreadable
from adapters.hl7v2 import build
from adapters.hl7v2.feed import Feed, File, take
from adapters.hl7v2.framing import Decoding
from adapters.hl7v2.index import Index
from adapters.hl7v2.intake import Intake
from adapters.hl7v2.patient import Naming
from adapters.hl7v2.times import Clock
from tests.hl7 import (
    KEY,
    SOURCE,
    adt,
    count,
    everything,
    feed,
    lay_out,
    person,
    pid,
    stay,
)
from tests.surroundings import NOW, in_folder

pytestmark = pytest.mark.fault

ASKED = everything(person("K1"))


def visit(number: str, at: str = "20240301") -> str:
    return adt("A04", pid("K1"), visit=stay(at, number=number, kind="E"), at=at)


def put(folder: Path, name: str, *messages: str, age_s: float = 3600) -> Path:
    path = folder / "feed" / name
    path.write_bytes("".join(messages).encode())
    old = (NOW - timedelta(seconds=age_s)).timestamp()
    os.utime(path, (old, old))
    return path


def ids(answer) -> list[str]:
    return [event.record_id for event in answer.events]


async def test_what_comes_later_is_taken_in_when_asked(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        assert ids(await adapter.ask(ASKED)) == ["V1"]
        put(tmp_path, "late.hl7", visit("V0", "20240201"))
        answer = await adapter.ask(ASKED)
    assert ids(answer) == ["V0", "V1"]
    assert answer.caveats == ()


async def test_a_file_replaced_says_what_it_says_now(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        await adapter.ask(ASKED)
        put(tmp_path, "messages.hl7", visit("V2"), visit("V3"))
        assert ids(await adapter.ask(ASKED)) == ["V2", "V3"]


async def test_a_file_taken_away_takes_its_messages_along(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        more = put(tmp_path, "more.hl7", visit("V2"))
        assert ids(await adapter.ask(ASKED)) == ["V1", "V2"]
        more.unlink()
        assert ids(await adapter.ask(ASKED)) == ["V1"]


async def test_an_empty_directory_is_no_answer(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        (tmp_path / "feed" / "messages.hl7").unlink()
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(ASKED)
        assert caught.value.reason == "drop_missing"
        (tmp_path / "feed").rmdir()
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(ASKED)
    assert caught.value.reason == "drop_missing"


async def test_links_folders_and_names_with_a_dot_are_no_files(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        (tmp_path / "feed" / "link.hl7").symlink_to("/etc/hostname")
        (tmp_path / "feed" / "folder").mkdir()
        put(tmp_path, ".coming.hl7", visit("V2"))
        assert ids(await adapter.ask(ASKED)) == ["V1"]
        assert await adapter.rejected() == ()


async def test_names_that_do_not_fit_are_left_alone(tmp_path):
    source = SOURCE.replace("settle_s", 'pattern = "*.hl7"\nsettle_s')
    async with feed(tmp_path, visit("V1"), source=source) as adapter:
        put(tmp_path, "readme.txt", "hello")
        assert ids(await adapter.ask(ASKED)) == ["V1"]
        assert await adapter.rejected() == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="whoever is root may read everything")
async def test_a_file_that_may_not_be_read_is_counted(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        put(tmp_path, "secret.hl7", visit("V2")).chmod(0)
        answer = await adapter.ask(ASKED)
    assert count(answer, "rows_rejected") == 1


SETTLING = SOURCE.replace("settle_s = 0", "settle_s = 0.05")


async def test_a_file_still_being_written_is_waited_for(tmp_path):
    """Catches half a message shown as a whole one."""
    async with feed(tmp_path, visit("V1"), source=SETTLING) as adapter:
        put(tmp_path, "messages.hl7", visit("V1"), age_s=0)
        assert ids(await adapter.ask(ASKED)) == ["V1"]


async def test_one_that_is_never_left_alone_is_not_read(tmp_path):
    async with feed(tmp_path, visit("V1"), source=SETTLING) as adapter:
        path = put(tmp_path, "messages.hl7", visit("V1"), age_s=0)

        async def go_on():
            while True:
                with path.open("a") as stream:
                    stream.write("\r")
                os.utime(path, (NOW.timestamp(), NOW.timestamp()))
                await asyncio.sleep(0.005)

        writing = asyncio.create_task(go_on())
        with pytest.raises(Unreadable) as caught:
            await adapter.ask(ASKED)
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        assert caught.value.reason == "incomplete"
        assert ids(await adapter.ask(ASKED)) == ["V1"]


async def test_while_more_is_written_the_answer_is_from_before_and_says_so(tmp_path):
    source = SOURCE.replace("settle_s = 0", "settle_s = 600")
    around = in_folder(tmp_path)
    adapter = build(lay_out(tmp_path, [visit("V1")], source), around)
    put(tmp_path, "messages.hl7", visit("V1"))
    assert ids(await adapter.ask(ASKED)) == ["V1"]
    await adapter.aclose()
    patient = SOURCE.replace("settle_s = 0", "settle_s = 0.4")
    (tmp_path / "source.toml").write_text(patient)
    adapter = build(tmp_path / "source.toml", around)
    assert ids(await adapter.ask(ASKED)) == ["V1"]
    path = put(tmp_path, "young.hl7", visit("V2"), age_s=0)

    async def go_on():
        while True:
            os.utime(path, ns=(path.stat().st_mtime_ns + 1,) * 2)
            await asyncio.sleep(0.05)

    writing = asyncio.create_task(go_on())
    answer = await adapter.ask(ASKED)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    assert ids(answer) == ["V1"]
    assert count(answer, "stale_intake") == 1
    await adapter.aclose()
    await around.transport.aclose()


async def test_an_index_that_is_spoilt_is_made_anew(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        await adapter.ask(ASKED)
    path = tmp_path / "state" / "messages.sqlite"
    path.write_bytes(b"no index at all, and long enough to be looked at" * 100)
    async with feed(tmp_path, visit("V1")) as adapter:
        assert ids(await adapter.ask(ASKED)) == ["V1"]


async def test_an_index_spoilt_within_is_made_anew_when_asked_again(tmp_path):
    async with feed(tmp_path, *(visit(f"V{n}") for n in range(300))) as adapter:
        await adapter.ask(ASKED)
    path = tmp_path / "state" / "messages.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 * 4 :] = os.urandom(len(data) - 4096 * 4)
    path.write_bytes(data)
    async with feed(tmp_path, *(visit(f"V{n}") for n in range(300))) as adapter:
        with contextlib.suppress(Unavailable):
            await adapter.ask(ASKED)
        assert len((await adapter.ask(ASKED)).events) == 300


async def test_another_source_file_makes_another_index(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        assert [e.kind for e in (await adapter.ask(ASKED)).events] == ["ed_attendance"]
    source = SOURCE + '[classes]\nE = "encounter"\n'
    async with feed(tmp_path, visit("V1"), source=source) as adapter:
        assert [e.kind for e in (await adapter.ask(ASKED)).events] == ["encounter"]


async def test_the_same_source_file_uses_the_index_there_is(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        await adapter.ask(ASKED)
    path = tmp_path / "state" / "messages.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE messages SET text = replace(text, '|V1', '|V7')")
    connection.commit()
    connection.close()
    around = in_folder(tmp_path)
    adapter = build(tmp_path / "source.toml", around)
    assert ids(await adapter.ask(ASKED)) == ["V7"]
    await adapter.aclose()
    await around.transport.aclose()


async def test_a_state_directory_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be")
    async with feed(tmp_path, visit("V1")) as adapter:
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(ASKED)
    assert (caught.value.reason, caught.value.domain) == ("state", "adapter")


async def test_forgetting_erases_the_index_and_the_next_question_makes_it(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        assert isinstance(adapter, Forgets)
        await adapter.forget()
        await adapter.ask(ASKED)
        await adapter.forget()
        assert not list((tmp_path / "state").glob("messages.sqlite*"))
        assert ids(await adapter.ask(ASKED)) == ["V1"]


async def test_an_index_that_cannot_be_erased_says_so(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        (tmp_path / "state" / "messages.sqlite").mkdir(parents=True)
        with pytest.raises(Unavailable) as caught:
            await adapter.forget()
    assert caught.value.reason == "state"


async def test_closed_it_answers_no_more(tmp_path):
    async with feed(tmp_path, visit("V1")) as adapter:
        await adapter.aclose()
        with pytest.raises(Unavailable) as caught:
            await adapter.ask(ASKED)
    assert caught.value.reason == "busy"


async def test_closing_ends_a_long_intake(tmp_path):
    many = [visit(f"V{n}") for n in range(3000)]
    async with feed(tmp_path, *many) as adapter:
        asking = asyncio.create_task(adapter.ask(ASKED))
        await asyncio.sleep(0.05)
        asking.cancel()
        async with asyncio.timeout(5):
            await adapter.aclose()
        with contextlib.suppress(asyncio.CancelledError):
            await asking


async def test_the_loop_goes_on_while_much_is_taken_in(tmp_path):
    many = [visit(f"V{n}") for n in range(3000)]
    async with feed(tmp_path, *many) as adapter:
        turns = 0
        asking = asyncio.create_task(adapter.ask(ASKED))
        while not asking.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert len((await asking).events) == 3000
    assert turns > 20


async def test_a_watched_directory_is_taken_in_before_anybody_asks(tmp_path):
    source = SOURCE + '[arrival]\nkind = "directory"\npoll_s = 0.1\n'
    async with feed(tmp_path, visit("V1"), source=source) as adapter:
        assert isinstance(adapter, Watches)
        watching = asyncio.create_task(adapter.watch())
        path = tmp_path / "state" / "messages.sqlite"
        async with asyncio.timeout(10):
            await _taken(path, 1)
            put(tmp_path, "late.hl7", visit("V2"))
            await _taken(path, 2)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _taken(path: Path, messages: int) -> None:
    """Once an index that nobody asked holds so many."""
    while _messages(path) < messages:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)


def _messages(path: Path) -> int:
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            ((found,),) = connection.execute("SELECT COUNT(*) FROM messages")
        except sqlite3.Error:
            return 0
        return int(found)


async def test_a_watched_directory_that_is_not_there_stops_nothing(tmp_path):
    source = SOURCE + '[arrival]\nkind = "directory"\npoll_s = 0.1\n'
    async with feed(tmp_path, visit("V1"), source=source) as adapter:
        (tmp_path / "feed" / "messages.hl7").unlink()
        watching = asyncio.create_task(adapter.watch())
        await asyncio.sleep(0.3)
        assert not watching.done()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def test_a_port_that_is_taken_is_told_in_answers(tmp_path):
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    source = SOURCE + f"[mllp]\nport = {port}\n"
    async with feed(tmp_path, visit("V1"), source=source) as adapter:
        watching = asyncio.create_task(adapter.watch())
        await asyncio.sleep(0.1)
        assert count(await adapter.ask(ASKED), "arrival_failed") == 1
        taken.close()
        await taken.wait_closed()
        async with asyncio.timeout(10):
            while count(await adapter.ask(ASKED), "arrival_failed"):  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.1)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def test_closing_an_index_twice_is_safe(tmp_path):
    index = Index(tmp_path / "i.sqlite", fingerprint="f")
    index.close()
    index.close()


def files_of(folder: Path) -> list[File]:
    return Feed(directory=folder, pattern="*", received=folder / "none").look()


def intake() -> Intake:
    return Intake(
        decoding=Decoding(default="utf-8"),
        naming=Naming({"HOSP": KEY}, KEY),
        clock=Clock(UTC),
        reads=frozenset({"ADT"}),
        message_bytes=4096,
    )


def test_a_file_that_is_another_by_now_is_not_taken_in(tmp_path):
    """Catches half of one file and half of the next, taken for one."""
    (tmp_path / "feed").mkdir()
    path = put(tmp_path, "a.hl7", visit("V1"))
    (seen,) = files_of(tmp_path / "feed")
    index = Index(tmp_path / "index.sqlite", fingerprint="f")
    for more in (visit("V2"), ""):
        path.write_text(visit("V1") + more if more else more, newline="")
        with pytest.raises(OSError, match=r"a\.hl7 was changed"):
            take(seen, index, intake())
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="symbolic"):
        take(seen, index, intake())
    assert index.files() == {}
    assert index.standing().messages == 0
    index.close()
