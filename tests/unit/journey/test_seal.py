"""What is sealed of a source's replies: the right person's records, once each."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from adapters.contract import (
    Candidate,
    Caveat,
    FlagState,
    Identifier,
    Identifiers,
    Person,
    Traced,
)
from adapters.moment import Moment
from gateway.journey import seal
from gateway.journey.identity import BY_LEARNED, BY_NHS_NUMBER, BY_SOURCE, learn
from gateway.journey.outcome import Answered, Failure, NotAsked, Reply
from policies.release import SealBroken
from tests.houses import ANN, BOB, NOW, answer, event, memory, source
from tests.people import number

BY_NUMBER = Identifiers(nhs_number=number(0))
KNOWN = learn(BY_NUMBER, [ANN.every], frozenset())
LOCAL_ONLY = Identifiers(others=ANN.others)
NOBODY = Identifiers()
ODD = Identifier("urn:test", 7)  # type: ignore[arg-type]  # what is tested
TIMED_OUT = Failure(state="timeout", reason="deadline", domain="source")
AT = source("Z9A01.epr", memory())
MENTAL_HEALTH = source("Z9A01.mh", memory(), sector="mental-health")


def sealed(*said, known=KNOWN, out_of_time=False):
    replies = [Reply(each, NOW, 1) for each in said]
    return seal.sealed(AT, replies, known, out_of_time=out_of_time)


def theirs(*answers, at=AT, known=KNOWN):
    """The record ids that are the person's, and how many are not."""
    entries, strangers = seal._theirs(at, answers, known)
    return [entry.event.record_id for entry in entries], strangers


def entry(event_, at=AT):
    (found,), _ = seal._theirs(at, [answer(event_)], KNOWN)
    return found


def stated(present, *, hours=0, flag="sensitive-record"):
    return FlagState(flag=flag, present=present, as_of=NOW - timedelta(hours=hours))


def with_flags(*flags, about=ANN):
    return replace(answer(about=about), flags=flags)


def test_what_is_sealed_cannot_be_looked_into():
    found = sealed(answer(event("r1")))
    assert isinstance(found, Answered)
    for look in (len, bool, list):
        with pytest.raises(SealBroken):
            look(found.sealed)
    assert "r1" not in repr(found)


@pytest.mark.parametrize(
    ("of", "method"),
    [(ANN, BY_NHS_NUMBER), (LOCAL_ONLY, BY_LEARNED), (NOBODY, BY_SOURCE)],
)
def test_each_record_says_how_it_was_linked(of, method):
    assert entry(event("r1", of=of)).link == method


def test_a_wrong_persons_record_is_withheld_and_counted():
    found = theirs(answer(event("r1"), event("r2", of=BOB)))
    assert found == (["r1"], 1)


def test_with_a_stranger_in_the_answer_unnamed_records_are_withheld_too():
    unnamed = event("r2", of=NOBODY)
    assert theirs(answer(event("r1"), unnamed)) == (["r1", "r2"], 0)
    assert theirs(answer(event("r1"), unnamed, event("r3", of=BOB))) == (["r1"], 2)


def test_an_answer_about_somebody_else_is_withheld_whole():
    assert theirs(answer(event("r1"), about=BOB)) == ([], 1)
    assert theirs(answer(about=BOB)) == ([], 1)


def test_a_wrong_second_answer_does_not_take_the_first_away():
    found = theirs(answer(event("r1")), answer(event("r2"), about=BOB))
    assert found == (["r1"], 1)


def test_the_same_record_told_in_both_rounds_is_one():
    both = answer(event("r1"), event("r2")), answer(event("r2"), event("r3"))
    assert theirs(*both) == (["r1", "r2", "r3"], 0)


def test_two_equal_records_in_one_answer_stay_two():
    twice = answer(event("r1"), event("r1"))
    assert theirs(twice) == (["r1", "r1"], 0)
    assert theirs(answer(event("r1")), twice) == (["r1", "r1"], 0)


def test_a_record_told_in_every_round_is_one_however_many_rounds():
    once, twice = answer(event("r1")), answer(event("r1"), event("r1"))
    assert theirs(once, once, once) == (["r1"], 0)
    assert theirs(once, once, twice) == (["r1", "r1"], 0)


def test_a_record_changed_between_rounds_is_told_as_both():
    changed = event("r1", status="cancelled")
    assert theirs(answer(event("r1")), answer(changed)) == (["r1", "r1"], 0)


def test_an_identifier_that_splits_leaves_nothing():
    old = Identifiers(others=ANN.others)
    split = learn(old, [ANN.every, BOB.every | ANN.others], frozenset())
    assert theirs(answer(event("r1"), event("r2", of=NOBODY)), known=split) == ([], 2)


def test_medicines_take_the_label_of_their_sector_and_encounters_do_not():
    medicine = entry(event("r1", kind="medication", labels=["HIV"]), MENTAL_HEALTH)
    assert (medicine.category, medicine.labels) == ("medications", {"HIV", "PSY"})
    contact = entry(event("r2", kind="mental_health_contact"), MENTAL_HEALTH)
    assert (contact.category, contact.labels) == ("mental-health", frozenset())
    assert entry(event("r3", kind="medication")).labels == frozenset()


