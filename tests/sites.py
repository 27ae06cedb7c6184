"""A site in front of a source: its desk in this process, and who asks it."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Answer, Query
from adapters.errors import AdapterError
from adapters.long_work import LongWork
from adapters.site import Ends, SiteAdapter
from adapters.site.keys import Keys, made_keys, own_keys, pinned_keys
from adapters.site.wire import Refusal
from adapters.vocabulary import CATEGORIES
from adapters.warrant import Granted, Warrant
from gateway.audit.records import NotTaken
from gateway.clock import Clock
from gateway.journey.calling import Lanes
from gateway.journey.inquiry import inquire
from gateway.journey.journey import written
from gateway.site import answering
from gateway.site.answering import Desk, answer
from gateway.site.deciding import OwnPolicy
from gateway.site.verifying import Seen, Untaken, Verifier
from gateway.sources import Source
from policies.documents import LocalRule, parse_document
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import (
    ANN,
    NOW,
    HouseClock,
    doctor,
    event,
    house,
    profile,
    question,
)
from tests.houses import answer as answered
from tests.houses import source as registered
from tests.surroundings import in_folder

GATEWAY = "gateway-1"
SITE = "z9b02-site"

Pair = tuple[Keys, Keys]  # private, public


def pair() -> Pair:
    """New keys of one end."""
    private, public = made_keys()
    return own_keys(private), pinned_keys(public)


def rule(
    org: str, *rules: Mapping[str, object], named: str = "LR-1"
) -> Mapping[str, object]:
    """A document of an organisation's own rules."""
    return {"kind": "local-rule", "id": named, "org": org, "rules": list(rules)}


def veto(**when: object) -> dict[str, object]:
    """A rule that vetoes."""
    return {
        "id": "v1",
        "effect": "veto",
        "when": when,
        "overridable": False,
        "why": "Board",
    }


def constrain(obligations: Mapping[str, object], **when: object) -> dict[str, object]:
    """A rule that constrains."""
    return {
        "id": "k1",
        "effect": "constrain",
        "when": when,
        "overridable": False,
        "obligations": dict(obligations),
        "why": "Board",
    }


def read_rules(rules: Iterable[Mapping[str, object]]) -> list[LocalRule]:
    found = [parse_document(each, where="test") for each in rules]
    assert all(isinstance(each, LocalRule) for each in found)
    return [each for each in found if isinstance(each, LocalRule)]


@dataclass
class Around:
    """Both ends' keys and clocks, and the site's trail."""

    gateway: Pair = field(default_factory=pair)
    site: Pair = field(default_factory=pair)
    trail: FakeTrail = field(default_factory=FakeTrail)
    site_clock: Clock = field(default_factory=HouseClock)
    gateway_clock: Clock = field(default_factory=HouseClock)


def desk_of(
    source: Source,
    around: Around,
    *,
    rules: Sequence[Mapping[str, object]] = (),
    questions: int = 64,
) -> Desk:
    """The desk of a site that serves one source."""
    return Desk(
        sources={source.id: source},
        verifier=Verifier(
            site=SITE,
            organisation=source.organisation.ods,
            gateway=GATEWAY,
            own=around.site[0],
            pinned=around.gateway[1],
            leeway_s=5.0,
            clock=around.site_clock,
            seen=Seen(),
        ),
        policy=OwnPolicy(source.organisation.ods, read_rules(rules)),
        trail=around.trail,  # type: ignore[arg-type]  # held to Trail by test_fakes
        clock=around.site_clock,
        lanes=Lanes(8),
        source_s=4.0,
        room=asyncio.Semaphore(questions),
        ends=answering.Ends(
            site=SITE, gateway=GATEWAY, own=around.site[0], pinned=around.gateway[1]
        ),
        hiding=b"h" * 32,
        long_work=LongWork(),
    )


def query(**changed: Any) -> Query:
    """A question about Ann, granted all; what is `changed` is of the decision."""
    given: dict[str, Any] = {
        "decision": "dec_1",
        "owner": "Z9B02",
        "policy": "sha256:1",
        "journey": "jny_1",
        "purpose": "direct-care",
        "operation": "journey.read",
        "mode": "identified",
        "organisation": "Z9R01",
        "role": "doctor",
        "assurance": "aal2",
        "agreement": None,
        "break_glass": False,
        "granted": (
            Granted(relationship="registered", categories=CATEGORIES, view={}),
        ),
        "until": NOW + timedelta(seconds=4),
    }
    return Query(
        person=ANN,
        since=None,
        until=None,
        categories=frozenset({"encounters"}),
        limit=10,
        warrant=Warrant(**(given | changed)),
    )


Change = Callable[[bytes], bytes]


class InHand:
    """Carries a question to a desk in this process; what it carries may be changed."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.question: Change = lambda posted: posted
        self.answer: Change = lambda sealed: sealed
        self.carried: list[bytes] = []

    async def carry(self, question: bytes, jti: str) -> bytes | Refusal:
        posted = self.question(question)
        self.carried.append(posted)
        try:
            return self.answer(await answer(self.desk, posted))
        except Untaken as untaken:
            return Refusal(refused=untaken.code, at=self.desk.clock.now())

    async def aclose(self) -> None: ...


def adapter_to(
    source: Source, around: Around, carrier: Any, **ends: object
) -> SiteAdapter:
    """What the gateway asks a source behind a site with."""
    given: dict[str, Any] = {
        "gateway": GATEWAY,
        "site": SITE,
        "own": around.gateway[0],
        "pinned": lambda: around.site[1],
    }
    surroundings = replace(
        in_folder(Path("nowhere")), now=around.gateway_clock.now, source_id=source.id
    )
    return SiteAdapter(
        Ends(**(given | ends)),
        carrier,
        source=source.id,
        profile=replace(source.adapter.profile, wants_warrant=True),
        surroundings=surroundings,
    )


def behind(
    source: Source,
    around: Around | None = None,
    *,
    rules: Sequence[Mapping[str, object]] = (),
) -> Source:
    """The same source, asked through a site of its organisation."""
    around = around or Around()
    carrier = InHand(desk_of(source, around, rules=rules))
    return replace(source, adapter=adapter_to(source, around, carrier))


class Held:
    """A site in front of a source that counts its questions, and who asks it."""

    def __init__(self, around: Around | None = None, **how: Any) -> None:
        self.around = around or Around()
        self.spy = FakeAdapter(lambda _: answered(event("a-1")), profile=profile())
        self.source = registered("Z9B02.epr", self.spy)
        self.carrier = InHand(desk_of(self.source, self.around, **how))
        self.adapter = adapter_to(self.source, self.around, self.carrier)

    async def ask(self, **changed: Any) -> Answer:
        return await self.adapter.ask(query(**changed))

    async def refused(self, **changed: Any) -> AdapterError:
        with pytest.raises(AdapterError) as caught:
            await self.ask(**changed)
        return caught.value

    @property
    def recorded(self) -> list[str]:
        """The codes of what was not taken."""
        records = self.around.trail.records
        return [each.code for each in records if isinstance(each, NotTaken)]


async def told(*sources: Source, **how: Any) -> Mapping[str, Any]:
    """A journey as JSON, without the times and the ids that are made for it."""
    asked = how.pop("asked", None) or question()
    shown = await inquire(house(*sources, **how), doctor(), asked)
    journey: dict[str, Any] = json.loads(written(shown))
    journey["journey_id"] = journey["decision"]["decision_id"] = None
    for each in journey["completeness"]["sources"]:
        each["took_ms"] = None
    for each in journey["events"]:
        each["provenance"]["retrieved_at"] = None
    return journey
