"""Drops that are half-written, garbage, replaced while read, or gone."""

import asyncio
import json
import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from adapters.contract import Answer, Event, Identifiers, Query
from adapters.csv_drop import CsvDrop, build
from adapters.errors import Unavailable, Unreadable
from adapters.moment import LONDON, Moment
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.drops import Style, as_csv, manifest, open_drop, write_drop
from tests.people import LOCAL, person
from tests.rows import as_rows
from tests.surroundings import NOW, in_folder

pytestmark = pytest.mark.fault

SOMEONE, OTHER = person(0), person(1)


def events(count: int = 3, of: Identifiers = SOMEONE, *, first: int = 0):
    return tuple(
        Event(
            kind="ed_attendance",
            record_id=f"r{n}",
            title="Fall",
            status="finished",
            start=Moment(datetime(2024, 3, n % 28 + 1, tzinfo=LONDON), "day"),
            subject=of.every,
        )
        for n in range(first, first + count)
    )


QUERY = Query(person=SOMEONE, since=None, until=None, categories=CATEGORIES, limit=999)


@pytest.fixture
async def opening(tmp_path):
    """Opens drops of these events in the test's folder; closes them at its end."""
    opened: list[CsvDrop] = []

    def open_(told=(), **options) -> CsvDrop:
        opened.append(
            open_drop(tmp_path, told, in_folder(tmp_path), key=LOCAL, **options)
        )
        return opened[-1]

    yield open_
    for adapter in opened:
        await adapter.aclose()


def lay(folder, data: bytes, *, name: str = "events.csv", later: int = 1) -> None:
    """Puts a drop in place whole, and later than what lies there."""
    path = folder / "drops" / name
    path.write_bytes(data)
    at = path.stat().st_mtime + later
    os.utime(path, (at, at))


def told(answer: Answer) -> set[str]:
    return {event.record_id for event in answer.events}


def codes(answer: Answer) -> dict[str, int]:
    return {caveat.code: caveat.count for caveat in answer.caveats}


def quarantined(folder):
    return (folder / "state" / "quarantine.csv").read_text("utf-8").splitlines()[1:]


async def test_a_directory_that_is_not_there_is_asked_again_later(tmp_path, opening):
    adapter = opening(events())
    shutil.move(tmp_path / "drops", tmp_path / "elsewhere")
    with pytest.raises(Unavailable) as refused:
        await adapter.ask(QUERY)
    assert refused.value.reason == "drop_missing"
    shutil.move(tmp_path / "elsewhere", tmp_path / "drops")
    assert told(await adapter.ask(QUERY)) == {"r0", "r1", "r2"}


async def test_a_directory_that_goes_later_is_not_answered_from_memory(
    tmp_path, opening
):
    adapter = opening(events())
    await adapter.ask(QUERY)
    shutil.rmtree(tmp_path / "drops")
    with pytest.raises(Unavailable):
        await adapter.ask(QUERY)


async def test_a_replaced_drop_is_picked_up_without_a_restart(tmp_path, opening):
    adapter = opening(events(3))
    assert len((await adapter.ask(QUERY)).events) == 3
    lay(tmp_path, as_csv(as_rows(events(5), key=LOCAL)))
    answer = await adapter.ask(QUERY)
    assert len(answer.events) == 5
    assert answer.caveats == ()


async def test_the_newest_of_several_drops_is_the_whole_truth(tmp_path, opening):
    adapter = opening(events(3))
    lay(tmp_path, as_csv(as_rows(events(1, first=7), key=LOCAL)), name="b.csv", later=9)
    assert told(await adapter.ask(QUERY)) == {"r7"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: bytes(range(256)) * 64 + b"\n",
        lambda data: b"\xff\xfe" + data.decode().encode("utf-16-le"),
        lambda data: b"PK\x03\x04" + data,
        lambda data: data.replace(b"record id", b"something else"),
        lambda data: data.split(b"\n", 1)[0] + b"\n" + b"\x00\n" * 40,
        lambda data: data.replace(b"\n", b"\r"),
    ],
)
async def test_a_spoilt_drop_leaves_the_last_good_one_answering(
    tmp_path, opening, spoil
):
    adapter = opening(events(3))
    good = await adapter.ask(QUERY)
    spoilt = spoil(as_csv(as_rows(events(5), key=LOCAL)))
    lay(tmp_path, spoilt)
    answer = await adapter.ask(QUERY)
    assert answer.events == good.events
    assert codes(answer) == {"stale_intake": 1}
    again = await adapter.ask(QUERY)
    assert again.events == good.events
    lay(tmp_path, as_csv(as_rows(events(5), key=LOCAL)), later=5)
    assert len((await adapter.ask(QUERY)).events) == 5


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-1], "incomplete"),
        (lambda data: b"", "incomplete"),
        (lambda data: b"\x00\x01\x02garbage\n" * 99, "unreadable"),
        (lambda data: b"a,b,c\n1,2,3\n", "schema"),
        (lambda data: b"\x1f\x8b" + data, "unreadable"),
        (lambda data: data.split(b"\n", 1)[0] + b"\n,,,\n" * 3, "unreadable"),
    ],
)
async def test_a_spoilt_first_drop_is_unreadable_and_says_why(
    tmp_path, opening, spoil, reason
):
    opening(events(3))
    lay(tmp_path, spoil(as_csv(as_rows(events(3), key=LOCAL))))
    adapter = build(tmp_path / "source.toml", in_folder(tmp_path))
    with pytest.raises(Unreadable) as refused:
        await adapter.ask(QUERY)
    assert refused.value.reason == reason
    await adapter.aclose()


