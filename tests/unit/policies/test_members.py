"""A document's version, and for whom it stands, decide what it grants."""

from datetime import UTC, datetime

import pytest

from policies.clauses import Member
from policies.compile import compile_set
from policies.errors import Invalid
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    TRUST,
    agreement,
    cell,
    clause,
    codes,
    decided,
    local_rule,
    read,
    request,
    signature,
)

PROVIDERS = frozenset({GP, HOSPITAL})


def signed_by(*organisations, of):
    return [
        signature(document, organisation)
        for document in of
        for organisation in organisations
    ]


def alone(document, **standing):
    member = Member(document=document, **standing)
    return compile_set([member], signed_by(GP, HOSPITAL, TRUST, of=[document]))


def test_a_grant_and_a_rule_are_named_with_their_version():
    granted = decided(alone(read(agreement()), version=3))
    assert granted.authority == "DSA-2031-017/c1@3#Z9B"
    rules = Member(document=read(local_rule()), version=7)
    document = read(agreement())
    policy_set = compile_set([document, rules], signed_by(GP, HOSPITAL, of=[document]))
    assert decided(policy_set).because[0].authority == "LR-Z9B-1/v1@7"


def test_a_suspended_provider_gives_nothing_and_the_refusal_says_so():
    policy_set = alone(read(agreement()), suspended=frozenset({HOSPITAL}))
    refused = decided(policy_set)
    assert codes(refused) == ["not_signed"]
    assert refused.because[0].why == "Suspended by the organisation that gives the data"
    assert refused.because[0].authority == "DSA-2031-017/c1@1#Z9B"
    assert decided(policy_set, None, cell(owner=GP)).effect == "permit"


def test_what_was_never_signed_is_not_said_to_be_suspended():
    document = read(agreement())
    member = Member(document=document, suspended=frozenset({HOSPITAL}))
    policy_set = compile_set([member], signed_by(GP, of=[document]))
    assert decided(policy_set).because[0].why.startswith("Not signed")


def test_a_version_grants_only_for_those_it_stands_for():
    policy_set = alone(read(agreement()), standing=frozenset({GP}))
    assert decided(policy_set, None, cell(owner=GP)).effect == "permit"
    assert codes(decided(policy_set)) == ["not_signed"]


def test_to_stand_for_a_provider_needs_its_signature_all_the_same():
    document = read(agreement())
    member = Member(document=document, standing=PROVIDERS)
    policy_set = compile_set([member], signed_by(GP, of=[document]))
    assert codes(decided(policy_set)) == ["not_signed"]
    assert decided(policy_set, None, cell(owner=GP)).effect == "permit"


@pytest.mark.parametrize(
    ("carried", "effect"),
    [({GP}, "permit"), (set(), "deny"), ({TRUST}, "deny"), ({"Z9X"}, "deny")],
)
def test_a_carried_signature_binds_a_recipient_and_no_stranger(carried, effect):
    document = read(agreement())
    member = Member(document=document, carried=frozenset(carried))
    policy_set = compile_set([member], signed_by(HOSPITAL, of=[document]))
    assert decided(policy_set).effect == effect
    outsider = request(recipient="Z9X")
    assert decided(policy_set, outsider).effect == "deny"


def test_a_carried_signature_is_none_of_a_provider():
    document = read(agreement())
    member = Member(document=document, carried=frozenset({GP, HOSPITAL}))
    policy_set = compile_set([member], [])
    assert codes(decided(policy_set)) == ["not_signed"]


def versions():
    """An agreement, and a second version of it in which nurses are left out."""
    return read(agreement()), read(agreement(clause(roles=["gp", "doctor"])))


