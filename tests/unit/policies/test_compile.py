"""What a compiled set refuses, keeps and is named after."""

import pytest

from policies import compile as compiling
from policies import vocabulary
from policies.compile import bits, compile_set
from policies.errors import Invalid
from policies.obligations import View
from tests.spec.policies.shared_care import agreement, clause, local_rule, read, signed


def test_two_documents_with_one_id_are_refused():
    with pytest.raises(Invalid, match="DSA-2031-017: another document has this id"):
        compile_set([read(agreement()), read(agreement(dpia="DPIA-89"))], [])


def test_more_clauses_than_can_be_answered_for_are_refused():
    many = [clause(id=f"c{number}") for number in range(1_000)]
    documents = [read(agreement(*many, id=f"DSA-{number}")) for number in range(5)]
    assert len(compile_set(documents, []).lines) == 10_000 + 6
    with pytest.raises(Invalid, match="the set: more than 5000 clauses"):
        compile_set([*documents, read(local_rule())], [])


def test_the_version_names_the_documents_whatever_their_order():
    one, other = read(agreement()), read(local_rule())
    assert (
        compile_set([one, other], []).version == compile_set([other, one], []).version
    )
    assert compile_set([one], []).version != compile_set([one, other], []).version


@pytest.mark.parametrize(
    ("module", "name"), [(compiling, "ENGINE"), (vocabulary, "HASH")]
)
def test_the_version_names_the_engine_and_the_vocabulary(monkeypatch, module, name):
    before = compile_set([read(agreement())], []).version
    monkeypatch.setattr(module, name, "another")
    assert compile_set([read(agreement())], []).version != before


def test_the_views_a_set_remembers_are_bounded(monkeypatch):
    monkeypatch.setattr(compiling, "_MOST_REMEMBERED", 2)
    policy_set = signed(agreement())
    constraints = [1 << index for index in bits(policy_set.constraints)]
    views = [policy_set.view(0, mask)[0] for mask in constraints]
    assert len(policy_set.views) == 2
    assert View(hide_fields=frozenset({"person.address"}), min_count=8) in views


def test_bits_come_lowest_first():
    assert list(bits(0b101001)) == [0, 3, 5]