def test_an_entry_tells_release_the_earliest_instant_it_can_mean():
    assert entry(event("r1", "2024")).earliest == entry(event("r2", "2024-01")).earliest
    assert entry(event("r3", None)).earliest is None


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        (TIMED_OUT, None, TIMED_OUT),
        (NotAsked(reason="overloaded"), None, NotAsked(reason="overloaded")),
    ],
)
def test_without_any_answer_the_first_miss_stands(first, again, expected):
    assert sealed(first) == expected


@pytest.mark.parametrize("missed", [TIMED_OUT, NotAsked(reason="overloaded")])
def test_if_only_the_second_call_failed_the_first_stands_and_says_so(missed):
    found = sealed(answer(event("r1")), missed)
    assert isinstance(found, Answered)
    assert found.caveats == (Caveat("second_round_failed"),)


def test_who_could_not_be_asked_again_for_want_of_time_says_so():
    found = sealed(answer(), out_of_time=True)
    assert isinstance(found, Answered)
    assert found.caveats == (Caveat("second_round_failed"),)


def test_two_answers_are_as_fresh_as_the_older_and_count_each_fault_once():
    older = NOW - timedelta(hours=2)
    found = sealed(
        replace(answer(as_of=older), caveats=(Caveat("rows_rejected", 3),)),
        replace(answer(), caveats=(Caveat("rows_rejected", 2), Caveat("undated"))),
    )
    assert isinstance(found, Answered)
    assert found.as_of == older
    assert found.caveats == (Caveat("rows_rejected", 3), Caveat("undated", 1))


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (answer(about=None), False),
        (answer(), True),
        (answer(event("r1"), about=None), True),
    ],
)
def test_who_gives_a_person_or_a_record_knows_somebody(said, known):
    found = sealed(said)
    assert isinstance(found, Answered)
    assert found.known is known


def test_the_header_shown_is_never_somebody_elses():
    anns, bobs = answer(name="Ann"), answer(about=BOB, name="Bob")
    assert seal._person([bobs, anns], KNOWN).name == "Ann"
    assert seal._person([bobs, answer(about=None)], KNOWN).name is None


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([with_flags(stated(True))], (True, NOW)),
        ([with_flags(stated(True)), with_flags(stated(False))], (True, NOW)),
        ([with_flags(stated(False)), with_flags(stated(True))], (True, NOW)),
        (
            [with_flags(stated(False)), with_flags(stated(False, hours=9))],
            (False, NOW - timedelta(hours=9)),
        ),
        (
            [with_flags(stated(True, hours=9)), with_flags(stated(True))],
            (True, NOW),
        ),
        ([with_flags(stated(False), about=BOB)], None),
        ([with_flags(stated(True), about=BOB)], (True, NOW)),
    ],
)
def test_of_two_answers_the_stricter_flag_counts(answers, expected):
    assert seal._flags(answers, KNOWN).get("sensitive-record") == expected


@pytest.mark.parametrize("field", ["start", "end", "recorded"])
def test_a_time_without_a_zone_is_an_adapters_defect(field):
    naive = Moment(NOW.replace(tzinfo=None), "second")
    found = answer(event_with(**{field: naive}))
    with pytest.raises(ValueError, match="without a zone"):
        seal.sound(found)


def test_flags_too_need_a_zone():
    flag = FlagState(flag="ndo", present=False, as_of=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a zone"):
        seal.sound(with_flags(flag))


def test_a_kind_outside_the_list_is_an_adapters_defect():
    with pytest.raises(ValueError, match="outside the vocabulary"):
        seal.sound(answer(event("r1", kind="x-ray")))


def test_a_sound_answer_passes_as_it_is():
    good = answer(event("r1", end="2026-01-06"), event("r2", None))
    assert seal.sound(good) is good


def event_with(**moments):
    return type(event("r1"))(kind="other", record_id="r1", title="t", **moments)


def test_what_no_json_can_be_made_of_is_an_adapters_defect():
    with pytest.raises(ValueError, match="surrogates"):
        seal.sound(answer(event("r\ud800")))
    with pytest.raises(ValueError, match="surrogates"):
        seal.sound(answer(name="Ann \ud800"))


@pytest.mark.parametrize(
    "told",
    [
        answer(event("r1", of=Identifiers(others=frozenset({ODD})))),
        answer(about=Identifiers(others=frozenset({ODD}))),
    ],
    ids=["of a record", "of the header"],
)
def test_an_identifier_that_is_no_text_is_an_adapters_defect(told):
    with pytest.raises(ValueError, match="no text"):
        seal.sound(told)


def test_a_statement_of_what_is_no_text_is_an_adapters_defect():
    said = Traced(from_=ODD, to=Identifier("urn:test", "1"), how="merged", at=NOW)
    with pytest.raises(ValueError, match="no text"):
        seal.sound_statements((said,))


def test_a_header_born_at_a_time_without_a_zone_is_an_adapters_defect():
    born = Moment(NOW.replace(tzinfo=None), "day")
    header = Person(identifiers=ANN.every, birth_date=born)
    with pytest.raises(ValueError, match="without a zone"):
        seal.sound(replace(answer(), person=header))


def test_a_candidates_flags_need_a_zone_too():
    flag = FlagState(flag="ndo", present=False, as_of=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a zone"):
        seal.sound_people((Candidate(person=Person(), flags=(flag,)),))


def test_an_as_of_time_beyond_the_calendar_is_an_adapters_defect():
    west = timezone(-timedelta(hours=12))
    beyond = datetime(9999, 12, 31, 23, 59, tzinfo=west)
    with pytest.raises(ValueError, match="calendar"):
        seal.sound(answer(as_of=beyond))
