"""What is wrong with who is who, a row each: a stated outcome, audited, nobody shown.

Each row is one source as it is found, beside a ward that is in order. The ward's record
is shown in every one of them.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.contract import Event, Identifiers, Traced
from tests.fhir_asking import asking
from tests.hl7 import adt, feed, key, message, names, pid, segment, stay
from tests.houses import event, memory
from tests.people import number
from tests.stub_fhir import StubFhir
from tests.tracing import SPINE, WARD, by, numbered, said, stating, told

ANN, BOB, OLD = number(0), number(1), number(5)
INVALID, TEMPORARY = "9990000001", "T-000123"
ITS_OWN = by(ANN, key("K1"))


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the source holds, and what becomes of asking it."""

    messages: tuple[str, ...] = ()  # of a feed of HL7 v2
    patients: tuple[dict[str, Any], ...] = ()  # of a FHIR server
    events: tuple[Event, ...] = ()  # else in memory
    statements: tuple[Traced, ...] = ()
    asked: Identifiers = field(default_factory=lambda: by(ANN))
    state: str = "unknown_person"
    reason: str | None = None
    shown: tuple[str, ...] = ()
    caveats: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()


def seen(who, visit="V1", at="20240301"):
    return adt("A04", who, visit=stay(at, number=visit, kind="E"), at=at)


def patient(own, *values, **more):
    named = [{"system": numbered(v).system, "value": v} for v in values]
    return {"resourceType": "Patient", "id": own, "identifier": named} | more


def pid_of(text):
    return segment("PID", {3: text})


UNLINKED = message(
    "ADT^A37", segment("EVN", {2: "20240315"}), pid("K0"), pid("K1"), at="20240315"
)
MERGED = adt("A40", pid("K1", 0), segment("MRG", {1: names("K0")}), at="20240310")
BOTH = frozenset({numbered(ANN), numbered(BOB)})

ROWS = {
    "an invalid number is nobody's": Row(
        messages=(seen(pid_of(f"K1^^^HOSP~{INVALID}^^^NHS")),)
    ),
    "an invalid number beside a good key is counted": Row(
        messages=(seen(pid_of(f"K1^^^HOSP~{INVALID}^^^NHS")),),
        asked=ITS_OWN,
        state="ok",
        shown=("V1",),
        caveats=frozenset({"invalid_number"}),
    ),
    "an invalid number of FHIR is nobody's": Row(patients=(patient("p", INVALID),)),
    "a temporary number is nobody's": Row(
        messages=(seen(pid_of(f"K1^^^HOSP~{TEMPORARY}^^^NHS")),)
    ),
    "a temporary number of FHIR is nobody's": Row(patients=(patient("p", TEMPORARY),)),
    "a superseded number without a word of it is another's": Row(
        events=(event("r", of=by(OLD)),)
    ),
    "a superseded number by a source's word is the person's": Row(
        events=(event("r", of=by(OLD)),),
        statements=(said(OLD, ANN),),
        state="ok",
        shown=("r",),
        findings=frozenset({"number_superseded"}),
    ),
    "one number of two people in a feed is nobody's": Row(
        messages=(seen(pid("K1", 0)), seen(pid("K2", 0), "V2")),
        state="withheld",
        reason="identity_mismatch",
    ),
    "a number reused after somebody else had it is whose it is now": Row(
        messages=(
            seen(pid("K1", 0)),
            adt("A31", pid("K1", 1), at="20240302"),
            seen(pid("K2", 0), "V2", "20240303"),
        ),
        state="ok",
        shown=("V2",),
    ),
    "an NHS number in the hospital's field is none": Row(
        messages=(seen(pid_of(f"{ANN}^^^HOSP^MR")),)
    ),
    "an NHS number in another system of FHIR is none": Row(
        patients=(patient("p") | {"identifier": [{"system": "urn:mrn", "value": ANN}]},)
    ),
    "an NHS number for a record's id links nobody": Row(
        patients=(patient(ANN, BOB),),
    ),
    "two people in one record are withheld": Row(
        events=(event("r", of=Identifiers(others=BOTH)),),
        state="withheld",
        reason="identity_mismatch",
        findings=frozenset({"identity_mismatch"}),
    ),
    "two numbers of one person in one record are one by a source's word": Row(
        events=(event("r", of=Identifiers(others=BOTH)),),
        statements=(said(BOB, ANN),),
        state="ok",
        shown=("r",),
        findings=frozenset({"number_superseded"}),
    ),
    "two people in one Patient are withheld": Row(
        patients=(patient("p", ANN, BOB),),
        state="withheld",
        reason="identity_mismatch",
    ),
    "a merge undone leaves each their own, and says so": Row(
        messages=(seen(pid("K0"), "V0"), seen(pid("K1", 0)), MERGED, UNLINKED),
        state="ok",
        shown=("V1",),
        findings=frozenset({"merge_undone"}),
    ),
    "a superseding undone leaves each their own, and says so": Row(
        events=(event("r", of=by(OLD)), event("a", of=by(ANN))),
        statements=(said(OLD, ANN), said(OLD, ANN, "unmerged", 9)),
        state="ok",
        shown=("a",),
        findings=frozenset({"merge_undone"}),
    ),
    "a source that says both of two numbers is not believed": Row(
        events=(event("r", of=by(OLD)), event("a", of=by(ANN))),
        statements=(said(OLD, ANN), said(ANN, OLD, day=9)),
        state="ok",
        shown=("a",),
        caveats=frozenset({"identifier_disputed"}),
        findings=frozenset({"merges_disagree"}),
    ),
}


async def source_of(row, folder, stack):
    if row.messages:
        return await stack.enter_async_context(feed(folder, *row.messages))
    if row.patients:
        server = await stack.enter_async_context(StubFhir(row.patients))
        return await stack.enter_async_context(asking(server.base_url, folder))
    return stating(*row.statements, events=row.events)


@pytest.mark.parametrize("case", ROWS)
async def test_what_is_wrong_is_stated_and_nobody_else_is_shown(tmp_path, case):
    row = ROWS[case]
    async with AsyncExitStack() as stack:
        adapter = await source_of(row, tmp_path, stack)
        sources = {SPINE: adapter, WARD: memory(event("ward", of=by(ANN)))}
        found = await told(sources, row.asked, spine={"fresh_s": 10**9})
    assert found.ids == sorted([*row.shown, "ward"])
    report = found.of(SPINE)
    assert report.state == row.state
    assert report.reason == row.reason
    assert row.caveats <= found.codes(SPINE)
    assert set(found.findings) == row.findings
    audited = found.audited(SPINE)
    assert (audited.state, audited.reason) == (report.state, report.reason)
    assert audited.count == len(row.shown)
    written = repr(found.trail.records)
    assert not any(value in written for value in (ANN, BOB, OLD, INVALID, TEMPORARY))
