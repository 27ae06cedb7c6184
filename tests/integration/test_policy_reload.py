"""Policy changed under running gateways: at once, everywhere, and never by halves."""

import asyncio
import shutil
import time
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.app import create_app
from gateway.audit.log import AuditUnavailable
from gateway.policy.opened import OpenPolicy
from gateway.service import open_service
from gateway.settings import load_settings
from policies.clauses import Agreement
from tests.gateways import QUESTION, RECIPIENT, SOURCES, bearer, code_of, write_gateway
from tests.houses import HouseClock
from tests.policy_store import agreed, agreement, author, clause, second, signed

OWNERS = sorted({name.partition(".")[0] for name in SOURCES})
STORE = {
    "THROUGHLINE_POLICY__SOURCE": "store",
    "THROUGHLINE_AUDIT__WRITE_S": "10",
    "THROUGHLINE_LIMITS__JOURNEY_S": "5",
}


class Running:
    """A started gateway: who asks it, and who changes its policy."""

    def __init__(self, app, client):
        self.client = client
        self.service = app.state.service
        self.admin = self.service.policy_admin

    async def ask(self):
        return await self.client.post("/v1/journeys", json=QUESTION)


@asynccontextmanager
async def gateway(path, **environ):
    clock = HouseClock()
    settings = load_settings(path, STORE | environ)
    app = create_app(settings, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
            headers=bearer(settings, clock),
            timeout=30,
        ) as client,
    ):
        yield Running(app, client)


@pytest.fixture
def path(tmp_path):
    return write_gateway(tmp_path / "first")


def shared(number: int = 0, **changed: object) -> Agreement:
    """An agreement of all owners with the recipient, its reason numbered."""
    return agreement(
        clause(
            why=f"Reason {number}",
            categories=["encounters", "demographics", "social-care"],
            cleared_labels=["PSY", "unlabelled"],
            **changed,
        ),
        providers=tuple(OWNERS),
        recipients=(RECIPIENT,),
    )


async def test_with_a_new_store_nobody_may_be_asked_and_the_gateway_is_ready(path):
    async with gateway(path) as running:
        assert (await running.client.get("/readyz")).status_code == 200
        answer = await running.ask()
        assert (answer.status_code, code_of(answer)) == (403, "not-permitted")


async def test_a_change_is_effective_in_the_next_request(path):
    async with gateway(path) as running:
        stored = await agreed(running.admin, shared(), author(OWNERS[0]))
        answer = await running.ask()
        assert answer.status_code == 200
        turn = await running.admin.active()
        assert answer.json()["decision"]["policy"] == turn.set_version
        for owner in OWNERS:
            now = await running.admin.read("agreement", stored.id, actor=author(owner))
            await running.admin.suspend(
                "agreement", stored.id, actor=second(owner), if_match=now.etag
            )
        assert (await running.ask()).status_code == 403


