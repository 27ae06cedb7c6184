"""A proven narrowing gives nobody more, whatever is cited and whatever is evidenced.

Every question of a shrunken domain is asked of both sets.
"""

from collections import Counter
from dataclasses import replace
from itertools import chain, combinations, product

from hypothesis import given, settings

from policies.analysis.atoms import EVERY_DUTY
from policies.analysis.narrowing import narrowing
from policies.compile import PolicySet
from policies.decide import Plan
from policies.obligations import View
from policies.pending import FlagState, flag_mask, label_mask
from policies.request import Cell, Request
from tests.generative.policies import tapes
from tests.generative.policies.edits import edited, tape_bytes
from tests.generative.policies.tapes import NOON, Tape

CITED = (None, "DSA-0", "DSA-1", "DSA-2", "DSA-9")
LABELLED = tuple(frozenset(each) for each in ((), ("PSY",), ("STD",), ("unlabelled",)))
EVIDENCE = tuple(
    frozenset(each)
    for each in chain.from_iterable(
        combinations(("registered", "self-claimed"), size) for size in range(3)
    )
)


def some_requests(tape: Tape) -> list[tuple[Request, Cell]]:
    """Every role, purpose, and glass broken or not; of the rest, one each."""
    usual = Request(
        operation="journey.read",
        mode=tape.pick(tapes.MODES),
        purpose="direct-care",
        agreement=None,
        recipient=tape.pick(tapes.ORGS),
        role="gp",
        assurance=tape.pick(("aal2", "aal3")),
        relationships=frozenset(),
        break_glass=False,
        now=NOON,
    )
    asked = [
        replace(usual, role=role, purpose=purpose, break_glass=glass)
        for role, purpose, glass in product(tapes.ROLES, tapes.PURPOSES, (False, True))
    ]
    cells = [
        Cell(owner=owner, category=tape.pick(tapes.CATEGORIES), labels="labelled")
        for owner in tapes.ORGS[:2]
    ]
    return list(product(asked, cells))


def some_flags(tape: Tape) -> list[dict[str, FlagState]]:
    usual: dict[str, FlagState] = dict.fromkeys(tapes.ALL_FLAGS, "absent")
    consents = (*tapes.CONSENTS, "consent:DSA-9")
    usual |= {flag: tape.pick(("present", "absent")) for flag in consents}
    states: tuple[FlagState, ...] = ("absent", "present", "unknown")
    return [{**usual, "ndo": ndo, "type1": tape.pick(states[:2])} for ndo in states]


def views(
    policy_set: PolicySet, asked: tuple[Request, Cell], flags: dict[str, FlagState]
) -> dict[tuple[str | None, frozenset[str], frozenset[str]], View]:
    """What is shown, by what is cited, evidenced, and on the item's labels."""
    request, cell = asked
    shown: dict[tuple[str | None, frozenset[str], frozenset[str]], View] = {}
    for cited, evidence in product(CITED, EVIDENCE):
        each = replace(request, agreement=cited, relationships=evidence)
        plan = Plan(policy_set, each, supported=EVERY_DUTY)
        states = {flag: flags[flag] for flag in policy_set.flags}
        mask = plan.asked.lines_of(cell) & flag_mask(policy_set, states)
        for labels in LABELLED:
            found = plan.weigh(mask & label_mask(policy_set, labels))
            if found is not None:
                shown[cited, evidence, labels] = found.view
    return shown


def gains(before, after) -> bool:
    """Whether some answer after shows what no citation and no evidence did before."""
    return any(
        not any(
            had.at_least_as_permissive(view)
            for (_, shown, on), had in before.items()
            if shown <= evidence and on == labels
        )
        for (_, evidence, labels), view in after.items()
    )


def test_what_is_proven_to_narrow_gives_nobody_more():
    """Catches, for one, a clause measured against one that another clause hid."""
    met: Counter[bool] = Counter()

    @settings(deadline=None)
    @given(tape_bytes)
    def every(content):
        tape = Tape(content)
        before, after = edited(tape)
        rest = Tape(content[::-1])
        flags, asked = some_flags(rest), some_requests(rest)
        for owner in tapes.ORGS[:2]:
            found = narrowing(before.compiled, after.compiled, owner=owner)
            met[found.is_proven] += 1
            for each, told in product(asked, flags) if found.is_proven else ():
                if each[1].owner == owner:
                    was = views(before.compiled, each, told)
                    assert not gains(was, views(after.compiled, each, told))

    every()
    # What is never proven, or always, would show nothing.
    assert min(met[True], met[False]) > met.total() / 8
