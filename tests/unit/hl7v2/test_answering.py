"""Whose messages are whose, what is counted, and how the person is described."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from adapters.contract import Identifier, Identifiers, Query
from adapters.surroundings import Limits
from adapters.vocabulary import CATEGORIES
from tests.hl7 import (
    KEY,
    OLD,
    SOURCE,
    adt,
    count,
    everything,
    feed,
    message,
    names,
    of_kind,
    only,
    person,
    pid,
    segment,
    someone,
    stay,
    text_of,
    told,
    when,
)
from tests.people import number

K1 = pid("K1", 0, f5="Doe^Jo^Ann", f7="19800102030405", f8="F", f11="1 Way^^Town^^AB1")
A04 = adt("A04", K1, visit=stay("20240302", kind="E"), at="20240302")


async def test_the_person_is_described_as_the_source_does(tmp_path):
    who = someone(await told(tmp_path, A04))
    assert who.name == "Jo Ann Doe"
    assert text_of(who.birth_date) == "1980-01-02"
    assert (who.gender, who.postcode) == ("F", "AB1")
    assert who.identifiers == person("K1", 0).every


async def test_an_update_changes_what_it_says_and_nothing_else(tmp_path):
    update = adt("A31", pid("K1", f5="Roe^Jo", f8='""'), at="20240401")
    who = someone(await told(tmp_path, A04, update))
    assert (who.name, who.gender, who.postcode) == ("Jo Roe", None, "AB1")
    assert text_of(who.birth_date) == "1980-01-02"


async def test_an_update_that_is_older_changes_nothing(tmp_path):
    update = adt("A31", pid("K1", f5="Old^Name"), at="20200401")
    who = someone(await told(tmp_path, A04, update))
    assert who.name == "Jo Ann Doe"


async def test_what_is_deleted_is_known_no_more(tmp_path):
    deleted = adt("A31", pid("K1", f5='""', f7='""', f11='""'), at="20240401")
    who = someone(await told(tmp_path, A04, deleted))
    assert (who.name, who.birth_date, who.postcode) == (None, None, None)


async def test_a_deleted_person_keeps_their_visits(tmp_path):
    answer = await told(tmp_path, A04, adt("A29", K1, at="20240401"))
    assert someone(answer).name is None
    assert [e.kind for e in answer.events] == ["ed_attendance"]


async def test_somebody_registered_without_any_visit_is_known(tmp_path):
    answer = await told(tmp_path, adt("A28", K1))
    assert answer.events == ()
    assert someone(answer).name == "Jo Ann Doe"


async def test_an_nhs_number_told_later_is_of_what_came_before(tmp_path):
    before = adt("A04", pid("K1"), visit=stay("20240302", kind="E"), at="20240302")
    traced = adt("A31", pid("K1", 0), at="20240305")
    answer = await told(
        tmp_path, before, traced, asked=Identifiers(nhs_number=number(0))
    )
    assert only(answer, "ed_attendance").subject == person("K1", 0).every


async def test_a_message_with_the_nhs_number_alone_is_found_by_it(tmp_path):
    bare = segment("PID", {3: f"{number(0)}^^^NHS"})
    visit = adt("A04", bare, visit=stay("20240401", number="V9", kind="E"))
    asked = Identifiers(nhs_number=number(0))
    answer = await told(tmp_path, A04, visit, asked=asked)
    assert [e.record_id for e in answer.events] == ["V1", "V9"]


async def test_an_invalid_number_links_nobody_and_is_counted(tmp_path):
    wrong = pid("K1", f3="K1^^^HOSP~9990000011^^^NHS")
    answer = await told(tmp_path, adt("A04", wrong, visit=stay("20240302", kind="E")))
    assert count(answer, "invalid_number") == 1
    assert someone(answer).identifiers == person("K1").every


@pytest.mark.parametrize(
    "assigned",
    [
        "^^^NHS",
        "^^^NHSNBR^NHSNMBR",
        "^^^^NH",
        "^^^Whoever&2.16.840.1.113883.2.1.4.1&ISO",
    ],
)
async def test_an_nhs_number_is_known_by_who_assigns_it(tmp_path, assigned):
    spaced = f"{number(0)[:3]} {number(0)[3:6]} {number(0)[6:]}"
    named = pid("K1", f3=f"{spaced}{assigned}~K1^^^HOSP")
    answer = await told(
        tmp_path,
        adt("A04", named, visit=stay("20240302", kind="E")),
        asked=Identifiers(nhs_number=number(0)),
    )
    assert len(answer.events) == 1


async def test_an_identifier_of_nobody_known_is_none(tmp_path):
    async with feed(
        tmp_path, adt("A04", pid("K1", f3="K1^^^ELSEWHERE^MR"), visit=stay())
    ) as adapter:
        answer = await adapter.ask(everything(person("K1")))
        (rejected,) = await adapter.rejected()
    assert answer.person is None
    assert (rejected.reason, rejected.column, rejected.file, rejected.first_line) == (
        "no_identifier",
        "PID",
        "messages.hl7",
        1,
    )
    assert count(answer, "rows_rejected") == 1


async def test_one_without_an_authority_is_the_sources_own_where_it_says_so(tmp_path):
    source = SOURCE + f'"" = "{KEY}"\n'
    bare = adt("A04", segment("PID", {3: "K1"}), visit=stay("20240302", kind="E"))
    assert (await told(tmp_path / "a", bare, source=source)).events
    assert not (await told(tmp_path / "b", bare)).events
    other = adt("A04", pid("K1", f3="K1^^^ELSEWHERE"), visit=stay("20240302"))
    assert not (await told(tmp_path / "c", other, source=source)).events
    passport = adt("A04", pid("K1", f3="K1^^^^PPN"), visit=stay("20240302"))
    assert not (await told(tmp_path / "d", passport, source=source)).events


async def test_before_2_3_the_number_stood_in_pid_2(tmp_path):
    old = adt("A04", segment("PID", {2: "K1^^^HOSP"}), visit=stay("2024", kind="E"))
    assert (await told(tmp_path, old)).events


async def test_a_placeholder_reaches_nobody(tmp_path):
    def of(nth):
        named = pid(f"K{nth}", f3=f"K{nth}^^^HOSP~TO-FOLLOW^^^OLD")
        return adt("A04", named, visit=stay("20240302", number=f"V{nth}", kind="E"))

    shared = Identifiers(others=frozenset({Identifier(OLD, "TO-FOLLOW")}))
    for several in (2, 60):
        messages = [of(nth) for nth in range(several)]
        async with feed(tmp_path / str(several), *messages) as adapter:
            answer = await adapter.ask(everything(shared))
            assert (answer.events, answer.person) == ((), None)
            assert count(answer, "shared_identifier") == 1
            mine = await adapter.ask(everything(person("K1")))
            assert [e.record_id for e in mine.events] == ["V1"]
            assert someone(mine).identifiers == person("K1").every


async def test_death_is_an_event_and_can_be_taken_back(tmp_path):
    died = adt("A08", pid("K1", f29="20240310", f30="Y"), visit=stay(), at="20240310")
    death = only(await told(tmp_path / "a", A04, died), "death")
    assert (death.status, when(death)) == ("finished", ("2024-03-10", None))
    alive = adt("A08", pid("K1", f29='""', f30="N"), visit=stay(), at="20240311")
    assert not of_kind(await told(tmp_path / "b", A04, died, alive), "death")
    undated = adt("A31", pid("K1", f30="Y"), at="20240310")
    death = only(await told(tmp_path / "c", A04, undated), "death")
    assert when(death) == (None, None)


async def test_types_without_a_place_are_counted_and_not_dropped(tmp_path):
    order = message("ORM^O01", K1, segment("ORC", {1: "NW"}), control="o1")
    async with feed(tmp_path, A04, order) as adapter:
        answer = await adapter.ask(everything(person("K1")))
        types = await adapter.taken()
    assert count(answer, "unmapped") == 1
    assert types == {"ADT^A04": 1, "ORM^O01": 1}


async def test_what_a_source_is_not_read_for_is_counted_and_not_held(tmp_path):
    source = SOURCE.replace('"AL1", "DG1", "PR1", "OBX"', '"DG1"')
    allergic = adt("A04", K1, segment("AL1", {3: "^Nuts"}), visit=stay(kind="E"))
    async with feed(tmp_path, allergic, source=source) as adapter:
        answer = await adapter.ask(everything(person("K1")))
    assert [e.kind for e in answer.events] == ["ed_attendance"]
    assert count(answer, "unmapped") == 1
    assert "allergies" not in answer.held
    assert "problems" in answer.held


async def test_a_source_read_for_bookings_alone_tells_no_visits(tmp_path):
    source = (
        SOURCE[: SOURCE.index("reads")]
        + 'reads = ["SIU"]\n'
        + (SOURCE[SOURCE.index("\n[authorities]") :])
    )
    async with feed(tmp_path, A04, source=source) as adapter:
        answer = await adapter.ask(everything(person("K1")))
        assert adapter.profile.held == {"encounters"}
    assert answer.events == ()
    assert count(answer, "unmapped") == 1


async def test_messages_about_no_patient_are_no_rejects(tmp_path):
    bed = message("ADT^A20", segment("EVN", {2: "2024"}), segment("NPU", {1: "A7"}))
    async with feed(tmp_path, A04, bed) as adapter:
        answer = await adapter.ask(everything(person("K1")))
        assert await adapter.rejected() == ()
        assert (await adapter.taken())["ADT^A20"] == 1
    assert answer.caveats == ()


async def test_control_characters_are_removed_and_told(tmp_path):
    odd = adt("A04", pid("K1", f5="D\0oe^J\x07o"), visit=stay("2024", kind="E"))
    answer = await told(tmp_path, odd)
    assert someone(answer).name == "Jo Doe"
    assert answer.events[0].caveats == ("control_characters",)


async def test_a_source_is_as_fresh_as_its_newest_message(tmp_path):
    answer = await told(tmp_path, A04)
    assert answer.as_of == datetime(2024, 3, 2, tzinfo=UTC)


async def test_a_clock_that_is_ahead_makes_no_source_fresher_than_now(tmp_path):
    answer = await told(tmp_path, adt("A28", K1, at="20990101"))
    assert answer.as_of.year < 2099


async def test_a_message_without_a_time_is_ordered_by_when_it_came(tmp_path):
    timeless = message("ADT^A03", K1, segment("PV1", stay(kind="E")), at="")
    answer = await told(tmp_path, A04, timeless)
    assert only(answer, "ed_attendance").status == "finished"


async def test_more_messages_than_are_read_for_one_person_are_told(tmp_path):
    visits = [
        adt("A04", K1, visit=stay("20240302", number=f"V{n}", kind="E"), control=str(n))
        for n in range(6)
    ]
    async with feed(tmp_path, *visits, limits=Limits(records=3)) as adapter:
        answer = await adapter.ask(everything(person("K1")))
    assert count(answer, "truncated") == 1
    assert len(answer.events) == 3


def window(since, until=None, limit=100):
    return Query(
        person=person("K1"),
        since=since,
        until=until,
        categories=CATEGORIES,
        limit=limit,
    )


async def test_what_goes_on_into_a_window_is_counted(tmp_path):
    open_ = adt("A01", K1, visit=stay("20240301"), at="20240301")
    closed = adt(
        "A03", K1, visit=stay("20240101", number="V2", f45="20240320"), at="20240320"
    )
    over = adt(
        "A03", K1, visit=stay("20240101", number="V3", f45="20240201"), at="20240201"
    )
    undated = adt("A08", K1, visit=stay(number="V4"), at="20240401")
    async with feed(tmp_path, open_, closed, over, undated) as adapter:
        answer = await adapter.ask(window(date(2024, 3, 10)))
        whole = await adapter.ask(window(None, date(2024, 3, 10), limit=1))
    assert answer.events == ()
    assert count(answer, "continues_into_window") == 2
    assert count(answer, "undated") == 1
    assert count(whole, "truncated") == 1
    assert len(whole.events) == 1


async def test_one_category_is_told_alone(tmp_path):
    query = Query(
        person=person("K1"),
        since=None,
        until=None,
        categories=frozenset({"problems"}),
        limit=10,
    )
    sick = adt("A04", K1, segment("DG1", {3: "J45^Asthma^I10"}), visit=stay(kind="E"))
    async with feed(tmp_path, sick) as adapter:
        assert [e.kind for e in (await adapter.ask(query)).events] == ["condition"]


async def test_two_patients_in_one_message_are_told_apart(tmp_path):
    """Catches a result shown to the patient who stands first in the message."""
    both = message(
        "ORU^R01",
        pid("K1", 0),
        segment("OBR", {3: "F1", 4: "^Blood", 7: "20240301"}),
        pid("K2", 1),
        segment("OBR", {3: "F2", 4: "^Urine", 7: "20240302"}),
    )
    mine = await told(tmp_path / "1", both)
    theirs = await told(tmp_path / "2", both, asked=person("K2"))
    assert [e.title for e in mine.events] == ["Blood"]
    assert [e.title for e in theirs.events] == ["Urine"]


async def test_events_do_not_show_themselves(tmp_path):
    answer = await told(tmp_path, A04)
    assert "Doe" not in repr(answer)
    assert msgspec.structs.asdict(answer.events[0])["kind"] == "ed_attendance"


async def test_two_nhs_numbers_in_one_pid_are_not_taken_for_one(tmp_path):
    both = pid("K1", f3=f"{names('K1', 0)}~{number(1)}^^^NHS")
    answer = await told(tmp_path, adt("A04", both, visit=stay("2024", kind="E")))
    told_of = {i.value for e in answer.events for i in e.subject or ()}
    assert {number(0), number(1)} <= told_of
