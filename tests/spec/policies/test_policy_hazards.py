"""What one organisation, person or slow clock must not do to another's policy."""

from datetime import timedelta

import pytest

from gateway.problems import RequestError
from policies.decide import decide
from policies.request import Cell, FlagRegistration, Request
from tests.policy_store import (
    A,
    B,
    R,
    S,
    agreement,
    author,
    clause,
    guardian,
    kind_of,
    person,
    refused,
    rule,
    second,
)


async def granted(office, category: str = "medications", recipient: str = R) -> bool:
    """Whether the set in force gives a doctor of the recipient the data of A."""
    turn = await office.admin.active()
    policy = (await office.admin.set(turn.set_version)).compiled()
    request = Request(
        operation="journey.read",
        mode="identified",
        purpose="direct-care",
        agreement=None,
        recipient=recipient,
        role="doctor",
        assurance="aal2",
        relationships=frozenset({"registered"}),
        break_glass=False,
        now=office.clock.now(),
    )
    flags: dict[str, FlagRegistration] = dict.fromkeys(policy.flags, "states")
    cell = Cell(owner=A, category=category, labels="unlabelled", flags=flags)
    return decide(policy, request, cell, supported=frozenset()).effect == "permit"


async def shared(office):
    """An agreement of A that is in force with R."""
    document = agreement(providers=(A,))
    put = await office.offered(document, author(A))
    return await office.signed(put, guardian(A), second(A), person(R, "one"))


async def test_a_clock_that_is_behind_loses_nobody_s_veto(office):
    await shared(office)
    office.clock.pass_by(3600)
    veto = await office.agreed(rule(A), author(A))
    assert not await granted(office)
    office.clock.at -= timedelta(seconds=2)
    assert (await office.now(veto, author(A))).state == "active"
    await office.agreed(rule(B), author(B))
    assert not await granted(office)


async def test_a_clock_that_is_behind_undoes_no_narrowing(office):
    await shared(office)
    office.clock.pass_by(100)
    narrower = agreement(clause(categories=["encounters"]), providers=(A,))
    await office.signed(await office.offered(narrower, author(A)), second(A))
    office.clock.at -= timedelta(seconds=3)
    await office.agreed(rule(B), author(B))
    assert not await granted(office)
    assert await granted(office, "encounters")


async def test_what_is_changed_later_is_never_dated_earlier(office):
    first = await office.agreed(rule(A), author(A))
    office.clock.at -= timedelta(hours=1)
    later = await office.agreed(rule(B), author(B))
    assert later.changed_at >= first.changed_at


async def _lose_the_veto(office) -> None:
    await shared(office)
    await office.agreed(rule(A), author(A))
    await office.tamper(
        "UPDATE policy_active SET set_version = (SELECT set_version FROM policy_active"
        " WHERE sequence = (SELECT max(sequence) - 2 FROM policy_active))"
        " WHERE sequence = (SELECT max(sequence) FROM policy_active)"
    )
    assert await granted(office)


async def test_a_set_that_lost_a_veto_is_put_right_by_any_change(office):
    await _lose_the_veto(office)
    await office.admin.create(
        "agreement", agreement(id="DSA-9", providers=(B,)), actor=author(B)
    )
    assert not await granted(office)


async def test_a_set_that_lost_a_veto_is_put_right_at_the_start(office):
    await _lose_the_veto(office)
    await office.admin.start()
    assert not await granted(office)
    turn = await office.admin.active()
    await office.admin.start()
    assert await office.admin.active() == turn


NARROWED = {
    "a recipient": ((A,), S, "2026-01-01"),
    "its author": ((A,), A, "2026-01-01"),
    "another owner that has not signed": ((A, B), B, "2026-01-01"),
    "a recipient before it begins": ((A,), S, "2026-04-01"),
}


