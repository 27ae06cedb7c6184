"""A fault is of one source, and a wrong one files a row under a stranger's number."""

from datetime import date

import pytest

from adapters import nhs_number
from gateway.demo.breakage import Breakage, Fault, fault_of, misfiled
from gateway.demo.chronicle import AT, Place
from gateway.demo.telling import tell

CHRONICLE = tell(7, date(2026, 11, 23), people=60)


def test_a_source_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match=r"Use one of Z9A01\.gp, Z9B02\.cad"):
        Breakage(source="Z9A01", fault=Fault.SLOW)


def test_a_fault_is_of_its_own_source_and_the_last_one_counts():
    given = [
        Breakage(source="Z9C03.epr", fault=Fault.SLOW),
        Breakage(source="Z9C03.epr", fault=Fault.BROKEN),
    ]
    assert fault_of(given, AT[Place.ACUTE]) is Fault.BROKEN
    assert fault_of(given, AT[Place.GP]) is None


def test_each_persons_last_row_is_misfiled_under_nobodys_number():
    entries = CHRONICLE.at(Place.SOCIAL_CARE)
    wrong = misfiled(entries)
    own = {resident.nhs_number for resident in CHRONICLE.residents}
    changed = [
        after
        for before, after in zip(entries, wrong, strict=True)
        if before.nhs_number != after.nhs_number
    ]
    people = {entry.resident.number for entry in entries}
    assert {entry.resident.number for entry in changed} == people
    assert len(changed) == len(people)
    for entry in changed:
        assert nhs_number.normalise(entry.nhs_number or "") == entry.nhs_number
        assert entry.nhs_number not in own
        assert entry.local_id == entry.resident.local_id(Place.SOCIAL_CARE)
