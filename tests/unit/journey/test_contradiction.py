"""Whom a wrong answer counts against: a source's own word, and nobody else's."""

from dataclasses import replace

import pytest

from adapters.contract import Answer, Identifier, Identifiers, Person
from gateway.journey.contradiction import contradicts
from gateway.journey.identity import first_known
from gateway.journey.inquiry import inquire
from tests.fakes import FakeAdapter
from tests.houses import ANN, BOB, answer, doctor, event, house, profile, question
from tests.houses import source as source_of
from tests.journeys import WHOLE, says
from tests.people import LOCAL, OLD, number

HERS = Identifier(LOCAL, "L-0000")
HIS = Identifier(LOCAL, "L-0001")
OLD_HERS = Identifier(OLD, "O-1")
BY_NUMBER = Identifiers(nhs_number=number(0))
BY_LOCAL = Identifiers(others=frozenset({HERS}))
BY_BOTH = Identifiers(nhs_number=number(0), others=frozenset({HERS}))


def named(*others: Identifier, numbers: tuple[int, ...] = ()) -> frozenset[Identifier]:
    both = (Identifiers(nhs_number=number(nth)).every for nth in numbers)
    return frozenset(others).union(*both)


def record(*others: Identifier, numbers: tuple[int, ...] = ()) -> Answer:
    made = event("r")
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    subject = named(*others, numbers=numbers) or None
    return answer(type(made)(**fields | {"subject": subject}), about=None)


def header(*others: Identifier, numbers: tuple[int, ...] = ()) -> Answer:
    person = Person(identifiers=named(*others, numbers=numbers))
    return replace(answer(), person=person)


@pytest.mark.parametrize(
    ("asked", "said", "wrong"),
    [
        (BY_NUMBER, answer(about=None), False),
        (BY_NUMBER, record(), False),
        (BY_NUMBER, record(numbers=(0,)), False),
        (BY_NUMBER, record(numbers=(1,)), True),
        (BY_NUMBER, record(numbers=(0, 1)), True),  # two people in one record
        (BY_NUMBER, record(HIS), False),  # who says that it is not hers?
        (BY_NUMBER, record(HIS, numbers=(0,)), False),
        (BY_NUMBER, header(numbers=(1,)), True),
        (BY_NUMBER, header(numbers=(0, 1)), False),  # an older number beside
        (BY_LOCAL, record(HERS), False),
        (BY_LOCAL, record(HERS, numbers=(1,)), False),  # so it was asked
        (BY_LOCAL, record(HIS), True),
        (BY_LOCAL, record(OLD_HERS), False),
        (BY_LOCAL, header(HIS), True),
        (BY_BOTH, record(HIS), True),
        (BY_BOTH, record(HIS, numbers=(0,)), False),
        (BY_BOTH, record(HERS, numbers=(1,)), True),
    ],
)
def test_an_answer_contradicts_what_it_was_asked_and_nothing_else(asked, said, wrong):
    assert contradicts(asked, said, first_known(asked)) is wrong


class Counting:
    """Suspensions of nothing, which count who answered wrongly."""

    def __init__(self):
        self.counted = []
        self.noted = []

    def is_suspended(self, _):
        return False

    async def mismatched(self, source, person, *, most):
        self.counted.append(source)

    def note(self, tickets):
        self.noted += [(each.source, each.code) for each in tickets]


async def counted(*sources, person=BY_NUMBER):
    """Whom a question counts against, and of whom it is noted."""
    counting = Counting()
    asked = replace(house(*sources), suspensions=counting)  # type: ignore[arg-type]  # counts, and nothing else
    await inquire(asked, doctor(), question(person=person))
    return counting.counted, counting.noted


def of(record_id, *others, numbers=()):
    (made,) = record(*others, numbers=numbers).events
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return type(made)(**fields | {"record_id": record_id})


async def test_what_a_rival_teaches_counts_against_nobody():
    """One hospital gives a wrong local number out; the other's own records differ."""
    rival = says(answer(of("a", HIS, numbers=(0,)), about=None), of=WHOLE)

    def by_number_alone(query):
        held = answer(of("b", HERS), about=None)
        return held if query.person.nhs_number else answer(about=None)

    honest = FakeAdapter(by_number_alone, profile=WHOLE)
    found = await counted(source_of("Z9A01.x", rival), source_of("Z9B02.x", honest))
    assert found == ([], [])


async def test_who_answers_what_a_rival_taught_it_to_be_asked_is_not_to_blame():
    def by_local_alone(query):
        held = answer(of("b", HIS, numbers=(1,)), about=BOB)
        return held if HIS in query.person.others else answer(about=None)

    rival = says(answer(of("a", HIS, numbers=(0,)), about=None), of=WHOLE)
    honest = FakeAdapter(by_local_alone, profile=profile(systems={LOCAL}))
    found = await counted(source_of("Z9A01.x", rival), source_of("Z9B02.x", honest))
    assert honest.asked
    assert found == ([], [])


async def test_an_identifier_that_reaches_two_people_counts_against_nobody():
    """Two sources give it out to different people: both answer honestly."""
    one = says(answer(of("a", OLD_HERS, numbers=(0,)), about=None), of=WHOLE)
    two = says(answer(of("b", OLD_HERS, numbers=(1,)), about=None), of=WHOLE)
    person = Identifiers(others=frozenset({OLD_HERS}))
    fine = says(answer(of("c", OLD_HERS), about=None), of=WHOLE)
    sources = [
        source_of(f"{ods}.x", each)
        for ods, each in (("Z9A01", one), ("Z9B02", two), ("Z9C03", fine))
    ]
    counting = Counting()
    asked = replace(house(*sources), suspensions=counting)  # type: ignore[arg-type]  # counts, and nothing else
    with pytest.raises(Exception, match="no-source-answered"):
        await inquire(asked, doctor(), question(person=person))
    assert counting.counted == []


async def test_who_tells_of_somebody_else_is_to_blame_and_told():
    wrong = says(answer(event("b", of=BOB), about=ANN), of=WHOLE)
    right = says(answer(event("a")), of=WHOLE)
    found = await counted(source_of("Z9A01.x", wrong), source_of("Z9B02.x", right))
    assert found == (["Z9A01.x"], [("Z9A01.x", "identity_mismatch")])
