"""The example prepares from any folder of files of those names, as life writes them."""

import csv
import io
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from adapters.contract import Identifier, Identifiers, Query
from adapters.errors import ConfigurationError
from adapters.moment import LONDON, Moment
from adapters.registry import open_source
from adapters.vocabulary import CATEGORIES
from examples.crosssector.__main__ import main
from examples.crosssector.prepare import DATABASES, DROPS, Unusable, prepare
from gateway.settings import load_settings
from tests.surroundings import in_folder

TODAY = date(2026, 3, 1)
ROOT = Path(__file__).resolve().parents[2]
PATIENT = "urn:throughline:example:patient-id"
PSEUDONYM = "urn:throughline:example:pseudonym"
TIMES = {
    "ecds_attendances": "arrival_datetime",
    "csds_contacts": "contact_date",
    "social_care": "start_date",
    "sus_episodes": "admission_date",
    "mhsds_referrals": "referral_date",
}


def rows_of(name: str, needs: tuple[str, ...]) -> list[dict[str, str]]:
    """A few rows: a plain one, an undated, an impossible, one of no format."""
    starts = ["2024-03-01", "", "2023-02-30", "soon", "27/10/2024 01:30"]
    return [
        {
            "spare": f'a "note"\nof {n}, lines',
            TIMES[name]: start,
            "nhs_number": "INVALID" if n % 2 else "PSEUDO_0001",
            "trust_code": "" if n % 2 else "Z9T",
            needs[0]: f"{name[:3]}{n}",
            "patient_id": "PAT_0001",
        }
        for n, start in enumerate(starts)
    ]


def written(rows, *, bom: bool, line_end: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


@pytest.fixture(params=[(False, "\n"), (True, "\r\n")], ids=["plain", "windows"])
def given(tmp_path, request):
    folder = tmp_path / "given"
    folder.mkdir()
    bom, line_end = request.param
    for table in (*DROPS, *DATABASES):
        data = written(rows_of(table.name, table.needs), bom=bom, line_end=line_end)
        (folder / table.file).write_bytes(data)
    return folder


def question(system: str, value: str) -> Query:
    return Query(
        person=Identifiers(others=frozenset({Identifier(system, value)})),
        since=None,
        until=None,
        categories=CATEGORIES,
        limit=100,
    )


@pytest.mark.parametrize("table", [*DROPS, *DATABASES], ids=lambda t: t.source)
async def test_every_row_is_an_event_whatever_its_time(given, tmp_path, table):
    out = tmp_path / "out"
    assert prepare(given, out, today=TODAY) == []
    source = out / "sources" / f"{table.source}.toml"
    adapter = open_source(source, in_folder(tmp_path))
    answer = await adapter.ask(question(PATIENT, "PAT_0001"))
    assert answer.caveats == ()
    found = {e.record_id[-1]: e for e in answer.events}
    assert sorted(found) == ["0", "1", "2", "3", "4"]
    assert found["0"].start == Moment(datetime(2024, 3, 1, tzinfo=LONDON), "day")
    assert found["1"].start is None
    assert found["1"].caveats == ()
    assert found["2"].caveats == ("impossible_time",)
    assert found["3"].caveats == ("impossible_time",)
    assert [d.value for d in found["3"].detail if d.element == "start"] == ["soon"]
    assert found["4"].caveats == ("ambiguous_time",)
    if table.source in {"emergency", "inpatient"}:
        assert [found[n].organisation for n in "01"] == ["Z9T", None]
    by_pseudonym = await adapter.ask(question(PSEUDONYM, "PSEUDO_0001"))
    assert {e.record_id[-1] for e in by_pseudonym.events} == {"0", "2", "4"}
    placeholder = await adapter.ask(question(PSEUDONYM, "INVALID"))
    assert placeholder.person is None
    await adapter.aclose()


def test_the_configuration_is_whole_and_loads(given, tmp_path):
    out = tmp_path / "out"
    prepare(given, out, today=TODAY, port=8123)
    settings = load_settings(out / "throughline.toml", {})
    assert len(settings.sources) == 5
    assert {source.organisation for source in settings.sources} == {
        organisation.ods for organisation in settings.organisations
    }
    assert settings.http.port == 8123


def test_preparing_again_replaces_what_was_prepared(given, tmp_path):
    out = tmp_path / "out"
    prepare(given, out, today=TODAY)
    (out / "throughline.db").write_text("older")
    (out / "mine.txt").write_text("kept")
    prepare(given, out, today=TODAY)
    assert not (out / "throughline.db").exists()
    assert (out / "mine.txt").exists()


def test_the_command_prints_how_to_serve_and_ask(given, tmp_path):
    command = [sys.executable, "-m", "examples.crosssector", given, tmp_path / "o u t"]
    found = subprocess.run(  # noqa: S603 - this project's own command
        command, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [
        f"throughline serve --config '{tmp_path}/o u t/throughline.toml'",
        f"throughline token --config '{tmp_path}/o u t/throughline.toml'",
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (None, "sus_episodes.csv is not there"),
        (b"\xff\xfe\x00", "sus_episodes.csv is not UTF-8"),
        (b"", "no one column patient_id; no header"),
        (b"patient_id,episode_id\n", "no one column admission_date"),
        (b'patient_id,"x\n', "line 1: its quotes"),
    ],
)
def test_a_folder_that_cannot_be_used_says_which_file(
    given, tmp_path, capsys, spoil, message
):
    path = given / "sus_episodes.csv"
    path.unlink()
    if spoil is not None:
        path.write_bytes(spoil)
    with pytest.raises(Unusable, match=message):
        prepare(given, tmp_path / "out", today=TODAY)
    assert main([str(given), str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_rows_that_fit_no_table_are_told(given, tmp_path, capsys):
    path = given / "mhsds_referrals.csv"
    path.write_bytes(path.read_bytes() + b"one,too,few\n")
    assert main([str(given), str(tmp_path / "out"), "--port", "9000"]) == 0
    assert "mhsds_referrals.csv: 1 rows" in capsys.readouterr().err


async def test_a_row_of_another_width_keeps_its_id_and_its_person_alone(
    given, tmp_path
):
    path = given / "sus_episodes.csv"
    # The header's order: spare, date, pseudonym, trust, id, patient; and one more.
    path.write_bytes(path.read_bytes() + b"x,2024-01-01,,Z9T,EP-LONG,PAT_0001,more\n")
    out = tmp_path / "out"
    assert len(prepare(given, out, today=TODAY)) == 1
    adapter = open_source(out / "sources" / "inpatient.toml", in_folder(tmp_path))
    answer = await adapter.ask(question(PATIENT, "PAT_0001"))
    found = {event.record_id: event for event in answer.events}
    assert len(found) == 6
    assert found["EP-LONG"].start is None
    assert found["EP-LONG"].organisation is None
    await adapter.aclose()


def test_a_prepared_drop_that_loses_its_key_stops_the_start(given, tmp_path):
    out = tmp_path / "out"
    prepare(given, out, today=TODAY)
    drop = out / "sources" / "drops" / "emergency" / "ecds_attendances.csv"
    drop.write_bytes(drop.read_bytes().replace(b"patient_id", b"person"))
    with pytest.raises(ConfigurationError, match="no column 'patient_id'"):
        open_source(out / "sources" / "emergency.toml", in_folder(tmp_path))
