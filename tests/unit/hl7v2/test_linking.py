"""Merges and changes of number, traced both ways; undone, everything is as before."""

from datetime import UTC, datetime

import pytest

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers, Traces
from gateway.journey import identity
from tests.hl7 import (
    KEY,
    OLD,
    adt,
    count,
    everything,
    feed,
    key,
    message,
    names,
    of_kind,
    only,
    person,
    pid,
    segment,
    someone,
    stay,
    told,
    when,
)
from tests.people import number

K0, K1 = pid("K0"), pid("K1", 0)
OF_K0 = adt("A04", K0, visit=stay("20240301", number="V0", kind="E"), at="20240301")
OF_K1 = adt("A04", K1, visit=stay("20240302", number="V1", kind="E"), at="20240302")
MRG0 = segment("MRG", {1: names("K0")})


def merge(trigger="A40", into="K1", nth=0, prior="K0", at="20240310", prior_nth=None):
    mrg = segment("MRG", {1: names(prior, prior_nth)})
    return adt(trigger, pid(into, nth), mrg, at=at)


def parted(one="K0", other="K1", at="20240315"):
    return message("ADT^A37", segment("EVN", {2: at}), pid(one), pid(other), at=at)


def ids(answer):
    return sorted(event.record_id for event in answer.events)


async def ask_all(folder, *messages):
    """What is answered about K0, K1, and the NHS number of K1."""
    asked = {"K0": person("K0"), "K1": person("K1")}
    asked["number"] = Identifiers(nhs_number=number(0))
    async with feed(folder, *messages) as adapter:
        return {who: await adapter.ask(everything(asked[who])) for who in asked}


async def trace(folder, asked, *messages):
    async with feed(folder, *messages) as adapter:
        assert isinstance(adapter, Traces)
        return await adapter.trace(asked)


async def test_before_a_merge_each_has_their_own(tmp_path):
    answers = await ask_all(tmp_path, OF_K0, OF_K1)
    assert {who: ids(a) for who, a in answers.items()} == {
        "K0": ["V0"],
        "K1": ["V1"],
        "number": ["V1"],
    }


@pytest.mark.parametrize(
    "trigger",
    ["A18", "A30", "A34", "A36", "A39", "A40", "A43", "A46", "A47"],
)
async def test_after_a_merge_both_are_found_by_either(tmp_path, trigger):
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge(trigger))
    assert {who: ids(a) for who, a in answers.items()} == {
        "K0": ["V0", "V1"],
        "K1": ["V0", "V1"],
        "number": ["V0", "V1"],
    }


async def test_a_merge_that_came_first_in_the_file_counts_the_same(tmp_path):
    answers = await ask_all(tmp_path, merge(), OF_K1, OF_K0)
    assert {tuple(ids(a)) for a in answers.values()} == {("V0", "V1")}


async def test_what_was_merged_is_about_the_survivor(tmp_path):
    """Two values of one system in one subject would make it disputed."""
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge())
    survivor = person("K1", 0).every
    assert {e.subject for e in answers["number"].events} == {survivor}
    assert answers["number"].person.identifiers == survivor


async def test_whoever_asks_by_the_number_merged_away_is_told_it_again(tmp_path):
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge())
    assert {e.subject for e in answers["K0"].events} == {person("K0", 0).every}


async def test_the_gateway_takes_what_was_merged_for_the_asked_persons(tmp_path):
    """Catches a merge that the check for the wrong person would undo."""
    asked = [
        person("K0"),
        person("K1"),
        person("K1", 0),
        Identifiers(nhs_number=number(0)),
    ]
    async with feed(tmp_path, OF_K0, OF_K1, merge()) as adapter:
        for each in asked:
            answer = await adapter.ask(everything(each))
            header = someone(answer).identifiers
            subjects = [event.subject or frozenset() for event in answer.events]
            known = identity.learn(each, [header, *subjects], frozenset({KEY}))
            assert not identity.names_another(known, header)
            assert all(identity.link(known, subject) for subject in subjects)
            assert known.nhs_number == number(0)
            assert not known.disputed


@pytest.mark.parametrize("undo", [parted(), parted("K1", "K0")])
async def test_a_merge_undone_leaves_everything_as_before(tmp_path, undo):
    before = await ask_all(tmp_path / "before", OF_K0, OF_K1)
    answers = await ask_all(tmp_path / "after", OF_K0, OF_K1, merge(), undo)
    for who, answer in answers.items():
        assert answer.events == before[who].events
        assert answer.person == before[who].person
        assert answer.caveats == before[who].caveats


