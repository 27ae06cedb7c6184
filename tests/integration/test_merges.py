"""HL7 v2 merges, changes of number and their undoing; PDS's answers: as journeys."""

import pytest

from adapters.contract import Identifiers
from tests.corpus import corpus
from tests.fhir_asking import asking
from tests.fhir_corpus import JSON
from tests.hl7 import KEY, SOURCE, adt, feed, key, message, names, pid, segment, stay
from tests.houses import event, memory
from tests.people import number
from tests.stub_fhir import Misbehaviour, StubFhir
from tests.tracing import SPINE, WARD, by, told

ANN, BEFORE = number(0), number(5)
HOSPITAL = "Z9A01.pas"
K0, K1 = pid("K0"), pid("K1", 0)
OF_K0 = adt("A04", K0, visit=stay("20240301", number="V0", kind="E"), at="20240301")
OF_K1 = adt("A04", K1, visit=stay("20240302", number="V1", kind="E"), at="20240302")


def merged(trigger, *, prior="K0", into="K1", at="20240310", **mrg):
    fields = {1: names(prior)} | {int(n[1:]): text for n, text in mrg.items()}
    visit = stay(number="V0", kind="E") if trigger == "A45" else None
    nth = 0 if into == "K1" else None
    return adt(trigger, pid(into, nth), segment("MRG", fields), visit=visit, at=at)


def unlinked(one, other, *, at="20240315"):
    return message("ADT^A37", segment("EVN", {2: at}), pid(*one), pid(*other), at=at)


async def journey(folder, *messages, asked=ANN, ward=(), source=SOURCE):
    """Of a feed of these messages, and a ward that keeps records of its own."""
    folder.mkdir(exist_ok=True)
    kept = memory(*ward)
    systems = kept.profile.identifier_systems | {KEY}
    object.__setattr__(kept.profile, "identifier_systems", systems)
    async with feed(folder, *messages, source=source) as adapter:
        return await told({HOSPITAL: adapter, WARD: kept}, asked)


WARDS = (
    event("ward-K0", of=Identifiers(others=frozenset({key("K0")}))),
    event("ward-K1", of=Identifiers(others=frozenset({key("K1")}))),
)


@pytest.mark.parametrize("trigger", ["A40", "A47"])
async def test_two_records_merged_and_parted_again(tmp_path, trigger):
    merge, undo = merged(trigger), unlinked(["K0"], ["K1"])
    first = await journey(tmp_path / "1", OF_K0, OF_K1, ward=WARDS)
    assert first.ids == ["V1", "ward-K1"]
    assert first.findings == {}
    then = await journey(tmp_path / "2", OF_K0, OF_K1, merge, ward=WARDS)
    assert then.ids == ["V0", "V1", "ward-K0", "ward-K1"]
    link = then.link("ward-K0")
    assert (link.method, link.said_by) == ("merged_identifier", HOSPITAL)
    assert link.said_at == "2024-03-10T00:00:00+00:00"
    assert then.codes(WARD) == set()
    last = await journey(tmp_path / "3", OF_K0, OF_K1, merge, undo, ward=WARDS)
    assert last.ids == first.ids
    finding = last.findings["merge_undone"]
    assert finding.sources == [HOSPITAL]
    assert finding.at == "2024-03-15T00:00:00+00:00"


async def test_a_visit_moved_to_somebody_and_back(tmp_path):
    """People stay two, and nothing is said of them but where the visit is."""
    move = merged("A45", f5="V0")
    back = merged("A45", prior="K1", into="K0", at="20240312", f5="V0")
    first = await journey(tmp_path / "1", OF_K0, OF_K1, ward=WARDS)
    then = await journey(tmp_path / "2", OF_K0, OF_K1, move, ward=WARDS)
    last = await journey(tmp_path / "3", OF_K0, OF_K1, move, back, ward=WARDS)
    assert (first.ids, last.ids) == (["V1", "ward-K1"], ["V1", "ward-K1"])
    assert then.ids == ["V0", "V1", "ward-K1"]
    assert then.link("V0").method == "nhs_number"
    assert (then.findings, last.findings) == ({}, {})


NUMBERED = (event("ward-before", of=by(BEFORE)), event("ward-now", of=by(ANN)))
WAS = adt(
    "A04", pid("K1", 5), visit=stay("20240301", number="V1", kind="E"), at="20240301"
)


def replaced(*, old=5, new=0, at="20240310", trigger="A47", prior="K1"):
    mrg = segment("MRG", {1: names(prior, old)})
    return adt(trigger, pid("K1", new), mrg, at=at)


@pytest.mark.parametrize("asked", [ANN, BEFORE])
async def test_a_number_replaced_and_put_back(tmp_path, asked):
    back = replaced(old=0, new=5, at="20240312")
    ward = {"asked": asked, "ward": NUMBERED}
    own = "ward-now" if asked == ANN else "ward-before"
    first = await journey(tmp_path / "1", WAS, **ward)
    assert first.ids == ["V1"] * (asked == BEFORE) + [own]
    then = await journey(tmp_path / "2", WAS, replaced(), **ward)
    assert then.ids == ["V1", "ward-before", "ward-now"]
    other = "ward-before" if asked == ANN else "ward-now"
    assert then.link(other).method == "superseded_number"
    assert then.findings.keys() == {"number_superseded"}
    last = await journey(tmp_path / "3", WAS, replaced(), back, **ward)
    assert last.ids == first.ids
    assert "merge_undone" in last.findings


