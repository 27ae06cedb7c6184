"""Every CSV file of events, read whole through an example: rows = events + rejected."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.csv_drop import build
from adapters.errors import Unreadable
from adapters.nhs_number import normalise
from adapters.vocabulary import CATEGORIES
from tests.corpus import ROOT, corpus
from tests.drop_corpus import EXTRACTS, HES, lay_out, take
from tests.surroundings import in_folder

pytestmark = pytest.mark.corpus

BY_EXAMPLE = {Path(e.example).stem: e for e in EXTRACTS}
NOT_KNOWN = {"1800-01-01", "1801-01-01", "1802-01-01 00:00:00"}
# What stands beside the events and is about nobody.
NO_EVENTS = {"organizations.csv", "payers.csv", "providers.csv"}


def told(event: Event, element: str) -> str | None:
    return next((d.value for d in event.detail if d.element == element), None)


@pytest.mark.parametrize("extract", EXTRACTS, ids=lambda e: f"{e.example}<{e.file}")
async def test_every_row_is_an_event_or_is_set_aside_with_a_reason(extract, tmp_path):
    taken = await take(extract, corpus(), tmp_path)
    figures = f"{taken.rows} rows, {len(taken.events)} events"
    print(f"{figures}, {dict(taken.rejected)}, {taken.repeated} told twice")  # noqa: T201 - the figures are the report
    assert taken.rows > 0
    assert taken.accounted == taken.rows
    assert len({event.record_id for event in taken.events}) == len(taken.events)
    assert set(taken.caveats) <= {"rows_rejected", "duplicate_record"}
    assert "duplicate_record" not in taken.caveats or taken.repeated
    assert all(event.title for event in taken.events)
    if taken.rejected:
        assert taken.caveats["rows_rejected"] == taken.rejected.total()


def test_every_csv_file_of_events_has_an_example():
    mapped = {extract.file for extract in EXTRACTS}
    for family in ("csv-hes-artificial", "csv-nhs-immunisation-batch", "csv-synthea"):
        for file in corpus(family).rglob("*.csv"):
            if file.name not in NO_EVENTS:
                assert file.relative_to(corpus()).as_posix() in mapped


def test_every_example_of_a_drop_says_in_its_first_line_what_it_reads():
    examples = {
        file.relative_to(ROOT / "examples").as_posix(): file.read_text("utf-8")
        for folder in ("hes", "immunisation", "synthea")
        for file in (ROOT / "examples" / folder).glob("*.toml")
    }
    assert set(examples) == {extract.example for extract in EXTRACTS}
    for text in examples.values():
        first, second, *_ = text.splitlines()
        assert re.fullmatch(r"# .{12,}\.", first)
        assert not second.startswith("#")


@pytest.fixture
async def taken(request, tmp_path):
    """Events by record id, and the rows they came from."""
    extract = BY_EXAMPLE[request.param]
    found = await take(extract, corpus(), tmp_path)
    return {e.record_id: e for e in found.events}, extract.rows(corpus())


@pytest.mark.parametrize("taken", ["ae"], indirect=True)
async def test_four_thousand_is_no_hour_and_1802_no_day_of_emergency_care(taken):
    events, rows = taken
    clocks = {
        "INITTIME": "initial assessment",
        "TRETTIME": "seen for treatment",
        "CONCLTIME": "attendance concluded",
        "DEPTIME": "departure",
    }
    unknown: Counter[str] = Counter()
    for row in rows:
        event = events[row["AEKEY"]]
        day = f"{row['ARRIVALDATE']}T{row['ARRIVALTIME'][:2]}:{row['ARRIVALTIME'][2:]}"
        assert event.start is not None
        assert event.start.text.startswith(day)
        assert event.start.precision == "minute"
        assert event.recorded is None
        assert "unknown_time" in event.caveats
        for column, element in clocks.items():
            expected = None if row[column] == "4000" else row[column] or None
            assert told(event, element) == expected
            unknown[column] += row[column] == "4000"
    assert unknown.total() == 387
    assert sum(row["SUSLDDATE_HIS"] in NOT_KNOWN for row in rows) == 673


@pytest.mark.parametrize("taken", ["apc"], indirect=True)
async def test_episodes_keep_their_days_codes_and_class(taken):
    events, rows = taken
    for row in rows:
        event = events[row["EPIKEY"]]
        start = None if row["EPISTART"] in NOT_KNOWN else row["EPISTART"]
        end = None if row["EPIEND"] in NOT_KNOWN else row["EPIEND"]
        assert (event.start.text if event.start else None) == start
        assert (event.end.text if event.end else None) == end
        given = {row[f"DIAG_4_{n:02}"].strip() for n in range(1, 21)} - {""}
        icd = {c.code for c in event.codes if c.system and c.system.endswith("icd-10")}
        assert icd == given
        done = {row[f"OPERTN_4_{n:02}"].strip() for n in range(1, 25)} - {"", "-", "&"}
        opcs = {c.code for c in event.codes if c.system and c.system.endswith("opcs-4")}
        assert opcs == done
        assert (event.kind == "day_case") == (row["CLASSPAT"] in {"2", "3"})
        elected = None if row["ELECDATE"] in NOT_KNOWN else row["ELECDATE"]
        assert told(event, "decision to admit") == elected


@pytest.mark.parametrize("taken", ["op"], indirect=True)
async def test_a_request_of_1801_is_not_known_and_who_stayed_away_did(taken):
    events, rows = taken
    for row in rows:
        event = events[row["ATTENDKEY"]]
        is_unknown = row["REQDATE"] in NOT_KNOWN
        assert (event.recorded is None) == is_unknown
        assert ("unknown_time" in event.caveats) == is_unknown
        assert (event.status == "did-not-attend") == (row["ATTENDED"] in {"3", "7"})
    assert sum(row["REQDATE"] in NOT_KNOWN for row in rows) == 135


@pytest.mark.parametrize("taken", ["batch", "batch-cp1252"], indirect=True)
async def test_a_vaccination_is_at_the_instant_its_batch_gives_in_utc(taken):
    events, rows = taken
    assert events
    for row in rows:
        event = events.get(f"{row['UNIQUE_ID_URI']}/{row['UNIQUE_ID']}")
        if event is None:
            assert normalise(row["NHS_NUMBER"]) is None
            continue
        written = row["DATE_AND_TIME"]
        assert event.start is not None
        assert f"{event.start.at:%Y%m%dT%H%M%S}00" == written
        assert event.start.at.utcoffset() is not None
        assert event.title == row["VACCINATION_PROCEDURE_TERM"]
        assert told(event, "dose number") == (row["DOSE_SEQUENCE"] or None)


async def test_a_batch_of_another_encoding_is_set_aside_row_by_row_not_misread(
    tmp_path,
):
    """Read as UTF-8, the row with a letter of Windows-1252 is rejected and counted."""
    extract = BY_EXAMPLE["batch-cp1252"]
    source = lay_out(extract, corpus(), tmp_path)
    text = source.read_text("utf-8")
    source.write_text(text.replace('encoding = "cp1252"', 'encoding = "utf-8"'))
    around = in_folder(tmp_path)
    adapter = build(source, around)
    await adapter.ask(about(Identifier(HES, "nobody")))
    await adapter.aclose()
    with (around.state / "quarantine.csv").open() as stream:
        reasons = Counter(row["reason"] for row in csv.DictReader(stream))
    assert reasons["undecodable"] == 1


async def test_a_register_whose_last_line_has_no_end_needs_its_manifest(tmp_path):
    source = lay_out(BY_EXAMPLE["people"], corpus(), tmp_path)
    (promise,) = (tmp_path / "drops" / "people").glob("*.manifest.json")
    promise.unlink()
    adapter = build(source, in_folder(tmp_path))
    with pytest.raises(Unreadable) as refused:
        await adapter.ask(about(Identifier(HES, "nobody")))
    assert refused.value.reason == "incomplete"
    await adapter.aclose()


def about(named: Identifier) -> Query:
    return Query(
        person=Identifiers(others=frozenset({named})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=10,
    )


@pytest.mark.parametrize("taken", ["encounters-headerless"], indirect=True)
async def test_columns_without_a_header_are_read_in_the_order_named(taken):
    events, rows = taken
    for row in rows:
        event = events[row["1"]]
        assert event.start is not None
        assert event.start.at.strftime("%Y-%m-%dT%H:%M:%SZ") == row["2"]
        assert (event.title, event.kind_code) == (row["8"], row["6"])
