"""The life of agreements and local rules, on both stores: who may do what, and when."""

import pytest

from gateway.policy.approvals import Yes
from gateway.policy.lifecycle import Earlier
from policies.documents import content_hash
from tests.policy_store import (
    A,
    B,
    R,
    S,
    agreement,
    author,
    clause,
    guardian,
    person,
    refused,
    rule,
    second,
)


def people(stored) -> dict[str, int]:
    return {each.organisation: each.people for each in stored.waiting_for}


async def test_an_agreement_goes_from_draft_to_active(office):
    admin, mine = office.admin, author(A)
    made = await admin.create("agreement", agreement(), actor=mine)
    assert (made.state, made.version, made.organisation) == ("draft", 1, A)
    put = await admin.submit("agreement", "DSA-1", actor=mine, if_match=made.etag)
    assert put.state == "submitted"
    assert put.etag != made.etag
    assert people(put) == {A: 2, B: 2, R: 1}
    stored = await office.signed(put, guardian(A), second(A))
    assert (stored.state, people(stored)) == ("submitted", {B: 2, R: 1})
    stored = await office.signed(stored, guardian(B), second(B))
    assert (stored.state, stored.live_for) == ("approved", ())
    stored = await office.signed(stored, second(R))
    assert (stored.state, stored.live_for) == ("active", (A, B))
    assert stored.waiting_for == ()


async def test_a_provider_that_has_signed_is_covered_before_the_others_have(office):
    put = await office.offered(agreement(), author(A))
    stored = await office.signed(put, guardian(A), second(A), second(R))
    assert (stored.state, stored.live_for) == ("active", (A,))
    assert people(stored) == {B: 2}


async def test_an_agreement_of_the_future_is_scheduled_until_it_begins(office):
    later = agreement(first="2026-04-01")
    stored = await office.agreed(later, author(A))
    assert (stored.state, stored.live_for) == ("scheduled", ())
    office.clock.pass_by(40 * 86_400)
    assert (await office.now(stored, author(A))).state == "active"
    office.clock.pass_by(3 * 365 * 86_400)
    assert (await office.now(stored, author(A))).state == "expired"


async def test_whoever_wrote_it_signs_nothing(office):
    writer = person(A, "author", "caldicott")
    put = await office.offered(agreement(), writer)
    assert await refused(office.signed(put, writer)) == "not-permitted"


async def test_whoever_changed_a_draft_is_one_of_its_authors(office):
    made = await office.admin.create("agreement", agreement(), actor=author(A))
    changed = await office.admin.replace(
        "agreement",
        "DSA-1",
        agreement(clause(roles=["nurse"])),
        actor=second(A),
        if_match=made.etag,
    )
    put = await office.admin.submit(
        "agreement", "DSA-1", actor=guardian(A), if_match=changed.etag
    )
    assert await refused(office.signed(put, second(A))) == "not-permitted"
    assert await refused(office.signed(put, author(A))) == "not-permitted"
    assert people(await office.signed(put, guardian(A))) == {A: 1, B: 2, R: 1}


async def test_one_person_is_not_two(office):
    put = await office.offered(agreement(), author(A))
    await office.signed(put, guardian(A))
    assert await refused(office.signed(put, guardian(A))) == "conflict"


async def test_two_people_without_a_guardian_are_not_enough(office):
    put = await office.offered(agreement(), author(A))
    stored = await office.signed(put, second(A), person(A, "third"))
    owed = {each.organisation: each for each in stored.waiting_for}[A]
    assert (owed.people, owed.capacity) == (1, "caldicott")
    stored = await office.signed(stored, guardian(A))
    assert A not in people(stored)
    assert await refused(office.signed(stored, person(A, "fourth"))) == "conflict"


async def test_nobody_signs_as_what_they_are_not(office):
    put = await office.offered(agreement(), author(A))
    signing = office.admin.approve(
        "agreement",
        "DSA-1",
        actor=second(A),
        if_match=put.etag,
        yes=Yes(capacity="caldicott"),
    )
    assert await refused(signing) == "not-permitted"
    humbly = await office.admin.approve(
        "agreement",
        "DSA-1",
        actor=guardian(A),
        if_match=put.etag,
        yes=Yes(hash=put.hash, capacity="approver"),
    )
    assert [each.capacity for each in humbly.signatures] == ["approver"]


async def test_nobody_signs_for_an_organisation_that_is_no_party(office):
    put = await office.offered(agreement(), author(A))
    signing = office.admin.approve(
        "agreement", "DSA-1", actor=guardian(S), if_match=put.etag, yes=Yes()
    )
    assert await refused(signing) == "not-found"


