"""What own sources answered for evidence is not asked of them again."""

from dataclasses import replace

import pytest

from gateway.audit.records import Outcome
from tests.houses import NOW, RECIPIENT, clause, event, profile, source
from tests.own_sources import SEEN, SURGERY, Asked, Watched


async def test_an_answer_that_was_had_is_not_asked_for_again():
    """Where the question is no wider: a registration is looked for of all time."""
    registered = event("own-6", "2011", kind="episode_of_care", status="active")
    own = Watched(registered, SEEN, held=("encounters",))
    wants = clause(relationships=["registered"])
    asked = Asked(Watched(), wants)
    sources = (
        source(f"{RECIPIENT}.gp", own, sector="primary-care"),
        source(SURGERY, asked.surgery, sector="primary-care"),
    )
    asked.house = replace(asked.house, sources=sources)
    journey = await asked.told()
    assert len(own.asked) == 1
    assert {each.provenance.record_id for each in journey.events} == {
        *("own-6", "own-1", "gp-1"),
    }
    await asked.told(since=NOW.date())
    assert len(own.asked) == 3


async def test_of_an_answer_that_was_had_only_what_was_asked_for_is_shown():
    registered = event("own-6", "2011", kind="episode_of_care", status="active")
    referred = event("own-7", "2026-01-02", kind="referral", status="active")
    own = Watched(registered, referred, held=("encounters", "referrals"))
    wants = clause(relationships=["registered", "referral"])
    asked = Asked(Watched(), wants)
    asked.house = replace(
        asked.house,
        sources=(source(f"{RECIPIENT}.gp", own, sector="primary-care"),),
    )
    journey = await asked.told(categories=frozenset({"encounters"}))
    assert len(own.asked) == 1
    assert [each.provenance.record_id for each in journey.events] == ["own-6"]
    assert journey.completeness.level == "complete"


@pytest.mark.parametrize("limit", [1, 2])
async def test_an_answer_longer_than_was_asked_for_is_cut_and_not_asked_for_again(
    limit,
):
    """Else of a person to be silent of, a second question would tell that they are."""
    registered = event("own-6", "2011", kind="episode_of_care", status="active")
    own = Watched(registered, SEEN, held=("encounters",))
    asked = Asked(Watched(), clause(relationships=["registered"]))
    asked.house = replace(
        asked.house,
        sources=(source(f"{RECIPIENT}.gp", own, sector="primary-care"),),
    )
    journey = await asked.told(limit=limit)
    assert len(own.asked) == 1
    told = [each.provenance.record_id for each in journey.events]
    assert told == ["own-6", "own-1"][:limit]
    (report,) = journey.completeness.sources
    said = [each.code for each in report.caveats]
    assert said == (["truncated"] if limit == 1 else [])


async def test_an_answer_of_a_second_round_is_not_asked_for_again_either():
    registered = event("own-6", "2011", kind="episode_of_care", status="active")
    own = Watched(registered, held=("encounters",))
    own.profile = profile(("encounters",))
    asked = Asked(Watched(), clause(relationships=["registered"]))
    asked.house = replace(
        asked.house,
        sources=(source(f"{RECIPIENT}.gp", own, sector="primary-care"),),
    )
    await asked.told()
    assert [each.person.nhs_number is None for each in own.asked] == [False, True]


class Tracing(Watched):
    """Remembers of whom it was asked what it merged."""

    def __init__(self, *events, **how):
        super().__init__(*events, **how)
        self.traced = []

    async def trace(self, person):
        self.traced.append(person)
        return ()


async def test_what_was_stated_of_merges_is_not_asked_for_again():
    registered = event("own-6", "2011", kind="episode_of_care", status="active")
    own = Tracing(registered, held=("encounters",))
    asked = Asked(Watched(), clause(relationships=["registered"]))
    asked.house = replace(
        asked.house,
        sources=(source(f"{RECIPIENT}.gp", own, sector="primary-care"),),
    )
    await asked.told()
    assert len(own.asked) == len(own.traced) == 1
    outcomes = [e for e in asked.trail.records if isinstance(e, Outcome)]
    assert [each.sources[0].traced for each in outcomes] == [0, 0]
