"""One person may only narrow: now, later, and whoever signs meanwhile."""

from dataclasses import replace

from gateway.policy.approvals import Yes
from gateway.policy.comparison import Comparison
from gateway.policy.composition import as_if_signed
from gateway.policy.lifecycle import Earlier
from gateway.policy.states import Version
from tests.policy_store import (
    NOW,
    A,
    B,
    R,
    agreement,
    author,
    clause,
    guardian,
    person,
    refused,
    rule,
    second,
)

DAY = 86_400
LOOSE = {
    "id": "v1",
    "effect": "veto",
    "when": {"categories": ["documents"]},
    "overridable": False,
    "why": "Board",
}


def people(stored) -> dict[str, int]:
    return {each.organisation: each.people for each in stored.waiting_for}


async def rested(office, stored, who):
    """What becomes of a document when this person puts it to rest."""
    now = await office.now(stored, who)
    return await office.admin.suspend(
        stored.kind, stored.id, actor=who, if_match=now.etag
    )


async def resumed(office, stored, who):
    now = await office.now(stored, who)
    return await office.admin.resume(
        stored.kind, stored.id, actor=who, if_match=now.etag
    )


async def signed_but_for_its_recipient(office):
    put = await office.offered(agreement(providers=(A,)), author(A))
    return await office.signed(put, guardian(A), second(A))


async def scheduled(office):
    later = agreement(providers=(A,), first="2026-03-10")
    return await office.agreed(later, author(A))


async def test_a_veto_before_a_scheduled_agreement_is_not_put_to_rest_by_one(office):
    veto = await office.agreed(rule(), author(A))
    await scheduled(office)
    assert (await rested(office, veto, second(A))).state == "active"
    assert (await rested(office, veto, guardian(A))).state == "suspended"


async def test_a_veto_before_an_agreement_that_waits_is_not_put_to_rest_by_one(office):
    veto = await office.agreed(rule(), author(A))
    await signed_but_for_its_recipient(office)
    assert (await rested(office, veto, second(A))).state == "active"


async def test_a_veto_before_an_agreement_nobody_signed_is_not_put_to_rest_by_one(
    office,
):
    veto = await office.agreed(rule(), author(A))
    await office.offered(agreement(providers=(A,)), author(A))
    assert (await rested(office, veto, second(A))).state == "active"


async def test_a_veto_before_an_agreement_at_rest_is_not_put_to_rest_by_one(office):
    veto = await office.agreed(rule(), author(A))
    held = await office.agreed(agreement(providers=(A,)), author(A))
    await rested(office, held, second(A))
    assert (await rested(office, veto, second(A))).state == "active"


async def test_a_narrower_version_that_waits_does_not_hide_a_wider_one(office):
    """Signed by all, the newer stands; but the earlier may be signed alone."""
    veto = await office.agreed(rule(), author(A))
    await signed_but_for_its_recipient(office)
    narrower = agreement(clause(categories=["encounters"]), providers=(A,))
    await office.offered(narrower, author(A))
    assert (await rested(office, veto, second(A))).state == "active"


async def test_a_veto_that_nobody_signed_guards_nothing(office):
    """Another veto of the same, only offered, does not make up for the one in force."""
    veto = await office.agreed(rule(), author(A))
    await signed_but_for_its_recipient(office)
    await office.offered(rule(id="LR-other"), author(A))
    assert (await rested(office, veto, second(A))).state == "active"


async def test_a_veto_of_what_nothing_grants_is_put_to_rest_by_one(office):
    """What others give is none of this owner's concern."""
    veto = await office.agreed(rule(), author(A))
    await office.offered(agreement(providers=(B,)), author(B))
    narrow = agreement(clause(categories=["encounters"]), providers=(A,), id="DSA-2")
    await office.agreed(narrow, author(A))
    assert (await rested(office, veto, second(A))).state == "suspended"


async def test_whoever_wrote_a_rule_never_puts_it_to_rest(office):
    veto = await office.agreed(rule(), author(A))
    assert await refused(rested(office, veto, author(A))) == "not-permitted"