async def test_a_party_of_an_earlier_version_sees_and_signs_no_later_one(office):
    first = await office.agreed(agreement(recipients=(R, S)), author(A))
    put = await office.offered(agreement(recipients=(R,)), author(A))
    signing = office.admin.approve(
        "agreement", "DSA-1", actor=guardian(S), if_match=put.etag, yes=Yes()
    )
    assert await refused(signing) == "precondition-failed"
    newest = await office.admin.read("agreement", "DSA-1", actor=guardian(S))
    assert newest.version == first.version


async def test_a_signature_is_of_one_text(office):
    put = await office.offered(agreement(), author(A))
    signing = office.admin.approve(
        "agreement",
        "DSA-1",
        actor=guardian(A),
        if_match=put.etag,
        yes=Yes(hash=content_hash(agreement(clause(why="Another")))),
    )
    assert await refused(signing) == "conflict"


async def test_a_narrower_version_takes_one_signature_and_acts_at_once(office):
    first = await office.agreed(agreement(), author(A))
    narrower = await office.offered(agreement(clause(roles=["doctor"])), author(A))
    assert people(narrower) == {A: 1, B: 1, R: 1}
    stored = await office.signed(narrower, second(A))
    assert (stored.state, stored.live_for) == ("active", (A,))
    assert (await office.now(first, author(A))).live_for == (B,)
    stored = await office.signed(stored, second(B))
    assert stored.live_for == (A, B)
    assert (await office.now(first, author(A))).state == "superseded"


async def test_a_wider_version_waits_and_the_earlier_stands_meanwhile(office):
    first = await office.agreed(agreement(), author(A))
    wider = await office.offered(agreement(clause(roles=["doctor", "gp"])), author(A))
    assert people(wider) == {A: 2, B: 2, R: 1}
    stored = await office.signed(wider, guardian(A), second(A))
    assert (stored.state, stored.live_for) == ("submitted", ())
    assert (await office.now(first, author(A))).live_for == (A, B)
    stored = await office.signed(stored, second(R))
    assert stored.live_for == (A,)


async def test_what_would_widen_by_now_takes_two_whatever_it_took_when_submitted(
    office,
):
    """The earlier version was put to rest meanwhile: the narrower one would wake it."""
    first = await office.agreed(agreement(providers=(A,)), author(A))
    narrower = await office.offered(
        agreement(clause(roles=["doctor"]), providers=(A,)), author(A)
    )
    assert people(narrower)[A] == 1
    await office.admin.suspend(
        "agreement", "DSA-1", actor=second(A), if_match=first.etag
    )
    stored = await office.signed(narrower, second(A))
    assert (people(stored)[A], stored.live_for) == (1, ())
    assert [each.capacity for each in stored.waiting_for if each.organisation == A] == [
        "caldicott"
    ]


async def test_a_provider_puts_its_own_part_to_rest_alone_and_at_once(office):
    stored = await office.agreed(agreement(), author(A))
    rests = await office.admin.suspend(
        "agreement", "DSA-1", actor=second(A), if_match=stored.etag
    )
    assert (rests.state, rests.live_for) == ("active", (B,))
    again = office.admin.suspend(
        "agreement", "DSA-1", actor=second(A), if_match=rests.etag
    )
    assert await refused(again) == "conflict"
    rests = await office.admin.suspend(
        "agreement", "DSA-1", actor=author(B), if_match=rests.etag
    )
    assert (rests.state, rests.live_for) == ("suspended", ())


async def test_to_resume_takes_two_people_none_of_them_an_author(office):
    stored = await office.agreed(agreement(), author(A))
    rests = await office.admin.suspend(
        "agreement", "DSA-1", actor=author(A), if_match=stored.etag
    )

    def resume(who):
        return office.admin.resume(
            "agreement",
            "DSA-1",
            actor=who,
            if_match=rests.etag,
            yes=Yes(hash=rests.hash),
        )

    assert await refused(resume(author(A))) == "not-permitted"
    half = await resume(second(A))
    assert half.live_for == (B,)
    assert await refused(resume(second(A))) == "conflict"
    awake = await resume(guardian(A))
    assert awake.live_for == (A, B)
    assert await refused(resume(guardian(A))) in {"conflict", "precondition-failed"}


async def test_a_resumption_half_said_does_not_count_for_the_next_rest(office):
    stored = await office.agreed(agreement(), author(A))

    async def do(what, who):
        now = await office.now(stored, who)
        return await what("agreement", "DSA-1", actor=who, if_match=now.etag)

    await do(office.admin.suspend, author(A))
    await do(office.admin.resume, guardian(A))
    await do(office.admin.resume, second(A))
    await do(office.admin.suspend, author(A))
    half = await do(office.admin.resume, guardian(A))
    assert half.live_for == (B,)


async def test_only_who_gives_the_data_puts_it_to_rest(office):
    stored = await office.agreed(agreement(), author(A))
    for act in (office.admin.suspend, office.admin.resume):
        doing = act("agreement", "DSA-1", actor=guardian(R), if_match=stored.etag)
        assert await refused(doing) == "not-permitted"
    other = act("agreement", "DSA-1", actor=guardian(A), if_match=stored.etag)
    assert await refused(other) == "conflict"


