"""Over HTTP: a source that tells of somebody else is suspended, cleared, and mended."""

import base64
import json
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import httpx
import pytest

from adapters.contract import FlagState, Person
from gateway.app import create_app
from gateway.settings import load_settings
from tests.configuration import ISSUER
from tests.documented import DocumentedClient
from tests.fakes import FakeAdapter
from tests.gateways import (
    PERSON,
    QUESTION,
    RECIPIENT,
    SOURCES,
    ask,
    bearer,
    code_of,
    write_gateway,
)
from tests.houses import ANN, BOB, NOW, HouseClock, answer, event, profile
from tests.people import number

SURGERY, HOSPITAL, COUNCIL = SOURCES
THREE = (PERSON, number(2), number(3))
CLIENTS = "".join(
    f"""
[[clients]]
issuer = "{ISSUER}"
client_id = "{name}"
organisations = {json.dumps([each.partition(".")[0] for each in SOURCES])}
roles = ["administrator"]
purposes = []
scopes = {json.dumps(scopes)}
"""
    for name, scopes in (("desk", ["source:write"]), ("onlooker", ["policy:read"]))
)


@pytest.fixture
def path(tmp_path):
    found = write_gateway(tmp_path)
    text = found.read_text("utf-8").replace(
        f'id = "{COUNCIL}"', f'id = "{COUNCIL}"\nsuspend_after = 2'
    )
    found.write_text(text + CLIENTS, "utf-8")
    return found


class Gateway:
    """A started gateway whose hospital answers with what it is told to."""

    def __init__(self, client, settings, service):
        self.client = client
        self.settings = settings
        self.service = service

    def says(self, *events, source=HOSPITAL, about=ANN):
        """From now on this source gives this one answer."""
        unflagged = FlagState(flag="legally-restricted", present=False, as_of=NOW)
        said = replace(answer(*events, about=about), flags=(unflagged,))
        spy = FakeAdapter(lambda _: said, profile=profile())
        self.service.house = replace(
            self.service.house,
            sources=tuple(
                replace(each, adapter=spy) if each.id == source else each
                for each in self.service.house.sources
            ),
        )
        return spy

    async def ask(self, who=PERSON):
        return (await ask(self.client, QUESTION | {"nhs_number": who})).json()

    def as_of(self, organisation, client_id="desk", role="administrator"):
        """Headers of an administrator of an organisation."""
        return dict(
            bearer(
                self.settings,
                HouseClock(),
                client_id=client_id,
                organisation=organisation,
                role=role,
                relationship=None,
            )
        )

    async def findings(self, source=HOSPITAL, organisation=None, **how):
        headers = self.as_of(organisation or source.partition(".")[0])
        return await self.client.get(
            f"/v1/sources/{source}/findings", headers=headers, **how
        )

    async def clear(self, state, source=HOSPITAL, organisation=None):
        headers = self.as_of(organisation or source.partition(".")[0])
        if state is not None:
            headers["If-Match"] = state
        return await self.client.post(f"/v1/sources/{source}/clear", headers=headers)


@asynccontextmanager
async def started(path):
    settings = load_settings(path, {})
    app = create_app(settings, HouseClock())
    async with (
        app.router.lifespan_context(app),
        DocumentedClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
            headers=bearer(settings, HouseClock()),
        ) as client,
    ):
        yield Gateway(client, settings, app.state.service)


@pytest.fixture
async def gateway(path):
    async with started(path) as found:
        yield found


def stood(journey, source=HOSPITAL):
    """How a source stands in the completeness of a journey."""
    (found,) = [
        each for each in journey["completeness"]["sources"] if each["source"] == source
    ]
    return found["state"], found["reason"]


async def suspended(gateway):
    """The hospital tells of somebody else until it is suspended."""
    spy = gateway.says(event("b1", of=BOB))
    for who in THREE:
        journey = await gateway.ask(who)
        assert stood(journey) == ("withheld", "identity_mismatch")
    return spy


async def test_one_person_asked_for_over_and_over_suspends_nobody(gateway):
    """Else one wrong record, and a page loaded thrice, would silence a hospital."""
    gateway.says(event("b1", of=BOB))
    for _ in range(4):
        assert stood(await gateway.ask()) == ("withheld", "identity_mismatch")
    assert (await gateway.findings()).json()["suspended_at"] is None