async def test_a_number_replaced_and_unlinked(tmp_path):
    undo = unlinked(["K1", 0], ["K2", 5])
    last = await journey(tmp_path, WAS, replaced(), undo, ward=NUMBERED)
    assert last.ids == ["V1", "ward-now"]
    assert "merge_undone" in last.findings


async def test_a_merge_of_two_nhs_numbers_is_followed_nowhere(tmp_path):
    """The source contradicts itself, keeps the two apart, and says so."""
    other = adt(
        "A04",
        pid("K0", 5),
        visit=stay("20240301", number="V0", kind="E"),
        at="20240301",
    )
    merge = replaced(trigger="A40", prior="K0")
    found = await journey(tmp_path, other, OF_K1, merge, ward=NUMBERED)
    assert found.ids == ["V1", "ward-now"]
    assert "merge_disputed" in found.codes(HOSPITAL)
    assert found.level == "partial"


async def test_a_number_that_was_only_corrected_is_not_followed(tmp_path):
    """Before, the record bore somebody else's: those are not to be fetched."""
    corrected = adt("A31", pid("K1", 0), at="20240305")
    found = await journey(tmp_path, WAS, corrected, ward=NUMBERED)
    assert found.ids == ["V1", "ward-now"]
    assert "number_changed" in found.codes(HOSPITAL)


BCBS = SOURCE.replace("[authorities]", f'[authorities]\nBCBS = "{KEY}"')


def of_corpus(name):
    return corpus("hl7v2-microsoft", name).read_text("utf-8-sig")


def registered(value, visit):
    who = segment("PID", {3: f"{value}^^^BCBS^MR"})
    return adt(
        "A04", who, visit=stay("20190101", number=visit, kind="E"), at="20190101"
    )


@pytest.mark.corpus
async def test_the_datas_own_a40_joins_the_two_it_names(tmp_path):
    ward = [event(f"w-{each}", of=by(key(each))) for each in ("12345", "56789")]
    both = registered("12345", "V1"), registered("56789", "V0")
    asked = Identifiers(others=frozenset({key("12345")}))
    how = {"asked": asked, "ward": ward, "source": BCBS}
    first = await journey(tmp_path / "1", *both, **how)
    assert first.ids == ["V1", "w-12345"]
    then = await journey(tmp_path / "2", *both, of_corpus("ADT-A40-01.hl7"), **how)
    assert then.ids == ["V0", "V1", "w-12345", "w-56789"]
    assert then.link("w-56789").method == "merged_identifier"


@pytest.mark.corpus
async def test_the_datas_own_a47_is_a_change_of_number(tmp_path):
    source = BCBS.replace(
        "[authorities]", f'[authorities]\n"GOOD HEALTH HOSPITAL" = "{KEY}"'
    )
    ward = [event(f"w-{each}", of=by(key(each))) for each in ("MR101", "MR102")]
    asked = Identifiers(others=frozenset({key("MR101")}))
    found = await journey(
        tmp_path,
        registered("MR102", "V0"),
        of_corpus("ADT-A47-01.hl7"),
        asked=asked,
        ward=ward,
        source=source,
    )
    assert found.ids == ["V0", "w-MR101", "w-MR102"]
    assert found.link("w-MR102").method == "merged_identifier"


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["ADT-A45-01.hl7", "ADT-A45-02.hl7"])
async def test_the_datas_own_a45_says_nothing_of_who_is_who(tmp_path, name):
    source = BCBS.replace("[authorities]", f'[authorities]\nADT1 = "{KEY}"')
    async with feed(tmp_path, of_corpus(name), source=source) as adapter:
        asked = Identifiers(others=frozenset({key("PATID1234")}))
        assert await adapter.trace(asked) == ()


PDS = "searchResponses__cuff_superseded_searchset.json"
NEW_THERE = "9732019395"  # as published with the data


@pytest.mark.corpus
@pytest.mark.parametrize("follows", [True, False])
async def test_pds_answering_for_a_superseded_number(tmp_path, follows):
    """Whoever registers it so is told of both numbers, and it is nobody's stranger."""
    said = Misbehaviour(
        bodies={"Patient": (JSON, corpus("fhir-nhs-pds", PDS).read_bytes())}
    )
    settings = f"[identifiers]\nfollows_superseded = {str(follows).lower()}\n"
    wards = [event("then", of=by(BEFORE)), event("now", of=by(NEW_THERE))]
    async with (
        StubFhir([], wrong=said) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        found = await told({SPINE: adapter, WARD: memory(*wards)}, BEFORE)
    if not follows:
        assert found.ids == ["then"]
        assert found.of(SPINE).reason == "identity_mismatch"
        return
    assert found.ids == ["now", "then"]
    assert found.link("now").said_by == SPINE
    assert found.of(SPINE).state != "withheld"
    assert found.findings.keys() == {"number_superseded"}