async def test_the_merge_the_other_way_round_undoes_it_and_says_so(tmp_path):
    other_way = merge(into="K0", nth=None, prior="K1", at="20240320")
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge(), other_way)
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])
    assert count(answers["K0"], "merge_disputed") == 1
    assert count(answers["K1"], "merge_disputed") == 1


async def test_merged_again_after_being_parted_they_are_one_again(tmp_path):
    again = merge(at="20240401")
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge(), parted(), again)
    assert ids(answers["number"]) == ["V0", "V1"]


async def test_parting_the_ends_of_a_chain_lets_the_first_go(tmp_path):
    further = merge(into="K2", nth=0, prior="K1", at="20240311")
    answers = await ask_all(
        tmp_path, OF_K0, OF_K1, merge(), further, parted("K2", "K0")
    )
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])


async def test_parting_two_who_became_a_third_is_disputed(tmp_path):
    both = [
        merge(into="K2", nth=None, prior=prior, at=f"2024031{n}")
        for n, prior in enumerate(("K0", "K1"))
    ]
    answers = await ask_all(tmp_path / "a", OF_K0, OF_K1, *both)
    assert ids(answers["K0"]) == ["V0", "V1"]
    answers = await ask_all(tmp_path / "b", OF_K0, OF_K1, *both, parted())
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])
    assert count(answers["K0"], "merge_disputed") == 1


async def test_parting_two_who_were_never_one_changes_nothing(tmp_path):
    answers = await ask_all(tmp_path, OF_K0, OF_K1, parted())
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])


async def test_a_merge_told_twice_is_traced_once(tmp_path):
    found = await trace(tmp_path, person("K0"), OF_K0, merge(), merge(at="20240311"))
    assert [t.how for t in found] == ["merged"]


async def test_two_visits_merged_are_one(tmp_path):
    second = adt(
        "A03",
        K1,
        visit=stay("20240303", number="V9", kind="E", f45="20240304"),
        at="20240304",
    )
    merged = adt(
        "A42",
        K1,
        segment("MRG", {1: names("K1"), 5: "V1"}),
        visit=stay(number="V9", kind="E"),
        at="20240310",
    )
    answer = await told(tmp_path, OF_K1, second, merged)
    assert len(answer.events) == 1


async def test_a_link_makes_one_of_two(tmp_path):
    linked = message("ADT^A24", segment("EVN", {2: "20240310"}), K1, K0, at="20240310")
    answers = await ask_all(tmp_path / "a", OF_K0, OF_K1, linked)
    assert ids(answers["number"]) == ["V0", "V1"]
    answers = await ask_all(tmp_path / "b", OF_K0, OF_K1, linked, parted())
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])


async def test_a_chain_of_merges_leads_to_its_end(tmp_path):
    further = merge(into="K2", nth=0, prior="K1", at="20240401")
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge(), further)
    assert {tuple(ids(a)) for a in answers.values()} == {("V0", "V1")}
    assert {i.value for e in answers["number"].events for i in e.subject or ()} == {
        "K2",
        number(0),
    }


async def test_a_chain_led_back_to_its_beginning_is_undone_at_its_end(tmp_path):
    further = merge(into="K2", nth=None, prior="K1", at="20240401")
    back = merge(into="K0", nth=None, prior="K2", at="20240402")
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge(), further, back)
    assert ids(answers["K1"]) == ["V0", "V1"]
    assert count(answers["K1"], "merge_disputed") == 1


async def test_two_people_of_different_nhs_numbers_never_become_one(tmp_path):
    other = adt(
        "A04",
        pid("K0", 5),
        visit=stay("20240301", number="V0", kind="E"),
        at="20240301",
    )
    answers = await ask_all(tmp_path, other, OF_K1, merge())
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])
    assert count(answers["K1"], "merge_disputed") == 1
    assert count(answers["number"], "merge_disputed") == 1


async def test_nor_do_they_when_the_merge_alone_tells_the_other_number(tmp_path):
    """What MRG names as an NHS number was one; its person is not thereby merged."""
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merge(prior_nth=5))
    assert ids(answers["number"]) == ["V1"]
    assert count(answers["number"], "merge_disputed") == 1


async def test_a_third_of_another_number_does_not_join_through_a_second(tmp_path):
    other = adt(
        "A04",
        pid("K2", 5),
        visit=stay("20240303", number="V2", kind="E"),
        at="20240303",
    )
    into_nameless = merge(into="K0", nth=None, prior="K2", at="20240305")
    answers = await ask_all(tmp_path, OF_K0, OF_K1, other, into_nameless, merge())
    assert ids(answers["number"]) == ["V1"]
    assert ids(answers["K0"]) == ["V0", "V2"]
    assert count(answers["number"], "merge_disputed") == 1