async def test_a_drop_being_written_is_left_alone_until_it_settles(tmp_path):
    source = write_drop(tmp_path, events(3), key=LOCAL)
    text = source.read_text("utf-8")
    source.write_text(text.replace("settle_s = 0", "settle_s = 0.2"))
    early = NOW - timedelta(days=9000)  # so that every file looks just written
    adapter = build(source, in_folder(tmp_path, now=early))
    asked = asyncio.create_task(adapter.ask(QUERY))
    await asyncio.sleep(0.1)
    lay(tmp_path, as_csv(as_rows(events(5), key=LOCAL)))
    assert len((await asked).events) == 5
    await adapter.aclose()


async def test_a_drop_that_is_never_left_alone_is_incomplete(tmp_path):
    source = write_drop(tmp_path, events(3), key=LOCAL)
    text = source.read_text("utf-8")
    source.write_text(text.replace("settle_s = 0", "settle_s = 0.05"))
    early = NOW - timedelta(days=9000)
    adapter = build(source, in_folder(tmp_path, now=early))
    asked = asyncio.create_task(adapter.ask(QUERY))
    for n in range(200):
        lay(tmp_path, as_csv(as_rows(events(3), key=LOCAL)), later=n)
        await asyncio.sleep(0.01)
        if asked.done():
            break
    with pytest.raises(Unreadable) as refused:
        await asked
    assert refused.value.reason == "incomplete"
    await adapter.aclose()


@pytest.mark.parametrize(
    "promise",
    [
        lambda data: manifest("events.csv", data + b"x", 3),
        lambda data: manifest("events.csv", data, 4),
        lambda data: manifest("other.csv", data, 3),
        lambda data: "{",
        lambda data: "[1, 2]",
        lambda data: '{"file": "events.csv"}',
        lambda data: "file,sha256\nevents.csv,abc\n",
    ],
)
async def test_a_drop_its_manifest_does_not_promise_is_incomplete(
    tmp_path, opening, promise
):
    adapter = opening(events(3), style=Style(manifest=True))
    data = (tmp_path / "drops" / "events.csv").read_bytes()
    (tmp_path / "drops" / "events.csv.manifest.json").write_text(promise(data), "utf-8")
    with pytest.raises(Unreadable) as refused:
        await adapter.ask(QUERY)
    assert refused.value.reason == "incomplete"
    right = manifest("events.csv", data, 3)
    (tmp_path / "drops" / "events.csv.manifest.json").write_text(right, "utf-8")
    assert len((await adapter.ask(QUERY)).events) == 3


async def test_a_manifest_says_how_fresh_the_drop_is(tmp_path, opening):
    adapter = opening(events(3), style=Style(manifest=True))
    data = (tmp_path / "drops" / "events.csv").read_bytes()
    promise = manifest("events.csv", data, 3)[:-1] + ', "as_of": "2024-07-01T06:00"}'
    listed = f'{{"files": [{promise}]}}'
    (tmp_path / "drops" / "events.csv.manifest.json").write_text(listed, "utf-8")
    answer = await adapter.ask(QUERY)
    assert answer.as_of == datetime(2024, 7, 1, 6, tzinfo=LONDON)


