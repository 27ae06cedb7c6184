"""What a FHIR server's Patients say of each other, and what that ties, or does not."""

from datetime import UTC, datetime

import pytest

from adapters.contract import Identifier, Identifiers, Traces
from adapters.errors import Unreadable
from adapters.nhs_number import SYSTEM
from tests.fhir_asking import NOW, asking
from tests.hl7 import everything
from tests.people import number
from tests.stub_fhir import Misbehaviour, StubFhir

MRN = "urn:mrn"
OLD, NEW, THIRD = number(5), number(6), number(7)
OLD_URI = "http://fhir.nhs.net/Id/nhs-number"
SYSTEMS = f'[identifiers]\nsystems = ["{SYSTEM}", "{MRN}"]\n'
STAMP = "2026-02-03T04:05:06+00:00"


def patient(own, *numbers, mrn=(), links=None, stamp=None, old=()):
    named = [{"system": SYSTEM, "value": each} for each in numbers]
    named += [{"system": SYSTEM, "value": each, "use": "old"} for each in old]
    named += [{"system": MRN, "value": each} for each in mrn]
    made = {"resourceType": "Patient", "id": own, "identifier": named}
    if links is not None:
        made["link"] = links
    return made | ({"meta": {"lastUpdated": stamp}} if stamp else {})


def link(kind, to="", **other):
    where = {"reference": f"Patient/{to}"} if to else {}
    return {"type": kind, "other": where | other}


async def traced(folder, resources, asked=OLD, *, settings=SYSTEMS, **how):
    person = asked if isinstance(asked, Identifiers) else Identifiers(nhs_number=asked)
    async with (
        StubFhir(resources, **how) as server,
        asking(server.base_url, folder, settings) as adapter,
    ):
        assert isinstance(adapter, Traces)
        found = await adapter.trace(person)
    return [(each.from_.value, each.to.value, each.how) for each in found]


SUPERSEDED = [(OLD, NEW, "superseded")]
REPLACED = patient("p-old", OLD, links=[link("replaced-by", "p-new")])
REPLACES = patient("p-new", NEW, links=[link("replaces", "p-old")])


@pytest.mark.parametrize(
    ("resources", "asked"),
    [
        ([REPLACED, patient("p-new", NEW)], OLD),
        ([patient("p-old", OLD), REPLACES], NEW),
        ([REPLACED, REPLACES], OLD),
        ([REPLACED, REPLACES], NEW),
    ],
    ids=["the old says so", "the new says so", "both, by the old", "both, by the new"],
)
async def test_who_replaced_whom_is_told(tmp_path, resources, asked):
    assert await traced(tmp_path, resources, asked) == SUPERSEDED


async def test_only_what_a_person_says_of_themselves_is_told(tmp_path):
    """A known limit: a server is not asked who else links to somebody."""
    assert await traced(tmp_path, [REPLACED, patient("p-new", NEW)], NEW) == []


@pytest.mark.parametrize("kind", ["refer", "seealso", "unheard-of"])
async def test_a_link_that_only_refers_ties_nothing(tmp_path, kind):
    refers = patient("p-old", OLD, links=[link(kind, "p-new")])
    assert await traced(tmp_path, [refers, patient("p-new", NEW)]) == []


async def test_a_hospitals_own_number_is_merged(tmp_path):
    both = [
        patient("p-old", OLD, mrn=["K0"], links=[link("replaced-by", "p-new")]),
        patient("p-new", OLD, mrn=["K1", "K2"]),
    ]
    assert await traced(tmp_path, both) == [("K0", "K1", "merged")]


async def test_two_that_share_no_system_are_merged_by_what_they_have(tmp_path):
    both = [
        patient("p-old", mrn=["K0"], links=[link("replaced-by", "p-new")]),
        patient("p-new", NEW),
    ]
    person = Identifiers(others=frozenset({Identifier(MRN, "K0")}))
    assert await traced(tmp_path, both, person) == [("K0", NEW, "merged")]


async def test_a_chain_is_followed(tmp_path):
    chain = [
        REPLACED,
        patient("p-new", NEW, links=[link("replaced-by", "p-3")]),
        patient("p-3", THIRD),
    ]
    assert await traced(tmp_path, chain) == [
        *SUPERSEDED,
        (NEW, THIRD, "superseded"),
    ]


async def test_a_circle_ends(tmp_path):
    circle = [REPLACED, patient("p-new", NEW, links=[link("replaced-by", "p-old")])]
    assert await traced(tmp_path, circle) == [*SUPERSEDED, (NEW, OLD, "superseded")]


async def test_a_link_may_name_the_other_by_identifier(tmp_path):
    other = {"system": OLD_URI, "value": f"{NEW[:3]} {NEW[3:6]} {NEW[6:]}"}
    named = patient("p-old", OLD, links=[link("replaced-by", identifier=other)])
    assert await traced(tmp_path, [named]) == SUPERSEDED


async def test_an_absolute_reference_within_the_server_is_followed(tmp_path):
    server = StubFhir([])
    async with server, asking(server.base_url, tmp_path, SYSTEMS) as adapter:
        where = {"reference": f"{server.base_url}/Patient/p-new"}
        server.resources += [
            patient("p-old", OLD, links=[{"type": "replaced-by", "other": where}]),
            patient("p-new", NEW),
        ]
        (found,) = await adapter.trace(Identifiers(nhs_number=OLD))
    assert (found.from_.value, found.to.value) == (OLD, NEW)


