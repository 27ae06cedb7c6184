"""The demo's folder and its sources, asked through the adapters that ship."""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters import nhs_number, sql
from adapters.contract import Answer, Identifier, Identifiers, Query
from adapters.errors import Unavailable
from adapters.http import AiohttpTransport
from adapters.registry import open_source
from adapters.surroundings import Limits, Surroundings
from adapters.vocabulary import CATEGORIES
from gateway.demo.breakage import Breakage, Fault
from gateway.demo.children import Children, free_port
from gateway.demo.chronicle import AT, ORGANISATIONS, Entry, Place
from gateway.demo.dirt import PLACEHOLDERS, UNREADABLE_ROWS
from gateway.demo.preparing import Prepared, Wanted, prepare
from gateway.policy.published import load_policy, read_yaml
from gateway.settings import load_settings
from policies.documents import parse_document

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOSPITAL = "urn:throughline:demo:hospital-number"
URLS = {Place.GP: "http://127.0.0.1:9/fhir", Place.ACUTE: "http://127.0.0.1:9/fhir"}


def prepared_in(folder: Path, **changes) -> Prepared:
    wanted = {"seed": 7, "today": TODAY, "fhir_urls": URLS, "port": 8123, **changes}
    return prepare(folder, Wanted(**wanted))


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Prepared:
    return prepared_in(tmp_path_factory.mktemp("demo"))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "keys"
    }


def surroundings(demo: Prepared, place: Place, transport) -> Surroundings:
    return Surroundings(
        now=lambda: NOW,
        secret=lambda _: "",
        transport=transport,
        limits=Limits(),
        state=demo.folder / "state" / AT[place].source,
        source_id=AT[place].source,
        sector=AT[place].sector,
    )


def asking(person: Identifiers, **changes) -> Query:
    whole = {"since": None, "until": None, "categories": CATEGORIES, "limit": 5_000}
    return Query(person=person, **{**whole, **changes})


async def answer_of(demo: Prepared, place: Place, person: Identifiers) -> Answer:
    transport = AiohttpTransport()
    path = demo.folder / "sources" / f"{place}.toml"
    adapter = open_source(path, surroundings(demo, place, transport))
    try:
        async with asyncio.timeout(20):
            return await adapter.ask(asking(person))
    finally:
        await adapter.aclose()
        await transport.aclose()


def star_of(demo: Prepared, *others: Identifier) -> Identifiers:
    return Identifiers(nhs_number=demo.star.nhs_number, others=frozenset(others))


def entries_of_star(demo: Prepared, place: Place) -> list[Entry]:
    return [e for e in demo.chronicle.of(demo.star) if e.record.place is place]


def ids(answer: Answer) -> Counter[str]:
    return Counter(event.record_id.rpartition("/")[2] for event in answer.events)


def caveats(answer: Answer) -> dict[str, int]:
    return {caveat.code: caveat.count for caveat in answer.caveats}


def test_the_same_seed_writes_the_same_bytes(demo, tmp_path):
    again = prepared_in(tmp_path / "again")
    other = prepared_in(tmp_path / "other", seed=8)
    assert digests(again.folder) == digests(demo.folder)
    assert digests(other.folder) != digests(demo.folder)


