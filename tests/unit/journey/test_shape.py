"""Every obligation a view can lay on an event or a person, flipped and seen."""

import msgspec
import pytest

from adapters.contract import Code, Detail, Event, Person
from adapters.moment import read_iso
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.journey import EventCode, EventDetail
from gateway.journey.outcome import Entry
from gateway.journey.shape import (
    EVENT_FIELDS,
    NEVER_CARRIED,
    PERSON_FIELDS,
    Teller,
    event_id,
    shape_person,
    shows,
)
from policies.obligations import FULL_VIEW, View
from policies.vocabulary import DATE_GRAINS, FIELDS, MASK_LEVELS
from tests.houses import ANN, NOW, event, memory, source
from tests.people import number

AT = source("Z9A01.epr", memory())
NAMES = {"Z9A01": "Larkfield", "Z9B02": "Marsh"}


def moment(text):
    found = read_iso(text)
    assert found is not None
    return found[0]


FULL = Event(
    kind="other",
    record_id="r-1",
    title="A clinic",
    status="finished",
    kind_code="X9",
    start=moment("2026-01-05T10:00:00+00:00"),
    end=moment("2026-01-06T11:00:00+00:00"),
    recorded=moment("2026-01-07T12:00:00+00:00"),
    codes=(Code("urn:test", "1", "One"),),
    detail=(
        Detail(element="dose", value="5", unit="mg"),
        Detail(element="method", code=Code("urn:test", "2")),
    ),
    organisation="Z9B02",
    caveats=("reversed",),
)
ANNS = Person(
    identifiers=ANN.every, name="Ann Synthetic", birth_date=moment("1950-03-09")
)


def shaped(view=FULL_VIEW, of=FULL):
    entry = Entry(AT, of, BY_NHS_NUMBER, "encounters", frozenset({"PSY"}), None)
    teller = Teller(source=entry.source, retrieved_at="now", as_of=NOW, names=NAMES)
    return teller.under(view).event(entry, key="evt_1", same_as=())


def person(view=FULL_VIEW, of=ANNS):
    return shape_person(of, view, number(0), agreed_by=1)


def field_of(name):
    """What a journey shows of a field of the policy vocabulary."""
    told = shaped if name in EVENT_FIELDS else person

    def shown(view):
        found = told(view)
        part = name.split(".")[1]
        if part in ("record_id", "organisation"):
            return getattr(found.provenance, part)
        return getattr(found, part)

    return shown


def test_every_field_that_policy_can_name_is_taken_out_or_never_carried():
    groups = (EVENT_FIELDS, PERSON_FIELDS, NEVER_CARRIED)
    assert frozenset(FIELDS) == frozenset.union(*groups)
    assert sum(map(len, groups)) == len(FIELDS)


def test_what_is_never_carried_has_no_place_in_a_journey():
    text = msgspec.json.encode([shaped(), person()]).decode()
    for name in NEVER_CARRIED - {"person.identifiers"}:
        assert f'"{name.split(".")[1]}"' not in text
    assert "L-0000" not in text


@pytest.mark.parametrize("name", sorted(EVENT_FIELDS | PERSON_FIELDS))
def test_a_hidden_field_is_gone(name):
    field = field_of(name)
    hidden = field(View(hide_fields=frozenset({name})))
    assert field(FULL_VIEW) != hidden
    if name == "event.organisation":
        # Whose data it is stays; where it happened goes.
        assert hidden.ods == "Z9A01"
    else:
        assert hidden in (None, (), "unknown")


@pytest.mark.parametrize("level", [each for each in MASK_LEVELS if each != "none"])
@pytest.mark.parametrize("name", sorted(EVENT_FIELDS | PERSON_FIELDS))
def test_a_masked_field_is_not_shown_as_it_is(name, level):
    field = field_of(name)
    assert field(View(mask_fields=frozenset({(name, level)}))) != field(FULL_VIEW)


@pytest.mark.parametrize("name", sorted(EVENT_FIELDS))
def test_an_event_says_what_was_done_to_it(name):
    masks = frozenset({(name, "partial")})
    assert shaped().altered == ()
    assert shaped(View(hide_fields=frozenset({name}))).altered == (f"{name} REDACTED",)
    assert shaped(View(mask_fields=masks)).altered == (f"{name} MASKED",)
    both = View(hide_fields=frozenset({name}), mask_fields=masks)
    assert shaped(both).altered == (f"{name} REDACTED",)


@pytest.mark.parametrize("name", sorted(EVENT_FIELDS))
def test_a_field_masked_not_at_all_is_shown(name):
    view = View(mask_fields=frozenset({(name, "none")}))
    assert shaped(view) == shaped()


@pytest.mark.parametrize("name", sorted(NEVER_CARRIED))
def test_hiding_what_is_never_carried_changes_nothing(name):
    view = View(hide_fields=frozenset({name}))
    assert (shaped(view), person(view)) == (shaped(), person())


