"""Every HL7 v2 file of the real-shaped data, whole: nothing lost, nothing invented.

What SimHospital's messages say is worked out here once more, by splitting lines at
their marks and by nothing that the adapter has.
"""

import re
import shutil
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from adapters.contract import Event, Identifier, Identifiers
from adapters.hl7v2 import build
from adapters.moment import LONDON
from adapters.nhs_number import normalise
from tests.corpus import corpus
from tests.hl7 import count, everything
from tests.hl7v2_corpus import (
    FAMILIES,
    MRN,
    fields,
    keys_in,
    lines,
    messages_in,
    read,
    source_file,
    table,
)
from tests.surroundings import in_folder

pytestmark = pytest.mark.corpus

SIMHOSPITAL = ("hl7v2-simhospital", "messages-cr.hl7")
# A journey as told here: kind, id, start as an instant, title.
Line = tuple[str, str | None, datetime | None, str]


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_message_has_a_place(tmp_path, family):
    files = sorted(corpus(family).glob("*.hl7"))
    assert files
    for number, file in enumerate(files):
        found = await read(file, tmp_path / str(number))
        assert found.messages > 0
        assert found.unaccounted == 0, file.name
        assert not found.rejected, file.name


async def test_the_table_adds_up(tmp_path):
    for family in FAMILIES:
        corpus(family)
    rows = await table(corpus(), tmp_path)
    assert [row.messages for row in rows.values()] == [713, 97, 3]
    assert lines(rows)[-1] == "messages unaccounted 0, crashes 0"


async def ask(data: bytes, folder: Path, asked: list[Identifiers]):
    """What a feed of these bytes answers about each."""
    (folder / "feed").mkdir(parents=True)
    (folder / "feed" / "messages.hl7").write_bytes(data)
    (folder / "source.toml").write_text(source_file())
    around = in_folder(folder)
    adapter = build(folder / "source.toml", around)
    try:
        return [await adapter.ask(everything(each)) for each in asked]
    finally:
        await adapter.aclose()
        await around.transport.aclose()


def instant(stamp: bytes) -> datetime | None:
    if not stamp:
        return None
    return datetime.strptime(stamp.decode(), "%Y%m%d%H%M%S").replace(tzinfo=LONDON)


def journeys(data: bytes) -> dict[str, Counter[Line]]:
    """By hospital number: what SimHospital's messages say, in their own order."""
    told: dict[str, Counter[Line]] = defaultdict(Counter)
    for message in messages_in(data):
        (pid,), (pv1,) = fields(message, b"PID"), fields(message, b"PV1")
        mine = told[pid[3].split(b"^")[0].decode()]
        kind = next(fields(message, b"MSH"))[8]
        if kind == b"ADT^A01":
            visit, began = pv1[19].split(b"^")[0].decode(), instant(pv1[44])
            mine["inpatient_spell", visit, began, "Inpatient spell"] += 1
            ward = pv1[3].split(b"^")[0].decode()
            mine["ward_stay", f"{visit}/ward/1", began, ward] += 1
            for al1 in fields(message, b"AL1"):
                title = al1[3].split(b"^")[1].decode()
                mine["allergy", None, instant(al1[6]), title] += 1
        elif kind == b"ORU^R01":
            (obr,) = fields(message, b"OBR")
            code, title = (part.decode() for part in obr[4].split(b"^")[:2])
            order = f"{obr[3].decode()}/{code}"
            # One of eleven such numbers could be an NHS number, and is not shown.
            hidden = normalise(obr[3].decode()) is not None
            own = None if hidden else order
            mine["diagnostic_report", own, instant(obr[7]), title] += 1
            for obx in fields(message, b"OBX"):
                test, name = (part.decode() for part in obx[3].split(b"^")[:2])
                taken = instant(obx[14]) or instant(obr[7])
                own = None if hidden else f"{order}/{test}"
                mine["observation", own, taken, name] += 1
        elif kind == b"MDM^T02":
            (txa,) = fields(message, b"TXA")
            own = txa[12].split(b"^")[0].decode()
            mine["document", own, instant(txa[4]), txa[2].decode()] += 1
    return told


