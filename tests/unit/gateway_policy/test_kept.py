"""What is read back from a store: only what is whole, and nothing that is made up."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.policy.comparison import Comparison
from gateway.policy.composition import Composition, if_all_signed
from gateway.policy.kept import Tampered, document_of
from gateway.policy.sets import KeptSet
from policies import vocabulary
from policies.canonical import canonical_json
from policies.clauses import Member
from policies.compile import ENGINE
from policies.documents import as_data
from tests.policy_store import NOW, A, agreement, rule

TEXTS = {
    "no JSON": "{",
    "no object": "[]",
    "no document": "{}",
    "a signature": canonical_json(
        {
            "kind": "signature",
            "document": "DSA-1",
            "hash": f"sha256:{'0' * 64}",
            "organisation": A,
            "person": "p",
            "capacity": "caldicott",
            "at": "2026-03-01T00:00:00+00:00",
        }
    ),
}


def hash_of(content: str) -> str:
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_no_document_is_not_read_whatever_its_hash(content):
    with pytest.raises(Tampered):
        document_of(content, hash_of(content), identity="DSA-1")


def test_a_text_is_read_under_its_own_hash_and_id_alone():
    content = canonical_json(as_data(agreement()))
    assert document_of(content, hash_of(content), identity="DSA-1") == agreement()
    with pytest.raises(Tampered):
        document_of(content, hash_of(content + " "), identity="DSA-1")
    with pytest.raises(Tampered):
        document_of(content, hash_of(content), identity="DSA-2")


def composition(*members: Member) -> Composition:
    return Composition(members=members, signatures=())


def kept(held: Composition, **changed: str) -> KeptSet:
    said = {
        "version": held.compiled().version,
        "engine": ENGINE,
        "vocabulary": vocabulary.HASH,
    } | changed
    return KeptSet(made_at=NOW, composition=held, **said)


def test_a_set_is_the_one_its_version_names_or_of_another_engine():
    held = composition(Member(document=rule(), standing=frozenset({A})))
    assert kept(held).compiled().version == held.compiled().version
    with pytest.raises(Tampered):
        kept(held, version="sha256:00").compiled()
    other = kept(held, version="sha256:00", engine="of another day")
    assert other.compiled().version == held.compiled().version


def test_a_set_that_cannot_be_compiled_is_not_taken():
    one = Member(document=rule(), standing=frozenset({A}))
    twice = composition(one, one)
    with pytest.raises(Tampered):
        KeptSet(
            version="sha256:00",
            engine=ENGINE,
            vocabulary=vocabulary.HASH,
            made_at=NOW,
            composition=twice,
        ).compiled()


def test_where_nothing_changes_nothing_is_widened():
    compared = Comparison({}, {}, NOW)
    assert compared.narrows(A)


def test_what_is_supposed_signed_leaves_what_rests_at_rest():
    member = Member(
        document=agreement(providers=(A,)),
        standing=frozenset({A}),
        suspended=frozenset({A}),
        first_active={A: NOW - timedelta(days=1)},
    )
    supposed = if_all_signed(composition(member), NOW)
    assert supposed.members == (replace(member),)
    assert {each.organisation for each in supposed.signatures} >= {A}
