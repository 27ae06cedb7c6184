"""Three readings of one set must agree: compiled, line by line, and Cedar's.

They are compared in effect, authority, view, and in all that matches under each
relationship: grants, vetoes and constraints, by name.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from gateway.policy.oracle import Oracle
from policies import vocabulary
from policies.asked import Asked
from policies.clauses import Document, Member, Signature
from policies.compile import PolicySet, bits, compile_set
from policies.decide import decide
from policies.pending import FlagState, flag_mask, label_mask, planned_flags
from policies.request import Cell, Request
from tests.generative.policies import tapes
from tests.generative.policies.tapes import NOON, SUPPORTED, Tape
from tests.generative.policies.trying import EXAMPLES
from tests.reference_policy import Reasons, Ruling, Told, lines_of, ruled

cedarpy = pytest.importorskip("cedarpy", reason="oracle: not run")

IS_THOROUGH = EXAMPLES >= 5_000
States = dict[str, FlagState]


class Readings:
    """One set of documents, ready to be read in each of the three ways."""

    def __init__(
        self,
        documents: tuple[Document | Member, ...],
        signatures: tuple[Signature, ...],
    ) -> None:
        self.lines = lines_of(documents, signatures)
        self.compiled = compile_set(documents, signatures)
        self.oracle = Oracle(self.compiled, cedarpy)

    def reference(self, question: tuple[Request, Cell], told: Told) -> Ruling:
        return ruled(self.lines, question, told=told)

    def agree(
        self, question: tuple[Request, Cell], *, states: States, labels: frozenset[str]
    ) -> str:
        expected = self.reference(question, Told(flags=states, labels=labels))
        masks = held(self.compiled, question, states=states, labels=labels)
        assert masks == expected.under
        for relationship, reasons in expected.under.items():
            theirs = self.oracle.reasons(
                *question, relationship=relationship, flags=states, labels=labels
            )
            assert theirs.grants == frozenset(reasons.grants)
            assert theirs.constraints == reasons.constraints
            assert theirs.vetoes == reasons.vetoes
            assert theirs.is_permitted == bool(reasons.grants and not reasons.vetoes)
        return expected.effect

    def planned(self, question: tuple[Request, Cell]) -> str:
        """The effect, where decisions as planned agree in everything."""
        request, cell = question
        states = planned_flags(self.compiled, cell.flags)
        labels = frozenset(() if cell.labels == "labelled" else {"unlabelled"})
        effect = self.agree(question, states=states, labels=labels)
        decision = decide(self.compiled, request, cell, supported=SUPPORTED)
        expected = self.reference(question, Told(flags=states, labels=labels))
        assert same(decision) == same(expected)
        return effect


def same(one: Any) -> tuple[Any, ...]:
    return one.effect, one.authority, one.relationship, one.view


def held(
    policy_set: PolicySet,
    question: tuple[Request, Cell],
    *,
    states: States,
    labels: frozenset[str],
) -> dict[str, Reasons]:
    """What the masks leave standing under each relationship, by name."""
    request, cell = question
    asked = Asked(policy_set, request)
    mask = (
        asked.lines_of(cell)
        & flag_mask(policy_set, states)
        & label_mask(policy_set, labels)
    )

    def names(standing: int) -> tuple[str, ...]:
        return tuple(policy_set.lines[index].authority for index in bits(standing))

    return {
        relationship: Reasons(
            grants=names(mask & evidenced & policy_set.grants),
            vetoes=frozenset(names(mask & evidenced & policy_set.vetoes)),
            constraints=frozenset(names(mask & evidenced & policy_set.constraints)),
        )
        for relationship, evidenced in asked.evidence
    }


def settled(tape: Tape, policy_set: PolicySet, cell: Cell) -> States:
    """The flags as a source's answer leaves them: nothing is pending any more."""
    states = planned_flags(policy_set, cell.flags)
    for flag, state in states.items():
        if state == "pending":
            states[flag] = tape.pick(("absent", "absent", "present", "unknown"))
    return states