@pytest.mark.parametrize(("providers", "who", "first"), NARROWED.values(), ids=NARROWED)
async def test_nobody_alone_brings_an_earlier_version_back(
    office, providers, who, first
):
    both = agreement(providers=providers, recipients=(R, S))
    put = await office.offered(both, author(A))
    await office.signed(put, guardian(A), second(A), person(R, "one"))
    assert await granted(office)
    without = agreement(providers=providers, recipients=(S,), first=first)
    put = await office.offered(without, author(A))
    stored = await office.signed(put, guardian(A), second(A))
    rejecting = office.admin.reject(
        "agreement", "DSA-1", actor=author(who), if_match=stored.etag
    )
    assert await refused(rejecting) == "conflict"
    office.clock.pass_by(40 * 86_400)
    assert not await granted(office)


async def test_what_nobody_may_refuse_keeps_no_next_version_waiting(office):
    put = await office.offered(agreement(recipients=(R, S)), author(A))
    await office.signed(put, guardian(A), second(A), person(R, "one"))
    put = await office.offered(agreement(recipients=(S,)), author(A))
    await office.signed(put, guardian(A), second(A))
    third = await office.offered(
        agreement(clause(roles=["nurse"]), recipients=(S,)), author(B)
    )
    assert (third.version, third.state) == (3, "submitted")


async def test_what_came_between_two_versions_is_refused_by_nobody_either(office):
    put = await office.offered(agreement(recipients=(R, S)), author(A))
    await office.signed(put, guardian(A), second(A), person(R, "one"))
    put = await office.offered(agreement(recipients=(S,)), author(A))
    between = await office.signed(put, guardian(A), second(A))
    put = await office.offered(agreement(recipients=(R, S)), author(A))
    await office.signed(put, guardian(A), second(A))
    assert not await granted(office)
    rejecting = office.admin.reject(
        "agreement",
        "DSA-1",
        actor=author(B),
        if_match=(await office.now(between, author(B))).etag,
    )
    assert await refused(rejecting) == "conflict"
    assert not await granted(office)


async def test_a_first_version_is_refused_while_it_grants_nothing(office):
    put = await office.offered(agreement(), author(A))
    stored = await office.signed(put, guardian(A), second(A))
    gone = await office.admin.reject(
        "agreement", "DSA-1", actor=author(R), if_match=stored.etag
    )
    assert gone.state == "rejected"


async def test_a_version_that_leaves_an_owner_out_keeps_nothing_from_it(office):
    await shared(office)
    await office.offered(agreement(providers=(S,)), author(R))
    narrower = agreement(clause(categories=["encounters"]), providers=(A,))
    put = await office.offered(narrower, author(A))
    stored = await office.signed(put, second(A))
    assert stored.state == "active"
    assert not await granted(office)
    assert await granted(office, "encounters")


async def test_a_draft_keeps_no_id_from_another_organisation(office):
    squatting = agreement(providers=(S,), recipients=(S,), id="LR-Z9A01")
    left = await office.admin.create("agreement", squatting, actor=author(S))
    veto = await office.agreed(rule(A), author(A))
    assert veto.state == "active"
    submitting = office.admin.submit(
        "agreement", left.id, actor=author(S), if_match=left.etag
    )
    assert await refused(submitting) == "conflict"
    await office.admin.delete("agreement", left.id, actor=author(S), if_match=left.etag)
    again = office.admin.create("agreement", squatting, actor=author(S))
    assert await refused(again) == "conflict"


async def test_an_organisation_has_one_draft_of_an_id_of_whatever_kind(office):
    for document, code in ((rule(A), None), (agreement(id="LR-Z9A01"), "conflict")):
        kind = kind_of(document)
        making = office.admin.create(kind, document, actor=author(A))
        if code is None:
            await making
        else:
            assert await refused(making) == code


@pytest.mark.parametrize("who", [A, B])
async def test_a_repeated_request_gives_nobody_another_text(office, who):
    wanted = agreement(providers=(A,))
    made = await office.admin.create("agreement", wanted, actor=author(A), key="k1")
    await office.admin.delete("agreement", "DSA-1", actor=author(A), if_match=made.etag)
    secret = agreement(clause(why="Private plan"), providers=(who,), recipients=(S,))
    await office.admin.create("agreement", secret, actor=second(who))
    with pytest.raises(RequestError) as caught:
        await office.admin.create("agreement", wanted, actor=author(A), key="k1")
    assert caught.value.code == "not-found"