@pytest.mark.parametrize(
    ("grain", "start", "end", "recorded", "born"),
    [
        ("day", "2026-01-05", "2026-01-06", "2026-01-07", "1950-03-09"),
        ("month", "2026-01", "2026-01", "2026-01", "1950-03"),
        ("year", "2026", "2026", "2026", "1950"),
    ],
)
def test_a_coarser_grain_shows_no_finer_time(grain, start, end, recorded, born):
    found = shaped(View(date_grain=grain))
    assert (found.start, found.end, found.recorded_at) == (start, end, recorded)
    assert (found.start_precision, found.end_precision) == (grain, grain)
    assert found.altered == (
        "event.start MASKED",
        "event.end MASKED",
        "event.recorded_at MASKED",
    )
    assert person(View(date_grain=grain)).birth_date == born


@pytest.mark.parametrize("grain", DATE_GRAINS)
def test_a_time_coarse_already_is_left_as_it_is(grain):
    yearly = event("r1", "2024")
    found = shaped(View(date_grain=grain), of=yearly)
    assert (found.start, found.altered) == ("2024", ())


def test_a_partly_masked_name_is_initials_and_a_birth_date_a_year():
    view = View(
        mask_fields=frozenset(
            {("person.name", "partial"), ("person.birth_date", "partial")}
        )
    )
    found = person(view)
    assert (found.name, found.birth_date) == ("A. S.", "1950")


def test_a_person_nobody_tells_of_is_the_number_alone():
    found = person(of=None)
    assert (found.nhs_number, found.name, found.birth_date) == (number(0), None, None)
    nameless = person(of=Person())
    assert (nameless.name, nameless.birth_date) == (None, None)


def test_a_view_that_hides_or_masks_a_number_does_not_show_it():
    name = "person.nhs_number"
    assert shows(FULL_VIEW, name)
    assert not shows(View(hide_fields=frozenset({name})), name)
    assert not shows(View(mask_fields=frozenset({(name, "partial")})), name)


def test_everything_a_record_says_is_shown():
    found = shaped()
    assert [each.display for each in found.codes] == ["One"]
    assert [(each.element, each.value, each.unit) for each in found.detail] == [
        ("dose", "5", "mg"),
        ("method", None, None),
    ]
    assert found.detail[1].code is not None
    assert found.labels == ("PSY",)
    assert found.provenance.organisation.name == "Marsh"
    assert found.provenance.link.method == "nhs_number"


def test_an_organisation_that_is_not_registered_is_named_by_its_code_alone():
    found = shaped(of=event("r1", organisation="Z9Z99")).provenance.organisation
    assert (found.ods, found.name) == ("Z9Z99", None)


@pytest.mark.parametrize(
    ("start", "status", "caveats"),
    [
        ("2026-03-02", "finished", ["after_as_of"]),
        ("2026-03-02", "planned", []),
        ("2026-03-02", "cancelled", []),
        ("2026-03-02", "entered-in-error", []),
        ("2026-02-27", "finished", []),
        (None, "finished", []),
    ],
)
def test_what_is_dated_after_the_sources_own_as_of_is_flagged(start, status, caveats):
    assert list(shaped(of=event("r1", start, status=status)).caveats) == caveats


def test_an_id_is_the_records_own_and_a_salt_hides_it():
    def of(salt="", **changed):
        entry = Entry(
            AT,
            event("r1", **changed),
            BY_NHS_NUMBER,
            "encounters",
            frozenset(),
            None,
        )
        return event_id(entry, salt)

    assert of() == of(start="2020-01-01", status="cancelled")
    assert of() != of(kind="other")
    assert len({of(), of("one"), of("two")}) == 3


def test_a_record_id_of_broken_letters_still_has_an_id():
    entry = Entry(AT, event("\ud800"), BY_NHS_NUMBER, "encounters", frozenset(), None)
    assert event_id(entry, "").startswith("evt_")


@pytest.mark.parametrize(
    ("mine", "contracts"), [(EventCode, Code), (EventDetail, Detail)]
)
def test_what_is_shown_of_codes_and_details_is_the_contracts_field_for_field(
    mine, contracts
):
    """They are written as they came, uncopied: a field more would be shown."""
    told, given = (
        [(each.name, each.encode_name) for each in msgspec.structs.fields(kind)]
        for kind in (mine, contracts)
    )
    assert told == given


def test_views_of_one_source_are_told_apart_however_often_they_change():
    teller = Teller(source=AT, retrieved_at="now", as_of=NOW, names=NAMES)
    entry = Entry(AT, FULL, BY_NHS_NUMBER, "encounters", frozenset(), None)
    untitled = View(hide_fields=frozenset({"event.title"}))
    titles = [
        teller.under(view).event(entry, key="evt_1", same_as=()).title
        for view in (FULL_VIEW, untitled, FULL_VIEW, untitled)
    ]
    assert titles == ["A clinic", None, "A clinic", None]
    assert teller.under(untitled) is teller.under(untitled)
