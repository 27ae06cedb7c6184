"""Laws of findings: order-free, of what is shown alone, never of what was withheld.

Each law names a seeded defect that it catches.
"""

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.contract import Event
from gateway.journey import weave
from gateway.journey.findings_of_events import Shown, findings
from gateway.journey.identity import BY_NHS_NUMBER
from gateway.journey.outcome import Entry
from gateway.journey.shape import Teller, coarsened
from policies.obligations import FULL_VIEW, View
from tests.houses import NOW, answer, event, memory, source
from tests.journeys import from_answers, told

SOURCES = [source(f"{ods}.x", memory()) for ods in ("Z9A01", "Z9B02", "Z9C03")]
TIMES = [
    None,
    "2026",
    "2026-01",
    "2026-01-05",
    "2026-01-07",
    "2026-01-05T10:00+00:00",
    "2026-01-05T11:00+00:00",
    "2026-01-12T23:59:20+00:00",
    "2026-05-02",
]
KINDS = ["inpatient_spell", "ed_attendance", "death", "document"]


@st.composite
def some_events(draw, most=8):
    """Events of three sources, each with a record id of its own."""
    made = []
    for number in range(draw(st.integers(0, most))):
        found = event(
            f"r{number}",
            draw(st.sampled_from(TIMES)),
            kind=draw(st.sampled_from(KINDS)),
            end=draw(st.sampled_from(TIMES)),
            codes=draw(st.sampled_from([(), ("1",)])),
            status=draw(st.sampled_from(["finished", "active", "planned"])),
            organisation=draw(st.sampled_from([None, "Z9A01"])),
        )
        made.append((draw(st.sampled_from(SOURCES)), found))
    return made


def shown(made, view=FULL_VIEW):
    """Them, as a journey shows them in its own order."""
    entries = weave.order(
        Entry(at, each, BY_NHS_NUMBER, "encounters", frozenset(), None)
        for at, each in made
    )
    twins = weave.pairs(entries)
    ids = [each.event.record_id for each in entries]
    return [
        Shown(
            Teller(source=each.source, retrieved_at="", as_of=NOW, names={})
            .under(view)
            .event(
                each,
                key=ids[place],
                same_as=tuple(ids[twin] for twin in sorted(twins.get(place, ()))),
            ),
            each.event,
            view,
            NOW,
        )
        for place, each in enumerate(entries)
    ]


@given(some_events(), st.randoms())
def test_the_order_in_which_sources_answer_changes_no_finding(made, random):
    """Catches: comparing a stay only with those that came before it."""
    again = list(made)
    random.shuffle(again)
    assert findings(shown(made)) == findings(shown(again))


@given(some_events())
def test_a_finding_names_what_is_shown_and_each_once(made):
    """Catches: a place in the wrong list; a pair found from both its ends."""
    seen = shown(made)
    ids = {each.event.id: each.source for each in seen}
    found = findings(seen)
    for each in found:
        assert each.events
        assert each.sources == sorted({ids[one] for one in each.events})
        assert len(set(each.events)) == len(each.events)
    assert not [
        n for n in Counter((f.code, *f.events) for f in found).values() if n > 1
    ]


@given(some_events(), st.sampled_from(["month", "year"]))
def test_what_looks_alike_finds_alike(made, grain):
    """Catches: comparing the instants behind a coarsened time."""
    view = View(date_grain=grain)
    moved = [(at, _moved(each, view)) for at, each in made]
    first, second = shown(made, view), shown(moved, view)
    alike = [
        (one.event.start, one.event.end, one.event.same_as, one.event.caveats)
        == (two.event.start, two.event.end, two.event.same_as, two.event.caveats)
        and one.event.id == two.event.id
        for one, two in zip(first, second, strict=True)
    ]
    if all(alike):
        assert findings(first) == findings(second)


def _moved(each, view):
    """The same event a day later, where that cannot be seen."""

    def later(moment):
        if moment is None or moment.precision in {"year", "month"}:
            return moment
        moved = replace(moment, at=moment.at + timedelta(days=1))
        seen = [coarsened(each, view) for each in (moment, moved)]
        unseen = len({each.text for each in seen if each}) == 1
        return moved if unseen else moment

    return replace(each, start=later(each.start), end=later(each.end))


@given(some_events(5), some_events(4))
async def test_withheld_records_change_no_finding(mine, secret):
    """Catches: findings computed before the release."""
    labelled = [
        (
            at,
            event(
                f"s{number}",
                each.start.text if each.start else None,
                kind=each.kind,
                labels=["HIV"],
                status=each.status,
            ),
        )
        for number, (at, each) in enumerate(secret)
    ]
    with_them = await journey(mine + labelled)
    without = await journey(mine)
    assert with_them.discrepancies == without.discrepancies


async def journey(made):
    """The journey of three sources that hold these."""
    held: dict[str, list[Event]] = {each.id.partition(".")[0]: [] for each in SOURCES}
    for at, each in made:
        held[at.id.partition(".")[0]].append(each)
    return await told(*from_answers(**{k: answer(*v) for k, v in held.items()}))
