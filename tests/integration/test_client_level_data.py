"""The example for adult social care keeps what the published rule keeps."""

import csv
import shutil
from itertools import permutations

import pytest

from adapters.contract import Event, Identifier, Identifiers, Query
from adapters.csv_drop import build
from adapters.vocabulary import CATEGORIES
from tests.client_level_data import COLUMNS, kept, submissions
from tests.corpus import ROOT, corpus
from tests.surroundings import in_folder

EXAMPLE = ROOT / "examples" / "client-level-data" / "social-care.toml"
PERSON = "urn:throughline:example:social-care-person"


def lay_out(folder, sent):
    """The example in a folder, with these submissions lying there."""
    drops = folder / "drops" / "client-level-data"
    drops.mkdir(parents=True)
    shutil.copy(EXAMPLE, folder / "source.toml")
    for each in sent:
        (drops / each.name).write_bytes(each.data)
    return build(folder / "source.toml", in_folder(folder, sector="social-care"))


async def everybody(adapter, people: int = 12) -> list[Event]:
    events = []
    for who in range(people):
        asked = Identifier(PERSON, f"P{who:04d}")
        query = Query(
            person=Identifiers(others=frozenset({asked})),
            since=None,
            until=None,
            categories=CATEGORIES,
            limit=999,
        )
        answer = await adapter.ask(query)
        assert answer.caveats == ()
        events += answer.events
    return events


def as_told(events):
    """What of each event shows which row it came from."""
    return sorted(
        (
            event.record_id.split("/")[3],
            event.title,
            event.status,
            next((d.value for d in event.detail if d.element == "outcome"), ""),
            next((d.value for d in event.detail if d.element.startswith("deliv")), ""),
        )
        for event in events
    )


def as_kept(rows):
    return sorted(
        (
            row["Event_Reference"],
            row["Event_Description"],
            "finished" if row["Event_End_Date"] else "active",
            row["Event_Outcome"],
            row.get("Delivery_Mechanism", ""),
        )
        for row in rows
    )


@pytest.mark.parametrize("seed", range(5))
async def test_of_each_event_the_row_of_the_published_rule_is_told(tmp_path, seed):
    sent = submissions(seed)
    adapter = lay_out(tmp_path, sent)
    told = as_told(await everybody(adapter))
    await adapter.aclose()
    assert told == as_kept(kept(sent))
    assert len(told) < sum(len(each.rows) for each in sent)


async def test_the_order_in_which_submissions_came_changes_nothing(tmp_path):
    sent = submissions(7)
    told = set()
    for number, arrived in enumerate(permutations(sent)):
        if number % 5:
            continue
        adapter = lay_out(tmp_path / str(number), arrived)
        told.add(tuple(as_told(await everybody(adapter))))
        await adapter.aclose()
    assert told == {tuple(as_kept(kept(sent)))}


@pytest.mark.corpus
def test_what_is_generated_has_the_published_fields():
    path = corpus("csv-nhs-field-specs") / "asc_cld_fields.csv"
    with path.open(encoding="utf-8") as stream:
        assert tuple(row["data_field"] for row in csv.DictReader(stream)) == COLUMNS
