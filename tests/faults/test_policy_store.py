"""A store of policy that is lost, spoilt or put back: the set in force stays sound."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.policy.in_force import InForce
from gateway.policy.lifecycle import PolicyAdmin
from gateway.problems import RequestError
from gateway.settings import Policy
from gateway.store.database import Database
from policies.clauses import Agreement
from tests.policy_store import (
    A,
    B,
    agreement,
    author,
    clause,
    office_at,
    rule,
    second,
)

pytestmark = pytest.mark.fault


@pytest.fixture
async def office(store_url):
    async with office_at(store_url) as opened:
        yield opened


@pytest.fixture
async def in_force(office):
    found = InForce(office.database, office.clock, Policy())
    await found.follow()
    yield found
    await found.aclose()


async def followed(in_force) -> list[str]:
    """The alarms of one look at the store."""
    with capture_logs() as told:
        await in_force.follow()
    return [each["event"] for each in told]


def is_ready(in_force):
    return in_force.is_ready


async def active(office):
    return (await office.admin.active()).set_version


async def test_the_first_set_grants_nothing_and_is_in_force_at_once(office, in_force):
    assert is_ready(in_force)
    assert in_force.current().version == await active(office)
    assert in_force.current().grants == 0


async def test_a_set_is_swapped_as_a_whole_and_only_when_there_is_another(
    office, in_force
):
    before = in_force.current()
    await in_force.follow()
    assert in_force.current() is before
    await office.agreed(agreement(), author(A))
    assert in_force.current() is before
    await in_force.follow()
    assert in_force.current().version == await active(office) != before.version


async def test_a_set_due_later_is_in_force_to_the_instant_without_another_look(
    office, in_force
):
    later = agreement(first="2026-04-01", providers=(A,))
    await office.agreed(later, author(A))
    await in_force.follow()
    now = in_force.current()
    office.clock.pass_by(60 * 86_400)
    in_force._heard_at = office.clock.monotonic()
    assert in_force.current().version != now.version
    turns = await office.admin.sets()
    due = {turn.set_version for turn in turns if turn.effective_at is not None}
    assert in_force.current().version in due


SPOILT = {
    "a text changed": (
        "UPDATE policy_document SET content = replace(content, 'doctor', 'midwife')"
    ),
    "a text that is no document": "UPDATE policy_document SET content = '{}'",
    "a hash changed": "UPDATE policy_document SET hash = 'sha256:00'",
    "a document gone": "DELETE FROM policy_document",
    "a digest changed": "UPDATE policy_set SET digest = 'sha256:00'",
    "signatures gone": "UPDATE policy_set SET signatures = '[]'",
    "signatures that are no list": "UPDATE policy_set SET signatures = '{'",
    "signatures that are something else": (
        "UPDATE policy_set SET signatures = "
        "(SELECT '[' || max(content) || ']' FROM policy_document)"
    ),
    "a member gone": "DELETE FROM policy_set_member",
    "a member of another hash": "UPDATE policy_set_member SET hash = 'sha256:00'",
    "a member for others": (
        "UPDATE policy_set_member SET stands = replace(stands, 'Z9A01', 'Z9B02')"
    ),
    "a member that says nothing": "UPDATE policy_set_member SET stands = '[]'",
    "a set gone": "DELETE FROM policy_set",
    "a turn of no set": "UPDATE policy_active SET set_version = 'sha256:00'",
    "every turn gone": "DELETE FROM policy_active",
    "the head put back": "UPDATE policy_head SET sequence = 0",
    "the head gone": "DELETE FROM policy_head",
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_a_set_that_is_not_what_it_says_leaves_the_old_one_in_force(
    office, in_force, spoil
):
    before = in_force.current()
    await office.agreed(agreement(providers=(A,)), author(A))
    await office.tamper(spoil)
    assert await followed(in_force) == ["policy_set_invalid"]
    assert in_force.current() is before
    office.clock.pass_by(299)
    assert await followed(in_force) == []
    office.clock.pass_by(299)
    assert await followed(in_force) == ["policy_set_invalid"]
    assert in_force.current() is before
    assert is_ready(in_force)


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
async def test_without_a_set_that_is_what_it_says_nothing_is_decided(office, spoil):
    await office.agreed(agreement(providers=(A,)), author(A))
    await office.tamper(spoil)
    begun = InForce(office.database, office.clock, Policy())
    if spoil == SPOILT["the head put back"]:
        await begun.follow()  # whoever was not there cannot know
        assert begun.current().version == await active(office)
        return
    assert await followed(begun) == ["policy_set_invalid"]
    assert not is_ready(begun)
    with pytest.raises(RequestError) as caught:
        begun.current()
    assert (caught.value.status, caught.value.code) == (503, "policy-unavailable")


async def test_a_set_of_another_version_than_its_content_is_not_taken(office, in_force):
    await office.agreed(agreement(providers=(A,)), author(A))
    version = await active(office)
    for table, column in (
        ("policy_set", "version"),
        ("policy_set_member", "set_version"),
        ("policy_active", "set_version"),
    ):
        is_it = f"{column} = '{version}'"
        await office.tamper(f"UPDATE {table} SET {column} = '00' WHERE {is_it}")  # noqa: S608 - names of ours
    assert await followed(in_force) == ["policy_set_invalid"]


async def test_what_was_mended_is_taken(office, in_force):
    await office.agreed(agreement(providers=(A,)), author(A))
    await office.tamper("UPDATE policy_set SET signatures = ' ' || signatures || '!'")
    assert await followed(in_force) == ["policy_set_invalid"]
    await office.tamper(
        "UPDATE policy_set SET signatures = replace(signatures, '!', '')"
    )
    assert await followed(in_force) == []
    assert in_force.current().version == await active(office)


class Cut(Database):
    """A store that can be cut off, or made to hang."""

    failure: BaseException | None = None

    def fails(self, failure: BaseException | None) -> None:
        self.failure = failure

    async def read(self, work):
        if self.failure is not None:
            raise self.failure
        return await super().read(work)


async def test_a_store_that_is_lost_leaves_the_last_set_for_so_long_and_no_longer(
    office,
):
    cut = Cut(office.url, busy_s=1)
    in_force = InForce(cut, office.clock, Policy(max_age_s=100))
    await in_force.follow()
    held = in_force.current()
    for failure in (OSError(), TimeoutError()):
        cut.fails(failure)
        await in_force.follow()
        assert in_force.current() is held
    office.clock.pass_by(100)
    assert in_force.current() is held
    office.clock.pass_by(1)
    assert await followed(in_force) == ["policy_store_lost"]
    assert not is_ready(in_force)
    with pytest.raises(RequestError) as caught:
        in_force.current()
    assert caught.value.code == "policy-unavailable"
    cut.fails(None)
    await in_force.follow()
    assert is_ready(in_force)
    assert in_force.current() is held
    await cut.aclose()


async def test_a_start_without_a_store_is_not_ready_until_there_is_one(office):
    cut = Cut(office.url, busy_s=1)
    cut.fails(OSError())
    in_force = InForce(cut, office.clock, Policy(poll_s=0.05))
    await in_force.start()
    assert not is_ready(in_force)
    cut.fails(None)
    await asyncio.sleep(1)
    assert in_force.current().grants == 0
    await in_force.aclose()
    await in_force.aclose()
    await cut.aclose()


async def test_administration_refuses_while_the_store_is_lost(office):
    cut = Cut(office.url, busy_s=1)
    admin = PolicyAdmin(cut, office.trail, office.clock)
    cut.fails(OSError())
    for doing in (
        admin.read("agreement", "DSA-1", actor=author(A)),
        admin.active(),
        admin.start(),
    ):
        with pytest.raises(RequestError) as caught:
            await doing
        assert caught.value.code == "policy-unavailable"
    await cut.aclose()


async def test_a_submitted_text_that_was_touched_stops_every_change(office):
    stored = await office.agreed(agreement(), author(A))
    await office.tamper(SPOILT["a text changed"])
    with capture_logs() as told, pytest.raises(RequestError) as caught:
        await office.admin.suspend(
            "agreement", "DSA-1", actor=second(A), if_match=stored.etag
        )
    assert caught.value.code == "policy-unavailable"
    assert told[0]["event"] == "policy_document_tampered"
    assert told[0]["source"] == "DSA-1@1"


async def test_a_draft_that_was_touched_is_nobody_s_and_stops_nothing(office):
    stored = await office.agreed(agreement(), author(A))
    await office.admin.create("local-rule", rule(), actor=author(A))
    await office.tamper(
        "UPDATE policy_document SET content = '{}' WHERE state = 'draft'"
    )
    with capture_logs() as told:
        rests = await office.admin.suspend(
            "agreement", "DSA-1", actor=second(A), if_match=stored.etag
        )
    assert rests.live_for == (B,)
    assert {each["event"] for each in told} == {"policy_document_tampered"}


async def test_a_document_under_another_s_id_is_not_taken(office):
    await office.admin.create("agreement", agreement(), actor=author(A))
    await office.tamper("UPDATE policy_document SET id = 'DSA-9'")
    with pytest.raises(RequestError) as caught:
        await office.admin.read("agreement", "DSA-9", actor=author(A))
    assert caught.value.code == "not-found"


async def test_a_set_of_another_engine_is_taken_and_put_in_force_again_as_ours(
    office, in_force
):
    await office.agreed(agreement(), author(A))
    theirs = await active(office)
    await office.tamper("UPDATE policy_set SET engine = 'of another day'")
    assert await followed(in_force) == []
    assert in_force.current().version == theirs
    kept = await office.admin.set(theirs)
    assert not kept.is_of_this_engine
    before = (await office.admin.active()).sequence
    await office.admin.start()
    assert (await office.admin.active()).sequence > before
    await office.admin.start()
    assert await followed(in_force) == []


async def test_a_start_leaves_a_spoilt_set_to_be_looked_at(office):
    await office.agreed(agreement(), author(A))
    before = await office.admin.active()
    await office.tamper(SPOILT["a digest changed"])
    await office.admin.start()
    assert await office.admin.active() == before
    with pytest.raises(RequestError) as caught:
        await office.admin.set(before.set_version)
    assert caught.value.code == "policy-unavailable"


async def test_two_that_begin_at_once_publish_one_set(store_url):
    async with office_at(store_url) as office:
        await office.tamper(
            "DELETE FROM policy_active", "UPDATE policy_head SET sequence = 0"
        )
        await asyncio.gather(*(office.admin.start() for _ in range(4)))
        assert [each.sequence for each in await office.admin.sets()] == [1]


async def test_a_set_that_nobody_had_is_not_found(office):
    with pytest.raises(RequestError) as caught:
        await office.admin.set("sha256:00")
    assert caught.value.code == "not-found"
    await office.tamper("DELETE FROM policy_active")
    with pytest.raises(RequestError) as caught:
        await office.admin.active()
    assert caught.value.code == "policy-unavailable"


async def test_the_shadow_is_what_would_be_if_all_that_waits_were_signed(office):
    shadowed = InForce(office.database, office.clock, Policy(shadow="submitted"))
    await shadowed.follow()
    assert shadowed.shadow() is None
    await office.agreed(agreement(), author(A))
    await shadowed.follow()
    assert shadowed.shadow() is None
    await office.offered(agreement(clause(roles=["gp"])), author(A))
    await office.offered(rule(), author(A))
    await shadowed.follow()
    shadow = shadowed.shadow()
    assert shadow is not None
    roles = {
        role
        for line in shadow.lines
        if line.organisation == A and line.effect == "grant" and line.signed
        for role in line.accepts["roles"]
    }
    assert roles == {"gp"}
    assert any(line.authority.startswith("LR-") for line in shadow.lines)
    assert not any(
        line.authority.startswith("LR-") for line in shadowed.current().lines
    )
    plain = InForce(office.database, office.clock, Policy())
    await plain.follow()
    assert plain.shadow() is None


async def test_every_set_that_was_in_force_can_be_read_back(office):
    await office.agreed(agreement(), author(A))
    turns = await office.admin.sets(limit=3)
    more = await office.admin.sets(before=turns[-1].sequence)
    sequences = [each.sequence for each in (*turns, *more)]
    assert sequences == sorted(sequences, reverse=True)
    assert sequences[-1] == 1
    for turn in (*turns, *more):
        kept = await office.admin.set(turn.set_version)
        assert kept.compiled().version == turn.set_version
    documents = (await office.admin.set(turns[0].set_version)).composition.members
    assert all(isinstance(each.document, Agreement) for each in documents)