async def test_a_constraint_before_a_scheduled_agreement_takes_two_to_lift(office):
    hiding = {
        "id": "k1",
        "effect": "constrain",
        "when": {},
        "overridable": False,
        "why": "Board",
        "obligations": {"hide_fields": ["person.address"]},
    }
    held = await office.agreed(rule(A, hiding), author(A))
    await scheduled(office)
    assert (await rested(office, held, second(A))).state == "active"


async def test_a_looser_rule_takes_two_before_a_scheduled_agreement(office):
    await office.agreed(rule(), author(A))
    await scheduled(office)
    looser = await office.offered(rule(A, LOOSE), author(A))
    assert people(looser) == {A: 2}
    assert (await office.signed(looser, second(A))).state == "submitted"


async def test_a_looser_rule_takes_two_before_an_agreement_that_waits(office):
    await office.agreed(rule(), author(A))
    looser = await office.offered(rule(A, LOOSE), author(A))
    assert people(looser) == {A: 1}
    await signed_but_for_its_recipient(office)
    looser = await office.signed(looser, second(A))
    assert (looser.state, people(looser)) == ("submitted", {A: 1})


async def test_what_is_within_an_agreement_soon_narrower_takes_two(office):
    """Until April it gives nothing more; then the other gives less."""
    wide = await office.agreed(agreement(providers=(A,)), author(A))
    narrower = agreement(
        clause(categories=["encounters"]), providers=(A,), first="2026-04-01"
    )
    await office.agreed(narrower, author(A))
    assert (await office.now(wide, author(A))).state == "active"
    beside = agreement(providers=(A,), id="DSA-2")
    assert people(await office.offered(beside, author(A))) == {A: 2, R: 1}


async def test_what_is_within_an_agreement_that_waits_to_be_narrower_takes_two(office):
    await office.agreed(agreement(providers=(A,)), author(A))
    other = clause(categories=["encounters"], roles=["doctor", "gp"])
    put = await office.offered(agreement(other, providers=(A,)), author(A))
    await office.signed(put, guardian(A), second(A))
    beside = agreement(providers=(A,), id="DSA-2")
    assert people(await office.offered(beside, author(A))) == {A: 2, R: 1}


async def test_what_has_yet_to_begin_is_resumed_by_two(office):
    held = await scheduled(office)
    await rested(office, held, author(A))
    assert await refused(resumed(office, held, author(A))) == "not-permitted"
    half = await resumed(office, held, second(A))
    assert half.live_for == ()
    office.clock.pass_by(20 * DAY)
    assert (await office.now(held, author(A))).state == "suspended"
    assert (await resumed(office, held, guardian(A))).state == "active"


async def test_what_waits_for_its_recipient_is_resumed_by_two(office):
    held = await signed_but_for_its_recipient(office)
    await rested(office, held, second(A))
    assert await refused(resumed(office, held, author(A))) == "not-permitted"
    assert (await resumed(office, held, second(A))).state == "suspended"
    assert (await resumed(office, held, guardian(A))).state == "approved"


async def test_what_a_veto_covers_is_resumed_by_two(office):
    held = await office.agreed(agreement(providers=(A,)), author(A))
    await rested(office, held, second(A))
    await office.agreed(rule(A, LOOSE | {"when": {}}), author(A))
    assert (await resumed(office, held, second(A))).state == "suspended"
    third = await resumed(office, held, person(A, "third"))
    assert third.state == "suspended"  # neither is a guardian
    assert (await resumed(office, held, guardian(A))).state == "active"


async def test_a_veto_is_resumed_by_two(office):
    veto = await office.agreed(rule(), author(A))
    await rested(office, veto, second(A))
    assert (await resumed(office, veto, second(A))).state == "suspended"
    assert (await resumed(office, veto, guardian(A))).state == "active"


