"""Laws of looking for people by demographics, whatever the sources hold."""

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters import nhs_number
from adapters.conformance.likenesses import comparable_person
from adapters.contract import Candidate, FlagState, Identifier, Identifiers, Person
from adapters.memory import MemoryAdapter
from gateway.linking import Linkage
from tests import registers
from tests.houses import ANN, NOW, PREFILTERED, STATES, event
from tests.likenesses import Asked, Register, codes, described, everybody, ids
from tests.people import LOCAL, number
from tests.registers import Style

DATES = ("%d/%m/%Y", "iso", "%Y%m%d", "%d-%b-%Y", "%d.%m.%Y")
NAMES = st.sampled_from(
    ["Ann Quillfield", "Ann Quilfield", "Beth Quillfield", "A Quillfield", "Ann Marham"]
)
BORN = st.sampled_from(["1956-03-14", "1956-03-15", "1956", "1926-03-14", None])
KNOBS = st.builds(
    Linkage,
    demographics=st.sampled_from(["off", "possible-only", "on"]),
    linked=st.sampled_from([0.95, 0.99]),
    possible=st.sampled_from([0.1, 0.5, 0.95]),
    candidates=st.integers(2, 5),
)
FLAGS = st.sampled_from([True, False, None])


@st.composite
def held(draw):
    """Somebody a ward holds under a key of its own, with a number or without."""
    key = f"W-{draw(st.integers(0, 4))}"
    numbered = draw(st.sampled_from([None, None, number(0), number(7), number(8)]))
    local = frozenset({Identifier(LOCAL, key)})
    return described(
        Identifiers(nhs_number=numbered, others=local),
        name=draw(NAMES),
        born=draw(BORN),
        gender=draw(st.sampled_from(["female", "male", None])),
        postcode=draw(st.sampled_from(["QZ1 4AB", "QZ1 4AD", "AB1 2CD", None])),
    )


def flags(states):
    if states is None:
        return ()
    return tuple(
        FlagState(flag=flag, present=states, as_of=NOW)
        for flag in ("sensitive-record", "legally-restricted")
    )


def ward_of(people, stated=None):
    events = []
    for nth, each in enumerate(people):
        own = {i.system: i.value for i in each.identifiers}
        of = Identifiers(
            nhs_number=own.get(nhs_number.SYSTEM),
            others=frozenset({Identifier(LOCAL, own[LOCAL])}),
        )
        events.append(event(f"w-{nth}", of=of))
    return Register(*events, people=people, flags=flags(stated))


async def shown(people, knobs, *, policy=None, stated=None, registered=PREFILTERED):
    asked = Asked(ward_of(people, stated), policy=policy, flags={"flags": registered})
    asked.house = asked.house_with(knobs)
    return asked, await asked.told()


@settings(max_examples=150, deadline=None)
@given(people=st.lists(held(), max_size=4), knobs=KNOBS)
async def test_numbers_that_differ_never_merge_whatever_the_knob(people, knobs):
    _, journey = await shown(people, knobs)
    told = {e.provenance.record_id for e in journey.events} - {"g-1"}
    for record in told:
        whose = people[int(record.removeprefix("w-"))]
        numbers = {i.value for i in whose.identifiers if i.system == nhs_number.SYSTEM}
        assert numbers <= {ANN.nhs_number}


@settings(max_examples=150, deadline=None)
@given(
    people=st.lists(held(), max_size=4),
    knobs=KNOBS,
    stated=FLAGS,
    registered=st.sampled_from([PREFILTERED, STATES]),
)
async def test_switching_on_never_removes_an_event(people, knobs, stated, registered):
    marked = {"stated": stated, "registered": registered}
    _, before = await shown(people, Linkage(), **marked)
    _, after = await shown(people, knobs, **marked)
    assert ids(before) <= ids(after)
    states = {each.source: each.state for each in before.completeness.sources}
    for each in after.completeness.sources:
        assert (states[each.source], each.state) in {
            (each.state, each.state),
            ("unknown_person", "ok"),
            ("ok_empty", "ok"),
        }


@settings(max_examples=60, deadline=None)
@given(people=st.lists(held(), max_size=4), knobs=KNOBS, stated=st.sampled_from([True]))
async def test_who_must_not_be_seen_leaves_no_sign(people, knobs, stated):
    _, journey = await shown(people, knobs, stated=stated, registered=STATES)
    assert ids(journey) == {"g-1"}
    assert not {"possible_match", "tied_by_demographics"} & set(codes(journey))


@settings(max_examples=60, deadline=None)
@given(
    people=st.lists(held(), max_size=4),
    knobs=KNOBS,
    policy=st.sampled_from(
        [everybody(owners=("Z9A01",)), everybody(recipients=("Z9A01",))]
    ),
)
async def test_a_source_that_is_denied_is_never_matched(people, knobs, policy):
    asked, _ = await shown(people, knobs, policy=policy)
    assert asked.ward.matched == []


@settings(max_examples=100, deadline=None)
@given(people=st.lists(held(), max_size=4), knobs=KNOBS)
async def test_what_is_tied_says_so_and_what_is_not_does_not(people, knobs):
    _, journey = await shown(people, knobs)
    tied = [e for e in journey.events if e.provenance.link.grade is not None]
    for each in tied:
        assert each.provenance.link.method == "demographics"
        assert each.provenance.link.confidence >= min(knobs.linked, 0.9999)
        assert "tied_by_demographics" in each.caveats
    assert codes(journey).get("tied_by_demographics", 0) == len(tied)
    assert ("Check who they are about" in journey.completeness.statement) == bool(tied)
    if knobs.demographics != "on":
        assert tied == []


@st.composite
def described_people(draw):
    """People of a few days, each with a key; names without odd spaces."""
    born = st.one_of(
        st.none(),
        st.sampled_from(["1956-03-04", "1956-04-03", "2000-12-31", "1956-03", "1956"]),
        st.dates(date(1920, 1, 1), date(2020, 1, 1)).map(date.isoformat),
    )
    keys = draw(st.lists(st.integers(1, 99), max_size=8, unique=True))
    people = []
    for key in keys:
        when = draw(born)
        name = draw(st.one_of(st.none(), NAMES))
        named = {Identifier(LOCAL, f"K-{key}")}
        if draw(st.booleans()):
            named.add(Identifier(nhs_number.SYSTEM, number(key)))
        people.append(
            Person(
                identifiers=frozenset(named),
                name=name,
                birth_date=registers.moment(when) if when else None,
                gender=draw(st.sampled_from(["female", "M", None])),
                postcode=draw(st.sampled_from(["QZ1 4AB", "qz14ab", None])),
            )
        )
    return people


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(people=described_people(), dates=st.sampled_from(DATES), limit=st.integers(1, 4))
async def test_a_table_tells_whom_memory_tells(people, dates, limit):
    memory = MemoryAdapter(
        (), sector="acute", held=frozenset(), as_of=datetime.now(UTC)
    )
    memory.people = tuple(Candidate(person=each) for each in people)
    with tempfile.TemporaryDirectory() as folder:
        opened = registers.open_sqlite(
            Path(folder), people, LOCAL, style=Style(dates=dates)
        )
        async with opened as table:
            for person in people:
                mine = await table.match(person, limit=limit)
                oracle = await memory.match(person, limit=limit)
                assert len(mine) == len(oracle)
                if len(oracle) <= limit:
                    assert compared(mine) == compared(oracle)


def compared(found):
    return sorted((comparable_person(each.person) for each in found), key=str)