async def test_a_manifest_may_be_a_csv_of_every_file(tmp_path, opening):
    adapter = opening(events(3), style=Style(manifest=True))
    data = (tmp_path / "drops" / "events.csv").read_bytes()
    told_of = json.loads(manifest("events.csv", data, 3))
    path = tmp_path / "drops" / "events.csv.manifest.json"
    path.write_text(
        f"file,sha256,rows,as_of\nevents.csv,{told_of['sha256'].upper()},3,\n", "utf-8"
    )
    assert len((await adapter.ask(QUERY)).events) == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"too,few\n", "wrong_width"),
        (b"r9,\x00,\n", "nul"),
        (b"r9,\xff\xfe\n", "undecodable"),
        (b'r9,"never closed\n', "bad_quotes"),
        (b"r9," + b"x" * 300_000 + b"\n", "field_too_long"),
    ],
)
async def test_a_bad_row_is_set_aside_and_the_others_told(
    tmp_path, opening, row, reason
):
    opening(events(3))
    head, first, rest = as_csv(as_rows(events(3), key=LOCAL)).split(b"\n", 2)
    if reason == "field_too_long":
        row = first.replace(b"Fall", b"x" * 300_000).replace(b"r0", b"r9") + b"\n"
    lay(tmp_path, b"\n".join([head, first, row + rest]))
    adapter = build(tmp_path / "source.toml", in_folder(tmp_path))
    answer = await adapter.ask(QUERY)
    assert told(answer) == {"r0", "r1", "r2"}
    assert codes(answer) == {"rows_rejected": 1}
    assert quarantined(tmp_path) == [f"events.csv,3,,{reason}"]
    await adapter.aclose()


async def test_rows_without_id_person_or_time_are_set_aside_by_column(
    tmp_path, opening
):
    opening(events(1))
    rows = as_rows(events(5), key=LOCAL)
    cells = [list(row) for row in rows.cells]
    at = rows.columns.index
    cells[0][at("record id")] = " "
    for column in rows.columns:
        if column.endswith(" 0"):
            cells[1][at(column)] = ""
    cells[2][at("start")] = "last Tuesday"
    cells[3][at("kind")] = "no such kind"
    lines = [",".join(row) for row in [rows.columns, *cells]]
    lay(tmp_path, ("\n".join(lines) + "\n").encode())
    adapter = build(tmp_path / "source.toml", in_folder(tmp_path))
    answer = await adapter.ask(QUERY)
    assert told(answer) == {"r4"}
    assert codes(answer) == {"rows_rejected": 4}
    found = [line.split(",")[1:] for line in quarantined(tmp_path)]
    assert [(line, reason) for line, _, reason in found] == [
        ("2", "no_record_id"),
        ("3", "no_identifier"),
        ("4", "not_a_time"),
        ("5", "unknown_kind"),
    ]
    assert "Tuesday" not in "".join(quarantined(tmp_path))
    await adapter.aclose()


async def test_an_id_that_comes_twice_with_another_content_is_set_aside(
    tmp_path, opening
):
    adapter = opening((*events(2), *events(1, OTHER), *events(1)))
    answer = await adapter.ask(QUERY)
    assert told(answer) == {"r0", "r1"}
    # One row of another person's is set aside, and one says again what was said.
    assert codes(answer) == {"rows_rejected": 1, "duplicate_record": 1}
    assert quarantined(tmp_path) == ["events.csv,4,,duplicate_record"]


async def test_a_row_said_twice_is_counted_for_whom_it_is_about(tmp_path, opening):
    adapter = opening((*events(3), *events(2), *events(1, OTHER, first=9)))
    assert codes(await adapter.ask(QUERY)) == {"duplicate_record": 2}
    assert codes(await adapter.ask(replace(QUERY, person=OTHER))) == {}


async def test_control_characters_of_a_record_id_are_not_shown(tmp_path, opening):
    (event,) = events(1)
    adapter = opening([msgspec.structs.replace(event, record_id="r\x07\n0")])
    (told_,) = (await adapter.ask(QUERY)).events
    assert told_.record_id == "r\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}0"
    assert told_.caveats == ("control_characters",)


async def test_later_files_supersede_earlier_ones_by_record_id(tmp_path):
    source = write_drop(tmp_path, events(3), key=LOCAL)
    source.write_text('mode = "append"\n' + source.read_text("utf-8"))
    moved = (*events(1, OTHER), *events(1, first=8))
    wider = as_rows(moved, key=LOCAL)
    reordered = [[row[n] for n in range(len(row) - 1, -1, -1)] for row in wider.cells]
    lines = [",".join(reversed(wider.columns)), *(",".join(r) for r in reordered)]
    lay(tmp_path, ("\n".join(lines) + "\n").encode(), name="z.csv", later=9)
    adapter = build(source, in_folder(tmp_path))
    assert told(await adapter.ask(QUERY)) == {"r1", "r2", "r8"}
    of_other = Query(
        person=OTHER, since=None, until=None, categories=CATEGORIES, limit=9
    )
    assert told(await adapter.ask(of_other)) == {"r0"}
    await adapter.aclose()