def line_of(event: Event) -> Line:
    made = re.match(r"[0-9a-f]{24}(/|$)", event.record_id)
    own = None if made else event.record_id
    return event.kind, own, event.start.at if event.start else None, event.title


async def test_simhospital_journeys_are_those_of_the_messages_own_order(tmp_path):
    data = corpus(*SIMHOSPITAL).read_bytes()
    expected = journeys(data)
    keys = sorted(expected)
    asked = [Identifiers(others=frozenset({Identifier(MRN, key)})) for key in keys]
    answers = await ask(data, tmp_path, asked)
    assert len(keys) > 200
    for key, answer in zip(keys, answers, strict=True):
        assert Counter(map(line_of, answer.events)) == expected[key]
        told = {(event.kind, event.record_id) for event in answer.events}
        assert len(told) == len(answer.events)
        starts = [event.start.at for event in answer.events if event.start]
        assert starts == sorted(starts)


async def test_simhospital_people_are_found_by_their_nhs_numbers_too(tmp_path):
    data = corpus(*SIMHOSPITAL).read_bytes()
    numbers = re.findall(rb"~(\d{10})\^\^\^NHSNBR\^NHSNMBR", data)
    valid = sorted({n for each in numbers if (n := normalise(each.decode()))})
    answers = await ask(data, tmp_path, [Identifiers(nhs_number=n) for n in valid])
    assert len(valid) > 200
    assert all(answer.person and answer.events for answer in answers)
    subjects = {event.subject for answer in answers for event in answer.events}
    assert len(subjects) == len(valid)


INVALID = re.compile(r"^InvalidNhsNum:\n  segments:\n((?:  - .*\n)+)", re.MULTILINE)


async def test_the_message_made_to_be_invalid_links_nobody_by_its_number(tmp_path):
    text = corpus("hl7v2-simhospital", "invalid_messages.yml").read_text()
    (found,) = INVALID.findall(text)
    segments = [line.strip()[3:-1] for line in found.splitlines()]
    message = "\r".join(segments).replace("\\\\", "\\").replace("%s", "20180709162444")
    wrong = Identifiers(nhs_number="2278322867")
    mine = Identifiers(others=frozenset({Identifier(MRN, "20180709162444249")}))
    by_number, by_key = await ask(message.encode(), tmp_path, [wrong, mine])
    assert (by_number.events, by_number.person) == ((), None)
    assert [e.kind for e in by_key.events] == ["inpatient_spell", "ward_stay"]
    assert count(by_key, "invalid_number") == 1


def microsoft(name: str) -> bytes:
    return corpus("hl7v2-microsoft", f"{name}.hl7").read_bytes()


def of_key(value: str) -> Identifiers:
    return Identifiers(others=frozenset({Identifier(MRN, value)}))


def visit(key: str, number: str, at: str = "201001010900") -> bytes:
    """A visit of somebody, in the manner of these files."""
    pid = f"PID|1||{key}^^^BCBS^MR"
    pv1 = f"PV1|1|O|||||||||||||||||{number}|||||||||||||||||||||||||{at}"
    header = f"MSH|^~\\&|ADT1|X|||{at}||ADT^A04|{number}|P|2.8"
    return f"{header}\r{pid}\r{pv1}\r".encode()


def parted(one: str, other: str) -> bytes:
    header = "MSH|^~\\&|ADT1|X|||20300101||ADT^A37|undo|P|2.8"
    pids = "\r".join(f"PID|1||{each}^^^BCBS^MR" for each in (one, other))
    return f"{header}\rEVN|A37|20300101\r{pids}\r".encode()


