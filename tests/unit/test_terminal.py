"""A journey in the terminal: what is missing comes first and cannot be hidden."""

import copy
import io
import unicodedata

import pytest
from rich.console import Console

from gateway import terminal

REPORT = {
    "source": "Z9A01.gp",
    "organisation": {"ods": "Z9A01", "name": "Larkfield Surgery (synthetic)"},
    "sector": "primary-care",
    "state": "ok",
    "reason": None,
    "fault_domain": None,
    "categories": ["encounters"],
    "held": ["encounters"],
    "events": 1,
    "as_of": "2026-03-01T12:00:07Z",
    "lag_s": 0,
    "took_ms": 40,
    "retry_after_s": None,
    "caveats": [{"code": "rows_rejected", "count": 2}],
}
EVENT = {
    "id": "evt_1",
    "kind": "ed_attendance",
    "title": "Fall",
    "status": "finished",
    "start": "2024-03-09T14:05:00+00:00",
    "start_precision": "minute",
    "end": "2024-03-09T18:10:00+00:00",
    "end_precision": "minute",
    "caveats": [],
    "altered": [],
    "same_as": [],
    "provenance": {
        "source": "Z9A01.gp",
        "record_id": "A-771",
        "organisation": {"ods": "Z9A01", "name": None},
    },
}
JOURNEY = {
    "completeness": {
        "level": "partial",
        "asked": 1,
        "answered": 1,
        "statement": "1 of 2 sources answered.",
        "sources": [REPORT],
        "gaps": [{"meaning": "Ambulance records may be missing."}],
        "policy_note": "Some records may be withheld by law or by choice.",
    },
    "discrepancies": [],
    "events": [EVENT],
}
PROBLEM = {
    "title": "The request is not valid",
    "detail": None,
    "next_step": "Correct the fields named in errors.",
    "errors": [
        {"pointer": "/since", "code": "not-a-day"},
        {"pointer": "", "code": "x"},
    ],
    "unmet": None,
    "completeness": None,
}


def journey(**changes):
    return copy.deepcopy(JOURNEY) | changes


def with_report(**changes):
    told = journey()
    told["completeness"]["sources"][0] |= changes
    return told


def with_event(**changes):
    told = journey()
    told["events"][0] |= changes
    return told


def printed(told, show=terminal.print_journey, width=240):
    screen = io.StringIO()
    show(told, Console(file=screen, width=width, color_system=None))
    return screen.getvalue()


def test_completeness_is_printed_before_any_event():
    text = printed(journey())
    order = ["Completeness: PARTIAL", "1 of 2 sources", "Ambulance", "Z9A01.gp", "Fall"]
    places = [text.index(each) for each in order]
    assert places == sorted(places)


def test_each_gap_stands_on_a_line_of_its_own():
    told = journey()
    told["completeness"]["gaps"].append({"meaning": "Letters may be missing."})
    lines = [line.strip("│ ") for line in printed(told).splitlines()]
    assert "- Ambulance records may be missing." in lines
    assert "- Letters may be missing." in lines
    assert "Some records may be withheld by law or by choice." in lines


@pytest.mark.parametrize("width", [40, 80, 100, 240])
def test_no_width_cuts_what_is_missing(width):
    told = with_report(
        source="Z9A01.a-source-with-a-long-name", state="timeout", reason="deadline"
    )
    text = printed(told, width=width)
    squeezed = "".join(text.split()).replace("│", "").replace("┃", "")
    assert "…" not in text
    assert "Ambulancerecordsmaybemissing." in squeezed


def test_nothing_known_is_not_told_as_nothing_there():
    assert "not known" in printed(with_report(events=None, took_ms=None, as_of=None))
    assert "not known" not in printed(with_report(events=0))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("ok", "answered"),
        ("unknown_person", "nothing it may say of this person"),
        ("denied", "may not be asked"),
        ("timeout", "no answer in time"),
        ("a-newer-state", "a-newer-state"),
    ],
)
def test_a_state_is_told_in_words_with_its_reason_and_caveats(state, told):
    text = printed(with_report(state=state, reason="deadline"))
    assert f"{told} (deadline); rows_rejected 2" in text


HIDING = [
    *("\x1b[2J", "\r", "\b", "\n", "\x00", "\x7f", "\x9b"),  # moves and clears
    *("\u202e", "\u2066", "\u200f", "\u061c"),  # turns the direction
    *("\u2028", "\u2029"),  # ends the line
    *("\u200b", "\u2060", "\ufeff", "\u00ad"),  # is not seen
    "\U000e0041",  # tags
]


