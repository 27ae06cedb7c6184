"""Drafts and lists, requests sent twice, and people who change policy at once."""

import asyncio
import json

import pytest
from sqlalchemy import text

from gateway.policy.approvals import Yes
from gateway.policy.kept import Stale
from gateway.policy.lifecycle import Around, PolicyAdmin
from gateway.policy.occasion import Known
from gateway.problems import RequestError
from tests.policy_store import (
    SCOPES,
    A,
    B,
    R,
    S,
    agreement,
    author,
    clause,
    kind_of,
    person,
    refused,
    rule,
    second,
)


async def records(office):
    def read(connection):
        rows = connection.execute(text("SELECT record FROM audit_record ORDER BY n"))
        return [json.loads(row.record) for row in rows]

    return await office.database.read(read)


async def test_a_draft_is_changed_and_deleted_and_nothing_else_is(office):
    made = await office.admin.create("agreement", agreement(), actor=author(A))
    await office.admin.delete("agreement", "DSA-1", actor=author(A), if_match=made.etag)
    gone = office.admin.read("agreement", "DSA-1", actor=author(A))
    assert await refused(gone) == "not-found"
    put = await office.offered(agreement(), author(A))
    deleting = office.admin.delete(
        "agreement", "DSA-1", actor=author(A), if_match=put.etag
    )
    assert await refused(deleting) == "in-use"
    changing = office.admin.replace(
        "agreement", "DSA-1", agreement(), actor=author(A), if_match=put.etag
    )
    assert await refused(changing) == "conflict"
    twice = office.admin.submit(
        "agreement", "DSA-1", actor=author(A), if_match=put.etag
    )
    assert await refused(twice) == "conflict"


async def test_one_who_did_not_see_the_present_text_changes_nothing(office):
    made = await office.admin.create("agreement", agreement(), actor=author(A))
    for if_match, code in (
        (None, "precondition-required"),
        ("x", "precondition-failed"),
    ):
        doing = office.admin.replace(
            "agreement", "DSA-1", agreement(), actor=author(A), if_match=if_match
        )
        assert await refused(doing) == code
    assert (await office.now(made, author(A))) == made


async def test_a_draft_stays_the_document_it_is(office):
    made = await office.admin.create("agreement", agreement(), actor=author(A))
    for other in (agreement(id="DSA-2"), rule(id="DSA-1")):
        doing = office.admin.replace(
            "agreement", "DSA-1", other, actor=author(A), if_match=made.etag
        )
        assert await refused(doing) == "document-invalid"


async def test_a_draft_is_seen_and_changed_by_its_own_organisation_alone(office):
    made = await office.admin.create("agreement", agreement(), actor=author(A))
    assert await refused(office.now(made, author(B))) == "not-found"
    put = await office.admin.submit(
        "agreement", "DSA-1", actor=author(A), if_match=made.etag
    )
    assert (await office.now(put, author(B))).etag == put.etag
    assert await refused(office.now(put, author(S))) == "not-found"
    for act in (office.admin.submit, office.admin.delete):
        doing = act("agreement", "DSA-1", actor=author(B), if_match=put.etag)
        assert await refused(doing) == "not-permitted"


DRAFTS = {
    "another's rule": (rule(B), "/org"),
    "an agreement among others": (
        agreement(providers=(B,), recipients=(R,)),
        "/parties",
    ),
    "an id that could be a person": (agreement(id="9990000018"), "/id"),
}


@pytest.mark.parametrize(("document", "pointer"), DRAFTS.values(), ids=DRAFTS)
async def test_what_is_not_one_s_own_to_draft_is_refused_by_place(
    office, document, pointer
):
    with pytest.raises(RequestError) as caught:
        await office.admin.create(kind_of(document), document, actor=author(A))
    assert caught.value.code == "document-invalid"
    assert [each.pointer for each in caught.value.errors] == [pointer]


async def test_an_id_belongs_to_one_document_for_good(office):
    await office.agreed(agreement(), author(A))
    as_rule = office.admin.create("local-rule", rule(id="DSA-1"), actor=author(A))
    assert await refused(as_rule) == "conflict"
    elsewhere = agreement(providers=(S,), recipients=(S,))
    assert (
        await refused(office.admin.create("agreement", elsewhere, actor=author(S)))
        == "conflict"
    )