@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.parts)]
)
async def test_what_one_provider_puts_to_rest_rests_everywhere_in_five_seconds(
    tmp_path, path, kind, request
):
    """G39, by two gateways on one store, looking as often as they do by default."""
    environ = {"THROUGHLINE_STORE__URL": f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"}
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").url
        environ["THROUGHLINE_STORE__URL"] = url.replace("://", "+asyncpg://")
    shutil.copytree(path.parent, tmp_path / "second")
    other = tmp_path / "second" / path.name
    async with gateway(path, **environ) as here, gateway(other, **environ) as there:
        stored = await agreed(here.admin, shared(), author(OWNERS[0]))
        await until(there, permitted=OWNERS)
        await here.admin.suspend(
            "agreement", stored.id, actor=second(OWNERS[0]), if_match=stored.etag
        )
        assert await permitted_by(here) == OWNERS[1:]
        await until(there, permitted=OWNERS[1:])


async def permitted_by(running) -> list[str]:
    """The owners who may be asked for something."""
    told = (await running.ask()).json()
    if told.get("decision") is None:
        return []
    because = told["decision"]["because"]
    return sorted({e["organisation"] for e in because if e["effect"] == "permit"})


async def until(running, *, permitted) -> None:
    """They, and nobody else, within five seconds."""
    began = time.monotonic()
    while (found := await permitted_by(running)) != list(permitted):
        assert time.monotonic() - began < 5, found
        await asyncio.sleep(0.1)


async def test_each_of_a_thousand_requests_is_decided_by_exactly_one_set(path):
    """While a hundred sets are published: each says what the set it names says."""
    async with gateway(path, THROUGHLINE_POLICY__POLL_S="0.05") as running:
        admin = running.admin
        await agreed(admin, shared(), author(OWNERS[0]))
        first = (await admin.active()).sequence
        answers: list[httpx.Response] = []
        publishing = asyncio.create_task(publish_on(admin, first + 100, answers))
        try:
            while not (publishing.done() and len(answers) >= 1000):
                answers += await asyncio.gather(*(running.ask() for _ in range(10)))
        finally:
            publishing.cancel()
        await publishing
        assert (await admin.active()).sequence >= first + 100
        assert {each.status_code for each in answers} == {200}
        told = Counter(each.json()["decision"]["policy"] for each in answers)
        assert len(told) > 50
        reasons = {version: await reasons_of(admin, version) for version in told}
        for answer in answers:
            decision = answer.json()["decision"]
            assert said_by(decision) == reasons[decision["policy"]]


async def publish_on(admin, last: int, answers: list[httpx.Response]) -> None:
    """New versions, each submitted and signed by all, until so many sets were made.

    No faster than ten questions are answered between one set and the next.
    """
    number = 0
    while (await admin.active()).sequence < last:
        number += 1
        made = await admin.create(
            "agreement", shared(number), actor=author(OWNERS[0]), key=f"k{number}"
        )
        stored = await admin.submit(
            "agreement", made.id, actor=author(OWNERS[0]), if_match=made.etag
        )
        for each in (*OWNERS, RECIPIENT):
            await more(answers, 10)
            stored = await signed(admin, stored, second(each))


async def more(answers: list[httpx.Response], wanted: int) -> None:
    """Wait for so many more answers."""
    until_then = len(answers) + wanted
    for _ in range(3000):
        if len(answers) >= until_then:
            return
        await asyncio.sleep(0.01)
    pytest.fail("no answers came for half a minute")


async def reasons_of(admin, version: str) -> dict[str, set[str]]:
    """What each owner's clause gives as its reason, in a set."""
    kept = await admin.set(version)
    return {
        owner: {f"{each.document.clauses[0].why}"}
        for each in kept.composition.members
        for owner in each.standing or ()
    }


def said_by(decision) -> dict[str, set[str]]:
    said: dict[str, set[str]] = {}
    for each in decision["because"]:
        if each["effect"] == "permit":
            said.setdefault(each["organisation"], set()).add(each["why"])
    return said


async def test_a_store_that_hangs_or_goes_is_borne_for_so_long_and_then_refused(path):
    async with gateway(
        path, THROUGHLINE_POLICY__MAX_AGE_S="2", THROUGHLINE_POLICY__POLL_S="0.1"
    ) as running:
        await agreed(running.admin, shared(), author(OWNERS[0]))
        database = running.service.database

        async def lost(_work):
            raise OSError

        reading, database.read = database.read, lost
        assert (await running.ask()).status_code == 200
        await asyncio.sleep(2.2)
        answer = await running.ask()
        assert (answer.status_code, code_of(answer)) == (503, "policy-unavailable")
        ready = await running.client.get("/readyz")
        assert (ready.status_code, code_of(ready)) == (503, "policy-unavailable")
        database.read = reading
        await asyncio.sleep(0.5)
        assert (await running.ask()).status_code == 200
        assert (await running.client.get("/readyz")).status_code == 200


class Unrecordable(OpenPolicy):
    """Policy of which the first set cannot be recorded."""

    async def start(self):
        raise AuditUnavailable("store")


async def test_a_start_that_fails_half_way_lets_go_of_all_that_was_open(path):
    service = open_service(load_settings(path, STORE), HouseClock())
    service.policy = Unrecordable(current=service.policy.current)
    with pytest.raises(AuditUnavailable):
        await service.start()
    assert not service.house.trail.is_writable()
    await service.aclose()


async def test_what_waits_to_be_signed_is_tried_beside_and_logged(path):

    async with gateway(path, THROUGHLINE_POLICY__SHADOW="submitted") as running:
        await agreed(running.admin, shared(), author(OWNERS[0]))
        narrower = shared(roles=["nurse"])
        made = await running.admin.create(
            "agreement", narrower, actor=author(OWNERS[0])
        )
        await running.admin.submit(
            "agreement", made.id, actor=author(OWNERS[0]), if_match=made.etag
        )
        with capture_logs() as told:
            assert (await running.ask()).status_code == 200
        flips = [each for each in told if each["event"] == "policy_shadow_flip"]
        assert {(each["source"], each["code"]) for each in flips} == {
            (name, "newly-refused") for name in SOURCES
        }
        assert QUESTION["nhs_number"] not in str(told)
