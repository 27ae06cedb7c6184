"""Statements of merges that contradict, fail, or do not fit: nobody is joined."""

from datetime import UTC, datetime

import msgspec
import pytest
from structlog.testing import capture_logs

from adapters.errors import Unavailable, Unreadable, Vetoed
from tests.houses import (
    NOW,
    answer,
    event,
    memory,
    policy_of,
)
from tests.tracing import (
    CLINIC,
    NEW,
    OLD,
    SPINE,
    THIRD,
    WARD,
    Teller,
    at,
    by,
    local,
    said,
    stating,
    told,
)

BEFORE = event("before", of=by(OLD))
AFTER = event("after", of=by(NEW))
SPINES = event("spine", of=by(NEW))
ELSE = event("else", of=by(THIRD))


def ward(*events):
    return memory(*(events or (BEFORE, AFTER)))


DISAGREEING = {
    "one undid what the other states": (
        [said(OLD, NEW, "merged", 1)],
        [said(OLD, NEW, "unmerged", 2)],
    ),
    "it was undone before the other states it": (
        [said(OLD, NEW, "merged", 3)],
        [said(OLD, NEW, "unmerged", 2)],
    ),
    "two successors": ([said(OLD, NEW)], [said(OLD, THIRD)]),
    "two successors of one source": ([said(OLD, NEW), said(OLD, THIRD, day=2)], []),
    "each the other's successor": ([said(OLD, NEW), said(NEW, OLD, day=2)], []),
    "each the other's, by two": ([said(OLD, NEW)], [said(NEW, OLD)]),
    "parted, and joined over a third": (
        [said(OLD, THIRD), said(NEW, THIRD)],
        [said(OLD, NEW, "unmerged", 5)],
    ),
}


@pytest.mark.parametrize("case", DISAGREEING)
async def test_sources_that_disagree_join_nobody(case):
    first, second = DISAGREEING[case]
    sources = {
        SPINE: stating(*first, events=[event("s", of=by(OLD))]),
        CLINIC: stating(*second, events=[event("c", of=by(OLD))]),
        WARD: ward(BEFORE, AFTER, ELSE),
    }
    found = await told(sources)
    assert found.ids == ["before", "c", "s"]
    assert "merges_disagree" in found.findings
    assert found.findings.keys() <= {"merges_disagree", "merge_undone"}
    assert set(found.findings["merges_disagree"].sources) <= {SPINE, CLINIC}
    assert "identifier_disputed" in found.codes(WARD)
    assert found.level == "partial"


FAILING = {
    "it is not there": (Unavailable("connect", "m"), "connect"),
    "it cannot be read": (Unreadable("unreadable", "m"), "unreadable"),
    "its organisation's site refuses": (Vetoed(), "site"),
    "it is defect": (ZeroDivisionError(), "adapter_defect"),
    "a time has no zone": (
        (msgspec.structs.replace(said(OLD, NEW), at=at(1).replace(tzinfo=None)),),
        "adapter_defect",
    ),
    "it states what nobody knows": (
        (msgspec.structs.replace(said(OLD, NEW), how="cloned"),),
        "adapter_defect",
    ),
    "it states more than anybody's history": (
        tuple(said(local("a"), local(f"b{n}"), "merged") for n in range(51)),
        "too_large",
    ),
}


@pytest.mark.parametrize("case", FAILING)
async def test_a_statement_that_cannot_be_had_is_stated(case):
    stated, reason = FAILING[case]
    spine = Teller(lambda _: answer(BEFORE, about=by(OLD)), lambda _: stated)
    with capture_logs() as alarms:
        found = await told({SPINE: spine, WARD: ward()})
    defects = [SPINE] if reason == "adapter_defect" else []
    assert [each["source"] for each in alarms] == defects
    assert found.ids == ["before", "before"]
    assert "trace_failed" in found.codes(SPINE)
    assert "trace_failed" not in found.codes(WARD)
    assert found.level == "partial"
    assert "could not be asked what it merged" in found.journey.completeness.statement
    audited = found.audited(SPINE)
    assert (audited.state, audited.traced, audited.untraced) == ("ok", None, reason)
    assert found.audited(WARD).traced == 0


async def test_a_late_statement_spoils_nothing_and_is_stated():
    spine = Teller(
        lambda _: answer(BEFORE, about=by(OLD)), lambda _: (said(OLD, NEW),), slow_s=60
    )
    found = await told({SPINE: spine, WARD: ward()}, deadline_s=0.7)
    assert found.ids == ["before", "before"]
    assert found.audited(SPINE).untraced == "deadline"


async def test_what_is_denied_is_never_asked_for_its_merges():
    spine = Teller(lambda _: answer(BEFORE, about=by(OLD)), lambda _: (said(OLD, NEW),))
    found = await told({SPINE: spine, WARD: ward()}, policy=policy_of(["Z9B02"]))
    assert (spine.asked, spine.traced) == ([], [])
    assert found.ids == ["before"]


async def test_a_source_can_be_registered_not_to_be_believed():
    spine = Teller(lambda _: answer(BEFORE, about=by(OLD)), lambda _: (said(OLD, NEW),))
    found = await told({SPINE: spine, WARD: ward()}, spine={"traces": False})
    assert spine.traced == []
    assert found.ids == ["before", "before"]
    assert found.audited(SPINE).traced is None