def read(tape: Tape, *, clauses: int) -> Readings:
    """A set of so many clauses and rules, nine in ten of them clauses."""
    each = max(1, clauses // 10)
    documents: list[Document] = []
    while sum(map(size, documents)) < clauses:
        number = len(documents)
        rest = clauses - sum(map(size, documents))
        if number % 10 == 9 or (number == 1 and clauses == 10):
            documents.append(tape.local_rule(number, rules=min(each, rest)))
        else:
            documents.append(tape.agreement(number, clauses=min(each, rest)))
    members = tape.members(documents)
    return Readings(members, tape.signatures(members))


def size(document: Any) -> int:
    return len(getattr(document, "clauses", None) or document.rules)


@pytest.mark.parametrize(
    ("clauses", "sets", "questions"),
    [(10, 40, 20), (100, 6, 25), (1_000, 1, 15)]
    if IS_THOROUGH
    else [(10, 8, 20), (100, 1, 25), (1_000, 1, 5)],
)
def test_compiled_reference_and_cedar_agree(clauses, sets, questions):
    effects = []
    for number in range(sets):
        tape = Tape(Random(f"{clauses}/{number}").randbytes(40_000))  # noqa: S311 - seeded, to repeat itself
        readings = read(tape, clauses=clauses)
        for _ in range(questions):
            question = tape.request(), tape.cell()
            effects.append(readings.planned(question))
            states = settled(tape, readings.compiled, question[1])
            labels = frozenset(
                tape.pick(
                    (*tapes.LABELS, vocabulary.UNRECOGNISED, vocabulary.UNLABELLED)
                )
                for _ in range(tape.byte() % 3)
            )
            readings.agree(question, states=states, labels=labels)
    assert {"permit", "deny"} == set(effects)
    assert effects.count("permit") > 0.2 * len(effects)


REQUESTS: dict[str, tuple[Any, ...]] = {
    "operation": ("journey.read", "population.additive", ""),
    "mode": ("identified", "pseudonymised", "x"),
    "purpose": ("direct-care", "research", ""),
    "agreement": (None, "DSA-0", "DSA-9"),
    "role": ("gp", "nurse", ""),
    "assurance": ("aal2", "aal1", None),
    "relationships": (
        frozenset(),
        frozenset({"registered"}),
        frozenset({"self-claimed", "registered"}),
    ),
    "break_glass": (False, True, None),
}
CELLS: dict[str, tuple[Any, ...]] = {
    "recipient": ("Z9A01", "Z9C03", ""),
    "owner": ("Z9A01", "Z9B02", ""),
    "category": ("encounters", "medications", "x"),
    "labels": (frozenset(), frozenset({"PSY"}), frozenset({"unlabelled"})),
    "ndo": ("absent", "present", "unknown"),
    "sensitive-record": ("absent", "present", "unknown"),
    "consent:DSA-0": ("present", "absent", "unknown"),
    "now": (NOON - timedelta(days=365), NOON, NOON + timedelta(days=1)),
}
USUAL = Request(
    operation="journey.read",
    mode="identified",
    purpose="direct-care",
    agreement=None,
    recipient="Z9A01",
    role="gp",
    assurance="aal2",
    relationships=frozenset({"registered"}),
    break_glass=False,
    now=NOON,
)
HERE = Cell(
    owner="Z9B02",
    category="encounters",
    labels="labelled",
    flags=dict.fromkeys(tapes.ALL_FLAGS, "prefiltered"),
)


def asked(
    values: dict[str, Any],
) -> tuple[tuple[Request, Cell], States, frozenset[str]]:
    fields = {key: value for key, value in values.items() if hasattr(USUAL, key)}
    place = {key: values.get(key, getattr(HERE, key)) for key in ("owner", "category")}
    states: States = dict.fromkeys(tapes.ALL_FLAGS, "absent")
    states |= {flag: values[flag] for flag in tapes.ALL_FLAGS if flag in values}
    question = replace(USUAL, **fields), replace(HERE, **place)
    return question, states, values.get("labels", frozenset())


@pytest.mark.parametrize("domain", [REQUESTS, CELLS], ids=["requests", "cells"])
@pytest.mark.parametrize("seed", [1, 3] if IS_THOROUGH else [1])
def test_every_question_of_a_domain_of_three_values_each_agrees(domain, seed):
    """All 6 561 against the reference; of Cedar, one in eight: each pair of values."""
    readings = read(Tape(Random(seed).randbytes(4_000)), clauses=10)  # noqa: S311 - seeded, to repeat itself
    effects = set()
    for number, values in enumerate(product(*domain.values())):
        question, states, labels = asked(dict(zip(domain, values, strict=True)))
        known: States = {f: states.get(f, "absent") for f in readings.compiled.flags}
        if number % 8:
            told = Told(flags=known, labels=labels)
            expected = readings.reference(question, told)
            masks = held(readings.compiled, question, states=known, labels=labels)
            assert masks == expected.under
            effects.add(expected.effect)
        else:
            effects.add(readings.agree(question, states=known, labels=labels))
    assert effects == {"permit", "deny"}
