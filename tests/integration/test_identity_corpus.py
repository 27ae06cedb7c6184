"""Identity oddities of the real-shaped data: what each may teach, and may not."""

import csv
import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers, Person, Traced
from adapters.fhir.person import matched
from adapters.fhir.references import identified
from adapters.fhir.resources import Patient
from adapters.moment import read_iso
from gateway.journey import identity
from gateway.journey.matching.match import Thresholds, match
from tests.corpus import corpus
from tests.fhir_corpus import desk, files, offer
from tests.people import number

pytestmark = pytest.mark.corpus

PDS = "fhir-nhs-pds"
OLD_URI = "http://fhir.nhs.net/Id/nhs-number"
LOOSEST = Thresholds(linked=0.0, possible=0.0)


def asked_by(value):
    return Identifiers(nhs_number=value)


def known_by(value):
    return identity.first_known(asked_by(value))


async def answered(tmp_path, name, person, *, family=PDS):
    """What the adapter answers where the server gives this file for anybody."""
    async with desk(tmp_path) as at:
        outcome = await at.outcome(replace(offer(corpus(family, name)), person=person))
    assert outcome.refused is None
    return outcome.answer


def patients_of(family):
    """Every Patient of a family that can be read, with its file's name."""
    for file in files(corpus(family)):
        if file.suffix != ".json":
            continue
        try:
            yield from ((file.name, one) for one in _within(_json(file)))
        except ValueError:
            continue


def _json(file):
    return json.loads(file.read_text("utf-8-sig"))


def _within(given):
    if isinstance(given, dict):
        if given.get("resourceType") == "Patient":
            yield given
        given = list(given.values())
    if isinstance(given, list):
        for each in given:
            yield from _within(each)


def read(patient):
    return msgspec.json.decode(json.dumps(patient), type=Patient)


def own_of(patient):
    return identified(patient.identifier or (), frozenset())[0]


def numbered(value):
    return Identifier(nhs_number.SYSTEM, value)