def test_preparing_again_leaves_nothing_of_before(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    prepared_in(tmp_path)
    (tmp_path / "throughline.db").write_bytes(b"old")
    broken = Breakage(source="Z9F06.asc", fault=Fault.BROKEN)
    prepared_in(tmp_path, breakages=(broken,))
    assert not (tmp_path / "sources" / "drops" / "social-care").exists()
    assert not (tmp_path / "throughline.db").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_configuration_is_one_the_gateway_takes(demo):
    settings = load_settings(demo.configuration, {})
    assert [s.id for s in settings.sources] == [o.source for o in ORGANISATIONS]
    assert {s.sector for s in settings.sources} == {o.sector for o in ORGANISATIONS}
    assert settings.http.port == 8123
    assert len(settings.policy_files()) == 2
    assert settings.secret("file:keys/audit.key")


def test_private_keys_are_for_their_owner_alone(demo):
    for name in ("audit.key", "demo-private.json"):
        assert (demo.folder / "keys" / name).stat().st_mode & 0o077 == 0


def test_the_list_of_people_names_all_of_them(demo):
    lines = (demo.folder / "people.csv").read_text("utf-8").splitlines()
    assert len(lines) == 501
    assert lines[1].startswith(demo.star.nhs_number)


def test_policy_files_hold_an_agreement_two_rules_and_six_signatures(demo):
    policy = load_policy(load_settings(demo.configuration, {}))
    kinds = Counter(
        type(parse_document(data, where=path.name)).__name__
        for path in (demo.folder / "policy").glob("*.yaml")
        for data in read_yaml(path)
    )
    assert kinds == {"Agreement": 1, "LocalRule": 2, "Signature": 6}
    assert policy.version.startswith("sha256:")


@pytest.mark.parametrize("place", [Place.AMBULANCE, Place.SOCIAL_CARE])
def test_a_manifest_fits_its_drop(demo, place):
    folder = demo.folder / "sources" / "drops" / place
    manifest = json.loads(next(folder.glob("*.manifest.json")).read_text())
    content = (folder / manifest["file"]).read_bytes()
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["rows"] == content.count(b"\r\n") - 1


async def test_the_ambulance_finds_the_star_once_the_hospital_number_is_known(demo):
    by_number = await answer_of(demo, Place.AMBULANCE, star_of(demo))
    learned = Identifier(HOSPITAL, demo.star.local_id(Place.ACUTE))
    by_both = await answer_of(demo, Place.AMBULANCE, star_of(demo, learned))
    held = [entry.record_id for entry in entries_of_star(demo, Place.AMBULANCE)]
    assert 0 < len(by_number.events) < len(held)
    assert ids(by_both) == Counter(held)


@pytest.mark.parametrize(
    "place", [Place.COMMUNITY, Place.MENTAL_HEALTH, Place.SOCIAL_CARE]
)
async def test_each_row_of_the_star_is_found_by_number_and_local_identifier(
    demo, place
):
    own = Identifier(AT[place].local_system, demo.star.local_id(place))
    answer = await answer_of(demo, place, star_of(demo, own))
    held = entries_of_star(demo, place)
    assert ids(answer) == Counter(entry.record_id for entry in held)
    kinds = {entry.record_id: entry.record.kind for entry in held}
    assert all(event.kind == kinds[event.record_id] for event in answer.events)
    assert {event.status for event in answer.events} <= {
        "finished",
        "active",
        "did-not-attend",
    }


async def test_rows_that_cannot_be_read_are_counted(demo):
    answer = await answer_of(demo, Place.SOCIAL_CARE, star_of(demo))
    assert caveats(answer)["rows_rejected"] == UNREADABLE_ROWS
    assert answer.as_of == datetime(2026, 11, 22, 22, tzinfo=UTC)


@pytest.mark.parametrize("place", [Place.AMBULANCE, Place.SOCIAL_CARE])
@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
async def test_a_placeholder_reaches_nobody(demo, place, placeholder):
    number = Identifier(nhs_number.SYSTEM, placeholder)
    person = Identifiers(nhs_number=None, others=frozenset({number}))
    answer = await answer_of(demo, place, person)
    assert (answer.person, answer.events) == (None, ())


async def test_a_shared_hospital_number_links_nobody(demo):
    typed = Identifiers(others=frozenset({Identifier(HOSPITAL, "H000000")}))
    answer = await answer_of(demo, Place.AMBULANCE, typed)
    assert (answer.person, answer.events) == (None, ())
    assert "shared_identifier" in caveats(answer)


@pytest.mark.parametrize(
    ("month", "caveat"), [(10, "ambiguous_time"), (3, "impossible_time")]
)
async def test_a_call_in_a_clock_change_says_so(demo, month, caveat):
    for entry in demo.chronicle.at(Place.AMBULANCE):
        at = entry.record.start.at
        if (at.month, at.hour, at.year) == (month, 1, 2025) and "advice" in (
            entry.record.title
        ):
            person = Identifiers(nhs_number=entry.resident.nhs_number)
            answer = await answer_of(demo, Place.AMBULANCE, person)
            found = {e.record_id: e.caveats for e in answer.events}
            if entry.record_id in found:
                assert caveat in found[entry.record_id]
                return
    pytest.fail("no call of that night was found")


@pytest.mark.parametrize("source", ["Z9D04.community", "Z9F06.asc", "Z9B02.cad"])
async def test_a_broken_source_is_unavailable(tmp_path, source):
    fault = Breakage(source=source, fault=Fault.BROKEN)
    demo = prepared_in(tmp_path, breakages=(fault,))
    place = next(o.place for o in ORGANISATIONS if o.source == source)
    with pytest.raises(Unavailable):
        await answer_of(demo, place, star_of(demo))


async def test_a_late_drop_is_older_than_promised(tmp_path):
    fault = Breakage(source="Z9F06.asc", fault=Fault.SLOW)
    demo = prepared_in(tmp_path, breakages=(fault,))
    answer = await answer_of(demo, Place.SOCIAL_CARE, star_of(demo))
    promise = load_settings(demo.configuration, {}).sources[-1].fresh_s
    assert NOW - answer.as_of > timedelta(seconds=promise)


@pytest.mark.parametrize("source", ["Z9D04.community", "Z9E05.mh"])
async def test_a_slow_database_does_not_answer_in_time(tmp_path, source):
    fault = Breakage(source=source, fault=Fault.SLOW)
    demo = prepared_in(tmp_path, breakages=(fault,))
    place = next(o.place for o in ORGANISATIONS if o.source == source)
    path = demo.folder / "sources" / f"{place}.toml"
    adapter = sql.build(path, surroundings(demo, place, AiohttpTransport()))
    try:
        with pytest.raises((TimeoutError, Unavailable)):
            async with asyncio.timeout(1):
                await adapter.ask(asking(star_of(demo)))
    finally:
        await adapter.aclose()


@pytest.mark.parametrize(
    "place", [Place.AMBULANCE, Place.COMMUNITY, Place.MENTAL_HEALTH, Place.SOCIAL_CARE]
)
async def test_a_wrong_source_tells_of_another_number(tmp_path, place):
    fault = Breakage(source=AT[place].source, fault=Fault.WRONG)
    demo = prepared_in(tmp_path, breakages=(fault,))
    own = Identifier(AT[place].local_system, demo.star.local_id(place))
    answer = await answer_of(demo, place, star_of(demo, own))
    numbers = {
        each.value
        for event in answer.events
        for each in event.subject or ()
        if each.system == nhs_number.SYSTEM
    }
    assert numbers - {demo.star.nhs_number}


@pytest.fixture(scope="module")
def fhir_command():
    def command(demo: Prepared, place: Place, port: int, *flags: str) -> list[str]:
        data = str(demo.fhir_data(place))
        module = [sys.executable, "-m", "gateway.demo.fhir_server"]
        return [*module, "--data", data, "--port", str(port), *flags]

    return command


@pytest.mark.parametrize("place", [Place.GP, Place.ACUTE])
async def test_the_fhir_adapter_finds_all_of_the_star(tmp_path, fhir_command, place):
    port = free_port()
    demo = prepared_in(tmp_path, fhir_urls=dict.fromkeys(URLS, _url(port)))
    async with Children(tmp_path / "logs") as children:
        await children.start("fhir", fhir_command(demo, place, port))
        await children.answering(f"{_url(port)}/metadata")
        answer = await answer_of(demo, place, star_of(demo))
    held = entries_of_star(demo, place)
    assert ids(answer) == Counter(entry.record_id for entry in held)
    kinds = {entry.record_id: entry.record.kind for entry in held}
    assert {
        event.record_id.rpartition("/")[2]: event.kind for event in answer.events
    } == kinds
    own = Identifier(AT[place].local_system, demo.star.local_id(place))
    assert answer.person is not None
    assert own in answer.person.identifiers
    assert caveats(answer) == {}


async def test_a_wrong_fhir_server_answers_with_another_person(tmp_path, fhir_command):
    port = free_port()
    demo = prepared_in(tmp_path, fhir_urls=dict.fromkeys(URLS, _url(port)))
    async with Children(tmp_path / "logs") as children:
        await children.start("fhir", fhir_command(demo, Place.ACUTE, port, "--wrong"))
        await children.answering(f"{_url(port)}/metadata")
        answer = await answer_of(demo, Place.ACUTE, star_of(demo))
    own = Identifier(nhs_number.SYSTEM, demo.star.nhs_number)
    subjects = [event.subject for event in answer.events]
    assert own not in (answer.person.identifiers if answer.person else frozenset())
    assert all(own not in (subject or frozenset()) for subject in subjects)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/fhir"
