"""Laws of identity, over histories of what sources might say.

Each law names a seeded defect that it catches.
"""

from hypothesis import given
from hypothesis import strategies as st

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers
from gateway.journey.identity import ambiguous, learn, link, names_another
from tests.people import number

NUMBERS = [Identifier(nhs_number.SYSTEM, number(nth)) for nth in range(3)]
KEYS = [Identifier("urn:test:key", f"k{nth}") for nth in range(3)]
LOCALS = [Identifier("urn:test:local", f"l{nth}") for nth in range(3)]
PLACEHOLDER = Identifier("urn:test:old", "TO-FOLLOW")

subjects = st.frozensets(
    st.sampled_from([*NUMBERS, *KEYS, *LOCALS, PLACEHOLDER]), min_size=1, max_size=4
)
told = st.lists(subjects, max_size=8)
asked_by = st.sampled_from(
    [
        Identifiers(nhs_number=NUMBERS[0].value),
        Identifiers(others=frozenset({KEYS[0]})),
        Identifiers(others=frozenset({LOCALS[0]})),
        Identifiers(others=frozenset({PLACEHOLDER})),
    ]
)
telling = st.sampled_from([frozenset[str](), frozenset({"urn:test:key"})])


def numbers_of(linked):
    return {i for each in linked for i in each if i.system == nhs_number.SYSTEM}


@given(asked=asked_by, said=told, keys=telling)
def test_numbers_that_differ_never_merge(asked, said, keys):
    """Caught: an identifier learned from one person's record that links another's."""
    known = learn(asked, said, keys)
    linked = [each for each in said if link(known, each) is not None]
    assert len(numbers_of(linked)) <= 1


@given(asked=asked_by, said=told, keys=telling)
def test_a_record_with_another_number_is_never_linked(asked, said, keys):
    """Caught: identifiers weighed before the number."""
    known = learn(asked, said, keys)
    if known.nhs_number is not None:
        for each in said:
            own = numbers_of([each])
            if own and own != {Identifier(nhs_number.SYSTEM, known.nhs_number)}:
                assert link(known, each) is None


@given(asked=asked_by, said=told, keys=telling, shuffled=st.randoms())
def test_learning_is_order_free_and_hears_a_thing_once(asked, said, keys, shuffled):
    """Caught: the first source to answer settling a dispute."""
    again = [*said, *said]
    shuffled.shuffle(again)
    assert learn(asked, said, keys) == learn(asked, again, keys)


@given(said=told)
def test_a_placeholder_links_nobody(said):
    """Caught: a value that stands beside two numbers believed for one of them."""
    asked = Identifiers(nhs_number=NUMBERS[0].value)
    shared = [
        frozenset({NUMBERS[0], PLACEHOLDER}),
        frozenset({NUMBERS[1], PLACEHOLDER}),
    ]
    known = learn(asked, [*said, *shared], frozenset())
    assert PLACEHOLDER not in known.learned
    assert link(known, frozenset({PLACEHOLDER})) is None


@given(said=told)
def test_what_was_asked_by_links_nobody_once_it_reaches_two_people(said):
    """Caught: the identifier asked by trusted although sources show two people."""
    asked = Identifiers(others=frozenset({PLACEHOLDER}))
    shared = [
        frozenset({KEYS[0], PLACEHOLDER}),
        frozenset({KEYS[1], PLACEHOLDER}),
    ]
    for known in (
        learn(asked, [*said, *shared], frozenset({"urn:test:key"})),
        ambiguous(asked),
    ):
        assert all(link(known, each) is None for each in [*said, *shared])
        assert all(names_another(known, each) for each in [*said, *shared])


@given(asked=asked_by, said=told, keys=telling)
def test_what_disputes_is_neither_asked_by_nor_linked_by(asked, said, keys):
    """Caught: one of two values in dispute taken because it came last."""
    known = learn(asked, said, keys)
    assert not {each.system for each in known.learned} & known.disputed
    assert known.identifiers.every >= asked.every