async def test_the_third_stranger_in_a_day_suspends_a_source(gateway):
    spy = await suspended(gateway)
    asked = len(spy.asked)
    journey = await gateway.ask()
    assert stood(journey) == ("not_asked", "suspended")
    assert len(spy.asked) == asked
    assert journey["completeness"]["level"] == "partial"
    assert "too often" in journey["completeness"]["statement"]
    (gap,) = [
        each for each in journey["completeness"]["gaps"] if each["source"] == HOSPITAL
    ]
    assert "administrator clears it" in gap["meaning"]


async def test_how_many_a_source_is_allowed_is_its_own_setting(gateway):
    gateway.says(event("b1", of=BOB), source=COUNCIL)
    for who in THREE[:2]:
        assert stood(await gateway.ask(who), COUNCIL)[0] == "withheld"
    assert stood(await gateway.ask(), COUNCIL) == ("not_asked", "suspended")


async def test_a_restart_does_not_let_it_back(path):
    async with started(path) as gateway:
        await suspended(gateway)
    async with started(path) as again:
        assert stood(await again.ask()) == ("not_asked", "suspended")


async def test_its_administrator_sees_why_and_lets_it_back(gateway):
    await suspended(gateway)
    told = await gateway.findings()
    assert told.json()["suspended_at"] is not None
    (found,) = told.json()["items"]
    assert (found["code"], found["count"]) == ("identity_mismatch", 3)
    assert (found["category"], found["record"]) == (None, None)
    cleared = await gateway.clear(told.headers["etag"])
    assert cleared.status_code == 204
    assert (await gateway.findings()).json()["suspended_at"] is None
    gateway.says(event("b2"))
    assert stood(await gateway.ask()) == ("ok", None)


async def test_clearing_is_for_its_own_administrators_and_what_they_read(gateway):
    await suspended(gateway)
    state = (await gateway.findings()).headers["etag"]
    stranger = await gateway.clear(state, organisation="Z9A01")
    nobody = await gateway.clear(state, source="Z9X99.x", organisation="Z9A01")
    assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert (await gateway.clear(None)).status_code == 428
    assert (await gateway.clear('"standing-0"')).status_code == 412
    assert (await gateway.clear(state)).status_code == 204
    assert (await gateway.clear(state)).status_code == 412
    now = (await gateway.findings()).headers["etag"]
    assert code_of(await gateway.clear(now)) == "conflict"


async def test_each_step_is_recorded_and_no_person_is_in_the_store(gateway, path):
    await suspended(gateway)
    state = (await gateway.findings()).headers["etag"]
    await gateway.clear(state)
    with sqlite3.connect(path.parent / "throughline.db") as store:
        rows = [
            json.loads(row)
            for (row,) in store.execute("SELECT record FROM audit_record ORDER BY n")
        ]
        dump = "\n".join(store.iterdump())
    store.close()
    changes = [
        (each["action"], each["document"], each["actor"]["organisation"])
        for each in rows
        if each["type"] == "change"
    ]
    assert changes == [
        ("mismatch", HOSPITAL, "gateway"),
        ("mismatch", HOSPITAL, "gateway"),
        ("suspend", HOSPITAL, "gateway"),
        ("clear", HOSPITAL, "Z9B02"),
    ]
    assert not [each for each in (PERSON, number(1), "b1") if f"'{each}'" in dump]
    assert PERSON not in dump


async def test_findings_are_for_the_owner_alone(gateway):
    for organisation in ("Z9A01", "Z9C03"):
        told = await gateway.findings(organisation=organisation)
        assert (told.status_code, code_of(told)) == (404, "not-found")
    headers = gateway.as_of("Z9B02", client_id="onlooker")
    told = await gateway.client.get(f"/v1/sources/{HOSPITAL}/findings", headers=headers)
    assert told.status_code == 403
    doctors = await gateway.client.get(f"/v1/sources/{HOSPITAL}/findings")
    assert doctors.status_code == 403
    assert RECIPIENT not in SOURCES


