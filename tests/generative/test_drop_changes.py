"""One process or two, row after row or all at once: a log comes to the same events."""

import threading
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.csv_drop import intake, portion
from adapters.csv_drop.directory import look
from adapters.csv_drop.index import Found, Index
from adapters.csv_drop.intake import Intake
from adapters.csv_drop.records import Writing
from adapters.csv_drop.settings import DropFile
from adapters.csv_drop.sharing import Sharing
from tests.drop_series import EVENT_COLUMNS, EVENTS, as_csv

COMMA = Writing(delimiter=",", quote='"', encoding="utf-8", field_bytes=1000)
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["Ann", "Bob", ""]),
        st.just(""),
        st.sampled_from(["2024-01-01", "2024-01-02", "never"]),
        st.just(""),
        st.sampled_from("xy"),
        st.sampled_from(["1", "2", ""]),
        st.sampled_from(["N", "D", "N", "?"]),
    ),
    min_size=1,
    max_size=12,
)
RULES = {
    "action": {"column": "action", "deleted": ["D"], "stated": ["N"]},
    "unique_by": ["who", "start"],
    "prefer": ["-rank"],
}


def taken_in(folder, *, shared_from: int, **drops):
    """What an intake leaves: counts, and the rows of each person by file and line."""
    settings = DropFile.model_validate(
        {
            "kind": "csv_drop",
            "directory": ".",
            "mode": "append",
            "newest": "name",
            "mapping": EVENTS,
            "drops": drops,
        }
    )
    own = Intake(
        root=folder,
        settings=settings,
        writing=COMMA,
        mapping_print="m",
        path=folder / f"state-{shared_from}" / "index.drop",
        stop=threading.Event(),
        shared_from=shared_from,
    )
    account = own.run(look(folder, settings))
    index = Index.open(own.path, mapping="m", writing=COMMA, key=0)
    assert index is not None
    with index.asked(lambda _, c: Found(row=c, names=[c[1], None], apart=c[1])) as ask:
        told = [
            [each.row for each in ask.reach([(0, who)], limit=99).rows]
            for who in ("Ann", "Bob")
        ]
    index.retire()
    return account.imprint, told


def plainly(files) -> list[list[tuple[str, ...]]]:
    """What should be left of the files, each a log of changes, told the slow way."""
    left: dict[str, tuple[int, tuple[str, ...]]] = {}
    for place, file in enumerate(files):
        for each in file:
            if each[7] == "D":
                left.pop(each[0], None)
            elif each[7] == "N" and each[1] and each[3] != "never":
                left.pop(each[0], None)
                left[each[0]] = place, each
    best: dict[tuple[str, str], tuple[tuple[object, ...], tuple[str, ...]]] = {}
    for order, (place, each) in enumerate(left.values()):
        rank = place, each[6], order
        event = each[1], each[3]
        if event not in best or rank > best[event][0]:
            best[event] = rank, each
    return [
        sorted(each for (person, _), (_, each) in best.items() if person == who)
        for who in ("Ann", "Bob")
    ]


@given(files=st.lists(ROWS, min_size=1, max_size=3))
def test_one_process_or_two_leave_of_a_log_the_events_it_comes_to(
    tmp_path_factory, files
):
    """Catches a row taken back that stays, and an event that two rows make two."""
    folder = tmp_path_factory.mktemp("drops")
    for place, file in enumerate(files):
        (folder / f"{place}.csv").write_bytes(as_csv(EVENT_COLUMNS, file))
    if not any(plainly(files)):
        return  # then nothing could be read, which is another's test
    with pytest.MonkeyPatch.context() as patch:
        here = partial(Sharing, by_process=portion.take)
        patch.setattr(intake, "Sharing", here)
        shared = taken_in(folder, shared_from=1, **RULES)
        alone = taken_in(folder, shared_from=1 << 40, **RULES)
    assert shared == alone
    found = [sorted(tuple(each) for each in rows_) for rows_ in alone[1]]
    assert found == plainly(files)
    assert alone[0].rows == sum(map(len, found))


def test_processes_are_told_the_rules(tmp_path):
    lines = [
        (f"r{n}", "Ann", "", f"2024-01-{n % 28 + 1:02}", "", "x", str(n), "N")
        for n in range(300)
    ]
    lines += [(f"r{n}", "", "", "", "", "", "", "D") for n in range(280, 300)]
    (tmp_path / "1.csv").write_bytes(as_csv(EVENT_COLUMNS, lines))
    shared, alone = (
        taken_in(tmp_path, shared_from=size, **RULES) for size in (1, 1 << 40)
    )
    assert shared == alone
    assert sorted(int(each[6]) for each in alone[1][0]) == [*range(252, 280)]
