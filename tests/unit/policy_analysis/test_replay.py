"""Recorded decisions under two sets, and a draft on requests of one's own."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policies.analysis.replay import Recorded, replay, what_if
from policies.compile import compile_set
from policies.decide import decide
from tests.spec.policies.shared_care import cell, request
from tests.unit.policy_analysis.changes import (
    GP,
    HOSPITAL,
    agreement,
    alone,
    clause,
    compiled,
    documents,
    local_rule,
    rule,
    vetoed,
)

OURS = frozenset({"hide_fields", "notify", "justify"})


def recorded(*cells, effects: Any = None, name="d1", **asked):
    held = cells or (cell(),)
    permitted: tuple[Any, ...] = ("permit",) * len(held)
    return Recorded(
        id=name,
        request=request(**asked),
        cells=held,
        effects=effects or permitted,
    )


def changes(before, after, *given):
    found = replay(given or [recorded()], before, after)
    return [change for each in found.changed for _, change in each.cells]


def test_the_same_set_changes_nothing():
    found = replay([recorded(), recorded(name="d2")], alone(), alone())
    assert (found.total, found.changed, found.flips) == (2, (), Counter())
    assert (found.drifted, found.needless, found.share_flipped) == ((), (), 0.0)


def test_nothing_recorded_is_nothing_flipped():
    assert replay([], alone(), compiled()).share_flipped == 0.0


def test_a_veto_flips_and_its_end_flips_back():
    free, bound = compiled(agreement()), vetoed(rule())
    assert changes(free, bound) == ["newly_refused"]
    assert changes(bound, free) == ["newly_allowed"]


def test_duties_relax_and_tighten_without_a_flip():
    hiding, showing = alone(), alone(obligations={})
    assert changes(hiding, showing) == ["relaxed"]
    assert changes(showing, hiding) == ["tightened"]
    assert changes(hiding, alone(obligations={"date_grain": "day"})) == ["relaxed"]
    found = replay([recorded()], hiding, showing)
    assert not found.changed[0].is_flipped
    assert found.flips == Counter()


def test_flips_are_counted_by_recipient_purpose_and_role():
    given = [
        recorded(name="a", role="nurse"),
        recorded(name="b", role="nurse", recipient=HOSPITAL),
        recorded(name="c", role="nurse", purpose="care-coordination"),
        recorded(name="d", role="nurse"),
        recorded(name="e", role="gp"),
    ]
    bound = vetoed(rule(when={"roles": ["nurse"]}))
    found = replay(given, compiled(agreement()), bound)
    assert found.flips == {
        (GP, "direct-care", "nurse"): 2,
        (HOSPITAL, "direct-care", "nurse"): 1,
        (GP, "care-coordination", "nurse"): 1,
    }
    assert [each.id for each in found.changed] == ["a", "b", "c", "d"]
    assert found.share_flipped == 0.8


def test_each_cell_is_told_by_itself():
    given = recorded(cell(), cell(owner=GP), cell(category="medications"))
    found = replay([given], compiled(agreement()), vetoed(rule()))
    (changed,) = found.changed
    assert [(c.owner, c.category) for c, _ in changed.cells] == [
        (HOSPITAL, "encounters"),
        (HOSPITAL, "medications"),
    ]
    assert changed.request == given.request


def test_what_items_labels_settle_is_label_dependent():
    labels = alone(), alone(cleared_labels=["unlabelled"])
    assert changes(*labels) == ["label_dependent"]
    assert changes(*labels, recorded(cell(labels="unlabelled"))) == []
    on_label = vetoed(rule(when={"labels_any": ["PSY"]}))
    assert changes(compiled(agreement()), on_label) == ["label_dependent"]


def test_what_a_persons_flags_settle_is_flag_dependent():
    on_flag = vetoed(rule(when={"flags_any": ["ndo"]}))
    stating = recorded(cell(flags={"ndo": "states"}))
    assert changes(compiled(agreement()), on_flag, stating) == ["flag_dependent"]
    prefiltered = recorded(cell(flags={"ndo": "prefiltered"}))
    assert changes(compiled(agreement()), on_flag, prefiltered) == []


def test_a_rule_that_touches_the_cell_and_settles_nothing_is_no_change():
    again = vetoed(
        rule(effect="constrain", obligations={"hide_fields": ["person.address"]})
    )
    assert changes(compiled(agreement()), again) == []
    refused = recorded(purpose="research", effects=("deny",))
    widened = alone(roles=["gp", "doctor", "nurse", "midwife"])
    assert changes(alone(), widened, refused) == []
    elsewhere = rule(when={"relationships": ["caseload"]})
    assert changes(compiled(agreement()), vetoed(elsewhere)) == []
    denied = recorded(relationships=frozenset(), effects=("deny",))
    assert changes(compiled(agreement()), vetoed(rule()), denied) == []


def test_each_decision_is_replayed_at_its_own_instant():
    late = datetime(2033, 1, 1, tzinfo=UTC)
    shorter = compiled(agreement(valid={"from": "2031-04-01", "through": "2032-03-31"}))
    given = [recorded(name="early"), recorded(name="late", now=late)]
    found = replay(given, alone(), shorter)
    assert [(each.id, each.cells[0][1]) for each in found.changed] == [
        ("late", "newly_refused")
    ]


def test_what_was_decided_otherwise_then_has_drifted():
    given = [recorded(name="a"), recorded(name="b", effects=("deny",))]
    assert replay(given, alone(), alone()).drifted == ("b",)


def test_glass_broken_for_nothing_is_needless():
    given = [
        recorded(name="needless", break_glass=True),
        recorded(name="whole"),
        recorded(cell(), cell(owner=GP), name="needed", break_glass=True),
    ]
    overridable = vetoed(rule(overridable="true", when={"roles": ["nurse"]}))
    assert replay(given, overridable, overridable).needless == ("needless", "needed")
    bound = vetoed(rule(overridable="true"))
    assert replay(given, bound, bound).needless == ()
    only_own = [recorded(cell(owner=GP), name="own", break_glass=True)]
    assert replay(only_own, bound, bound).needless == ("own",)


def test_what_cannot_be_done_here_is_refused_in_the_replay_too():
    aged = alone(obligations={"max_age_days": 365})
    found = replay([recorded(effects=("deny",))], aged, aged, supported=OURS)
    assert found.drifted == ()
    assert replay([recorded()], aged, aged).drifted == ()


def test_equal_cells_count_as_one_kind_whoever_made_them():
    given = [recorded(cell(), name=str(number)) for number in range(5)]
    one_tuple = (cell(),)
    given += [recorded(*one_tuple, name="x"), replace(given[0], id="y")]
    found = replay(given, compiled(agreement()), vetoed(rule()))
    assert len(found.changed) == 7


def test_an_order_that_changes_the_view_is_found():
    one = clause(id="a", obligations={"hide_fields": ["person.address"]})
    two = clause(id="b", obligations={"hide_fields": ["person.name"]})
    swapped = agreement({**one, "id": "b"}, {**two, "id": "a"})
    assert changes(compiled(agreement(one, two)), compiled(swapped)) == ["relaxed"]


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_draft_is_tried_on_requests_of_ones_own(is_signed):
    held, signatures = documents(agreement())
    draft = compile_set(held, signatures if is_signed else ())
    asked = request()
    ((first, second),) = what_if(
        [(asked, [cell(), cell(owner="Z9X")])], compiled(), draft
    )
    assert first.before.effect == "deny"
    assert first.after == decide(draft, asked, cell(), supported=OURS)
    assert first.after.effect == ("permit" if is_signed else "deny")
    assert second.after.because[0].code == "no_grant"
    assert second.cell.owner == "Z9X"


def test_local_rules_are_replayed_for_their_owner_alone():
    given = recorded(cell(owner=GP))
    assert (
        changes(compiled(agreement()), compiled(agreement(), local_rule()), given) == []
    )
