"""What becomes a ticket for a source's owner, and what is news and no fault."""

import msgspec
import pytest

from gateway.journey import ticketing
from gateway.journey.journey import Discrepancy
from tests.houses import NOW, answer, event
from tests.journeys import from_answers, told


class Noting:
    """Suspensions that remember what they are to keep."""

    def __init__(self):
        self.noted = []

    def note(self, tickets):
        self.noted += [(each.source, each.code) for each in tickets]


@pytest.mark.parametrize("code", sorted(ticketing.NEWS | {"clock_skew"}))
async def test_what_a_source_states_rightly_is_no_fault_to_mend(code):
    journey = await told(*from_answers(Z9A01=answer(event("a"))))
    found = Discrepancy(code=code, sources=["Z9A01.x"], events=[], at=None, meaning="")
    noting = Noting()
    ticketing.note(
        noting,  # type: ignore[arg-type]  # it keeps, and no more is asked of it
        msgspec.structs.replace(journey, discrepancies=[found]),
        opened=(),
        now=NOW,
    )
    expected = [] if code in ticketing.NEWS else [("Z9A01.x", "clock_skew")]
    assert noting.noted == expected
