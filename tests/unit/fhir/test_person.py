"""Who the server's Patients are, and whether they are who was asked for."""

from datetime import UTC, datetime

import msgspec
import pytest

from adapters.contract import Identifier, Identifiers
from adapters.fhir.person import flags_of, matched, person_of, question_for
from adapters.fhir.references import Scope
from adapters.fhir.resources import Patient
from tests.fhir_asking import NHS, patient
from tests.people import number

MRN = "urn:mrn"
OLD_NHS = "http://fhir.nhs.net/Id/nhs-number"
SCOPE = Scope(base="https://fhir.example.invalid")


def read(nth=0, *others, **fields):
    made = patient(nth, **fields)
    made["identifier"] = [
        *made["identifier"],
        *({"system": MRN, "value": other} for other in others),
    ]
    return msgspec.convert(made, Patient)


def asked(nth=0, *others):
    return Identifiers(
        nhs_number=None if nth is None else number(nth),
        others=frozenset(Identifier(MRN, other) for other in others),
    )


def test_a_question_names_each_identifier_in_each_system_it_is_known_by():
    person = asked(0, "a,b|c$d\\e")
    told = question_for(person, [OLD_NHS, NHS, MRN, "urn:other"], frozenset())
    assert told == (f"{OLD_NHS}|{number(0)},{NHS}|{number(0)},{MRN}|a\\,b\\|c\\$d\\\\e")
    assert question_for(asked(None, "x"), [NHS], frozenset()) is None
    assert question_for(asked(None, "x"), [MRN], frozenset({"x"})) is None


def test_the_number_asked_for_is_ours_and_another_is_not():
    ours, other = read(0), read(1)
    result = matched([other, ours], asked(0), frozenset())
    assert (result.same, result.others) == ((ours,), (other,))
    assert result.caveats == ("filter_ignored",)


def test_a_patient_with_two_numbers_is_nobody_we_can_trust():
    both = read(0)
    second = msgspec.structs.replace(
        both, identifier=(*(both.identifier or ()), *(read(1).identifier or ()))
    )
    result = matched([second], asked(0), frozenset())
    assert (result.same, result.others) == ((), ())
    assert result.caveats == ("shared_identifier",)
    beside = matched([second, both], asked(0), frozenset())
    assert (beside.same, beside.others) == ((both,), (second,))


def test_a_superseded_number_is_somebody_elses():
    superseded = msgspec.convert(
        patient(
            identifier=[
                {"system": NHS, "value": number(1)},
                {"system": NHS, "value": number(0), "use": "old"},
            ]
        ),
        Patient,
    )
    assert matched([superseded], asked(0), frozenset()).same == ()


@pytest.mark.parametrize("numbers", [1, 2])
def test_silence_is_believed_of_one_and_of_no_more(numbers):
    silent = [
        msgspec.convert(patient(nth, identifier=[]), Patient) for nth in range(numbers)
    ]
    assert len(matched(silent, asked(0), frozenset()).same) == (numbers == 1)


def test_a_local_identifier_of_two_who_differ_links_nobody():
    pair = [read(0, "TEMP"), read(1, "TEMP")]
    result = matched(pair, asked(None, "TEMP"), frozenset())
    assert (result.same, result.others) == ((), ())
    assert result.caveats == ("shared_identifier",)
    beside = matched(pair, asked(0, "TEMP"), frozenset())
    assert beside.same == (pair[0],)
    born = [
        msgspec.convert(
            {
                "id": day,
                "identifier": [{"system": MRN, "value": "T"}],
                "birthDate": day,
            },
            Patient,
        )
        for day in ("1950-01-01", "1990-01-01")
    ]
    assert matched(born, asked(None, "T"), frozenset()).same == ()


def test_two_records_of_one_person_are_both_theirs():
    pair = [read(0, "A"), read(0, "B")]
    assert matched(pair, asked(0), frozenset()).same == tuple(pair)


def test_another_local_identifier_contradicts():
    other = msgspec.convert(
        {"id": "x", "identifier": [{"system": MRN, "value": "B"}]}, Patient
    )
    assert matched([other], asked(None, "A"), frozenset()).others == (other,)


def test_a_person_is_told_by_the_first_who_tells():
    one = read(
        0,
        name=[
            {"use": "old", "family": "Before"},
            {"use": "nickname", "text": "Pat"},
            {"use": "official", "family": "Larkin", "given": ["Pat", None, "Q"]},
        ],
        address=[
            {"use": "old", "postalCode": "Z1"},
            {"use": "temp", "postalCode": "Z2"},
            {"use": "home", "postalCode": "ZZ99 3WZ"},
        ],
    )
    two = read(0, "M1", birthDate="1950-02", gender="female", name=[{"text": "No"}])
    person = person_of([one, two], SCOPE)
    assert person is not None
    assert person.identifiers == {Identifier(NHS, number(0)), Identifier(MRN, "M1")}
    assert (person.name, person.gender) == ("Pat Q Larkin", "female")
    assert person.postcode == "ZZ99 3WZ"
    assert person.birth_date is not None
    assert person.birth_date.text == "1950-02"


def test_a_person_who_tells_nothing_is_still_somebody():
    person = person_of([msgspec.convert({"id": "p"}, Patient)], SCOPE)
    assert person is not None
    assert person.identifiers == {Identifier(f"{SCOPE.base}/Patient", "p")}
    assert (person.name, person.postcode, person.birth_date) == (None, None, None)
    assert person_of([], SCOPE) is None


@pytest.mark.parametrize(
    ("label", "is_flagged"), [("R", True), ("V", True), ("U", False)]
)
def test_a_restricted_label_is_a_flag_and_silence_is_none(label, is_flagged):
    now = datetime(2026, 11, 1, tzinfo=UTC)
    labelled = read(0, meta={"security": [{"code": label}]})
    assert bool(flags_of([labelled], now)) == is_flagged
    assert flags_of([read(0)], now) == ()
