"""Probes meet every line, and miss it by one step at a time."""

from policies.compile import bits
from policies.decide import decide
from policies.exports.probes import probes
from tests.generative.policies.tapes import SUPPORTED
from tests.reference_policy import ruled
from tests.spec.policies.scenes import SCENES
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    NOW,
    agreement,
    clause,
    local_rule,
    rule,
    signed,
)


def test_the_first_round_meets_every_line_of_every_scene():
    for name, scene in SCENES.items():
        policy_set = scene.compiled()
        lines = policy_set.lines
        first = probes(policy_set, NOW, most=len(lines))
        assert len(first) == len(lines)
        for line, question in zip(lines, first, strict=True):
            said = ruled(scene.lines, question)
            met = {
                each
                for found in said.under.values()
                for each in (*found.grants, *found.vetoes, *found.constraints)
            }
            # A rule on a label waits for a source that labels; one that tests a code
            # nobody is granted can still be met.
            in_force = line.effect != "grant" or line.signed
            waits = line.labels_any is not None
            assert line.authority in met or not in_force or waits, (name, line)


def test_as_many_as_are_wanted_and_no_more_come_back():
    policy_set = signed(agreement())
    assert probes(policy_set, NOW, most=0) == []
    assert len(probes(policy_set, NOW, most=7)) == 7
    every = probes(policy_set, NOW, most=10_000)
    assert len(every) < 1_000
    assert every[:7] == probes(policy_set, NOW, most=7)


def test_probes_are_permitted_and_denied():
    policy_set = signed(agreement(), local_rule())
    effects = [
        decide(policy_set, *each, supported=SUPPORTED).effect
        for each in probes(policy_set, NOW, most=10_000)
    ]
    assert {"permit", "deny"} == set(effects)


def test_a_period_is_asked_about_at_its_ends():
    policy_set = signed(agreement())
    grant = policy_set.lines[next(iter(bits(policy_set.grants)))]
    instants = {request.now for request, _ in probes(policy_set, NOW, most=10_000)}
    assert {grant.begins, grant.ends} <= instants
    assert any(grant.begins > now for now in instants)


def test_without_a_grant_a_rule_is_asked_about_by_itself():
    policy_set = signed(local_rule(rule(when={"roles": ["gp"]})))
    (request, cell), *_ = probes(policy_set, NOW, most=1)
    assert (request.role, request.now, cell.owner) == ("gp", NOW, HOSPITAL)


def test_a_rule_on_its_own_organisation_is_asked_from_inside_and_outside():
    def asked(same, by=(GP, HOSPITAL)):
        when = {"same_org": same}
        policy_set = signed(agreement(clause()), local_rule(rule(when=when)), by=by)
        index = next(iter(bits(policy_set.vetoes)))
        request, cell = probes(policy_set, NOW, most=index + 1)[index]
        return request.recipient == cell.owner

    assert asked("true")
    assert not asked("false")
