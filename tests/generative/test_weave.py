"""Laws of the weave: order-free, symmetric, never within one source, one to one.

Each law names a seeded defect that it catches.
"""

from collections import Counter
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from adapters.moment import LONDON, Moment
from gateway.journey import weave
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.outcome import Entry
from tests.houses import event, memory, source

SOURCES = [source(f"{ods}.x", memory()) for ods in ("Z9A01", "Z9B02", "Z9C03")]
STARTS = [
    None,
    "2026",
    "2026-10",
    "2026-10-25",
    "2026-10-25T01:30+01:00",
    "2026-10-25T01:30:20+01:00",
    "2026-10-25T00:30:20+00:00",
    "2026-10-25T01:30:20+00:00",
]

starts = st.sampled_from(STARTS)
# Both readings of the hour that comes twice, as a London wall clock gives them.
twice = st.builds(
    lambda minute, fold: Moment(
        datetime(2026, 10, 25, 1, minute, 20, tzinfo=LONDON, fold=fold), "second"
    ),
    st.sampled_from([10, 30]),
    st.integers(0, 1),
)


def made(at, start, moment, codes, place, status, record):
    found = event(
        f"r{record}", start, codes=sorted(codes), organisation=place, status=status
    )
    if moment is not None:
        found = type(found)(
            kind=found.kind, record_id=found.record_id, title="t", start=moment
        )
    return Entry(at, found, BY_NHS_NUMBER, "encounters", frozenset(), None)


entries = st.builds(
    made,
    st.sampled_from(SOURCES),
    starts,
    st.none() | twice,
    st.frozensets(st.sampled_from(["1", "2"]), max_size=2),
    st.sampled_from([None, "Z9A01", "Z9B02"]),
    st.sampled_from(["finished", "entered-in-error"]),
    st.integers(0, 3),
)
woven = st.lists(entries, max_size=9)


def key(entry):
    return (entry.source.id, entry.event)


def pairs_of(found):
    """Twins as pairs of entries, however often each comes."""
    return Counter(
        (key(found[one]), key(found[other]))
        for one, others in weave.pairs(found).items()
        for other in others
    )


@given(found=woven, shuffled=st.randoms())
def test_any_permutation_of_sources_and_entries_weaves_alike(found, shuffled):
    """Caught: starts compared by the wall clock; a crowd counted from one side."""
    other = list(found)
    shuffled.shuffle(other)
    # Of records that differ in nothing that orders them, either may stand first.
    assert list(map(weave._place, weave.order(found))) == list(
        map(weave._place, weave.order(other))
    )
    assert pairs_of(found) == pairs_of(other)
    assert pairs_of(weave.order(found)) == pairs_of(found)


@given(found=woven)
def test_nothing_is_lost_and_nothing_invented(found):
    """Caught: twins merged into one."""
    assert Counter(map(key, weave.order(found))) == Counter(map(key, found))


@given(found=woven)
def test_events_stand_in_the_order_of_their_instants_and_the_undated_last(found):
    """Caught: an undated event between two dated ones."""
    ordered = weave.order(found)
    instants = [e.event.start.at.timestamp() for e in ordered if e.event.start]
    assert instants == sorted(instants)
    assert all(e.event.start is None for e in ordered[len(instants) :])


@given(found=woven)
def test_twins_are_symmetric_one_to_one_and_never_of_one_source(found):
    """Caught: a second candidate taken; two admissions of one day made one."""
    twins = weave.pairs(found)
    for index, others in twins.items():
        sources = [found[other].source.id for other in others]
        assert found[index].source.id not in sources
        assert len(set(sources)) == len(sources)
        assert all(index in twins[other] for other in others)


@given(found=woven)
def test_twins_could_be_one_instant_and_are_not_in_error(found):
    """Caught: `<` made `<=` where one start ends and the next begins."""
    for index, others in weave.pairs(found).items():
        for other in others:
            one, two = found[index].event, found[other].event
            assert one.kind == two.kind
            assert one.start is not None
            assert two.start is not None
            first, second = sorted(
                (one.start, two.start), key=lambda start: start.at.timestamp()
            )
            assert second.at.timestamp() < first.latest.timestamp()
            assert "entered-in-error" not in {one.status, two.status}