def ids(answer) -> list[str]:
    return sorted(e.record_id for e in answer.events if e.kind != "death")


MERGES = [
    ("ADT-A40-01", "56789", "12345"),
    ("ADT-A47-01", "MR102", "MR101"),
]


@pytest.mark.parametrize(("name", "prior", "survivor"), MERGES)
async def test_a_merge_makes_one_of_two_and_its_undoing_two(
    tmp_path, name, prior, survivor
):
    before = visit(prior, "P-1") + visit(survivor, "S-1")
    asked = [of_key(prior), of_key(survivor)]
    apart = await ask(before, tmp_path / "apart", asked)
    assert [ids(a) for a in apart] == [["P-1"], ["S-1"]]
    merged = await ask(before + microsoft(name), tmp_path / "merged", asked)
    assert [ids(a) for a in merged] == [["P-1", "S-1"]] * 2
    undone = before + microsoft(name) + b"\r" + parted(prior, survivor)
    again = await ask(undone, tmp_path / "undone", asked)
    assert [a.events for a in again] == [a.events for a in apart]


async def test_merged_accounts_leave_each_person_their_own(tmp_path):
    before = visit("PATID1234", "A-1") + visit("PATID444", "B-1")
    data = before + microsoft("ADT-A41-02")
    asked = [of_key("PATID1234"), of_key("PATID444"), of_key("PATID")]
    mine, theirs, third = await ask(data, tmp_path, asked)
    assert (ids(mine), ids(theirs), ids(third)) == (["A-1"], ["B-1"], [])


@pytest.mark.parametrize("name", ["ADT-A45-01", "ADT-A45-02"])
async def test_a_visit_moved_between_accounts_stays_its_persons(tmp_path, name):
    data = visit("PATID1234", "5001") + microsoft(name)
    (mine,) = await ask(data, tmp_path, [of_key("PATID1234")])
    assert "5001" in ids(mine)
    assert len(ids(mine)) == (1 if name.endswith("01") else 2)


async def test_a_visit_moved_to_somebody_else_and_back(tmp_path):
    """A45 as these files write it, about two people; then the other way round."""
    there = microsoft("ADT-A45-02").replace(b"MRG|PATID1234^5^M11", b"MRG|OTHER")
    back = re.sub(rb"(PID\|1\|\|)PATID1234\^5\^M11", rb"\1OTHER", there)
    back = back.replace(b"MRG|OTHER", b"MRG|PATID1234").replace(b"2021", b"2022")
    before = visit("OTHER", "5001")
    asked = [of_key("OTHER"), of_key("PATID1234")]
    moved = await ask(before + there, tmp_path / "there", asked)
    assert ["5001" in ids(a) for a in moved] == [False, True]
    again = await ask(before + there + b"\r" + back, tmp_path / "back", asked)
    assert ["5001" in ids(a) for a in again] == [True, False]


async def test_the_whole_of_a_family_as_one_feed(tmp_path):
    """All files at once: the same ids, the same people, again and again."""
    feed = tmp_path / "feed"
    feed.mkdir()
    total = 0
    for file in sorted(corpus("hl7v2-microsoft").glob("*.hl7")):
        shutil.copy(file, feed)
        total += len(messages_in(file.read_bytes()))
    (tmp_path / "source.toml").write_text(source_file())
    around = in_folder(tmp_path)
    adapter = build(tmp_path / "source.toml", around)
    types = await adapter.taken()
    answer = await adapter.ask(everything(of_key("PATID1234")))
    await adapter.aclose()
    await around.transport.aclose()
    assert types.total() == total
    assert count(answer, "message_id_reused") > 0
    assert len(answer.events) == len({(e.kind, e.record_id) for e in answer.events})


def test_everybody_in_a_file_is_asked_for():
    data = corpus(*SIMHOSPITAL).read_bytes()
    assert len(keys_in(data)) == len(set(keys_in(data))) > 200
