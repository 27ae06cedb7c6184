"""Laws of what statements of merges come to, whatever sources say, in any order."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers, Traced
from gateway.journey import identity
from gateway.journey.matching.traced import MOST_NUMBERS, Said, weigh
from tests.people import LOCAL, number

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = [Identifier(nhs_number.SYSTEM, number(nth)) for nth in range(4)]
ENDS += [Identifier(LOCAL, f"L-{nth}") for nth in range(3)]
ASKED = ENDS[0]
ANY_END = st.sampled_from(ENDS)

statements = st.builds(
    Said,
    source=st.sampled_from(["Z9A01.a", "Z9B02.b"]),
    traced=st.builds(
        Traced,
        from_=ANY_END,
        to=ANY_END,
        how=st.sampled_from(["merged", "unmerged", "superseded", "renumbered"]),
        at=st.integers(0, 5).map(lambda days: FIRST + timedelta(days=days)),
    ),
)
SAID = st.lists(statements, max_size=8)


def known(told):
    asked = Identifiers(nhs_number=ASKED.value)
    return identity.learn(asked, [], frozenset(), ties=weigh(told))


def shape(ties):
    return {
        name: {(e.source, e.traced) for e in getattr(ties, name)}
        for name in ("standing", "undone", "contested")
    }


@given(
    st.lists(statements, max_size=8, unique=True).flatmap(
        lambda said: st.tuples(st.just(said), st.permutations(said))
    )
)
def test_in_which_order_sources_are_heard_changes_nobody(both):
    """Catches the last source to answer having the last word."""
    said, shuffled = both
    assert known(said).identifiers == known(shuffled).identifiers


@given(SAID, st.sampled_from(ENDS), st.sampled_from(["Z9A01.a", "Z9B02.b"]))
def test_an_undoing_that_comes_last_parts_at_once(said, other, source):
    """Catches an undoing that counts against its own source's merge alone."""
    undone = Traced(from_=ASKED, to=other, how="unmerged", at=FIRST + timedelta(days=9))
    found = known([*said, Said(source=source, traced=undone)])
    assert other == ASKED or other not in found.identifiers.every


@given(SAID)
def test_numbers_are_one_only_where_a_path_of_statements_leads(said):
    found = known(said)
    reached = {ASKED}
    pairs = [e.pair for e in said if e.traced.how in {"merged", "superseded"}]
    for _ in pairs:
        reached |= {end for pair in pairs if pair & reached for end in pair}
    assert found.identifiers.every <= reached


@given(SAID)
def test_more_that_ties_nothing_changes_nobody(said):
    """Catches a record's other number taken for its person's, where none said so."""
    renumbered = [
        Said(
            source="Z9C03.c",
            traced=msgspec.structs.replace(each.traced, how="renumbered"),
        )
        for each in said
    ]
    assert shape(weigh(said)) == shape(weigh([*said, *renumbered]))


@given(SAID)
def test_what_is_contested_stands_nowhere(said):
    ties = weigh(said)
    doubted = {each.pair for each in ties.contested}
    assert not doubted & {each.pair for each in ties.standing}
    groups = ties.for_one(frozenset({ASKED}))
    for pair in doubted | {each.pair for each in ties.undone}:
        one, other = pair
        assert groups.get(one, one) != groups.get(other, other)


@given(st.integers(2, 2 * MOST_NUMBERS).flatmap(lambda n: st.permutations(range(n))))
def test_a_person_of_more_numbers_than_anybody_has_is_nobody(order):
    """Catches a placeholder that was merged with many: each would be asked for."""
    ends = [Identifier(nhs_number.SYSTEM, number(nth)) for nth in order]
    told = [
        Said(
            source="Z9A01.a",
            traced=Traced(from_=other, to=ends[0], how="merged", at=FIRST),
        )
        for other in ends[1:]
    ]
    found = weigh(told)
    assert bool(found.contested) == (len(ends) > MOST_NUMBERS)
    assert bool(found.standing) == (len(ends) <= MOST_NUMBERS)