async def test_a_number_corrected_before_the_merge_is_no_dispute(tmp_path):
    wrong = adt(
        "A04",
        pid("K0", 5),
        visit=stay("20240301", number="V0", kind="E"),
        at="20240301",
    )
    right = adt("A31", pid("K0", 0), at="20240305")
    answers = await ask_all(tmp_path, wrong, right, OF_K1, merge())
    assert ids(answers["number"]) == ["V0", "V1"]
    assert count(answers["number"], "number_changed") == 1


async def test_a_number_that_was_corrected_reaches_nobody_any_more(tmp_path):
    wrong = adt("A04", pid("K1", 5), visit=stay("20240301", kind="E"), at="20240301")
    right = adt("A31", pid("K1", 0), at="20240305")
    async with feed(tmp_path, wrong, right) as adapter:
        answer = await adapter.ask(everything(Identifiers(nhs_number=number(5))))
        assert (answer.events, answer.person) == ((), None)
        answer = await adapter.ask(everything(Identifiers(nhs_number=number(0))))
        assert ids(answer) == ["V1"]
        (traced,) = await adapter.trace(Identifiers(nhs_number=number(5)))
    assert (traced.from_.value, traced.to.value) == (number(5), number(0))
    assert traced.how == "renumbered"  # it may have been somebody else's


async def test_two_with_one_nhs_number_are_nobody_until_they_are_merged(tmp_path):
    twice = adt(
        "A04",
        pid("K0", 0),
        visit=stay("20240301", number="V0", kind="E"),
        at="20240301",
    )
    apart = await ask_all(tmp_path / "apart", twice, OF_K1)
    assert (apart["number"].events, apart["number"].person) == ((), None)
    assert count(apart["number"], "shared_identifier") == 1
    assert number(0) not in {i.value for i in apart["K1"].person.identifiers}
    merged = await ask_all(tmp_path / "merged", twice, OF_K1, merge())
    assert ids(merged["number"]) == ["V0", "V1"]
    assert number(0) in {i.value for i in merged["K1"].person.identifiers}


async def test_a_visit_goes_on_through_a_merge(tmp_path):
    admitted = adt("A01", K0, visit=stay("20240301", f3="A7"), at="20240301")
    gone = adt("A03", K1, visit=stay("20240301", f45="20240312"), at="20240312")
    answers = await ask_all(tmp_path, admitted, merge(), gone)
    spell = only(answers["number"], "inpatient_spell")
    assert (spell.status, when(spell)) == ("finished", ("2024-03-01", "2024-03-12"))


async def test_a_visit_that_went_on_while_merged_goes_back_to_whose_it_was(tmp_path):
    admitted = adt("A01", K0, visit=stay("20240301", number="V0"), at="20240301")
    gone = adt("A03", K1, visit=stay(number="V0", f45="20240312"), at="20240312")
    answers = await ask_all(tmp_path, admitted, OF_K1, merge(), gone, parted())
    spell = only(answers["K0"], "inpatient_spell")
    assert (spell.status, when(spell)) == ("finished", ("2024-03-01", "2024-03-12"))
    assert {i.value for i in spell.subject or ()} == {"K0"}
    assert ids(answers["K1"]) == ["V1"]


def moved(into="K1", prior="K0", at="20240310", trigger="A45", **mrg):
    fields = {1: names(prior), 5: "V0"} | {int(n[1:]): t for n, t in mrg.items()}
    return adt(
        trigger,
        pid(into, 0 if into == "K1" else None),
        segment("MRG", fields),
        visit=stay(number="V0", kind="E"),
        at=at,
    )


async def test_a_visit_moved_is_the_other_persons_and_back(tmp_path):
    answers = await ask_all(tmp_path / "a", OF_K0, OF_K1, moved())
    assert (ids(answers["K0"]), ids(answers["K1"])) == ([], ["V0", "V1"])
    assert answers["K0"].person is not None
    back = moved(into="K0", prior="K1", at="20240311")
    answers = await ask_all(tmp_path / "b", OF_K0, OF_K1, moved(), back)
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])
    assert {i.value for e in answers["K0"].events for i in e.subject or ()} == {"K0"}


async def test_several_visits_are_moved_by_one_message(tmp_path):
    second = adt(
        "A04", K0, visit=stay("20240303", number="V2", kind="E"), at="20240303"
    )
    mover = adt(
        "A45",
        K1,
        *(
            part
            for visit in ("V0", "V2")
            for part in (
                segment("MRG", {1: names("K0"), 5: visit}),
                segment("PV1", stay(number=visit, kind="E")),
            )
        ),
        at="20240310",
    )
    answers = await ask_all(tmp_path, OF_K0, OF_K1, second, mover)
    assert (ids(answers["K0"]), ids(answers["K1"])) == ([], ["V0", "V1", "V2"])


