"""Whose recorded decisions one organisation is told of."""

from datetime import UTC, datetime

from gateway.api.policy.replaying import _concerning
from policies.analysis.replay import Effect, Recorded
from policies.request import Cell, Request


def recorded(number, recipient, *owners):
    """A decision of one cell for each owner, all permitted but the first."""
    request = Request(
        operation="journey.read",
        mode="identified",
        purpose="direct-care",
        agreement=None,
        recipient=recipient,
        role="doctor",
        assurance="aal2",
        relationships=frozenset({"registered"}),
        break_glass=False,
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )
    cells = tuple(
        Cell(owner=each, category="encounters", labels="labelled") for each in owners
    )
    permits: list[Effect] = ["permit"] * (len(owners) - 1)
    return Recorded(
        id=f"dec_{number}", request=request, cells=cells, effects=("deny", *permits)
    )


def test_of_what_others_asked_only_our_own_cells_are_told():
    """Catches a cell of another owner replayed for us."""
    asked = [
        recorded(1, "Z9R01", "Z9A01", "Z9B02"),
        recorded(2, "Z9B02", "Z9A01", "Z9C03"),
        recorded(3, "Z9R01", "Z9A01"),
    ]
    found = list(_concerning(asked, "Z9B02"))
    assert [each.id for each in found] == ["dec_1", "dec_2"]
    assert [cell.owner for cell in found[0].cells] == ["Z9B02"]
    assert found[0].effects == ("permit",)
    assert found[1] is asked[1]


def test_decisions_that_share_their_cells_go_on_sharing_them():
    """Catches a replay made slow: it knows shared cells by identity."""
    first = recorded(1, "Z9R01", "Z9A01", "Z9B02")
    second = Recorded(
        id="dec_2", request=first.request, cells=first.cells, effects=first.effects
    )
    one, other = _concerning([first, second], "Z9A01")
    assert one.cells is other.cells
    assert one.effects == ("deny",)
