"""A journey in the terminal: completeness first, then a table a person can read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

# Control characters of a source's text could move the cursor and hide what is missing.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MARKS: Final = {
    "ok": "answered",
    "ok_empty": "answered: nothing in the window",
    "unknown_person": "answered: nothing it may say of this person",
    "denied": "may not be asked",
    "withheld": "part withheld",
    "timeout": "no answer in time",
    "error": "unreadable",
    "unavailable": "not reached",
    "not_asked": "not asked",
    "stale": "older than promised",
}


def print_journey(journey: Mapping[str, Any], console: Console) -> None:
    """Print a journey as the API returned it."""
    print_completeness(journey["completeness"], console)
    for each in journey["discrepancies"]:
        sources = ", ".join(each["sources"])
        console.print(Text(plain(f"Discrepancy: {each['meaning']} ({sources})")))
    events = journey["events"]
    if not events:
        console.print(Text(_none_shown(journey["completeness"])))
        return
    console.print(_table(events))


def print_completeness(completeness: Mapping[str, Any], console: Console) -> None:
    """What is missing, before anything else."""
    level = str(completeness["level"]).upper()
    told = Text(plain(completeness["statement"]))
    for gap in completeness["gaps"]:
        told.append(plain(f"\n  - {gap['meaning']}"))
    told.append(plain(f"\n{completeness['policy_note']}"))
    console.print(Panel(told, title=f"Completeness: {level}", expand=False))
    table = Table("Source", "Organisation", "State", "Events", "As of", "Took")
    for each in completeness["sources"]:
        table.add_row(*map(Text, _source_row(each)))
    console.print(table)


def plain(text: object) -> str:
    """Text from a source without characters that could redraw the screen."""
    return _CONTROL.sub(" ", str(text)) if text is not None else ""


def _none_shown(completeness: Mapping[str, Any]) -> str:
    if completeness["level"] == "complete":
        return "No events: every source answered, and holds none for this question."
    answered, listed = completeness["answered"], len(completeness["sources"])
    return f"Nothing from the {answered} of {listed} sources that answered."


def _source_row(each: Mapping[str, Any]) -> Sequence[str]:
    events = "not known" if each["events"] is None else str(each["events"])
    caveats = ", ".join(f"{c['code']} {c['count']}" for c in each["caveats"])
    state = _MARKS[each["state"]]
    reason = f" ({each['reason']})" if each["reason"] else ""
    return (
        plain(each["source"]),
        plain(each["organisation"]["name"] or each["organisation"]["ods"]),
        plain(state + reason + (f"; {caveats}" if caveats else "")),
        events,
        plain(each["as_of"] or "-"),
        "-" if each["took_ms"] is None else f"{each['took_ms']} ms",
    )


def _table(events: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("When", "What", "Status", "Where", "Source, record")
    for each in events:
        struck = "strike" if each["status"] == "entered-in-error" else ""
        cells = (
            _when(each),
            _what(each),
            plain(each["status"]),
            _where(each),
            plain(
                f"{each['provenance']['source']} {each['provenance']['record_id'] or ''}"
            ),
        )
        table.add_row(*(Text(cell, style=struck) for cell in cells))
    return table


def _when(event: Mapping[str, Any]) -> str:
    start = _readable(event["start"]) if event["start"] else "date not known"
    end = f" to {_readable(event['end'])}" if event["end"] else ""
    return plain(start + end)


def _readable(text: str) -> str:
    """A moment without its offset's noise, never finer than it was given."""
    return text.replace("T", " ").replace("+00:00", "Z")


def _what(event: Mapping[str, Any]) -> str:
    title = event["title"] or "(hidden)"
    notes = [*event["caveats"], *event["altered"]]
    if event["same_as"]:
        notes.append(f"also told by {len(event['same_as'])} other source")
    marks = f" [{', '.join(notes)}]" if notes else ""
    return plain(f"{event['kind'].replace('_', ' ')}: {title}{marks}")


def _where(event: Mapping[str, Any]) -> str:
    place = event["provenance"]["organisation"]
    return plain(place["name"] or place["ods"])
