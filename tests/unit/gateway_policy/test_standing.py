"""Which version stands for whom: by who signed, what was proved, and when."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.policy.composition import compose, timetable
from gateway.policy.standing import members_of, stands_of
from gateway.policy.states import Party, Signed, Version, etag_of, presented
from tests.policy_store import NOW, A, B, R, S, agreement, clause, rule

DAY = timedelta(days=1)


def version(
    number: int,
    document=None,
    *,
    complete: dict[str, str] | None = None,
    signed: tuple[str, ...] = (),
    at: datetime = NOW,
    rests: tuple[str, ...] = (),
    state: str = "submitted",
) -> Version:
    """A version that owners completed, each as "narrowing" or "widening"."""
    document = document or agreement(why_of(number))
    done = complete or {}
    made = Version(
        id=document.id,
        version=number,
        kind="local-rule" if hasattr(document, "org") else "agreement",
        organisation=A,
        state=state,  # type: ignore[arg-type]  # one of the four
        document=document,
        authors=frozenset({"author"}),
        created_at=at,
        changed_at=at,
    )
    parties = tuple(
        Party(
            organisation=each,
            is_owner=each in made.owners,
            needed=1,
            is_narrowing=done.get(each) == "narrowing",
            completed_at=at if each in done else None,
            suspended_at=at if each in rests else None,
        )
        for each in sorted(made.owners | made.recipients)
    )
    signatures = tuple(
        Signed(
            organisation=each,
            action="approve",
            person=f"p-{each}",
            capacity="caldicott",
            hash=made.hash,
            at=at,
        )
        for each in (*done, *signed)
    )
    return replace(made, parties=parties, signed=signatures)


def why_of(number: int) -> dict[str, object]:
    return clause(why=f"Reason {number}")


def standing(*versions: Version, now: datetime = NOW) -> dict[str, int]:
    return {o: s.version.version for o, s in stands_of(versions, now).items()}


def both(how: str) -> dict[str, str]:
    return {A: how, B: how}


def test_a_version_stands_for_each_owner_that_has_completely_signed_it():
    assert standing(version(1)) == {}
    assert standing(version(1, complete={A: "widening"})) == {A: 1}
    assert standing(version(1, complete=both("widening"))) == {A: 1, B: 1}


def test_a_recipient_s_own_signature_makes_nothing_stand():
    assert standing(version(1, complete={R: "widening"})) == {}


@pytest.mark.parametrize("state", ["draft", "rejected", "withdrawn"])
def test_what_is_not_submitted_never_stands(state):
    assert standing(version(1, complete=both("widening"), state=state)) == {}


def test_a_narrower_version_stands_at_once_and_carries_who_was_bound():
    first = version(1, complete=both("widening"), signed=(R,))
    second = version(2, complete={A: "narrowing"}, at=NOW + DAY)
    found = stands_of([first, second], NOW + DAY)
    assert (found[A].version.version, found[B].version.version) == (2, 1)
    assert found[A].carried == {R}
    assert found[A].bound == {R}
    assert found[A].since == NOW


def test_a_wider_version_waits_for_every_recipient_it_would_leave_out():
    first = version(1, complete={A: "widening"}, signed=(R,))
    wider = version(2, complete={A: "widening"}, at=NOW + DAY)
    assert standing(first, wider, now=NOW + DAY) == {A: 1}
    signed = version(2, complete={A: "widening"}, signed=(R,), at=NOW + DAY)
    assert standing(first, signed, now=NOW + DAY) == {A: 2}


def test_a_recipient_that_never_signed_keeps_nobody_waiting():
    first = version(
        1, agreement(recipients=(R, S)), complete={A: "widening"}, signed=(S,)
    )
    wider = version(
        2,
        agreement(clause(why="Other"), recipients=(R, S)),
        complete={A: "widening"},
        signed=(S,),
    )
    assert standing(first, wider) == {A: 2}
    assert stands_of([first, wider], NOW)[A].bound == {S}


def test_a_recipient_that_is_no_more_a_party_keeps_nobody_waiting():
    first = version(
        1, agreement(recipients=(R, S)), complete={A: "widening"}, signed=(R, S)
    )
    without = version(
        2, agreement(recipients=(S,)), complete={A: "widening"}, signed=(S,)
    )
    assert standing(first, without) == {A: 2}


def test_where_the_earlier_one_is_at_rest_the_newer_waits_for_nobody():
    first = version(1, complete={A: "widening"}, signed=(R,), rests=(A,))
    second = version(2, complete={A: "widening"})
    assert standing(first, second) == {A: 2}
    assert stands_of([first, second], NOW)[A].bound == set()


def test_nobody_is_carried_to_data_that_the_carrying_owner_does_not_own():
    """B is new: R must sign before it sees any of B's, though A's R is carried."""
    first = version(1, agreement(providers=(A,)), complete={A: "widening"}, signed=(R,))
    second = version(2, complete={A: "narrowing", B: "widening"})
    assert standing(first, second) == {A: 2}
    signed = version(2, complete={A: "narrowing", B: "widening"}, signed=(R,))
    assert standing(first, signed) == {A: 2, B: 2}


def test_owners_that_narrow_carry_only_whom_each_of_them_had():
    """B rested: R was not bound for its data, so that A's R must sign anew."""
    first = version(1, complete=both("widening"), signed=(R,), rests=(B,))
    second = version(2, complete=both("narrowing"))
    found = stands_of([first, second], NOW)
    assert {o: s.version.version for o, s in found.items()} == {A: 2, B: 2}
    assert [found[o].carried for o in (A, B)] == [set(), set()]


