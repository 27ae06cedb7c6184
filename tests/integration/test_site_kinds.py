"""One town through every kind of source, behind one site: its veto, for all of them.

That it tells the same as without a site, test_site_outbound_kinds.py holds, both ways.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.agreements import loaded
from tests.gateways import write_house
from tests.site_gateways import gateway_running, same, through, write_policy
from tests.site_processes import Enrolled, enrol, site_running
from tests.sites import rule, veto
from tests.stub_fhir import StubFhir
from tests.town import SECTOR, questions
from tests.town_kinds import KINDS

OWNER: Final = "Z9B02"
BEHIND: Final = {
    f"{OWNER}.drops": "csv_drop",
    f"{OWNER}.table": "sql, SQLite",
    f"{OWNER}.feed": "hl7v2",
    f"{OWNER}.r4": "fhir, stub",
    f"{OWNER}.stu3": "fhir STU3, stub",
}
BESIDE: Final = "Z9A01.gp"  # of another organisation, and behind no site
PEOPLE: Final = (0, 9, 18, 24)  # one of whom has no NHS number
Journeys = list[dict[str, Any]]


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Path]:
    """The configuration of a gateway of the town, a share of it in each source."""
    sources = dict.fromkeys([*BEHIND, BESIDE], SECTOR)
    config = write_house(folder, sources)
    write_policy(folder, sources)
    text = config.read_text("utf-8").replace("source_s = 1.5", "source_s = 20")
    config.write_text(text.replace("journey_s = 2", "journey_s = 25"), "utf-8")
    kinds = {**BEHIND, BESIDE: "sql, SQLite"}
    async with AsyncExitStack() as servers:
        for nth, (name, kind) in enumerate(kinds.items()):
            place = folder / "sources" / name
            place.mkdir(parents=True)
            server = None
            if KINDS[kind].server:
                server = await servers.enter_async_context(StubFhir([]))
            held, _ = loaded(KINDS[kind])
            events = held.events[nth :: len(kinds)]
            await KINDS[kind].write(place, events, server)
        yield config


def site_of(folder: Path, config: Path, *rules: Any) -> Enrolled:
    """A site in front of all that the organisation has."""
    files = {n: config.parent / "sources" / n / "source.toml" for n in BEHIND}
    first, *others = files
    enrolled = enrol(
        folder,
        files[first],
        source=first,
        sector=SECTOR,
        environment="development",
        rules=rules,
        more={name: files[name] for name in others},
    )
    patient = enrolled.config.read_text("utf-8") + "\n[limits]\nsource_s = 20\n"
    enrolled.config.write_text(patient, "utf-8")
    return enrolled


async def journeys(config: Path, people: Iterable[int] = PEOPLE) -> Journeys:
    """What is told of some of the town."""
    told = []
    async with gateway_running(config) as client:
        for nth in people:
            for question in questions(nth):
                response = await client.post("/v1/journeys", json=question)
                assert response.status_code == 200
                told.append(same(response.json()))
    return told


def tellers(told: Journeys) -> set[str]:
    return {e["provenance"]["source"] for each in told for e in each["events"]}


async def test_a_veto_at_the_site_wins_over_every_grant_of_the_gateway(tmp_path):
    async with gateway(tmp_path / "gateway-1") as config:
        own = rule(OWNER, veto(purposes=["direct-care"]))
        enrolled = site_of(tmp_path, config, own)
        with site_running(enrolled):
            through(config, enrolled, *BEHIND)
            told = await journeys(config, PEOPLE[:1])
    assert tellers(told) == {BESIDE}
    for each in told:
        completeness = each["completeness"]
        states = {one["source"]: one for one in completeness["sources"]}
        assert completeness["level"] != "complete"
        assert {
            (states[name]["state"], states[name]["fault_domain"]) for name in BEHIND
        } == {("denied", "policy")}
        assert {states[name]["reason"] for name in BEHIND} == {"site"}