async def test_an_organisation_has_one_draft_of_a_document_at_a_time(office):
    await office.admin.create("agreement", agreement(), actor=author(A))
    again = office.admin.create("agreement", agreement(), actor=author(A))
    assert await refused(again) == "conflict"


async def test_while_a_version_waits_to_be_signed_there_is_no_next(office):
    await office.offered(agreement(), author(A))
    for who in (A, B):
        again = office.admin.create("agreement", agreement(), actor=author(who))
        assert await refused(again) == "conflict"


async def test_nobody_s_draft_keeps_another_from_its_own(office):
    await office.agreed(agreement(), author(A))
    left = await office.admin.create(
        "agreement", agreement(clause(why="Left lying")), actor=author(B)
    )
    other = await office.offered(agreement(clause(why="Wanted")), author(A))
    assert (left.version, other.version) == (2, 3)

    async def submit():
        await office.admin.submit(
            "agreement", "DSA-1", actor=author(B), if_match=left.etag
        )

    assert await refused(submit()) == "conflict"  # the other waits to be signed
    await office.signed(other, second(A), second(B))
    assert await refused(submit()) == "conflict"  # it stands: draft upon it anew


async def test_what_the_gate_refuses_stays_a_draft(office):
    unlawful = agreement(clause(purposes=["research"]))
    made = await office.admin.create("agreement", unlawful, actor=author(A))
    with pytest.raises(RequestError) as caught:
        await office.admin.submit(
            "agreement", "DSA-1", actor=author(A), if_match=made.etag
        )
    assert caught.value.code == "gate-failed"
    codes = {each.code for each in caught.value.errors}
    assert "implied_consent_outside_individual" in codes
    assert (await office.now(made, author(A))) == made


async def test_what_gives_pause_is_kept_with_the_version(office):
    careless = clause(
        categories=["encounters", "allergies"], obligations={"max_age_days": 30}
    )
    put = await office.offered(agreement(careless), author(A))
    assert "max_age_on_allergies" in {each.code for each in put.findings}
    assert (await office.now(put, author(B))).findings == put.findings


async def test_the_same_request_makes_one_thing_however_often_it_is_sent(office):
    made = [
        await office.admin.create("agreement", agreement(), actor=author(A), key="k1")
        for _ in range(2)
    ]
    assert made[0] == made[1]
    other = office.admin.create(
        "agreement", agreement(id="DSA-2"), actor=author(A), key="k1"
    )
    assert await refused(other) == "idempotency-mismatch"
    another_person = await office.admin.create(
        "agreement", agreement(id="DSA-2"), actor=second(A), key="k1"
    )
    assert another_person.id == "DSA-2"
    office.clock.pass_by(24 * 3600)
    anew = await office.admin.create(
        "agreement", agreement(id="DSA-3"), actor=author(A), key="k1"
    )
    assert anew.id == "DSA-3"


async def test_what_a_request_made_and_was_then_deleted_is_not_made_again(office):
    made = await office.admin.create(
        "agreement", agreement(), actor=author(A), key="k1"
    )
    await office.admin.delete("agreement", "DSA-1", actor=author(A), if_match=made.etag)
    again = office.admin.create("agreement", agreement(), actor=author(A), key="k1")
    assert await refused(again) == "not-found"


async def test_lists_hold_what_is_one_s_own_the_newest_of_each(office):
    for n in range(3):
        await office.agreed(agreement(id=f"DSA-{n}", providers=(A,)), author(A))
    await office.offered(agreement(clause(roles=["nurse"]), id="DSA-1"), author(A))
    await office.offered(rule(), author(A))
    page = await office.admin.listed("agreement", actor=author(A), cursor=None, limit=2)
    assert [(each.id, each.version) for each in page.items] == [
        ("DSA-0", 1),
        ("DSA-1", 2),
    ]
    rest = await office.admin.listed(
        "agreement", actor=author(A), cursor=page.next, limit=2
    )
    assert ([each.id for each in rest.items], rest.next) == (["DSA-2"], None)
    others = await office.admin.listed(
        "agreement", actor=author(S), cursor=None, limit=2
    )
    assert others.items == ()
    rules = await office.admin.listed(
        "local-rule", actor=author(A), cursor=None, limit=2
    )
    assert [each.id for each in rules.items] == ["LR-Z9A01"]
    versions = await office.admin.versions("agreement", "DSA-1", actor=author(A))
    assert [each.version for each in versions] == [2, 1]


