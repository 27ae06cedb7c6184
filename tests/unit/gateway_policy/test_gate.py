"""The gate before submission: what forbids, what gives pause, and who was asked."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.policy import gate
from gateway.policy.composition import as_if_signed
from gateway.policy.edit import published
from gateway.policy.gate import examine, findings_of
from gateway.policy.occasion import Known, Occasion, Snapshot
from gateway.policy.oracle import Opinion
from gateway.policy.states import Version
from gateway.problems import RequestError
from policies.analysis.replay import Recorded
from policies.clauses import Agreement
from policies.request import Cell, Request
from tests.houses import PREFILTERED
from tests.policy_store import NOW, A, B, R, S, agreement, author, clause, rule


def draft(document) -> Version:
    return Version(
        id=document.id,
        version=1,
        kind="agreement" if isinstance(document, Agreement) else "local-rule",
        organisation=A,
        state="draft",
        document=document,
        authors=frozenset({"author"}),
        created_at=NOW,
        changed_at=NOW,
    )


def occasion(*versions: Version, known: Known | None = None) -> Occasion:
    return Occasion(
        snapshot=Snapshot(
            revision=1, sequence=1, versions={each.id: [each] for each in versions}
        ),
        actor=author(A),
        now=NOW,
        known=known or Known(),
    )


def codes(on: Occasion, version: Version) -> set[str]:
    return {each.code for each in findings_of(on, version)}


def large() -> Agreement:
    """More clauses than a set may hold."""
    one = agreement(providers=(A,)).clauses[0]
    clauses = tuple(replace(one, id=f"c{n}") for n in range(5_001))
    return replace(agreement(providers=(A,)), clauses=clauses)


def test_a_draft_that_nothing_forbids_is_let_through_with_what_gives_pause():
    found = draft(agreement(clause(roles=["doctor"])))
    said = examine(occasion(found), found)
    assert all(each.severity == "warn" for each in said)


def test_all_that_forbids_is_told_at_once_each_with_its_place():
    bad = draft(
        agreement(
            clause(id="c1", purposes=["research"]),
            clause(id="c2", relationships=["self-claimed"], assurance=["aal1"]),
        )
    )
    with pytest.raises(RequestError) as caught:
        examine(occasion(bad), bad)
    pointers = {each.pointer for each in caught.value.errors}
    assert any(each.startswith("/clauses/0") for each in pointers)
    assert any(each.startswith("/clauses/1") for each in pointers)
    assert all(each.message for each in caught.value.errors)


def test_who_holds_general_practice_data_is_known_from_the_sources():
    planning = draft(
        agreement(
            clause(
                purposes=["service-planning"],
                legal_basis={
                    "art6": "6(1)(e)",
                    "art9": "9(2)(h)",
                    "confidentiality": "reg3",
                },
                modes=["pseudonymised"],
                honours=["ndo"],
            )
        )
    )
    practice = Known(general_practices=frozenset({A}))
    without = codes(occasion(planning), planning)
    within = codes(occasion(planning, known=practice), planning)
    assert within - without


def test_a_set_that_would_be_too_large_is_refused_and_nothing_else_is_tried():
    huge = draft(large())
    with pytest.raises(RequestError) as caught:
        examine(occasion(huge), huge)
    assert {each.code for each in caught.value.errors} == {"too_many_clauses"}


def test_a_set_that_is_too_large_is_not_published_whatever_the_gate_said():
    huge = as_if_signed(draft(large()), NOW)
    with pytest.raises(RequestError) as caught:
        published(None, {huge.id: [huge]}, NOW)
    assert caught.value.code == "gate-failed"


def test_where_the_oracle_is_not_installed_the_gate_says_so(monkeypatch):
    found = draft(agreement(clause(roles=["doctor"])))

    def absent(policy_set, questions):
        return Opinion(outcome="not run")

    monkeypatch.setattr(gate, "consult", absent)
    assert "oracle_not_run" in codes(occasion(found), found)


def test_the_oracle_is_asked_of_a_few_owners_lines(monkeypatch):
    owners = tuple(f"Z{n:04}" for n in range(40))
    found = draft(agreement(clause(roles=["doctor"]), providers=owners))
    other = as_if_signed(draft(agreement(providers=(owners[0], B), id="DSA-2")), NOW)
    asked = []

    def agrees(policy_set, questions):
        asked.append({line.organisation for line in policy_set.lines})
        assert all(line.signed for line in policy_set.lines if line.effect == "grant")
        return Opinion(outcome="agrees")

    monkeypatch.setattr(gate, "consult", agrees)
    assert "oracle_not_run" not in codes(occasion(found, other), found)
    assert asked == [{None, *owners[:3]}]


def test_where_there_is_too_much_for_the_oracle_the_gate_says_so(monkeypatch):
    monkeypatch.setattr(gate, "_MOST_LINES", 7)
    found = draft(agreement(clause(roles=["doctor"])))
    said = findings_of(occasion(found), found)
    (warning,) = [each for each in said if each.code == "oracle_not_run"]
    assert "at most" in warning.message
    assert warning.severity == "warn"


def test_a_finding_names_no_document_that_one_of_its_readers_may_not_see():
    secret = as_if_signed(
        draft(agreement(providers=(B,), recipients=(S,), id="DSA-SECRET")), NOW
    )
    secret = replace(secret, organisation=B)
    found = draft(agreement(providers=(B,), recipients=(S,), id="DSA-Z"))
    (told,) = [
        each.message
        for each in findings_of(occasion(secret, found), found)
        if each.code == "shadowed_clause"
    ]
    assert told == (
        "c1: it never decides, as other agreements always do. "
        "Remove it, or narrow those."
    )


def test_a_finding_names_what_all_of_its_readers_see():
    known = as_if_signed(draft(agreement(providers=(A,), id="DSA-1")), NOW)
    found = draft(agreement(providers=(A,), id="DSA-Z"))
    said = findings_of(occasion(known, found), found)
    assert any("DSA-1/c1@1 always do" in each.message for each in said)


def test_a_veto_of_another_owner_is_not_named_to_who_meets_it():
    veto = as_if_signed(
        draft(
            rule(
                B,
                {
                    "id": "v1",
                    "effect": "veto",
                    "when": {"purposes": ["direct-care"]},
                    "overridable": False,
                    "why": "Board",
                },
            )
        ),
        NOW,
    )
    veto = replace(veto, organisation=B)
    found = draft(agreement(providers=(B,), recipients=(A,), id="DSA-Z"))
    said = [each.message for each in findings_of(occasion(veto, found), found)]
    assert "c1: always vetoed by a rule of the owner. " in " ".join(said)
    assert not any(veto.id in each for each in said)


def test_where_the_oracle_decides_otherwise_nothing_is_published(monkeypatch):
    found = draft(agreement(clause(roles=["doctor"])))

    def differs(policy_set, questions):
        return Opinion(outcome="disagrees", problem="Cedar says no.")

    monkeypatch.setattr(gate, "consult", differs)
    assert "oracle_disagreement" in codes(occasion(found), found)


def test_a_rule_that_flips_what_was_decided_gives_pause():
    standing = replace(draft(agreement(providers=(A,))), state="submitted")
    veto = draft(rule())
    asked = Request(
        operation="journey.read",
        mode="identified",
        purpose="direct-care",
        agreement=None,
        recipient=R,
        role="doctor",
        assurance="aal2",
        relationships=frozenset({"registered"}),
        break_glass=False,
        now=NOW - timedelta(days=1),
    )
    recorded = Recorded(
        id="dec_1",
        request=asked,
        cells=(
            Cell(
                owner=A,
                category="medications",
                labels="unlabelled",
                flags=PREFILTERED,
            ),
        ),
        effects=("permit",),
    )
    known = Known(recorded=(recorded,))
    signed = as_if_signed(standing, NOW - timedelta(days=9))
    on = occasion(signed, known=known)
    assert "replay_flips" in codes(on, veto)
    assert "replay_flips" not in codes(occasion(signed), veto)
