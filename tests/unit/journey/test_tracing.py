"""Numbers superseded, merged and parted again: what is shown, and by whose word."""

from dataclasses import replace

import msgspec
import pytest

from adapters.contract import FlagState, Traced, Traces
from gateway.audit.records import Outcome
from tests.houses import (
    NOW,
    STATES,
    answer,
    clause,
    event,
    memory,
    policy_of,
    profile,
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
    numbered,
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


@pytest.mark.parametrize(("asked", "linked"), [(OLD, "after"), (NEW, "before")])
async def test_a_superseded_number_is_followed_in_both_directions(asked, linked):
    """Catches a link that is followed from the old number to the new one alone."""
    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()}, asked)
    assert found.ids == ["after", "before", "spine"]
    link = found.link(linked)
    assert (link.method, link.said_by) == ("superseded_number", SPINE)
    assert link.said_at == "2026-01-01T12:00:00+00:00"
    own = found.link("before" if linked == "after" else "after")
    assert (own.method, own.said_by, own.said_at) == ("nhs_number", None, None)
    finding = found.findings["number_superseded"]
    assert (finding.sources, finding.at) == ([SPINE], link.said_at)
    assert found.level == "complete"


async def test_both_numbers_and_the_statement_are_in_the_trail():
    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()})
    (outcome,) = (e for e in found.trail.records if isinstance(e, Outcome))
    assert outcome.subjects == (found.trail.subject_of(NEW),)
    # It is asked by each number, and states the one thing of each.
    assert (found.audited(SPINE).traced, found.audited(SPINE).untraced) == (2, None)


async def test_two_numbers_without_a_statement_never_meet():
    shared = local("L-1")
    both = [event("a", of=by(OLD, shared)), event("b", of=by(NEW, shared))]
    found = await told({SPINE: stating(events=both), WARD: ward()})
    assert "after" not in found.ids
    assert "b" not in found.ids


@pytest.mark.parametrize("how", ["renumbered"])
async def test_a_record_renumbered_ties_nothing(how):
    """The number before may have been somebody else's."""
    spine = stating(said(OLD, NEW, how), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()})
    assert found.ids == ["before"]
    assert found.findings == {}


async def test_what_is_undone_joins_no_more_and_says_so():
    joined = said(OLD, NEW, "merged", 1)
    events = [event("s-old", of=by(OLD)), SPINES]
    sources = {SPINE: stating(joined, events=events), WARD: ward()}
    yesterday = await told(sources)
    assert yesterday.ids == ["after", "before", "s-old", "spine"]
    undone = said(OLD, NEW, "unmerged", 9)
    sources[SPINE] = stating(joined, undone, events=events)
    today = await told(sources)
    assert today.ids == ["before", "s-old"]
    finding = today.findings["merge_undone"]
    assert (finding.sources, finding.at) == ([SPINE], "2026-01-09T12:00:00+00:00")
    assert OLD not in finding.meaning
    assert NEW not in finding.meaning
    assert today.level == "complete"


async def test_merged_again_after_an_undoing_they_are_one():
    history = [
        said(OLD, NEW, "merged", 1),
        said(OLD, NEW, "unmerged", 2),
        said(NEW, OLD, "merged", 3),
    ]
    found = await told({SPINE: stating(*history, events=[SPINES]), WARD: ward()}, NEW)
    assert found.ids == ["after", "before", "spine"]
    assert "merge_undone" not in found.findings


async def test_a_chain_of_numbers_is_followed_to_its_end():
    chain = stating(said(OLD, NEW), said(NEW, THIRD, day=2), events=[BEFORE])
    found = await told({SPINE: chain, WARD: ward(AFTER, ELSE)})
    assert found.ids == ["after", "before", "else"]
    assert found.findings.keys() == {"number_superseded"}