LOST = {
    "of another server": {"reference": "https://elsewhere.invalid/fhir/Patient/p-new"},
    "that is gone": {"reference": "Patient/gone"},
    "whose id is an NHS number": {"reference": f"Patient/{NEW}"},
    "of several ids": {"reference": "Patient/a,b"},
    "of no Patient": {"reference": "RelatedPerson/p-new"},
    "without anything": {},
}


@pytest.mark.parametrize("case", LOST)
async def test_a_replacement_that_cannot_be_found_is_a_failure(tmp_path, case):
    """Silent, it would look as if there were no other records."""
    lost = patient("p-old", OLD, links=[{"type": "replaced-by", "other": LOST[case]}])
    with pytest.raises(Unreadable) as raised:
        await traced(tmp_path, [lost, patient("p-new", NEW)])
    assert raised.value.reason == "unresolved"
    assert NEW not in str(raised.value)


async def test_what_can_be_found_is_told_beside_what_cannot(tmp_path):
    links = [link("replaced-by", "gone"), link("replaced-by", "p-new")]
    both = [patient("p-old", OLD, links=links), patient("p-new", NEW)]
    assert await traced(tmp_path, both) == SUPERSEDED


@pytest.mark.parametrize("links", ["none", {"type": "replaces"}, [1], [{"type": 3}]])
async def test_links_that_cannot_be_read_are_a_failure_and_the_person_is_not(
    tmp_path, links
):
    broken = patient("p-old", OLD, links=links)
    with pytest.raises(Unreadable):
        await traced(tmp_path, [broken])
    async with (
        StubFhir([broken]) as server,
        asking(server.base_url, tmp_path, SYSTEMS) as adapter,
    ):
        answer = await adapter.ask(everything(Identifiers(nhs_number=OLD)))
    assert answer.person is not None


async def test_null_is_no_link(tmp_path):
    made = patient("p-old", OLD) | {"link": None}
    assert await traced(tmp_path, [made]) == []


async def test_a_number_marked_old_is_told_to_be_superseded(tmp_path):
    kept = patient("p", NEW, old=[OLD])
    assert await traced(tmp_path, [kept], NEW) == SUPERSEDED
    assert await traced(tmp_path, [kept], OLD) == SUPERSEDED


async def test_an_old_number_beside_several_is_nobodys_in_particular(tmp_path):
    assert await traced(tmp_path, [patient("p", NEW, THIRD, old=[OLD])], NEW) == []


async def test_an_old_number_that_is_invalid_is_none(tmp_path):
    assert await traced(tmp_path, [patient("p", NEW, old=["1234567890"])], NEW) == []


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [(STAMP, datetime.fromisoformat(STAMP)), (None, NOW), ("soon", NOW)],
)
async def test_it_is_dated_by_its_record_or_by_when_it_was_said(
    tmp_path, stamp, expected
):
    both = [patient("p", NEW, old=[OLD], stamp=stamp)]
    async with (
        StubFhir(both) as server,
        asking(server.base_url, tmp_path, SYSTEMS) as adapter,
    ):
        (found,) = await adapter.trace(Identifiers(nhs_number=NEW))
    assert found.at.astimezone(UTC) == expected


FOLLOWS = SYSTEMS + "follows_superseded = true\n"


def answering(*resources):
    """As PDS: whatever number it is asked by, it answers so."""
    return Misbehaviour(ignores=frozenset({"identifier"}), hides_self=True)


@pytest.mark.parametrize(
    ("resources", "settings", "expected"),
    [
        ([patient("p", NEW)], FOLLOWS, SUPERSEDED),
        ([patient("p", NEW)], SYSTEMS, []),
        ([patient("p", OLD)], FOLLOWS, []),
        ([patient("p", NEW), patient("q", THIRD)], FOLLOWS, []),
        ([patient("p", NEW, THIRD)], FOLLOWS, []),
        ([patient("p", mrn=["K0"])], FOLLOWS, []),
        ([], FOLLOWS, []),
    ],
    ids=[
        *("the successor", "not declared", "the same", "two people", "two numbers"),
        *("no number", "nobody"),
    ],
)
async def test_a_server_declared_to_follow_numbers_names_the_successor(
    tmp_path, resources, settings, expected
):
    found = await traced(
        tmp_path, resources, settings=settings, wrong=answering(*resources)
    )
    assert found == expected


async def test_a_server_not_asked_by_a_number_follows_none(tmp_path):
    person = Identifiers(others=frozenset({Identifier(MRN, "K0")}))
    found = await traced(
        tmp_path, [patient("p", NEW, mrn=["K0"])], person, settings=FOLLOWS
    )
    assert found == []


async def test_who_cannot_be_asked_for_is_not_traced(tmp_path):
    stranger = Identifiers(others=frozenset({Identifier("urn:other", "1")}))
    async with (
        StubFhir([REPLACED]) as server,
        asking(server.base_url, tmp_path, SYSTEMS) as adapter,
    ):
        assert await adapter.trace(stranger) == ()
        assert server.asked == []


async def test_a_server_that_gives_only_whole_records_tells_nothing(tmp_path):
    settings = 'version = "STU3"\nask_by = "structured-record"\n'
    async with (
        StubFhir([REPLACED]) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        assert await adapter.trace(Identifiers(nhs_number=OLD)) == ()
        assert server.asked == []


async def test_a_server_that_ignores_ids_adds_nobody(tmp_path):
    wrong = Misbehaviour(ignores=frozenset({"_id"}))
    others = [patient("x", THIRD, old=[number(9)]), patient("p-new", NEW)]
    assert await traced(tmp_path, [REPLACED, *others], wrong=wrong) == SUPERSEDED