@pytest.mark.parametrize("scope", ["policy:read", "policy:write", "policy:approve"])
async def test_without_the_scope_nothing_is_done(office, scope):
    poor = person(A, scopes=SCOPES - {scope})
    admin = office.admin
    doing = {
        "policy:read": lambda: admin.read("agreement", "DSA-1", actor=poor),
        "policy:write": lambda: admin.create("agreement", agreement(), actor=poor),
        "policy:approve": lambda: admin.approve(
            "agreement", "DSA-1", actor=poor, if_match="x", yes=Yes()
        ),
    }[scope]
    assert await refused(doing()) == "not-permitted"


async def test_every_change_is_in_the_trail_with_the_set_it_made(office):
    stored = await office.agreed(agreement(), author(A))
    told = [each for each in await records(office) if each["type"] == "change"]
    actions = [each["action"] for each in told]
    assert actions == ["publish", "create", "submit", *["approve"] * 5]
    last = told[-1]
    turn = await office.admin.active()
    assert (last["policy"], last["sequence"]) == (turn.set_version, turn.sequence)
    assert (last["document"], last["version"]) == ("DSA-1", 1)
    assert (last["hash"], last["state"]) == (stored.hash, "active")
    assert last["actor"]["organisation"] == R
    assert [each["policy"] for each in told[1:2]] == [None]


async def test_of_two_who_change_one_draft_one_is_told_to_read_again(office):
    made = await office.admin.create("agreement", agreement(), actor=author(A))
    changes = [
        office.admin.replace(
            "agreement",
            "DSA-1",
            agreement(clause(why=f"Reason {n}")),
            actor=author(A),
            if_match=made.etag,
        )
        for n in range(2)
    ]
    done = await asyncio.gather(*changes, return_exceptions=True)
    codes = [each.code for each in done if isinstance(each, RequestError)]
    assert codes == ["precondition-failed"]
    winner = next(each for each in done if not isinstance(each, RequestError))
    assert await office.now(made, author(A)) == winner


async def test_many_who_change_different_things_are_all_heard(office):
    made = await asyncio.gather(
        *(
            office.admin.create("agreement", agreement(id=f"DSA-{n}"), actor=author(A))
            for n in range(6)
        )
    )
    assert sorted(each.id for each in made) == [f"DSA-{n}" for n in range(6)]
    told = [each["action"] for each in await records(office) if "action" in each]
    assert told == ["publish", *["create"] * 6]


class Contended:
    """A trail on which somebody else is always a little quicker."""

    def __init__(self) -> None:
        self.tries = 0

    def request_of(self, data: bytes) -> str:
        return "unused"

    async def change(self, work):
        self.tries += 1
        raise Stale


async def test_who_is_never_quick_enough_is_told_to_try_again(office):
    contended = Contended()
    admin = PolicyAdmin(office.database, contended, office.clock)  # type: ignore[arg-type]  # only what a change needs
    making = admin.create("agreement", agreement(), actor=author(A))
    assert await refused(making) == "conflict"
    assert contended.tries > 5
    await admin.start()
    assert (await office.admin.active()).sequence == 1


async def test_where_another_is_always_quicker_to_begin_the_start_goes_on(office):
    await office.tamper("DELETE FROM policy_active")
    contended = Contended()
    await PolicyAdmin(office.database, contended, office.clock).start()  # type: ignore[arg-type]  # only what a change needs
    assert contended.tries > 5


async def test_a_draft_is_tried_on_the_decisions_that_were_recorded(office):
    asked = []

    async def recorded():
        asked.append("asked")
        return ()

    around = Around(known=Known(organisations=frozenset({A})), recorded=recorded)
    admin = PolicyAdmin(office.database, office.trail, office.clock, around=around)
    made = await admin.create("agreement", agreement(), actor=author(A))
    await admin.submit("agreement", "DSA-1", actor=author(A), if_match=made.etag)
    assert asked == ["asked"]
    on = await admin.occasion(author(A))
    assert on.known.organisations == {A}
    assert on.found("agreement", "DSA-1").state == "submitted"


async def test_those_who_follow_are_told_of_a_new_set_and_of_nothing_else(office):
    heard = []

    async def follow():
        heard.append("a set")

    around = Around(follow=follow)
    admin = PolicyAdmin(office.database, office.trail, office.clock, around=around)
    made = await admin.create("agreement", agreement(), actor=author(A))
    assert heard == []
    await admin.submit("agreement", "DSA-1", actor=author(A), if_match=made.etag)
    assert heard == ["a set"]