async def test_a_link_out_of_the_directory_is_not_followed(tmp_path, opening):
    adapter = opening(events(3))
    outside = tmp_path / "outside.csv"
    outside.write_bytes(as_csv(as_rows(events(5), key=LOCAL)))
    (tmp_path / "drops" / "zzz.csv").symlink_to(outside)
    assert len((await adapter.ask(QUERY)).events) == 3


async def test_an_index_in_place_answers_at_once_after_a_restart(tmp_path, opening):
    await opening(events(3)).ask(QUERY)
    index = tmp_path / "state" / "index.drop"
    before = index.stat().st_mtime_ns
    again = build(tmp_path / "source.toml", in_folder(tmp_path))
    assert len((await again.ask(QUERY)).events) == 3
    assert index.stat().st_mtime_ns == before
    await again.aclose()


async def test_an_index_of_another_mapping_or_broken_is_built_anew(tmp_path, opening):
    await opening(events(3)).ask(QUERY)
    (tmp_path / "state" / "index.drop").write_bytes(b"no database")
    again = build(tmp_path / "source.toml", in_folder(tmp_path))
    assert len((await again.ask(QUERY)).events) == 3
    await again.aclose()
    source = tmp_path / "source.toml"
    source.write_text(source.read_text("utf-8").replace('"{title}"', '"A {title}"'))
    other = build(source, in_folder(tmp_path))
    assert {e.title for e in (await other.ask(QUERY)).events} == {"A Fall"}
    await other.aclose()


async def test_an_index_that_is_cut_while_in_use_is_built_anew(tmp_path, opening):
    adapter = opening(events(3))
    await adapter.ask(QUERY)
    os.truncate(tmp_path / "state" / "index.drop", 40)
    with pytest.raises(Unavailable) as refused:
        await adapter.ask(QUERY)
    assert refused.value.reason == "state"
    assert len((await adapter.ask(QUERY)).events) == 3


async def test_an_index_written_over_while_in_use_tells_nobody_elses_rows(
    tmp_path, opening
):
    adapter = opening((*events(3), *events(3, OTHER, first=5)))
    before = (await adapter.ask(QUERY)).events
    index = tmp_path / "state" / "index.drop"
    size = index.stat().st_size
    for at in range(0, size - 8, 16):
        data = bytearray(index.read_bytes())
        data[at] ^= 0x15
        with index.open("r+b") as stream:
            stream.write(data)
        try:
            answer = await adapter.ask(QUERY)
        except Unavailable:
            continue  # then it was built anew
        assert {s for e in answer.events for s in e.subject} <= SOMEONE.every
        assert len(answer.events) <= len(before)


async def test_a_state_directory_that_cannot_be_written_is_unavailable(
    tmp_path, opening
):
    adapter = opening(events(3))
    (tmp_path / "state").write_text("a file stands where the directory should")
    with pytest.raises(Unavailable) as refused:
        await adapter.ask(QUERY)
    assert refused.value.reason == "state"
    (tmp_path / "state").unlink()
    assert len((await adapter.ask(QUERY)).events) == 3


async def test_many_asking_during_one_intake_are_all_answered(tmp_path, opening):
    adapter = opening(events(500))
    answers = await asyncio.gather(*(adapter.ask(QUERY) for _ in range(20)))
    assert {len(answer.events) for answer in answers} == {500}


async def test_a_caller_who_leaves_does_not_undo_the_intake(tmp_path, opening):
    adapter = opening(events(4000))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await adapter.ask(QUERY)
    assert len((await adapter.ask(QUERY)).events) == 999


async def test_closing_during_an_intake_ends_it(tmp_path, opening):
    adapter = opening(events(4000))
    asked = asyncio.create_task(adapter.ask(QUERY))
    await asyncio.sleep(0.01)
    await adapter.aclose()
    with pytest.raises(Unavailable):
        await asked
    assert not list((tmp_path / "state").glob("*.building"))


async def test_the_limit_of_records_is_said(tmp_path):
    source = write_drop(tmp_path, events(30), key=LOCAL)
    adapter = build(source, in_folder(tmp_path, limits=Limits(records=10)))
    answer = await adapter.ask(QUERY)
    assert len(answer.events) == 10
    assert codes(answer) == {"truncated": 1}
    await adapter.aclose()
