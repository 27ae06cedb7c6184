"""The ten states, the level and the conditions, against a small oracle by hand.

Every scene of `tests/outcomes.py` is made by the real plan, seal and release; every
vector of up to three of them is accounted for here by other, plainer code.
"""

from itertools import combinations_with_replacement
from typing import get_args

import pytest

from adapters.vocabulary import INCOMPLETE
from gateway.journey import sentences
from gateway.journey.completeness import account
from gateway.journey.journey import State, Window
from gateway.journey.question import Require
from gateway.journey.strictness import unmet
from tests.houses import NOW, question
from tests.outcomes import SCENES, staged

NAMES = ("Z9A01.x", "Z9B02.x", "Z9C03.x")
SECTORS = ("acute", "acute", "primary-care")
ALL_TIME = Window(since=None, until=None)
STAGED = {
    (key, place): staged(scene, NAMES[place], sector=SECTORS[place])
    for key, scene in SCENES.items()
    for place in range(3)
}
VECTORS = [
    vector
    for size in (1, 2, 3)
    for vector in combinations_with_replacement(sorted(SCENES), size)
]


def stage(vector):
    return [STAGED[key, place] for place, key in enumerate(vector)]


def accounted(vector):
    return account(stage(vector), ALL_TIME, now=NOW, note="note")


def expected_level(scenes):
    inside = [scene for scene in scenes if scene.inside]
    if not inside:
        return "partial"
    if not any(scene.answered or scene.state == "stale" for scene in inside):
        return "none"
    return "partial" if any(scene.lacking for scene in inside) else "complete"


@pytest.mark.parametrize("key", sorted(SCENES))
def test_each_thing_that_befalls_a_source_has_its_state(key):
    expected = SCENES[key].expected
    (report,) = accounted((key,)).sources
    found = (report.state, report.reason, report.fault_domain)
    assert found == (expected.state, expected.reason, expected.domain)


def test_all_ten_states_are_reached():
    reached = {scene.expected.state for scene in SCENES.values()}
    assert reached == set(get_args(State))


def test_the_account_of_every_vector_is_the_oracles():
    for vector in VECTORS:
        found = accounted(vector)
        scenes = [SCENES[key].expected for key in vector]
        inside = [scene for scene in scenes if scene.inside]
        never = {"denied", "not_asked"}
        assert found.level == expected_level(scenes), vector
        assert found.asked == sum(scene.state not in never for scene in inside), vector
        assert found.answered == sum(scene.answered for scene in inside), vector
        held = frozenset().union(*(scene.holds for scene in inside))
        lacking = frozenset().union(*(scene.lacking for scene in inside))
        assert found.complete_for == sorted(held - lacking), vector


def test_only_a_complete_journey_has_no_gap():
    for vector in VECTORS:
        found = accounted(vector)
        lacking = {
            (NAMES[place], category)
            for place, key in enumerate(vector)
            for category in SCENES[key].expected.lacking
        }
        told = {
            (gap.source, category) for gap in found.gaps for category in gap.categories
        }
        assert told == lacking, vector
        assert (found.level == "complete") <= (not found.gaps), vector


def test_the_statement_names_everybody_whose_part_may_be_missing():
    for vector in VECTORS:
        found = accounted(vector)
        for place, key in enumerate(vector):
            named = sentences.who(STAGED[key, place].asked.source) in found.statement
            assert named == bool(SCENES[key].expected.lacking), vector


def test_all_sources_answered_is_said_of_none_that_did_not():
    for vector in VECTORS:
        scenes = [SCENES[key].expected for key in vector]
        inside = [scene for scene in scenes if scene.inside]
        says_all = accounted(vector).statement.startswith("All ")
        assert says_all == (len(inside) > 1 and all(s.answered for s in inside))


def test_unknown_and_silent_are_told_alike():
    unknown, silent = accounted(("unknown",)), accounted(("silent",))
    assert unknown == silent


def test_a_count_is_known_only_where_a_source_answered():
    for key, scene in SCENES.items():
        (report,) = accounted((key,)).sources
        said_nothing = scene.expected.state in {
            "timeout",
            "error",
            "unavailable",
            "not_asked",
            "denied",
        }
        assert (report.events is None) == said_nothing
        assert (report.as_of is None) == said_nothing


CONDITIONS = [
    question(require=Require(sources=frozenset({NAMES[0]}))),
    question(require=Require(organisations=frozenset({"Z9B02"}))),
    question(require=Require(sectors=frozenset({"acute"}))),
    question(min_sources=2),
    question(strict=True),
]


def expected_unmet(asked, vector):
    scenes = [SCENES[key].expected for key in vector]
    silent = [place for place, scene in enumerate(scenes) if not scene.answered]
    found = set()
    for place in silent:
        if NAMES[place] in asked.require.sources:
            found.add(("source", NAMES[place]))
        if NAMES[place].partition(".")[0] in asked.require.organisations:
            found.add(("organisation", NAMES[place].partition(".")[0]))
        if SECTORS[place] in asked.require.sectors:
            found.add(("sector", SECTORS[place]))
    if len(scenes) - len(silent) < asked.min_sources:
        found.add(("min_sources", str(asked.min_sources)))
    if asked.strict and expected_level(scenes) != "complete":
        found.add(("strict", "complete"))
    return sorted(found)


@pytest.mark.parametrize("asked", CONDITIONS)
def test_conditions_are_met_as_the_oracle_says_for_every_vector(asked):
    for vector in VECTORS:
        found = unmet(asked, stage(vector), accounted(vector))
        told = [(each.condition, each.value) for each in found]
        assert told == expected_unmet(asked, vector), vector


def test_every_caveat_of_a_partial_answer_has_words_of_its_own():
    assert sentences._LEFT_OUT.keys() >= INCOMPLETE
