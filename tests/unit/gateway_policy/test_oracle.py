"""A second opinion is given where Cedar is there, and never taken for granted."""

from types import SimpleNamespace

import pytest

from gateway.policy.oracle import consult
from policies.exports.cedar import CedarTexts, cedar_texts
from policies.exports.probes import probes
from tests.spec.policies.scenes import SCENES
from tests.spec.policies.shared_care import NOW, cell, request

cedarpy = pytest.importorskip("cedarpy", reason="oracle: not run")


def questions(policy_set, most=80):
    return [*probes(policy_set, NOW, most=most), (request(), cell())]


@pytest.mark.parametrize("name", SCENES)
def test_cedar_agrees_with_every_scene(name):
    policy_set = SCENES[name].compiled()
    opinion = consult(policy_set, questions(policy_set))
    assert (opinion.outcome, opinion.disagreements) == ("agrees", ())
    assert opinion.asked == 81
    assert opinion.problem is None


def test_without_the_library_it_is_not_run():
    def missing():
        raise ImportError

    policy_set = SCENES["one clause"].compiled()
    opinion = consult(policy_set, questions(policy_set), library=missing)
    assert (opinion.outcome, opinion.asked) == ("not run", 0)


def changed(**parts):
    """Cedar, but for these parts of it."""
    names = ("Schema", "PolicySet", "Decision", "validate_policies", "is_authorized")
    real = {name: getattr(cedarpy, name) for name in names}
    return lambda: SimpleNamespace(**{**real, **parts})


def test_an_error_of_cedar_is_a_disagreement():
    # Cedar leaves a policy that errs out of account: a veto would fail open.
    def erring(asked, policies, *rest):
        return SimpleNamespace(
            allowed=True,
            decision=cedarpy.Decision.Allow,
            diagnostics=SimpleNamespace(errors=["an error"]),
        )

    policy_set = SCENES["one clause"].compiled()
    opinion = consult(
        policy_set, questions(policy_set), library=changed(is_authorized=erring)
    )
    assert (opinion.outcome, opinion.asked) == ("disagrees", 1)
    assert opinion.sentences == ("Cedar answered with an error.",)


def test_no_decision_of_cedar_is_a_disagreement():
    def unsure(asked, policies, *rest):
        return cedarpy.is_authorized({**asked, "context": {}}, policies, *rest)

    policy_set = SCENES["one clause"].compiled()
    opinion = consult(
        policy_set, questions(policy_set), library=changed(is_authorized=unsure)
    )
    assert (opinion.outcome, opinion.problem) == (
        "disagrees",
        "Cedar answered with an error.",
    )


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"schema": "entity"}, "Cedar cannot read the exported text."),
        ({"grants": "permit("}, "Cedar finds the exported text at fault."),
        (
            {"grants": "permit (principal, action, resource) when { context.x };"},
            "Cedar finds the exported text at fault.",
        ),
    ],
)
def test_a_text_that_cedar_does_not_take_is_a_disagreement(monkeypatch, texts, problem):
    policy_set = SCENES["one clause"].compiled()

    def spoiled(given):
        whole = cedar_texts(given)
        kept = {n: getattr(whole, n) for n in ("schema", "grants", "vetoes")}
        return CedarTexts(**{**kept, "constraints": whole.constraints, **texts})

    monkeypatch.setattr("gateway.policy.oracle.cedar_texts", spoiled)
    opinion = consult(policy_set, questions(policy_set))
    assert (opinion.outcome, opinion.asked, opinion.problem) == (
        "disagrees",
        0,
        problem,
    )


def test_a_disagreement_tells_both_sides():
    # Each question is put to Cedar as if somebody else had asked it.
    def misheard(asked, policies, *rest):
        somebody = {"type": "Throughline::Organisation", "id": "Z9Z"}
        return cedarpy.is_authorized({**asked, "principal": somebody}, policies, *rest)

    policy_set = SCENES["one clause"].compiled()
    opinion = consult(
        policy_set, [(request(), cell())], library=changed(is_authorized=misheard)
    )
    assert opinion.outcome == "disagrees"
    (found,) = opinion.disagreements
    assert found.ours == "permit registered DSA-2031-017/c1@1#Z9B"
    assert found.theirs == "registered deny; none deny"
    assert (found.request, found.cell) == (request(), cell())
    assert opinion.sentences == (
        (
            "encounters of Z9B, asked by a doctor of Z9A01 for direct-care: "
            "permit registered DSA-2031-017/c1@1#Z9B. "
            "Cedar: registered deny; none deny."
        ),
    )
