"""The difference of two sets, held to the rule read off the documents."""

from hypothesis import given, settings

from policies.analysis.difference import Difference, Region, difference
from policies.analysis.terrain import FLAG, LABEL
from policies.obligations import View
from policies.request import Cell, Request
from tests.generative.policies.edits import Signed, edited, question, tape_bytes
from tests.generative.policies.tapes import Tape
from tests.reference_policy import LONDON, Told

QUESTIONS = 12


def told_by(region: Region) -> tuple[Request, Cell, Told]:
    witness = region.witness
    unlabelled = {"unlabelled"} if witness.cell.labels == "unlabelled" else set()
    labels = frozenset(witness.labels | unlabelled)
    return witness.request, witness.cell, Told(flags=witness.flags, labels=labels)


def kinds(before: View | None, after: View | None) -> set[str]:
    """What a change from one answer to another is called."""
    if before is None or after is None:
        named = {"newly_allowed": before is None, "newly_refused": after is None}
        return {kind for kind, holds in named.items() if holds and before is not after}
    relaxed, tightened = after.meet(before) != after, before.meet(after) != before
    return {"relaxed"} & {"relaxed" if relaxed else ""} | (
        {"tightened"} if tightened else set()
    )


def holds(region: Region, asked: tuple[Request, Cell, Told]) -> bool:
    """Whether a region is about a question."""
    request, cell, told = asked
    values, day = region.values, request.now.astimezone(LONDON).date().isoformat()
    evidence = next(iter(request.relationships), "none")
    glass = "yes" if request.break_glass else "no"
    asserted = {
        "purposes": request.purpose,
        "operations": request.operation,
        "modes": request.mode,
        "roles": request.role,
        "assurance": request.assurance,
        "recipients": request.recipient,
        "agreements": request.agreement or "",
        "categories": cell.category,
        "break_glass": glass,
        "relationships": evidence,
    }
    periods = (each.split("/") for each in values["periods"])
    return (
        region.owner == cell.owner
        and all(value in values[name] for name, value in asserted.items())
        and any(first <= day <= last for first, last in periods)
        and all(
            told.flags.get(name.removeprefix(FLAG), "unknown") in codes
            for name, codes in values.items()
            if name.startswith(FLAG)
        )
        and all(
            ("present" if name.removeprefix(LABEL) in told.labels else "absent")
            in codes
            for name, codes in values.items()
            if name.startswith(LABEL)
        )
    )


def cleared(owner: str, *sets: Signed) -> frozenset[str]:
    """The labels that any grant of an owner clears."""
    return frozenset(
        label
        for each in sets
        for line in each.compiled.lines
        if line.effect == "grant" and line.organisation == owner
        for label in line.cleared
    )


def told_regions(
    found: Difference, asked: tuple[Request, Cell, Told], sets: tuple[Signed, Signed]
) -> set[str]:
    if asked[2].labels - cleared(asked[1].owner, *sets):
        return set()  # no set shows such an item
    return {region.kind for region in found.regions if holds(region, asked)}


@settings(deadline=None)
@given(tape_bytes)
def test_each_witness_flips_the_reference_as_its_region_says(content):
    """Catches, for one, a veto whose flag is unknown and which is taken not to hold."""
    before, after = edited(Tape(content))
    found = difference(before.compiled, after.compiled)
    assert found.is_complete
    for region in found.regions:
        asked = told_by(region)
        answers = before.ruled(*asked), after.ruled(*asked)
        assert answers == (region.before, region.after)
        assert region.kind in kinds(*answers)
        assert holds(region, asked)
        witness = region.witness
        assert witness.answered(before.compiled) == region.before
        assert witness.answered(after.compiled) == region.after


def test_a_question_is_in_a_region_just_when_the_reference_answers_otherwise():
    """Catches a region left out, or one too wide in any dimension."""
    met: list[set[str]] = []

    @settings(deadline=None)
    @given(tape_bytes)
    def every(content):
        tape = Tape(content)
        sets = edited(tape)
        found = difference(*(each.compiled for each in sets))
        rest = Tape(content[::-1])
        for _ in range(QUESTIONS):
            asked = question(rest)
            before, after = (each.ruled(*asked) for each in sets)
            expected = kinds(before, after)
            assert told_regions(found, asked, sets) == expected
            met.append(expected)

    every()
    assert len([each for each in met if each]) > len(met) / 50