@pytest.mark.parametrize("hiding", HIDING, ids=ascii)
def test_a_source_cannot_move_turn_or_hide_anything(hiding):
    """Catches a title that goes back and writes COMPLETE over PARTIAL."""
    evil = f"{hiding}evil"
    told = journey(discrepancies=[{"meaning": evil, "sources": [evil]}])
    told["completeness"] |= {"statement": evil, "policy_note": evil, "level": evil}
    told["completeness"]["gaps"] = [{"meaning": evil}]
    report = {"source": evil, "reason": evil, "as_of": evil, "state": evil}
    told["completeness"]["sources"][0] |= report | {
        "organisation": {"ods": "Z9A01", "name": evil},
        "caveats": [{"code": evil, "count": 1}],
    }
    told["events"][0] |= {
        "kind": evil,
        "title": evil,
        "status": evil,
        "start": evil,
        "end": evil,
        "caveats": [evil],
        "altered": [evil],
        "provenance": {
            "source": evil,
            "record_id": evil,
            "organisation": {"ods": "Z9A01", "name": evil},
        },
    }
    problem = PROBLEM | {"title": evil, "detail": evil, "next_step": evil}
    text = printed(told) + printed(problem, terminal.print_problem)
    assert "evil" in text
    unseen = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}}
    assert unseen == {"\n"}


def test_square_brackets_are_text_and_no_markup():
    text = printed(with_event(title="[bold red]alarm[/] [link=x]y[/link]"))
    assert "[bold red]alarm[/] [link=x]y[/link]" in text


def test_half_a_pair_of_characters_is_replaced():
    assert "\ud800" not in printed(with_event(title="a\ud800b"))


def test_no_events_differ_by_whether_all_was_told():
    assert "Nothing from the 1 of 1 sources" in printed(journey(events=[]))
    told = journey(events=[])
    told["completeness"]["level"] = "complete"
    assert "every source answered, and holds none" in printed(told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "2024-03-09 14:05Z to 14:05Z"),
        ({"end": None}, "2024-03-09 14:05Z"),
        ({"start": None}, "date not known to 2024-03-09 14:05Z"),
        ({"start": None, "end": None}, "date not known"),
        ({"start": "2024-03", "start_precision": "month"}, "2024-03 to 2024-03-09"),
        (
            {"start": "2024-03-09", "start_precision": "day", "end": None},
            "2024-03-09",
        ),
        (
            {"start": "2024-07-09T14:05:06+01:00", "start_precision": "second"},
            "2024-07-09 14:05:06+01:00 to 2024-03-09",
        ),
        (
            {"end": "2024-03-10", "end_precision": "day"},
            "2024-03-09 14:05Z to 2024-03-10",
        ),
    ],
)
def test_a_time_is_told_as_finely_as_it_is_known(changes, told):
    shown = printed(with_event(**({"end": EVENT["start"]} | changes)))
    assert told in shown
    assert "14:05:00" not in shown


def test_an_event_says_what_was_made_of_it():
    shown = printed(
        with_event(
            title=None,
            caveats=["reversed"],
            altered=["event.title"],
            same_as=["evt_2", "evt_3"],
        )
    )
    assert (
        "ed attendance: (hidden) [reversed, event.title, also told by 2 other records]"
    ) in shown
    assert "also told by 1 other record]" in printed(with_event(same_as=["evt_2"]))


def test_what_was_entered_in_error_is_struck_through():
    screen = io.StringIO()
    console = Console(
        file=screen, width=200, force_terminal=True, color_system="standard"
    )
    terminal.print_journey(with_event(status="entered-in-error"), console)
    assert "\x1b[9m" in screen.getvalue()


def test_sources_that_disagree_are_named():
    told = journey(discrepancies=[{"meaning": "Births differ.", "sources": ["a", "b"]}])
    assert "Discrepancy: Births differ. (a, b)" in printed(told)


def test_a_problem_tells_places_unmet_and_the_next_step():
    text = printed(PROBLEM, terminal.print_problem)
    assert text.splitlines() == [
        "The request is not valid.",
        "/since: not-a-day",
        "/: x",
        "Next: Correct the fields named in errors.",
    ]


def test_a_problem_with_completeness_shows_it_first():
    problem = PROBLEM | {
        "detail": "Why.",
        "unmet": [{"condition": "strict", "value": "complete"}],
        "completeness": JOURNEY["completeness"],
    }
    text = printed(problem, terminal.print_problem)
    assert text.index("Completeness") < text.index("not valid. Why.")
    assert "Unmet: strict complete" in text
