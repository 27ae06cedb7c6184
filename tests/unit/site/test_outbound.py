"""The carrier of a site that fetches its questions."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.contract import Identifier
from adapters.errors import ConfigurationError, Refused, Unavailable, Unreadable
from adapters.registry import open_source
from adapters.relay import Brought
from adapters.site import SiteAdapter
from adapters.site.outbound import Outbound
from adapters.site.ticket import HANDED_BYTES, QUESTION_BYTES, Handed
from adapters.site.wire import Posted, Refusal, fresh_id, spelt
from gateway.relay.refusals import Refusals
from gateway.relay.relay import SiteRelay
from gateway.settings import Relay as Bounds
from gateway.site.answering import reply
from tests.fakes import FakeTrail
from tests.houses import NOW, HouseClock, event, memory, source
from tests.opened import surroundings
from tests.outbound import fetching
from tests.site_processes import enrol
from tests.sites import SITE, Around, adapter_to, desk_of, query
from tests.tables import write_sqlite

EPR = "Z9B02.epr"


class Relay:
    """Takes a question to a desk in this process."""

    def __init__(self, desk=None, brought=None):
        self.desk, self.brought = desk, brought
        self.admitted = []
        self.carried = []

    def admit(self, member):
        self.admitted.append(member)

    async def carry(self, site, jti, question):
        self.carried.append((site, jti))
        if self.desk is None:
            if self.brought is None:
                await asyncio.Event().wait()
            return self.brought
        said = await reply(self.desk, question)
        if isinstance(said, Refusal):
            return Brought(media_type="application/json", body=spelt(said))
        return Brought(media_type="application/jose", body=said)


def outbound(relay, around=None):
    around = around or Around()
    epr = source(EPR, memory(event("a-1")))
    return adapter_to(epr, around, Outbound(relay, SITE))


async def test_an_answer_comes_back_by_the_relay():
    around = Around()
    epr = source(EPR, memory(event("a-1")))
    relay = Relay(desk_of(epr, around))
    adapter = outbound(relay, around)
    told = await adapter.ask(query())
    await adapter.aclose()
    assert [each.record_id for each in told.events] == ["a-1"]
    ((site, _),) = relay.carried
    assert site == SITE


async def test_a_refusal_comes_back_by_the_relay():
    around = Around()
    other = source("Z9B02.other", memory(event("a-1")))
    relay = Relay(desk_of(other, around))
    with pytest.raises(Refused) as caught:
        await outbound(relay, around).ask(query())
    assert (caught.value.reason, caught.value.domain) == ("unknown_source", "adapter")


@pytest.mark.parametrize(
    "brought",
    [
        Brought(media_type="text/plain", body=b"x"),
        Brought(media_type="application/json", body=b"{}"),
        Brought(media_type="application/json", body=b"\xff"),
    ],
)
async def test_what_is_no_answer_is_unreadable(brought):
    with pytest.raises(Unreadable) as caught:
        await outbound(Relay(brought=brought)).ask(query())
    assert (caught.value.reason, caught.value.domain) == ("unreadable", "adapter")


async def test_silence_is_the_ways_or_the_sites_fault_and_told_in_time():
    soon = query(until=NOW + timedelta(seconds=0.2))
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable) as caught:
        await outbound(Relay()).ask(soon)
    assert (caught.value.reason, caught.value.domain) == ("no_answer", "adapter")
    assert asyncio.get_running_loop().time() - began < 0.2 + 0.1


async def test_a_question_longer_than_a_site_fetches_is_not_left_for_it():
    """Seeded defect: it is handed out, read by nobody, and told of as silence."""
    relay = Relay(brought=Brought(media_type="text/plain", body=b"x"))
    long = tuple(
        Identifier(system="https://example.invalid/local", value=f"{nth}" * 900)
        for nth in range(100, 250)
    )
    about = query()
    person = replace(about.person, others=frozenset(long))
    adapter = outbound(relay)
    with pytest.raises(Refused) as caught:
        await adapter.ask(replace(about, person=person))
    assert (caught.value.reason, caught.value.domain) == ("too_large", "adapter")
    assert relay.carried == []


def test_the_longest_question_fits_into_what_a_site_reads():
    longest = Posted(question="a.b.c", body="")
    room = QUESTION_BYTES - len(spelt(longest))
    longest = Posted(question="a.b.c", body="d" * room)
    assert len(spelt(longest)) == QUESTION_BYTES
    assert len(spelt(Handed(jti="1" * 32, posted=longest))) <= HANDED_BYTES


async def test_without_a_relay_no_such_site_is_asked():
    with pytest.raises(Refused) as caught:
        await outbound(None).ask(query())
    assert (caught.value.reason, caught.value.domain) == ("no_relay", "adapter")


def built(folder, relay, change=("", "")):
    enrolled = enrol(folder, write_sqlite(folder / "db", []), source=EPR)
    fetching(enrolled, "https://gateway.example.invalid")
    text = enrolled.source_file.read_text("utf-8").replace(*change)
    enrolled.source_file.write_text(text, "utf-8")
    around = replace(
        surroundings(folder),
        secret=lambda name: Path(name.removeprefix("file:")).read_text(),
        relay=relay,
    )
    return open_source(enrolled.source_file, around)


def test_a_source_file_of_mode_outbound_makes_its_site_known(tmp_path):
    relay = Relay()
    assert isinstance(built(tmp_path, relay), SiteAdapter)
    (member,) = relay.admitted
    assert (member.site, member.leeway_s) == (SITE, 5.0)
    assert member.believed("a.b.c") is None


def test_a_site_polls_for_one_gateway(tmp_path):
    relay = SiteRelay(Bounds(), HouseClock(), Refusals(FakeTrail().append)).of("Z9B02")
    built(tmp_path / "a", relay)
    with pytest.raises(ConfigurationError, match="one gateway") as caught:
        built(tmp_path / "b", relay, ('id = "gateway-1"', 'id = "gateway-2"'))
    assert caught.value.key == "mode"


def test_no_two_organisations_sites_poll_under_one_id(tmp_path):
    relay = SiteRelay(Bounds(), HouseClock(), Refusals(FakeTrail().append))
    built(tmp_path / "a", relay.of("Z9B02"))
    built(tmp_path / "b", relay.of("Z9B02"))
    with pytest.raises(ConfigurationError, match="another organisation"):
        built(tmp_path / "c", relay.of("Z9C03"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('mode = "outbound"', "", "needs url"),
        ('mode = "outbound"', 'mode = "outbound"\nurl = "https://a"', "comes to us"),
        ('mode = "outbound"', 'mode = "outbound"\nloopback = true', "no loopback"),
        ('mode = "outbound"', 'mode = "sideways"', "mode"),
    ],
)
def test_a_wrong_mode_is_refused(tmp_path, before, after, said):
    with pytest.raises(ConfigurationError, match=said):
        built(tmp_path, Relay(), (before, after))


def test_no_id_of_a_question_reads_as_a_persons_number(monkeypatch):
    made = iter(["ab9990000018" + "c" * 20, "1" * 32, "ab" * 16])
    monkeypatch.setattr("adapters.site.wire.secrets.token_hex", lambda _: next(made))
    assert fresh_id() == "ab" * 16
