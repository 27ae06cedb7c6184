"""Looked at by demographics, a source that must be silent is like any other."""

from dataclasses import replace

import msgspec
import pytest
from structlog.testing import capture_logs

from adapters.contract import Candidate, FlagState, Identifier, Identifiers
from adapters.errors import Unavailable
from tests.houses import ANN, NOW, STATES, answer, event, source
from tests.likenesses import (
    AT_WARD,
    GP,
    OTHERS,
    THEIRS,
    WARD,
    Asked,
    Register,
    codes,
    described,
    everybody,
    ids,
    practice,
    report,
)
from tests.people import LOCAL, number

SENSITIVE = (FlagState(flag="sensitive-record", present=True, as_of=NOW),)
PLAIN = tuple(
    FlagState(flag=flag, present=False, as_of=NOW)
    for flag in ("sensitive-record", "legally-restricted")
)
HERS = event("w-2", of=ANN)
UNSURE = described(name="A Quillfield")
THIRD = described(Identifiers(), name="Cora Marham")


class Silent(Register):
    """A ward that holds Ann's record, which is sensitive, and others, whose are not."""

    def __init__(self, *events, people=(), fails=None):
        super().__init__(*events, people=people, fails=fails, flags=PLAIN)

    async def ask(self, query):
        found = await super().ask(query)
        is_hers = query.person.every & ANN.every
        return replace(found, flags=SENSITIVE) if is_hers and found.person else found


def unlike(journey):
    """What a caller sees, without ids and milliseconds."""
    found = msgspec.to_builtins(journey)
    for each in found["completeness"]["sources"]:
        each["took_ms"] = 0
    return {k: v for k, v in found.items() if k not in {"journey_id", "decision"}}


async def told_by(*events, people=(), fails=None, knobs=None, **asked):
    ward = Silent(*events, people=people, fails=fails)
    asking = Asked(ward, flags={"flags": STATES}, knobs=knobs or {})
    return await asking.told(**asked)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"people": [UNSURE]}, {"possible_match": 1}),
        ({"people": [UNSURE, THIRD, THIRD], "knobs": {"candidates": 2}}, "too_many"),
        ({"fails": Unavailable("connect", "is not there")}, "failed"),
        ({"deadline_s": 0.9}, "failed"),
    ],
    ids=["somebody like them", "too many", "a failure", "no time"],
)
async def test_what_comes_of_looking_tells_nobody_which_source_is_silent(how, said):
    silent, nobody = await told_by(HERS, **how), await told_by(**how)
    assert unlike(silent) == unlike(nobody)
    expected = {"too_many": {"too_many_alike": 1}, "failed": {"likeness_failed": 1}}
    assert codes(silent) == (said if isinstance(said, dict) else expected[said])
    assert report(silent).state == "unknown_person"


async def test_of_a_person_of_whom_a_source_is_silent_nothing_there_is_tied():
    ward = Silent(HERS, AT_WARD, people=[described(), described(ANN)])
    journey = await Asked(ward, flags={"flags": STATES}).told()
    assert ids(journey) == {"g-1"}
    assert THEIRS not in ward.asked
    assert codes(journey) == {}


async def test_more_who_are_alike_than_are_compared_leave_a_journey_incomplete():
    journey = await told_by(people=[UNSURE, THIRD, THIRD], knobs={"candidates": 2})
    assert journey.completeness.level == "partial"
    (gap,) = journey.completeness.gaps
    assert gap.source == WARD


async def test_a_dispute_that_kept_a_source_from_being_searched_leaves_it_incomplete():
    other = source("Z9C03.pas", practice(described(ANN, name="Beth Marham")))
    policy = everybody(owners=("Z9A01", "Z9B02", "Z9C03"))
    journey = await Asked(Register(), None, other, policy=policy).told()
    assert codes(journey) == {"likeness_disputed": 1}
    assert journey.completeness.level == "partial"


def told_of(alarms):
    return [(each["event"], each["source"], each["count"]) for each in alarms]


async def test_a_defect_met_while_matching_is_alarmed():
    with capture_logs() as alarms:
        await told_by(fails=KeyError("a defect"))
    assert told_of(alarms) == [("adapter_defect", WARD, 1)]


class AnswersForAnother(Register):
    """Asked for by the key it gave itself, it tells of another key."""

    async def ask(self, query):
        if query.person == THEIRS:
            return answer(event("w-9", of=OTHERS), about=OTHERS)
        return await super().ask(query)


async def test_a_tied_source_that_tells_of_another_key_is_withheld_and_alarmed():
    with capture_logs() as alarms:
        journey = await Asked(AnswersForAnother(people=[described()])).told()
    assert ids(journey) == {"g-1"}
    assert (report(journey).state, report(journey).reason) == (
        "withheld",
        "identity_mismatch",
    )
    assert journey.completeness.level == "partial"
    assert told_of(alarms) == [("identity_mismatch", WARD, 1)]


async def test_what_a_tied_source_finds_under_another_number_is_no_fault_of_it():
    class Renumbered(Register):
        async def ask(self, query):
            whose = Identifiers(nhs_number=number(4), others=THEIRS.others)
            if query.person == THEIRS:
                return answer(event("w-9", of=whose), about=whose)
            return await super().ask(query)

    with capture_logs() as alarms:
        journey = await Asked(Renumbered(people=[described()])).told()
    assert codes(journey) == {"likeness_failed": 1}
    assert alarms == []


class Listing(Register):
    """It gives a list where a tuple was agreed."""

    async def match(self, described, *, limit):
        return list(await super().match(described, limit=limit))


async def test_a_list_of_candidates_is_as_good_as_a_tuple():
    journey = await Asked(Listing(AT_WARD, people=[described()])).told()
    assert ids(journey) == {"g-1", "w-1"}


async def test_a_candidate_whose_key_is_no_text_is_a_defect_of_its_adapter():
    odd = Identifiers(others=frozenset({Identifier(LOCAL, 7)}))  # type: ignore[arg-type]  # what is tested
    ward = Register(AT_WARD)
    ward.people = (Candidate(person=described(odd)),)
    journey = await Asked(ward).told()
    assert ids(journey) == {"g-1"}
    assert codes(journey) == {"likeness_failed": 1}


@pytest.mark.parametrize("broken", [{"name": 7}, {"postcode": ["QZ1 4AB"]}])
async def test_a_header_that_cannot_be_read_fails_its_source_and_no_other(broken):
    header = msgspec.structs.replace(described(ANN), **broken)
    second = source("Z9C03.pas", practice(header, event("c-1")))
    policy = everybody(owners=("Z9A01", "Z9B02", "Z9C03"))
    ward = Register(AT_WARD, people=[described()])
    journey = await Asked(ward, None, second, policy=policy).told()
    assert ids(journey) == {"g-1", "w-1"}
    assert report(journey, "Z9C03.pas").state == "error"
    assert report(journey, GP).state == "ok"