def test_an_owner_kept_waiting_by_another_s_narrowing_keeps_its_earlier_version():
    first = version(
        1, agreement(recipients=(R, S)), complete=both("widening"), signed=(R, S)
    )
    second = version(
        2,
        agreement(clause(why="Other"), recipients=(R, S)),
        complete={A: "narrowing", B: "widening"},
        signed=(R,),
    )
    assert standing(first, second) == {A: 2, B: 1}


def test_a_version_that_begins_later_stands_only_then():
    first = version(1, complete={A: "widening"}, signed=(R,))
    later = version(
        2, agreement(first="2026-04-01"), complete={A: "widening"}, signed=(R,)
    )
    begins = later.begins
    assert begins is not None
    assert standing(first, later, now=begins - timedelta(microseconds=1)) == {A: 1}
    assert standing(first, later, now=begins) == {A: 2}


def test_a_lower_version_that_begins_later_never_comes_back():
    late = version(
        1, agreement(first="2026-04-01"), complete={A: "widening"}, signed=(R,)
    )
    soon = version(2, complete={A: "widening"}, signed=(R,))
    assert standing(late, soon, now=NOW + 60 * DAY) == {A: 2}


def test_the_place_among_authorities_is_that_of_the_first_version_to_stand():
    first = version(1, complete={A: "widening"}, signed=(R,), at=NOW - 9 * DAY)
    second = version(2, complete={A: "widening"}, signed=(R,))
    third = version(3, complete={A: "narrowing"})
    assert stands_of([first, second, third], NOW)[A].since == NOW - 9 * DAY


def test_a_rule_stands_for_its_own_organisation_newest_first():
    first = version(1, rule(), complete={A: "narrowing"})
    second = version(2, rule(), complete={A: "widening"})
    assert standing(first, second) == {A: 2}


def test_members_hold_what_stands_and_the_newest_that_waits():
    first = version(1, complete=both("widening"), signed=(R,), rests=(B,))
    second = version(2, complete={A: "narrowing"})
    third = version(3)
    told = [
        (
            each.version,
            *map(sorted, (each.standing or (), each.suspended, each.carried)),
        )
        for each in members_of([first, second, third], NOW)
    ]
    assert told == [(1, [B], [B], []), (2, [A], [], [R]), (3, [], [], [])]


def test_a_version_long_over_is_no_more_a_member():
    old = version(1, complete={A: "widening"}, signed=(R,))
    ends = old.ends
    assert ends is not None
    (still,) = members_of([old], ends + 300 * DAY)
    assert still.standing == frozenset({A})
    assert members_of([old], ends + 400 * DAY) == []


def test_what_changes_for_the_time_alone_is_known_beforehand():
    first = version(1, complete={A: "widening"}, signed=(R,))
    later = version(
        2, agreement(first="2026-04-01"), complete={A: "widening"}, signed=(R,)
    )
    found = timetable({"DSA-1": [first, later]}, NOW)
    assert [at for at, _ in found] == [None, later.begins]
    assert found[0][1] == compose({"DSA-1": [first, later]}, NOW)
    numbers = [[m.version for m in each.members if m.standing] for _, each in found]
    assert numbers == [[1], [2]]


STATES = {
    "draft": ([version(1, state="draft")], 1),
    "submitted": ([version(1)], 1),
    "approved": ([version(1, complete=both("widening"))], 1),
    "active": ([version(1, complete=both("widening"), signed=(R,))], 1),
    "scheduled": (
        [
            version(
                1,
                agreement(first="2026-04-01"),
                complete=both("widening"),
                signed=(R,),
            )
        ],
        1,
    ),
    "suspended": (
        [version(1, complete=both("widening"), signed=(R,), rests=(A, B))],
        1,
    ),
    "expired": (
        [version(1, agreement(through="2026-02-01"), complete=both("widening"))],
        1,
    ),
    "superseded": (
        [
            version(1, complete=both("widening"), signed=(R,)),
            version(2, complete=both("narrowing")),
        ],
        1,
    ),
    "withdrawn": ([version(1, state="withdrawn")], 1),
    "rejected": ([version(1, state="rejected")], 1),
}


@pytest.mark.parametrize(("state", "made"), STATES.items(), ids=STATES)
def test_each_state_is_told_of_a_version(state, made):
    versions, number = made
    one = next(each for each in versions if each.version == number)
    assert presented(one, stands_of(versions, NOW), NOW) == state


def test_a_version_in_force_for_one_owner_is_active_whatever_the_others_do():
    one = version(1, complete={A: "widening"}, signed=(R,))
    assert presented(one, stands_of([one], NOW), NOW) == "active"
    half = version(1, complete=both("widening"), signed=(R,), rests=(A,))
    assert presented(half, stands_of([half], NOW), NOW) == "active"


def test_an_owner_signed_without_any_recipient_is_still_waiting():
    one = version(1, complete={A: "widening"})
    assert presented(one, stands_of([one], NOW), NOW) == "submitted"


def test_a_rule_in_force_is_active_and_at_rest_suspended():
    one = version(1, rule(), complete={A: "narrowing"})
    assert presented(one, stands_of([one], NOW), NOW) == "active"
    rests = version(1, rule(), complete={A: "narrowing"}, rests=(A,))
    assert presented(rests, stands_of([rests], NOW), NOW) == "suspended"
    assert rests.begins is None


def test_the_tag_tells_texts_and_states_apart():
    one, other = version(1), version(2)
    tags = {
        etag_of(one, "draft"),
        etag_of(one, "submitted"),
        etag_of(other, "draft"),
    }
    assert len(tags) == 3


def test_a_signature_of_another_text_counts_for_nothing():
    one = version(1, complete={A: "widening"}, signed=(R,))
    moved = replace(one, document=agreement(clause(why="Changed")))
    assert moved.signatories == set()
    assert moved.signatures("approve", R) == ()
