"""Take one part out of the compiled set, and a decision differs: each part counts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from gateway.policy.oracle import consult
from policies import compile as compiling
from policies import lines, obligations, pending, vocabulary
from policies.clauses import LocalRule, Member
from policies.compile import Dimension, PolicySet
from policies.exports.probes import probes
from policies.obligations import AXES, FULL_VIEW, View
from tests.spec.policies.scenes import SCENES, Scene, differences
from tests.spec.policies.shared_care import NOW

Mutation = Callable[[PolicySet], PolicySet]


def told_apart(mutated: Callable[[Scene], PolicySet], likely: str = "") -> str | None:
    """The first scene in which a mutated set decides otherwise; likely ones first."""
    return next(
        (
            name
            for name in sorted(SCENES, key=lambda name: likely not in name)
            for _ in differences(mutated(SCENES[name]), SCENES[name])
        ),
        None,
    )


@pytest.mark.parametrize("name", SCENES)
def test_nothing_differs_where_nothing_was_taken_out(name):
    scene = SCENES[name]
    assert list(differences(scene.compiled(), scene)) == []
    effects = {expected.effect for _, expected in scene.questions}
    assert "deny" in effects
    assert "permit" in effects or name in {"unsigned by a provider", "veto on owner"}


def all_of(policy_set: PolicySet) -> int:
    return (1 << len(policy_set.lines)) - 1


def rules_of(policy_set: PolicySet) -> int:
    return all_of(policy_set) & ~policy_set.grants


def with_dimension(
    policy_set: PolicySet, name: str, change: Callable[[Dimension], Dimension]
) -> PolicySet:
    changed = {**policy_set.dimensions, name: change(policy_set.dimensions[name])}
    return replace(policy_set, dimensions=changed)


def untested(name: str, *, by_grants: bool) -> Mutation:
    """The dimension accepts every value, for grants or for rules."""

    def mutate(policy_set: PolicySet) -> PolicySet:
        freed = policy_set.grants if by_grants else rules_of(policy_set)

        def change(dimension: Dimension) -> Dimension:
            masks = {value: mask | freed for value, mask in dimension.masks.items()}
            return replace(dimension, masks=masks, other=dimension.other | freed)

        return with_dimension(policy_set, name, change)

    return mutate


def unknown_as(name: str, *, granting: bool) -> Mutation:
    """Unknown passes grants, or escapes the rules that test the dimension."""

    def mutate(policy_set: PolicySet) -> PolicySet:
        def change(dimension: Dimension) -> Dimension:
            unknown = dimension.masks.get("", dimension.other)
            wrong = (
                unknown | policy_set.grants
                if granting
                else (dimension.unbound | (unknown & policy_set.grants))
            )
            if not dimension.is_open:
                return replace(dimension, other=wrong)
            masks = {**dimension.masks, None: wrong, "": wrong}
            return replace(dimension, masks=masks)

        return with_dimension(policy_set, name, change)

    return mutate


BY_GRANTS = (
    *("purposes", "operations", "modes", "roles", "assurance", "relationships"),
    *("categories", "owner", "agreements", "break_glass"),
)
BY_RULES = (*BY_GRANTS, "recipients", "same_org")
# Evidence is tried kind by kind, so that no unknown one is ever asked about. A grant
# names no same_org; and no agreement need be cited, which is no unknown to a grant.
UNKNOWN_TO_RULES = tuple(each for each in BY_RULES if each != "relationships")
UNKNOWN_TO_GRANTS = tuple(
    each for each in BY_GRANTS if each not in {"relationships", "agreements"}
)


def test_every_dimension_is_taken_out_or_another_stands_for_it():
    dimensions = set(SCENES["one clause"].compiled().dimensions)
    # Signed recipients are recipients: `live` alone would refuse the others.
    assert dimensions - set(BY_GRANTS) == {"recipients", "same_org"}
    assert dimensions == set(BY_RULES)


def is_caught(mutate: Mutation, likely: str = "") -> None:
    assert told_apart(lambda scene: mutate(scene.compiled()), likely) is not None


@pytest.mark.parametrize("name", BY_GRANTS)
def test_a_dimension_that_grants_do_not_test_is_seen(name):
    is_caught(untested(name, by_grants=True))


@pytest.mark.parametrize("name", BY_RULES)
def test_a_dimension_that_rules_do_not_test_is_seen(name):
    is_caught(untested(name, by_grants=False), name)


@pytest.mark.parametrize("name", UNKNOWN_TO_GRANTS)
def test_an_unknown_value_that_passes_grants_is_seen(name):
    is_caught(unknown_as(name, granting=True))


@pytest.mark.parametrize("name", UNKNOWN_TO_RULES)
def test_an_unknown_value_that_escapes_rules_is_seen(name):
    is_caught(unknown_as(name, granting=False), name)


def no_citation_hides(policy_set: PolicySet) -> PolicySet:
    def change(dimension: Dimension) -> Dimension:
        masks = {**dimension.masks, None: dimension.masks[None] & ~policy_set.grants}
        return replace(dimension, masks=masks)

    return with_dimension(policy_set, "agreements", change)


def moved(policy_set: PolicySet) -> PolicySet:
    later = tuple(cut + timedelta(milliseconds=1) for cut in policy_set.cuts)
    return replace(policy_set, cuts=later)


def always_valid(policy_set: PolicySet) -> PolicySet:
    return replace(
        policy_set, spans=tuple(all_of(policy_set) for _ in policy_set.spans)
    )


def signed_by_all(policy_set: PolicySet) -> PolicySet:
    everybody = Dimension({}, all_of(policy_set), all_of(policy_set), is_open=True)
    return replace(policy_set, live=everybody)


def without_values(tests: compiling.Tests) -> compiling.Tests:
    return replace(tests, by_value={})


MASKS: dict[str, Mutation] = {
    "vetoes": lambda each: replace(each, vetoes=0),
    "constraints": lambda each: replace(each, constraints=0, views={}),
    "silent": lambda each: replace(each, silent=0),
    "wider": lambda each: replace(each, wider=tuple(0 for _ in each.wider)),
    "honours": lambda each: replace(each, honours={}),
    "requires": lambda each: replace(each, requires={}),
    "flags": lambda each: replace(each, flags=frozenset()),
    "flag rules": lambda each: replace(
        each, flag_rules=without_values(each.flag_rules)
    ),
    "flag rules untested": lambda each: replace(
        each, flag_rules=replace(each.flag_rules, untested=rules_of(each))
    ),
    "label rules": lambda each: replace(
        each, label_rules=without_values(each.label_rules)
    ),
    "label rules untested": lambda each: replace(
        each, label_rules=replace(each.label_rules, untested=rules_of(each))
    ),
    "labels unknown to rules": lambda each: replace(
        each, label_rules=replace(each.label_rules, every=each.label_rules.untested)
    ),
    "clears": lambda each: replace(
        each,
        clears=dict.fromkeys((*vocabulary.CLEARABLE, "unrecognised"), each.grants),
    ),
    "clears nothing": lambda each: replace(each, clears={}),
    "live": signed_by_all,
    "spans": always_valid,
    "cuts": moved,
    "no citation": no_citation_hides,
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_taken_out_of_the_set_is_seen(name):
    is_caught(MASKS[name])


SEEN_IN = {
    "vetoes": "veto on roles",
    "constraints": "demanding notify",
    "live": "unsigned by a recipient",
    "spans": "one clause",
    "cuts": "one clause",
    "honours": "one clause",
    "flag rules": "veto on flags_any",
    "clears": "research and care",
    "label rules untested": "veto on labels_any",
}


@pytest.mark.parametrize("name", SEEN_IN)
def test_the_second_opinion_sees_it_too(name):
    """Cedar reads the lines, and knows nothing of masks."""
    pytest.importorskip("cedarpy", reason="oracle: not run")
    whole = SCENES[SEEN_IN[name]].compiled()
    questions = probes(whole, NOW, most=400)
    assert consult(whole, questions).outcome == "agrees"
    opinion = consult(MASKS[name](whole), questions)
    assert (opinion.outcome, opinion.problem) == ("disagrees", None)
    assert opinion.disagreements


@pytest.mark.parametrize("floor", [each.authority for each in lines.FLOORS])
def test_a_floor_taken_out_is_seen(floor, monkeypatch):
    left = tuple(each for each in lines.FLOORS if each.authority != floor)
    monkeypatch.setattr(lines, "FLOORS", left)
    assert told_apart(Scene.compiled) is not None


def without(view: View, axis: str) -> View:
    changed: dict[str, Any] = {axis: getattr(FULL_VIEW, axis)}
    return replace(view, **changed)


@pytest.mark.parametrize("effect", ["grant", "constrain"])
@pytest.mark.parametrize("axis", AXES)
def test_an_axis_that_a_line_loses_is_seen(axis, effect):
    def mutate(policy_set: PolicySet) -> PolicySet:
        changed = tuple(
            replace(line, view=without(line.view, axis))
            if line.effect == effect
            else line
            for line in policy_set.lines
        )
        return replace(policy_set, lines=changed, views={})

    is_caught(mutate, axis)


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_that_is_not_compared_is_seen(axis, monkeypatch):
    compare = View.at_least_as_permissive

    def blind(one: View, other: View) -> bool:
        return compare(without(one, axis), without(other, axis))

    monkeypatch.setattr(obligations.View, "at_least_as_permissive", blind)
    assert told_apart(Scene.compiled, axis) is not None


def test_days_that_begin_at_midnight_of_greenwich_are_seen(monkeypatch):
    monkeypatch.setattr(
        lines, "start_of", lambda day: datetime.combine(day, time(), UTC)
    )
    assert told_apart(Scene.compiled) is not None


@pytest.mark.parametrize("registered", ["states", "prefiltered", "none"])
def test_a_registration_read_as_another_is_seen(registered, monkeypatch):
    other = {"states": "absent", "prefiltered": "unknown", "none": "absent"}
    monkeypatch.setattr(
        pending, "_PLANNED", {**pending._PLANNED, registered: other[registered]}
    )
    assert told_apart(Scene.compiled) is not None


def test_flags_that_never_grow_stale_are_seen(monkeypatch):
    monkeypatch.setattr(pending, "stale_after", lambda flag: timedelta(days=999))
    assert told_apart(Scene.compiled) is not None


@pytest.mark.parametrize(
    "part", ["version", "standing", "suspended", "carried", "first_active"]
)
def test_how_a_version_stands_is_seen(part):
    plain = Member(document=LocalRule(id="LR", org="Z9B", rules=()))
    usual: dict[str, Any] = {part: getattr(plain, part)}

    def forgetful(scene: Scene) -> PolicySet:
        members = [
            replace(each, **usual) if isinstance(each, Member) else each
            for each in scene.documents
        ]
        return compiling.compile_set(members, scene.signatures)

    assert told_apart(forgetful) is not None