async def test_a_superseded_number_brings_another_who_is_not_shown(tmp_path):
    # The service answers for an old number with the record that replaced it.
    name = "searchResponses__cuff_superseded_searchset.json"
    (new,) = (one["id"] for one in _within(_json(corpus(PDS, name))))
    old = number(3)
    answer = await answered(tmp_path, name, asked_by(old))
    assert answer.events == ()
    assert answer.person is not None
    assert numbered(new) in answer.person.identifiers
    assert identity.names_another(known_by(old), answer.person.identifiers)
    assert not identity.names_another(known_by(new), answer.person.identifiers)
    asked = msgspec.structs.replace(
        answer.person, identifiers=frozenset({numbered(old)})
    )
    assert match(asked, answer.person, thresholds=LOOSEST).grade == "certainly-not"
    said = Traced(
        from_=numbered(old),
        to=numbered(new),
        how="superseded",
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert match(asked, answer.person, traced=[said]).grade == "certain"


RESTRICTED = [
    "searchResponses__Sensitive_PatientSearch.json",
    "searchResponses__rodney_godsoe_searchset.json",
    "searchResponses__Sensitive_Patient.json",
    "searchResponses__search_patient_9000000025.json",
    "patientResponses__patient_9000000025.json",
]


@pytest.mark.parametrize("place", range(len(RESTRICTED)))
async def test_a_restricted_record_says_so_and_nothing_else_is_learned(place, tmp_path):
    name = RESTRICTED[place]
    (patient,) = _within(_json(corpus(PDS, name)))
    answer = await answered(tmp_path, name, asked_by(patient["id"]))
    assert [(one.flag, one.present) for one in answer.flags] == [
        ("sensitive-record", True)
    ]
    assert answer.person is None or answer.person.postcode is None


def test_every_restricted_record_of_the_data_is_among_them():
    found = {
        name
        for name, one in patients_of(PDS)
        if any(
            label.get("code") == "R"
            for label in (one.get("meta") or {}).get("security", [])
        )
    }
    assert found == set(RESTRICTED)


@pytest.mark.parametrize(
    "family", ["fhir-nhs-ers", "fhir-stu3-gpconnect", "fhir-nhs-pds", "fhir-nhs-misc"]
)
def test_both_published_systems_name_one_person(family):
    seen = 0
    for _, patient in patients_of(family):
        told = patient.get("identifier") or []
        if not isinstance(told, list):
            continue
        for one in told:
            digits = nhs_number.normalise(str(one.get("value", "")))
            if one.get("system") not in nhs_number.SYSTEMS or digits is None:
                continue
            both = [
                read({"identifier": [{"system": system, "value": one["value"]}]})
                for system in (nhs_number.SYSTEM, OLD_URI)
            ]
            assert own_of(both[0]) == own_of(both[1]) == {numbered(digits)}
            assert matched(both, asked_by(digits), frozenset()).same == tuple(both)
            seen += 1
    assert seen > 0


def test_no_invalid_published_number_is_an_identifier():
    published = _json(corpus("nhs-number", "harvested.json"))["invalid_as_published"]
    assert len(published) == 22
    for place, value in enumerate(published):
        told = [{"system": nhs_number.SYSTEM, "value": value}]
        assert own_of(read({"identifier": told})) == frozenset(), (
            f"the invalid number at place {place}"
        )


def test_a_link_to_another_patient_teaches_no_identifier():
    linked = [
        (name, one)
        for family in ("fhir-hl7-r4-official-examples", "fhir-edge-validator-cases")
        for name, one in patients_of(family)
        if one.get("link")
    ]
    assert len(linked) >= 8
    for _, one in linked:
        bare = {key: value for key, value in one.items() if key != "link"}
        assert own_of(read(one)) == own_of(read(bare))


def test_patients_that_link_each_other_are_told_apart_by_what_they_say():
    # HL7's example of two records of one person: `seealso`, and one identifier each.
    folder = "fhir-hl7-r4-official-examples"
    pair = [
        read(_json(corpus(folder, f"Patient-{name}.json"))) for name in ("pat1", "pat2")
    ]
    own = [own_of(each) for each in pair]
    assert own[0] != own[1]
    for mine, patient in zip(own, pair, strict=True):
        asked = Identifiers(others=mine)
        assert patient in matched(pair, asked, frozenset()).same
        known = identity.learn(asked, own, frozenset())
        assert known.identifiers.every == mine


def twice_listed():
    path = corpus("csv-nhs-crosssector-synthetic", "patients.csv")
    by_key = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            by_key[row["patient_id"]].append(row)
    return [rows for rows in by_key.values() if len(rows) > 1]


def people_of(rows):
    """The two rows as descriptions: a pseudonym stands for an NHS number."""
    numbers = {value: number(place) for place, value in enumerate(_pseudonyms(rows))}
    return [
        Person(
            identifiers=frozenset(
                numbered(numbers[row["nhs_number"]])
                for _ in range(row["nhs_number"] in numbers)
            ),
            birth_date=born(row["date_of_birth"]),
            gender=row["gender"],
            postcode=row["postcode_district"],
        )
        for row in rows
    ]


def born(text):
    read = read_iso(text)
    assert read is not None
    return read[0]


def _pseudonyms(rows):
    return sorted({row["nhs_number"] for row in rows} - {"", "INVALID"})


def differing():
    """The 46 pairs of which the NHS numbers differ; in one pair one is invalid."""
    pairs = twice_listed()
    return [rows for rows in pairs if len({row["nhs_number"] for row in rows}) > 1]


def test_people_listed_twice_under_two_numbers_are_never_merged():
    pairs = [rows for rows in differing() if len(_pseudonyms(rows)) == 2]
    assert len(pairs) == 45
    for rows in pairs:
        one, other = people_of(rows)
        assert match(one, other, thresholds=LOOSEST).grade == "certainly-not"
        key = Identifier("urn:test:patient", rows[0]["patient_id"])
        told = [person.identifiers | {key} for person in (one, other)]
        known = identity.learn(
            Identifiers(others=frozenset({key})), told, frozenset({key.system})
        )
        assert known.split == {nhs_number.SYSTEM}
        assert [identity.link(known, each) for each in told] == [None, None]
        for mine, theirs in (told, told[::-1]):
            (value,) = (e.value for e in mine if e.system == nhs_number.SYSTEM)
            alone = identity.learn(asked_by(value), told, frozenset())
            assert identity.link(alone, mine) == identity.BY_NHS_NUMBER
            assert identity.link(alone, theirs) is None


def test_no_pair_of_differing_numbers_is_tied_by_what_else_it_tells():
    pairs = differing()
    assert len(pairs) == 46
    for rows in pairs:
        one, other = people_of(rows)
        assert not match(one, other, thresholds=LOOSEST).is_linked