async def test_an_account_moved_takes_its_visits_along(tmp_path):
    mine = adt(
        "A04",
        pid("K0", f18="ACC1"),
        visit=stay("20240301", number="V0", kind="E"),
        at="20240301",
    )
    mover = adt(
        "A44",
        pid("K1", 0, f18="ACC1"),
        segment("MRG", {1: names("K0"), 3: "ACC1"}),
        at="20240310",
    )
    answers = await ask_all(tmp_path, mine, OF_K1, OF_K0, mover)
    assert ids(answers["K1"]) == ["V0", "V1"]


@pytest.mark.parametrize("trigger", ["A42", "A50"])
async def test_a_visit_renumbered_goes_on_under_its_new_number(tmp_path, trigger):
    renamed = adt(
        trigger,
        K1,
        segment("MRG", {1: names("K1"), 5: "V1"}),
        visit=stay(number="V9", kind="E"),
        at="20240310",
    )
    gone = adt(
        "A03", K1, visit=stay(number="V9", kind="E", f45="20240312"), at="20240312"
    )
    answer = await told(tmp_path, OF_K1, renamed, gone)
    assert [when(e) for e in of_kind(answer, "ed_attendance")] == [
        ("2024-03-02", "2024-03-12")
    ]


async def test_an_account_merged_moves_nobody(tmp_path):
    merged = adt(
        "A41",
        pid("K1", 0, f18="ACC1"),
        segment("MRG", {1: names("K1"), 3: "ACC0"}),
        at="20240310",
    )
    answers = await ask_all(tmp_path, OF_K0, OF_K1, merged)
    assert (ids(answers["K0"]), ids(answers["K1"])) == (["V0"], ["V1"])


async def test_merges_are_traced_in_both_directions(tmp_path):
    history = (OF_K0, OF_K1, merge(at="20240310"), parted(at="20240315"))
    expected = [
        ("K0", "K1", "merged", datetime(2024, 3, 10, tzinfo=UTC)),
        ("K0", "K1", "unmerged", datetime(2024, 3, 15, tzinfo=UTC)),
    ]
    for asked in (person("K0"), person("K1"), Identifiers(nhs_number=number(0))):
        found = await trace(tmp_path / str(hash(asked)), asked, *history)
        assert [(t.from_.value, t.to.value, t.how, t.at) for t in found] == expected
    assert await trace(tmp_path / "nobody", person("K9"), *history) == ()


async def test_a_changed_number_is_traced_as_superseded(tmp_path):
    (found,) = await trace(tmp_path, person("K0"), OF_K0, merge("A47"))
    assert (found.from_, found.to, found.how) == (key("K0"), key("K1"), "superseded")


async def test_an_nhs_number_that_a_merge_names_is_traced_and_ties_nothing(tmp_path):
    found = await trace(
        tmp_path, Identifiers(nhs_number=number(0)), OF_K1, merge(prior_nth=5)
    )
    system = nhs_number.SYSTEM
    assert [(t.from_, t.to, t.how) for t in found] == [
        (Identifier(system, number(5)), Identifier(system, number(0)), "renumbered")
    ]


async def test_a_merge_without_a_number_in_use_is_of_whom_it_names(tmp_path):
    """MRG of another authority than any in PID-3: its person is known by the key."""
    old = "MRG|OLD-7^^^OLD"
    named = adt(
        "A04",
        segment("PID", {3: "OLD-7^^^OLD"}),
        visit=stay("20240301", number="V0", kind="E"),
        at="20240301",
    )
    async with feed(tmp_path, named, OF_K1, adt("A40", K1, old, at="20240310")) as a:
        answer = await a.ask(everything(person("K1")))
        assert ids(answer) == ["V0", "V1"]
        by_old = Identifiers(others=frozenset({Identifier(OLD, "OLD-7")}))
        assert ids(await a.ask(everything(by_old))) == ["V0", "V1"]


async def test_a_merge_of_somebody_with_themselves_is_none(tmp_path):
    own = adt("A40", K1, segment("MRG", {1: names("K1")}), at="20240310")
    answer = await told(tmp_path, OF_K1, own)
    assert ids(answer) == ["V1"]
    assert answer.caveats == ()


async def test_the_key_system_alone_tells_people_apart(tmp_path):
    async with feed(tmp_path, OF_K1) as adapter:
        assert adapter.profile.key_system == KEY
