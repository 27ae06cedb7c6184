"""Regions and lints, held to z3: the rule as formulas over all that can be asked.

The formulas are written off the reference's lines, and know nothing of boxes.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import z3
from hypothesis import given, settings

from policies import vocabulary
from policies.analysis.difference import Region, difference
from policies.analysis.lints import lints
from policies.analysis.terrain import FLAG, LABEL
from tests import reference_policy
from tests.generative.policies import tapes
from tests.generative.policies.edits import (
    Signed,
    edited,
    signed_by_all,
    tape_bytes,
)
from tests.generative.policies.tapes import Tape
from tests.generative.policies.trying import EXAMPLES
from tests.reference_policy import FLOORS, LONDON, wider

BITS = 6
QUESTIONS = max(10, EXAMPLES // 200)
NOBODY = 63
STATES = ("absent", "present", "unknown")
FLAGS = (*tapes.ALL_FLAGS, "consent:DSA-3", "consent:DSA-9")
CODES: dict[str, tuple[str, ...]] = {
    "purposes": tuple(vocabulary.PURPOSES),
    "operations": vocabulary.OPERATIONS,
    "modes": vocabulary.MODES,
    "roles": vocabulary.ROLES,
    "assurance": vocabulary.ASSURANCE,
    "categories": vocabulary.CATEGORIES,
    "relationships": vocabulary.RELATIONSHIPS,
    "recipients": (*tapes.ORGS, "Z9X"),
    "agreements": ("", "DSA-0", "DSA-1", "DSA-2", "DSA-3", "DSA-9", "DSA-X"),
    "glass": ("no", "yes"),
}


class World:
    """One question about one owner's item, each part of it a variable."""

    def __init__(self, owner: str, *sets: Signed) -> None:
        self.owner = owner
        lines = [line for each in sets for line in each.lines]
        edges = {at for line in lines for at in (line.begins, line.ends) if at}
        self.edges = sorted(edges)  # an instant is as many edges as lie behind it
        self.codes = {name: z3.BitVec(name, BITS) for name in CODES}
        self.now = z3.BitVec("now", BITS)
        self.flags = {flag: z3.BitVec(flag, BITS) for flag in FLAGS}
        self.labels = {label: z3.Bool(label) for label in vocabulary.CLEARABLE}
        self.possible = z3.And(
            z3.ULE(self.now, len(self.edges)),
            *(z3.ULT(v, len(CODES[name])) for name, v in self.codes.items()),
            *(z3.ULT(v, len(STATES)) for v in self.flags.values()),
        )

    def is_in(self, name: str, accepted: Collection[str]) -> Any:
        return one_of(self.codes[name], CODES[name], accepted)

    def flag(self, flag: str, states: Collection[str]) -> Any:
        return one_of(self.flags[flag], STATES, states)

    def between(self, begins: datetime, ends: datetime) -> Any:
        after = bisect_left(self.edges, begins), bisect_left(self.edges, ends)
        return z3.And(z3.UGT(self.now, after[0]), z3.ULE(self.now, after[1]))

    def bare(self, formula: Any) -> Any:
        """The formula, were there no evidence."""
        none = CODES["relationships"].index("none")
        return z3.substitute(
            formula, (self.codes["relationships"], z3.BitVecVal(none, BITS))
        )


def one_of(variable: Any, codes: tuple[str, ...], accepted: Collection[str]) -> Any:
    return z3.Or(*(variable == codes.index(e) for e in accepted if e in codes))


def matching(world: World, line: reference_policy.Tested) -> Any:
    """When a line matches or holds."""
    parts = [
        world.is_in(name, accepted)
        for name, accepted in line.accepts.items()
        if name in CODES and name != "agreements"
    ]
    if "owner" in line.accepts and world.owner not in line.accepts["owner"]:
        return z3.BoolVal(False)
    if "agreements" in line.accepts:
        parts.append(world.is_in("agreements", {"", *line.accepts["agreements"]}))
    if "break_glass" in line.accepts:
        glass = {"yes" if each else "no" for each in line.accepts["break_glass"]}
        parts.append(world.is_in("glass", glass))
    if "same_org" in line.accepts:
        same = world.is_in("recipients", {world.owner})
        parts.append(same if line.accepts["same_org"] == {True} else z3.Not(same))
    granting = granted if line.effect == "grant" else held
    return z3.And(*parts, *granting(world, line))


def granted(world: World, line: reference_policy.Tested) -> Iterable[Any]:
    assert line.begins is not None
    assert line.ends is not None
    yield world.between(line.begins, line.ends)
    yield from (world.flag(flag, {"absent"}) for flag in line.honours)
    yield from (world.flag(flag, {"present"}) for flag in line.requires)
    for label, is_there in world.labels.items():
        if label not in line.cleared:
            yield z3.Not(is_there)
    # Glass is broken for individual care alone.
    care = world.is_in("purposes", vocabulary.INDIVIDUAL)
    yield z3.Or(care, world.is_in("glass", {"no"}))


def held(world: World, line: reference_policy.Tested) -> Iterable[Any]:
    if line.flags_any is not None:
        yield z3.Or(*(world.flag(f, {"present", "unknown"}) for f in line.flags_any))
    if line.labels_any is not None:
        listed = {"unlabelled", *line.labels_any}
        yield z3.Or(*(world.labels[label] for label in listed))