async def test_a_record_to_be_mended_is_found_by_whoever_has_it(gateway):
    gateway.says(event("B-771", "2026-03-20"), event("B-772"))
    journey = await gateway.ask()
    assert [each["code"] for each in journey["discrepancies"]] == ["clock_skew"]
    told = await gateway.findings()
    (found,) = told.json()["items"]
    assert (found["code"], found["category"]) == ("clock_skew", "encounters")
    assert found["journey_id"] == journey["journey_id"]
    assert "B-771" not in told.text
    headers = gateway.as_of("Z9B02")
    for ids, expected in ((["B-771", "B-772"], [found]), (["B-772"], [])):
        sought = await gateway.client.post(
            f"/v1/sources/{HOSPITAL}/findings/search",
            json={"record_ids": ids},
            headers=headers,
        )
        assert sought.json()["items"] == expected


@pytest.mark.parametrize(
    "body", [{}, {"record_ids": []}, {"record_ids": [""]}, {"record_ids": ["a"] * 1001}]
)
async def test_a_search_without_sense_is_refused(gateway, body):
    told = await gateway.client.post(
        f"/v1/sources/{HOSPITAL}/findings/search",
        json=body,
        headers=gateway.as_of("Z9B02"),
    )
    assert told.status_code == 400


async def test_an_owner_is_told_nothing_that_rests_on_anothers_data(gateway):
    stay = partial(event, kind="inpatient_spell", end="2026-01-10")
    gateway.says(stay("b1", "2026-01-02"))
    gateway.says(stay("a1", "2026-01-01"), source=SURGERY)
    journey = await gateway.ask()
    assert [each["code"] for each in journey["discrepancies"]] == ["overlapping_stays"]
    for source in (SURGERY, HOSPITAL):
        assert (await gateway.findings(source)).json()["items"] == []


async def test_findings_come_page_by_page(gateway):
    gateway.says(*(event(f"b{n}", "2026-03-20") for n in range(5)))
    await gateway.ask()
    seen, cursor = [], None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await gateway.findings(params=params)).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    for cursor in (
        "§",
        "",
        "AA==",
        _cursor("a\0|fnd_"),
        _cursor("1' OR 1=1|fnd_" + "0" * 30),
    ):
        refused = await gateway.findings(params={"cursor": cursor})
        assert code_of(refused) == "request-invalid", cursor
    elsewhere = _cursor("2026-03-01T12:00:00.000000Z|fnd_" + "0" * 30)
    assert (await gateway.findings(params={"cursor": elsewhere})).status_code == 200


def _cursor(place):
    return base64.urlsafe_b64encode(place.encode()).decode()


async def test_whom_it_must_be_silent_of_suspends_nothing(gateway):
    """Else everybody would see, three questions later, that there was an answer."""

    flagged = replace(
        answer(event("a1", of=BOB)),
        flags=(FlagState(flag="legally-restricted", present=True, as_of=NOW),),
    )
    spy = gateway.says(source=SURGERY)
    spy._answers = lambda query: replace(
        flagged, person=Person(identifiers=query.person.every)
    )
    for who in (*THREE, number(4)):
        assert stood(await gateway.ask(who), SURGERY) == ("unknown_person", None)
    assert (await gateway.findings(SURGERY)).json()["items"] == []


async def test_whose_every_word_is_of_somebody_else_is_suspended_flags_or_not(gateway):
    """Nobody's flag can be known from it, so that it is silent of whoever is asked."""
    gateway.says(event("a1", of=BOB), source=SURGERY, about=BOB)
    for who in THREE:
        assert stood(await gateway.ask(who), SURGERY) == ("unknown_person", None)
    assert stood(await gateway.ask(), SURGERY) == ("not_asked", "suspended")


async def test_a_refused_question_counts_its_stranger_all_the_same(gateway):
    gateway.says(event("b1", of=BOB))
    strict = QUESTION | {"require": {"sources": [HOSPITAL]}}
    for who in THREE:
        asked = strict | {"nhs_number": who}
        assert (await ask(gateway.client, asked)).status_code == 424
    assert (await gateway.findings()).json()["suspended_at"] is not None