async def test_what_rests_stays_at_rest_when_a_signed_later_version_begins(office):
    first = await office.agreed(agreement(providers=(A,)), author(A))
    later = agreement(clause(roles=["doctor"]), providers=(A,), first="2026-04-01")
    stored = await office.agreed(later, author(A))
    assert stored.state == "scheduled"
    await office.admin.suspend(
        "agreement", "DSA-1", actor=second(A), if_match=first.etag
    )
    office.clock.pass_by(60 * 86_400)
    assert (await office.now(stored, author(A))).state == "suspended"


async def test_a_veto_is_in_force_with_one_signature(office):
    put = await office.offered(rule(), author(A))
    assert people(put) == {A: 1}
    stored = await office.signed(put, second(A))
    assert (stored.state, stored.live_for) == ("active", (A,))


async def test_a_veto_is_not_put_to_rest_by_one_person(office):
    await office.agreed(agreement(), author(A))
    veto = await office.agreed(rule(), author(A))

    def suspend(who):
        return office.admin.suspend(
            "local-rule", veto.id, actor=who, if_match=veto.etag
        )

    assert (await suspend(second(A))).state == "active"
    assert await refused(suspend(author(A))) == "not-permitted"
    rests = await suspend(guardian(A))
    assert rests.state == "suspended"
    half = await office.admin.resume(
        "local-rule", veto.id, actor=second(A), if_match=rests.etag
    )
    assert half.state == "suspended"
    awake = await office.admin.resume(
        "local-rule", veto.id, actor=guardian(A), if_match=half.etag
    )
    assert awake.state == "active"


async def test_a_rule_that_stands_against_nothing_is_put_to_rest_by_one(office):
    veto = await office.agreed(rule(), author(A))
    rests = await office.admin.suspend(
        "local-rule", veto.id, actor=second(A), if_match=veto.etag
    )
    assert rests.state == "suspended"


async def test_a_rule_loosened_takes_two_people(office):
    await office.agreed(agreement(), author(A))
    await office.agreed(rule(), author(A))
    looser = rule(
        A,
        {
            "id": "v1",
            "effect": "veto",
            "when": {"categories": ["medications"], "roles": ["nurse"]},
            "overridable": False,
            "why": "Board",
        },
    )
    assert people(await office.offered(looser, author(A))) == {A: 2}


async def test_a_party_may_refuse_what_is_not_yet_in_force(office):
    put = await office.offered(agreement(), author(A))
    gone = await office.admin.reject(
        "agreement", "DSA-1", actor=second(B), if_match=put.etag
    )
    assert gone.state == "rejected"
    doing = office.admin.reject(
        "agreement", "DSA-1", actor=second(B), if_match=gone.etag
    )
    assert await refused(doing) == "conflict"
    again = await office.offered(agreement(), author(A))
    assert again.version == 2
    own = await office.admin.reject(
        "agreement", "DSA-1", actor=second(A), if_match=again.etag
    )
    assert own.state == "withdrawn"


async def test_what_is_in_force_for_somebody_is_refused_by_nobody(office):
    put = await office.offered(agreement(), author(A))
    stored = await office.signed(put, guardian(A), second(A), second(R))
    doing = office.admin.reject(
        "agreement", "DSA-1", actor=guardian(B), if_match=stored.etag
    )
    assert await refused(doing) == "conflict"


async def test_an_earlier_text_comes_back_as_a_new_version_to_be_signed(office):
    first = await office.agreed(agreement(), author(A))
    second_one = await office.agreed(agreement(clause(roles=["doctor"])), author(A))
    back = await office.admin.rollback(
        "agreement",
        "DSA-1",
        actor=author(B),
        if_match=second_one.etag,
        to=Earlier(version=1, key="k1"),
    )
    assert (back.version, back.state, back.organisation) == (3, "draft", B)
    assert back.hash == first.hash
    assert back.signatures == ()
    same = await office.admin.rollback(
        "agreement",
        "DSA-1",
        actor=author(B),
        if_match=second_one.etag,
        to=Earlier(version=1, key="k1"),
    )
    assert same == back
    put = await office.admin.submit(
        "agreement", "DSA-1", actor=author(B), if_match=back.etag
    )
    assert people(put) == {A: 2, B: 2, R: 1}


@pytest.mark.parametrize("number", [1, 9])
async def test_only_an_earlier_version_comes_back(office, number):
    stored = await office.agreed(agreement(), author(A))
    doing = office.admin.rollback(
        "agreement",
        "DSA-1",
        actor=author(A),
        if_match=stored.etag,
        to=Earlier(version=number),
    )
    assert await refused(doing) == ("conflict" if number == 1 else "not-found")