async def test_who_did_not_answer_ties_nothing():
    def refuse(_):
        raise Unreadable("unreadable", "m")

    spine = Teller(refuse, lambda _: (said(OLD, NEW),))
    found = await told({SPINE: spine, WARD: ward()})
    assert found.ids == ["before"]
    assert found.of(SPINE).state == "error"


def described(value, *events, name, born):
    return answer(*events, about=by(value), name=name, born=born)


@pytest.mark.parametrize(
    ("name", "born", "joined"),
    [
        ("Ada Quill", "1960-02-03", True),
        ("Ada Marriedname", "1960-02-03", True),
        ("Ada Quill", "1987-11-30", False),
        ("Boris Quill", "1960-02-03", False),
        (None, None, True),
    ],
)
async def test_two_descriptions_that_differ_are_not_joined_by_a_word(
    name, born, joined
):
    """A number is sometimes replaced because it was somebody else's."""

    def tell(query):
        if query.person.nhs_number == NEW:
            return described(NEW, AFTER, name=name, born=born)
        return described(OLD, BEFORE, name="Ada Quill", born="1960-02-03")

    spine = stating(said(OLD, NEW), events=[event("s", of=by(OLD))])
    found = await told({SPINE: spine, WARD: Teller(tell)})
    assert found.ids == (["after", "before", "s"] if joined else ["before", "s"])
    assert ("merges_disagree" in found.findings) is not joined
    assert ("identifier_disputed" in found.codes(WARD)) is not joined
    # It was asked by that number, and answered it: nobody's records were mixed up.
    assert "identity_mismatch" not in found.findings


async def test_what_only_a_doubtful_number_reached_is_set_aside():
    """Known there under the one number alone: it is as if nobody were known."""

    def tell(query):
        if query.person.nhs_number == NEW:
            return described(NEW, AFTER, name="Boris Q", born="1987-11-30")
        return answer(about=None)

    first = Teller(
        lambda _: described(OLD, BEFORE, name="Ada Q", born="1960-02-03"),
        lambda _: (said(OLD, NEW),),
    )
    found = await told({SPINE: first, WARD: Teller(tell)})
    assert found.of(WARD).state == "unknown_person"
    assert "identifier_disputed" in found.codes(WARD)
    assert found.ids == ["before"]


async def test_an_undoing_told_in_a_later_round_still_counts():
    later = Teller(
        lambda query: answer(about=by(NEW) if query.person.nhs_number == NEW else None),
        lambda p: (said(OLD, NEW, "unmerged", 5),) if p.nhs_number == NEW else (),
    )
    found = await told(
        {
            SPINE: stating(said(OLD, NEW, "merged"), events=[BEFORE]),
            CLINIC: later,
            WARD: ward(AFTER),
        }
    )
    assert found.ids == ["before"]
    assert found.findings.keys() == {"merges_disagree"}


async def test_no_date_ahead_of_now_outlasts_an_undoing():
    future = msgspec.structs.replace(
        said(OLD, NEW, "merged"), at=datetime(2999, 1, 1, tzinfo=UTC)
    )
    ahead = msgspec.structs.replace(
        said(OLD, NEW, "unmerged"), at=datetime(2998, 1, 1, tzinfo=UTC)
    )
    found = await told({SPINE: stating(future, ahead, events=[BEFORE]), WARD: ward()})
    assert found.ids == ["before", "before"]
    assert found.findings["merge_undone"].at == NOW.isoformat()


async def test_an_invalid_number_is_joined_by_nobody():
    for wrong in ("9990000001", f"{NEW[:3]} {NEW[3:]}"):
        spine = stating(said(OLD, wrong), events=[BEFORE])
        found = await told({SPINE: spine, WARD: ward()})
        assert found.ids == ["before", "before"]
        assert found.findings == {}


async def test_what_failed_under_a_doubtful_number_is_still_a_failure():
    def fail_later(query):
        if query.person.nhs_number == NEW:
            raise Unreadable("unreadable", "m")
        return answer(BEFORE, about=by(OLD))

    later = Teller(
        lambda query: answer(about=by(NEW) if query.person.nhs_number == NEW else None),
        lambda p: (said(OLD, NEW, "unmerged", 5),) if p.nhs_number == NEW else (),
    )
    first = stating(said(OLD, NEW, "merged"), events=[event("s", of=by(OLD))])
    found = await told({SPINE: first, CLINIC: later, WARD: Teller(fail_later)})
    assert found.ids == ["before", "s"]
    assert "second_round_failed" in found.codes(WARD)


@pytest.mark.parametrize(
    ("history", "joined"),
    [
        ([said(NEW, OLD, "renumbered", 1), said(OLD, NEW, day=2)], True),
        ([said(OLD, NEW, day=1), said(OLD, NEW, "renumbered", 1)], True),
        ([said(OLD, NEW, day=1), said(NEW, OLD, "renumbered", 2)], False),
    ],
    ids=["before it", "with it", "back, after it"],
)
async def test_a_record_given_its_earlier_number_again_is_in_doubt(history, joined):
    found = await told({SPINE: stating(*history, events=[BEFORE]), WARD: ward(AFTER)})
    assert found.ids == (["after", "before"] if joined else ["before"])
    assert ("merges_disagree" in found.findings) is not joined
