"""What can be done differs by owner; that deciding failed does not."""

from dataclasses import replace
from typing import Any

from gateway.policy.plan import SUPPORTED, cell_of, decide_cells, plan
from policies import decide
from tests.houses import NOW, RECIPIENT, clause, doctor, memory, policy_of, source

FROM_TWO = ("Z9A01", "Z9B02")
TOLD = clause(obligations={"notify": ["owner"]})


def request():
    who = doctor()
    return decide.Request(
        operation="journey.read",
        mode="identified",
        purpose="direct-care",
        agreement=None,
        recipient=RECIPIENT,
        role=who.role,
        assurance=who.assurance,
        relationships=frozenset({"registered"}),
        break_glass=False,
        now=NOW,
    )


def sources():
    return [source(f"{each}.x", memory()) for each in FROM_TWO]


def able(owner):
    return SUPPORTED | ({"notify:owner"} if owner == "Z9B02" else set())


def test_only_the_owner_who_can_be_told_is_asked():
    plans = plan(
        policy_of(FROM_TWO, TOLD),
        request(),
        sources(),
        categories=frozenset({"encounters"}),
        abilities=able,
    )
    found = [each.decisions["encounters"] for each in plans]
    assert [each.effect for each in found] == ["deny", "permit"]
    assert found[0].because[0].code == "obligation_unsupported"
    assert found[1].view.notify == {"owner"}


def test_a_set_that_fails_at_one_owner_denies_at_all():
    """Catches owners decided apart: a set that fails once is not to be believed."""
    policy = policy_of(FROM_TWO, TOLD)
    broken = replace(policy, views=Breaks())
    cells = [(each, "encounters") for each in sources()]
    found = decide_cells(broken, request(), cells, abilities=able)
    assert [each.because[0].code for each in found] == ["policy_error"] * 2
    assert [each.owner for each in found] == list(FROM_TWO)


class Breaks(dict[Any, Any]):
    """Fails at the second look."""

    looks = 0

    def get(self, key, default=None):
        self.looks += 1
        if self.looks == 2:
            raise ZeroDivisionError
        return super().get(key, default)


def test_a_cell_is_as_its_source_registers_it():
    one = source("Z9A01.x", memory(), labels="unlabelled")
    cell = cell_of(one, "encounters")
    assert (cell.owner, cell.category, cell.labels) == (
        "Z9A01",
        "encounters",
        "unlabelled",
    )
    assert cell.flags == one.flags
