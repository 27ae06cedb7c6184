"""What a compiled set refuses, keeps and is named after."""

import pytest

from policies import compile as compiling
from policies import vocabulary
from policies.compile import bits, compile_set
from policies.errors import Invalid
from policies.obligations import View
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    TRUST,
    agreement,
    clause,
    local_rule,
    read,
    signature,
    signed,
)


def test_two_documents_with_one_id_are_refused():
    with pytest.raises(Invalid, match="DSA-2031-017: another document has this id"):
        compile_set([read(agreement()), read(agreement(dpia="DPIA-89"))], [])


def by_owners(documents):
    return [signature(each, owner) for each in documents for owner in (GP, HOSPITAL)]


def test_more_clauses_than_can_be_answered_for_are_refused():
    many = [clause(id=f"c{number}") for number in range(500)]
    documents = [read(agreement(*many, id=f"DSA-{number}")) for number in range(10)]
    signatures = by_owners(documents)
    assert len(compile_set(documents, signatures).lines) == 10_000 + 6
    with pytest.raises(Invalid, match="the set: more than 5000 clauses"):
        compile_set([*documents, read(local_rule())], signatures)


def test_what_nobody_signed_takes_no_room_from_others():
    many = [clause(id=f"c{number}") for number in range(500)]
    flood = [read(agreement(*many, id=f"DSA-X{number}")) for number in range(20)]
    kept = read(agreement())
    found = compile_set([*flood, kept], by_owners([kept]))
    assert len([line for line in found.lines if line.signed]) == 2
    # What is unsigned is kept as far as there is room for it, to say so.
    assert len([line for line in found.lines if line.effect == "grant"]) == 5_002


def test_clauses_count_for_each_provider_they_stand_for():
    providers = [f"Z{number:05}" for number in range(100)]
    many = [clause(id=f"c{number}") for number in range(50)]
    documents, signatures = [], []
    for number in range(6):
        data = agreement(
            *many,
            id=f"DSA-{number}",
            parties={"providers": providers, "recipients": [TRUST]},
        )
        documents.append(read(data))
        signatures += [signature(documents[-1], each) for each in providers]
    compile_set(documents[:5], signatures)
    with pytest.raises(Invalid, match="the set: more than 25000 clauses and rules"):
        compile_set(documents, signatures)


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