async def test_a_chain_that_two_sources_tell_is_followed():
    found = await told(
        {
            SPINE: stating(said(OLD, NEW), events=[BEFORE]),
            CLINIC: stating(said(NEW, THIRD, day=2), events=[AFTER]),
            WARD: ward(ELSE),
        }
    )
    assert found.ids == ["after", "before", "else"]


async def test_one_may_name_the_last_of_a_chain_where_another_names_each():
    found = await told(
        {
            SPINE: stating(said(OLD, NEW), said(NEW, THIRD), events=[BEFORE]),
            CLINIC: stating(said(OLD, THIRD), events=[event("c", of=by(OLD))]),
            WARD: ward(AFTER, ELSE),
        }
    )
    assert found.ids == ["after", "before", "c", "else"]


async def test_a_source_is_not_asked_twice_of_one_person():
    spine = Teller(lambda _: answer(SPINES, about=by(NEW)), lambda _: ())
    await told({SPINE: spine, WARD: ward()}, NEW)
    assert spine.traced == [by(NEW)]


async def test_the_same_answer_honestly_given_is_no_strangers():
    """As PDS: asked by an old number, it answers as whoever has the new one."""
    spine = Teller(lambda _: answer(about=by(NEW)), lambda _: (said(OLD, NEW),))
    found = await told({SPINE: spine, WARD: ward()})
    assert found.of(SPINE).state == "ok_empty"
    assert found.ids == ["after", "before"]
    assert "identity_mismatch" not in found.findings
    assert [each.person for each in spine.asked] == [by(OLD), by(NEW)]


async def test_another_source_may_vouch_for_such_an_answer():
    spine = Teller(lambda _: answer(about=by(NEW)))
    found = await told(
        {SPINE: spine, WARD: stating(said(OLD, NEW), events=[BEFORE, AFTER])}
    )
    assert found.of(SPINE).state == "ok_empty"
    assert found.ids == ["after", "before"]


async def test_without_a_statement_it_is_a_strangers():
    spine = Teller(lambda _: answer(SPINES, about=by(NEW)))
    found = await told({SPINE: spine, WARD: ward()})
    assert found.of(SPINE).reason == "identity_mismatch"
    assert found.ids == ["before"]


async def test_who_tells_a_whole_person_is_still_asked_by_the_other_number():
    """Catches the successor's header taken for all that there is of them."""
    whole = with_profile(whole_person=True)

    def tell(query):
        if query.person.nhs_number == NEW:
            return answer(SPINES, about=by(NEW))
        return answer(about=by(NEW))

    spine = Teller(tell, lambda _: (said(OLD, NEW),), of=whole)
    found = await told({SPINE: spine, WARD: ward()})
    assert found.ids == ["after", "before", "spine"]


def with_profile(**changed):
    return replace(profile(), **changed)


def flagged(*events, about, present):
    flag = FlagState(flag="sensitive-record", present=present, as_of=NOW)
    clear = FlagState(flag="legally-restricted", present=False, as_of=NOW)
    return replace(answer(*events, about=about), flags=(flag, clear))


@pytest.mark.parametrize("present", [True, False])
async def test_who_must_be_silent_of_a_person_ties_nothing(present):
    spine = Teller(
        lambda _: flagged(BEFORE, about=by(OLD), present=present),
        lambda _: (said(OLD, NEW),),
    )
    sources = {SPINE: spine, WARD: ward()}
    found = await told(sources, spine={"flags": STATES})
    expected = ["before"] if present else ["after", "before", "before"]
    assert found.ids == expected
    assert ("number_superseded" in found.findings) is not present
    if present:
        assert found.of(SPINE).state == "unknown_person"


async def test_who_turns_out_to_be_silent_is_not_named():
    """It states no flag, which is found out when its answer is opened."""
    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()}, spine={"flags": STATES})
    assert found.of(SPINE).state == "unknown_person"
    link = found.link("after")
    assert (link.method, link.said_by, link.said_at) == (
        "superseded_number",
        None,
        None,
    )
    assert found.findings == {}