def permitted(world: World, signed: Signed) -> Any:
    """When something permits: under the evidence, or under none."""
    lines = [(line.effect, matching(world, line)) for line in signed.lines]
    alone = z3.And(
        z3.Or(*(m for effect, m in lines if effect == "grant")),
        z3.Not(z3.Or(*(m for effect, m in lines if effect == "veto"))),
    )
    return z3.Or(alone, world.bare(alone))


def region_formula(world: World, region: Region, sets: tuple[Signed, Signed]) -> Any:
    values: Mapping[str, tuple[str, ...]] = region.values
    parts = [
        world.is_in(name, values["break_glass" if name == "glass" else name])
        for name in CODES
    ]
    parts.append(z3.Or(*(within(world, each) for each in values["periods"])))
    parts += (world.flag(flag, values.get(FLAG + flag, STATES)) for flag in FLAGS)
    cleared = {
        label
        for signed in sets
        for line in signed.lines
        if line.effect == "grant" and world.owner in line.accepts["owner"]
        for label in line.cleared
    }
    for label, is_there in world.labels.items():
        if label not in cleared or values.get(LABEL + label) == ("absent",):
            parts.append(z3.Not(is_there))
        elif values.get(LABEL + label) == ("present",):
            parts.append(is_there)
    return z3.And(*parts)


def within(world: World, period: str) -> Any:
    first, last = (datetime.fromisoformat(day).date() for day in period.split("/"))
    begins, ends = first, last + timedelta(days=1)
    return world.between(
        *(
            datetime.combine(day, time(), LONDON).astimezone(UTC)
            for day in (begins, ends)
        )
    )


def is_possible(world: World, formula: Any) -> bool:
    solver = z3.SolverFor("QF_FD")
    solver.add(world.possible, formula)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


@settings(deadline=None, max_examples=QUESTIONS)
@given(tape_bytes)
def test_regions_cover_just_what_is_newly_allowed_and_refused(content):
    """Catches a box that is cut one value short, which no witness would show."""
    sets = edited(Tape(content))
    found = difference(*(each.compiled for each in sets))
    for owner in tapes.ORGS[:2]:
        world = World(owner, *sets)
        before, after = (permitted(world, each) for each in sets)
        for regions, expected in (
            (found.newly_allowed, z3.And(after, z3.Not(before))),
            (found.newly_refused, z3.And(before, z3.Not(after))),
        ):
            told = [
                region_formula(world, region, sets)
                for region in regions
                if region.owner == owner
            ]
            assert not is_possible(world, z3.Xor(z3.Or(*told), expected))


def authority(world: World, grants: list[reference_policy.Tested]) -> Any:
    """The place of the grant that decides; NOBODY if none."""
    current: Any = z3.BitVecVal(NOBODY, BITS)
    for place, grant in enumerate(grants):
        moves = [
            current == earlier
            for earlier in range(place)
            if wider(grant.view, grants[earlier].view)
        ]
        takes = z3.And(matching(world, grant), z3.Or(current == NOBODY, *moves))
        current = z3.If(takes, z3.BitVecVal(place, BITS), current)
    return current


def verdicts(signed: Signed) -> dict[str, set[str]]:
    """What is to be said of each clause for each provider, by its name."""
    found: dict[str, set[str]] = {}
    for owner in tapes.ORGS[:2]:
        world = World(owner, signed)
        lines = [
            line
            for line in signed.lines
            if world.owner in line.accepts.get("owner", {world.owner})
        ]
        grants = [line for line in lines if line.effect == "grant"]
        vetoes = [matching(world, line) for line in lines if line.effect == "veto"]
        free = z3.Not(z3.Or(*vetoes))
        uncited = z3.And(free, world.is_in("agreements", {""}))
        deciding = authority(world, grants)
        for place, grant in enumerate(grants):
            name, _, _ = grant.name.partition("#")
            here = matching(world, grant)
            said = "deciding"
            if not is_possible(world, z3.And(here, free)):
                said = "dead_clause"
            elif is_possible(world, z3.And(here, uncited)) and not is_possible(
                world, z3.And(uncited, deciding == place)
            ):
                said = "shadowed_clause"
            found.setdefault(name, set()).add(said)
        for line in lines:
            if line.effect != "grant" and line not in FLOORS:
                met = z3.Or(*(matching(world, grant) for grant in grants))
                is_met = is_possible(world, z3.And(met, matching(world, line)))
                found[line.name] = {"met" if is_met else "idle_rule"}
    return found


def expected_of(said: set[str]) -> str | None:
    """A clause is as good as the best it is for any provider."""
    for verdict in ("deciding", "met", "shadowed_clause", "dead_clause", "idle_rule"):
        if verdict in said:
            return None if verdict in {"deciding", "met"} else verdict
    raise AssertionError(said)


@settings(deadline=None, max_examples=QUESTIONS)
@given(tape_bytes)
def test_what_is_dead_shadowed_or_idle_is_so_for_z3(content):
    """Catches a clause called dead that some request still meets, and the reverse."""
    tape = Tape(content)
    documents = [*tape.documents(), tape.local_rule(1), tape.agreement(3)]
    signed = signed_by_all(documents)
    found = {
        f"{lint.document}/{lint.message.partition(':')[0]}@{lint.version}": lint.code
        for lint in lints(signed.documents, signed.signatures)
        if lint.code in {"dead_clause", "shadowed_clause", "idle_rule"}
    }
    for name, said in verdicts(signed).items():
        assert found.pop(name, None) == expected_of(said)
    assert not found
