"""A near miss is exact: what it names permits, and nothing that permits is missed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from policies import vocabulary
from policies.compile import PolicySet, compile_set
from policies.decide import decide
from policies.near_misses import ATTRIBUTES, SAFE, caller_safe, near_misses
from policies.request import Cell, Request
from tests.generative.policies.tapes import SUPPORTED, Tape
from tests.generative.policies.trying import EXAMPLES, trial

VALUES: dict[str, tuple[Any, ...]] = {
    "operation": vocabulary.OPERATIONS,
    "mode": vocabulary.MODES,
    "purpose": tuple(vocabulary.PURPOSES),
    "role": vocabulary.ROLES,
    "assurance": vocabulary.ASSURANCE,
    "category": vocabulary.CATEGORIES,
    "relationship": vocabulary.RELATIONSHIPS,
    "break_glass": ("yes", "no"),
    "labels": ("labelled", "unlabelled"),
}


def values_of(attribute: str, policy_set: PolicySet) -> Iterator[str]:
    if attribute == "flags":
        for flag in policy_set.flags:
            yield from (f"{flag}:{how}" for how in ("states", "prefiltered", "none"))
    elif attribute in VALUES:
        yield from VALUES[attribute]
    else:
        named = {"recipient": "recipients", "agreement": "agreements"}[attribute]
        masks = policy_set.dimensions[named].masks
        yield from (value for value in masks if value is not None)


def changed(
    attribute: str, value: str, question: tuple[Request, Cell]
) -> tuple[Request, Cell]:
    """The question with one attribute otherwise."""
    request, cell = question
    flag, _, how = value.rpartition(":")
    of_cell: dict[str, dict[str, Any]] = {
        "category": {"category": value},
        "labels": {"labels": value},
        "flags": {"flags": {**cell.flags, flag: how}},
    }
    of_request: dict[str, dict[str, Any]] = {
        "relationship": {"relationships": request.relationships | {value}},
        "break_glass": {"break_glass": value == "yes"},
        "agreement": {"agreement": value or None},
    }
    if attribute in of_cell:
        return request, replace(cell, **of_cell[attribute])
    return replace(request, **of_request.get(attribute, {attribute: value})), cell


def are_exact(tape: Tape) -> str:
    documents = tape.documents()
    policy_set = compile_set(documents, tape.signatures(documents))
    question = tape.request(), tape.cell()
    supported = tape.usually(SUPPORTED, frozenset({"max_age_days"}), of=4)

    def decided(request: Request, cell: Cell) -> tuple[str, str | None]:
        found = decide(policy_set, request, cell, supported=supported)
        return found.effect, found.authority

    found = near_misses(policy_set, *question, supported=supported)
    if decided(*question)[0] == "permit":
        assert found == ()
        return "permitted"
    shown = {
        (miss.attribute, value, miss.under) for miss in found for value in miss.needed
    }
    permitting = {
        (attribute, value, authority)
        for attribute in ATTRIBUTES
        for value in values_of(attribute, policy_set)
        for effect, authority in [decided(*changed(attribute, value, question))]
        if effect == "permit"
    }
    assert shown == permitting
    places = [ATTRIBUTES.index(miss.attribute) for miss in found]
    assert places == sorted(places)
    safe = [miss for miss in found if miss.attribute in SAFE]
    told = caller_safe(policy_set, *question, supported=supported)
    assert list(told) == safe[:3]
    return "near" if found else "far"


def test_near_misses_are_all_the_single_changes_that_permit():
    """Catches, for one, a suffix that still holds the attribute that is changed."""
    # Each tape is decided some eighty times over, once for each single change.
    tried, met = trial(are_exact, examples=EXAMPLES // 5)
    tried()
    assert met["near"] >= met.total() / 10