async def test_nor_is_it_where_sources_disagree():
    spine = stating(said(OLD, NEW), said(NEW, OLD, day=2), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()}, spine={"flags": STATES})
    assert found.ids == ["before"]
    assert found.findings == {}


async def test_a_time_is_told_no_finer_than_the_rest():
    coarse = clause(obligations={"date_grain": "month"})
    policy = policy_of(["Z9A01", "Z9B02"], coarse)
    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()}, policy=policy)
    assert found.link("after").said_at == "2026-01"
    assert found.findings["number_superseded"].at == "2026-01"


async def test_a_time_is_not_told_by_who_may_not_say_who_the_person_is():
    narrow = clause(categories=["encounters"])
    policy = policy_of(["Z9A01", "Z9B02"], narrow)
    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: ward()}, policy=policy)
    assert (found.link("after").said_by, found.link("after").said_at) == (SPINE, None)
    assert found.findings["number_superseded"].at is None


K0, K1 = local("K0"), local("K1")


async def test_a_merged_local_number_is_asked_by_elsewhere():
    spine = stating(said(K0, K1, "merged"), events=[event("s", of=by(OLD, K1))])
    records = ward(event("k0", of=by(K0)), event("k1", of=by(K1)))
    found = await told({SPINE: spine, WARD: records})
    assert found.ids == ["k0", "k1", "s"]
    assert found.link("k1").method == "learned_identifier"
    assert found.link("k0").method == "merged_identifier"
    assert found.link("k0").said_by == SPINE
    assert found.findings == {}


async def test_a_merged_local_number_of_somebody_elses_ties_nobody():
    spine = stating(said(K0, K1, "merged"), events=[event("s", of=by(OLD, K1))])
    found = await told({SPINE: spine, WARD: ward(event("k0", of=by(NEW, K0)))})
    assert found.ids == ["s"]


async def test_asked_by_the_local_number_merged_away_all_is_found():
    spine = stating(said(K0, K1, "merged"), events=[event("s", of=by(OLD, K1))])
    found = await told({SPINE: spine, WARD: ward()}, by(K0))
    assert found.ids == ["before", "s"]
    assert found.journey.person.nhs_number == OLD


async def test_two_local_numbers_undone_are_two_and_say_so():
    history = [said(K0, K1, "merged"), said(K0, K1, "unmerged", 2)]
    spine = stating(*history, events=[event("s", of=by(OLD, K1))])
    found = await told({SPINE: spine, WARD: ward(event("k0", of=by(K0)))})
    assert found.ids == ["s"]
    assert "identifiers are one" in found.findings["merge_undone"].meaning


async def test_an_identifier_of_another_system_is_learned_by_a_statement():
    spine = stating(
        Traced(from_=K0, to=numbered(OLD), how="merged", at=at(1)),
        events=[event("s", of=by(OLD))],
    )
    found = await told({SPINE: spine, WARD: ward(event("k0", of=by(K0)))})
    assert found.ids == ["k0", "s"]
    assert found.link("k0").method == "learned_identifier"


@pytest.mark.parametrize("names", [True, False])
async def test_a_record_of_nobody_under_the_other_number_says_by_whose_word(names):
    def tell(query):
        asked = query.person.nhs_number
        header = by(asked) if names else by()
        about = msgspec.structs.replace(BEFORE, subject=None, record_id=asked)
        return answer(about, about=header)

    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: Teller(tell)})
    assert found.link(OLD).method == "source_assertion"
    other = "superseded_number" if names else "source_assertion"
    assert found.link(NEW).method == other


async def test_a_record_told_under_both_numbers_is_told_once():
    def tell(query):
        return answer(event("r", of=query.person), about=query.person)

    spine = stating(said(OLD, NEW), events=[SPINES])
    found = await told({SPINE: spine, WARD: Teller(tell)})
    assert found.ids == ["r", "spine"]


def test_memory_can_be_asked():
    assert isinstance(memory(), Traces)
