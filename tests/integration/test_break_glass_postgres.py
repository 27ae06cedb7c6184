"""Breaking the glass on PostgreSQL, where those who come at once do come at once."""

import asyncio

import pytest

from gateway.break_glass.breaking import Breaking, Broken, Declaration
from gateway.break_glass.key import GlassKey
from gateway.notices.channels import Channels
from tests.parts.stores import new_database
from tests.people import number
from tests.policy_store import NOW, A, Office, office_at, person

pytestmark = pytest.mark.parts


def breaking(office: Office) -> Breaking:
    address = "http://office.example.invalid"
    return Breaking(
        trail=office.trail,
        database=office.database,
        key=GlassKey(key=bytes(32)),
        channels=Channels(addresses={(A, "privacy-officer"): address}),
        clock=office.clock,
        often=5,
    )


async def test_one_declaration_sent_to_two_gateways_at_once_breaks_one_glass(postgres):
    who = person(A, purposes=frozenset({"direct-care"}), signed_in_at=NOW)
    url = await new_database(postgres)
    async with office_at(url) as one, office_at(url) as other:
        for nth in range(8):
            declared = Declaration(
                nhs_number=number(0),
                purpose="direct-care",
                reason_code="other",
                reason="Cannot speak",
                key=f"k{nth}",
            )
            answers: list[Broken] = await asyncio.gather(
                *(
                    breaking(office).declare(who, declared)
                    for office in (one, other)
                    for _ in range(2)
                )
            )
            assert len({each.glass.id for each in answers}) == 1
        assert one.trail.is_writable()
        assert other.trail.is_writable()