def test_two_versions_stand_side_by_side_each_for_its_own_providers():
    old, new = versions()
    policy_set = compile_set(
        [
            Member(document=old, standing=frozenset({HOSPITAL})),
            Member(document=new, version=2, standing=frozenset({GP})),
        ],
        signed_by(GP, HOSPITAL, of=[old, new]),
    )
    nurse = request(role="nurse")
    assert decided(policy_set, nurse).authority == "DSA-2031-017/c1@1#Z9B"
    assert codes(decided(policy_set, nurse, cell(owner=GP))) == ["no_grant"]
    doctor = decided(policy_set, None, cell(owner=GP))
    assert doctor.authority == "DSA-2031-017/c1@2#Z9A01"
    named = {line.authority for line in policy_set.lines if line.effect == "grant"}
    assert named == {"DSA-2031-017/c1@1#Z9B", "DSA-2031-017/c1@2#Z9A01"}


def test_a_version_nobody_signed_yet_is_there_to_say_so():
    old, new = versions()
    wider = read(agreement(clause(roles=["gp", "doctor", "midwife"])))
    policy_set = compile_set(
        [Member(document=wider, version=2, standing=frozenset())],
        signed_by(GP, HOSPITAL, of=[old, new]),
    )
    refused = decided(policy_set, request(role="midwife"))
    assert codes(refused) == ["not_signed"]
    assert refused.because[0].authority == "DSA-2031-017/c1@2#Z9B"


@pytest.mark.parametrize(
    "standing",
    [(None, None), (frozenset({GP}), None), (frozenset({GP}), PROVIDERS)],
)
def test_two_versions_that_stand_for_one_provider_are_refused(standing):
    members = [
        Member(document=document, version=number, standing=stands)
        for number, (document, stands) in enumerate(
            zip(versions(), standing, strict=True), start=1
        )
    ]
    with pytest.raises(Invalid, match="DSA-2031-017: two versions stand for one"):
        compile_set(members, signed_by(GP, HOSPITAL, of=versions()))


def test_one_version_twice_or_one_id_for_two_kinds_is_refused():
    old, new = versions()
    twice = [Member(document=old, standing=frozenset()), new]
    kinds = [old, Member(document=read(local_rule(id=old.id)), version=2)]
    for members in (twice, kinds):
        with pytest.raises(Invalid, match="another document has this id"):
            compile_set(members, [])


def test_a_new_version_keeps_the_place_of_the_first():
    first = read(agreement(id="DSA-A"))
    second = read(agreement(clause(obligations={"no_onward": "true"}), id="DSA-B"))
    signatures = signed_by(GP, HOSPITAL, of=[first, second])
    since = {HOSPITAL: datetime(2030, 1, 1, tzinfo=UTC)}
    kept = Member(document=second, version=2, first_active=since)
    assert decided(compile_set([first, second], signatures)).authority.startswith(
        "DSA-A"
    )
    moved = decided(compile_set([first, kept], signatures))
    assert moved.authority == "DSA-B/c1@2#Z9B"


@pytest.mark.parametrize(
    ("changed", "effect"),
    [
        ({}, "deny"),
        ({"suspended": frozenset({HOSPITAL})}, "permit"),
        ({"standing": frozenset()}, "permit"),
        ({"standing": frozenset({HOSPITAL})}, "deny"),
    ],
)
def test_a_local_rule_holds_while_it_stands_and_is_not_suspended(changed, effect):
    document = read(agreement())
    rules = Member(document=read(local_rule()), **changed)
    policy_set = compile_set([document, rules], signed_by(GP, HOSPITAL, of=[document]))
    assert decided(policy_set).effect == effect


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"first_active": {GP: datetime(2031, 1, 1, tzinfo=UTC)}},
        {"standing": PROVIDERS},
        {"standing": frozenset()},
        {"carried": frozenset({GP})},
        {"suspended": frozenset({GP})},
    ],
    ids="".join,
)
def test_how_a_member_stands_is_part_of_the_version_of_the_set(changed):
    document = read(agreement())
    plain, other = Member(document=document), Member(document=document, **changed)
    assert compile_set([plain], []).version == compile_set([document], []).version
    assert compile_set([plain], []).version != compile_set([other], []).version


def test_members_can_be_kept_in_a_set_whatever_they_say():
    document = read(agreement())
    since = {GP: datetime(2031, 1, 1, tzinfo=UTC)}
    one, other = (
        Member(document=document),
        Member(document=document, first_active=since),
    )
    assert len({one, other, Member(document=document)}) == 2