async def test_a_recipient_is_bound_to_no_text_that_is_wider_than_the_one_it_signed(
    office,
):
    """Another agreement gave as much: that narrows, but the other may go."""
    few = agreement(clause(categories=["encounters"]), providers=(A,))
    first = await office.agreed(few, author(A))
    beside = await office.agreed(agreement(providers=(A,), id="DSA-0"), author(A))
    wider = await office.offered(agreement(providers=(A,)), author(A))
    assert people(wider) == {A: 1, R: 1}
    wider = await office.signed(wider, second(A))
    assert wider.live_for == ()
    assert (await office.now(first, author(A))).live_for == (A,)
    await rested(office, beside, second(A))
    assert (await office.now(wider, author(A))).live_for == ()
    assert (await office.signed(wider, second(R))).live_for == (A,)


async def test_a_text_is_measured_by_the_one_in_force_not_by_what_that_replaced(office):
    """The second was wider, and all signed it: the third is narrower than that."""
    few = agreement(clause(categories=["encounters"]), providers=(A,))
    await office.agreed(few, author(A))
    await office.agreed(agreement(providers=(A,)), author(A))
    third = agreement(clause(categories=["medications"]), providers=(A,))
    put = await office.offered(third, author(A))
    assert people(put) == {A: 1, R: 1}
    assert (await office.signed(put, second(A))).live_for == (A,)


async def test_whoever_wrote_a_text_that_comes_back_does_not_sign_it(office):
    first = await office.agreed(agreement(providers=(A,)), author(A))
    few = agreement(clause(categories=["encounters"]), providers=(A,))
    newer = await office.agreed(few, person(A, "other"))
    roller = person(A, "roller")
    back = await office.admin.rollback(
        "agreement",
        "DSA-1",
        actor=roller,
        if_match=newer.etag,
        to=Earlier(version=first.version),
    )
    put = await office.admin.submit(
        "agreement", "DSA-1", actor=roller, if_match=back.etag
    )
    for who in (author(A), roller):
        assert await refused(office.signed(put, who)) == "not-permitted"
    assert people(await office.signed(put, person(A, "other")))[A] == 1


async def test_whoever_wrote_a_text_that_another_copies_does_not_sign_it(office):
    await office.agreed(agreement(providers=(A,)), author(A))
    few = agreement(clause(categories=["encounters"]), providers=(A,))
    await office.agreed(few, person(A, "other"))
    copied = await office.offered(agreement(providers=(A,)), person(A, "copier"))
    assert await refused(office.signed(copied, author(A))) == "not-permitted"


async def test_whoever_wrote_it_signs_nothing_through_another_issuer_either(office):
    put = await office.offered(agreement(providers=(A,)), person(A, "ann"))
    twin = person(A, "ann", "caldicott", issuer="urn:other")
    assert await refused(office.signed(put, twin)) == "not-permitted"


async def test_one_person_with_two_issuers_is_not_two(office):
    put = await office.offered(agreement(providers=(A,)), author(A))
    await office.signed(put, second(A))
    twin = person(A, "second", "caldicott", issuer="urn:other")
    signing = office.admin.approve(
        "agreement",
        "DSA-1",
        actor=twin,
        if_match=(await office.now(put, twin)).etag,
        yes=Yes(),
    )
    assert await refused(signing) == "conflict"


def test_what_is_too_large_to_compare_is_not_proved_to_narrow():
    """To take one of eleven away narrows; of eleven too large nobody can say."""
    assert taking_one_away(1).narrows(A)
    assert not taking_one_away(460).narrows(A)


def taking_one_away(clauses: int) -> Comparison:
    many = (clause(id=f"c{number}") for number in range(clauses))
    one = agreement(*many, providers=(A,))
    before = {
        f"DSA-{number}": [as_if_signed(drafted(replace(one, id=f"DSA-{number}")), NOW)]
        for number in range(11)
    }
    return Comparison(before, {**before, "DSA-1": []}, NOW)


def drafted(document) -> Version:
    return Version(
        id=document.id,
        version=1,
        kind="agreement",
        organisation=A,
        state="draft",
        document=document,
        authors=frozenset({"urn:test#author"}),
        created_at=NOW,
        changed_at=NOW,
    )
