"""People are counted by caller and hour, each once."""

from datetime import timedelta

import pytest

from gateway.access import budget
from gateway.access.budget import PeopleBudget
from gateway.audit.keys import Subject
from tests.houses import NOW, doctor

MINUTE = timedelta(minutes=1)


def person(nth):
    return Subject(key_id="k1", hmac=f"{nth:064x}")


def test_one_more_than_the_budget_waits_for_the_first_to_be_an_hour_old():
    spent = PeopleBudget(2)
    assert spent.spend(doctor(), person(0), now=NOW) is None
    assert spent.spend(doctor(), person(1), now=NOW + MINUTE) is None
    assert spent.spend(doctor(), person(2), now=NOW + 2 * MINUTE) == 58 * 60 + 1
    assert spent.spend(doctor(), person(2), now=NOW + 60 * MINUTE) is None
    assert spent.spend(doctor(), person(3), now=NOW + 60 * MINUTE) == 61


def test_the_same_person_is_counted_once_and_does_not_grow_younger():
    spent = PeopleBudget(1)
    assert spent.spend(doctor(), person(0), now=NOW) is None
    assert spent.spend(doctor(), person(0), now=NOW + 30 * MINUTE) is None
    assert spent.spend(doctor(), person(1), now=NOW + 60 * MINUTE) is None


@pytest.mark.parametrize("change", [{"subject": "u2"}, {"issuer": "urn:other"}])
def test_each_caller_has_a_budget_of_their_own_in_whatever_role(change):
    spent = PeopleBudget(1)
    assert spent.spend(doctor(), person(0), now=NOW) is None
    assert spent.spend(doctor(**change), person(1), now=NOW) is None
    assert spent.spend(doctor(role="nurse"), person(1), now=NOW) is not None


def test_it_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(budget, "_MOST_CALLERS", 2)
    spent = PeopleBudget(1)
    for who in ("a", "b", "a", "c"):
        spent.spend(doctor(subject=who), person(0), now=NOW)
    # Whoever was longest silent is forgotten, and b was.
    assert spent.spend(doctor(subject="a"), person(1), now=NOW) is not None
    assert spent.spend(doctor(subject="b"), person(1), now=NOW) is None


def test_whom_a_caller_turns_out_to_know_does_not_count():
    spent = PeopleBudget(1)
    assert spent.spend(doctor(), person(0), now=NOW) is None
    spent.forgive(doctor(subject="u2"), person(0))
    assert spent.spend(doctor(), person(1), now=NOW) is not None
    spent.forgive(doctor(), person(0))
    spent.forgive(doctor(), person(0))
    assert spent.spend(doctor(), person(1), now=NOW) is None
