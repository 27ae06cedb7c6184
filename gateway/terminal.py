"""A journey in the terminal: completeness first, then a table a person can read."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

# Characters that move the cursor, turn the direction of writing or are not seen at
# all: in a source's text they could hide what is missing.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_CLOCK: Final = re.compile(r"(\d\d:\d\d)((?::\d\d(?:\.\d+)?)?)(.*)")
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
    table = _table("When", "What", "Status", "Where", "Source, record")
    for each in events:
        struck = "strike" if each["status"] == "entered-in-error" else ""
        table.add_row(*(Text(cell, style=struck) for cell in _event_row(each)))
    console.print(table)


def print_problem(problem: Mapping[str, Any], console: Console) -> None:
    """Print a refusal, and what it says of sources that were asked."""
    lines = [f"{problem['title']}. {problem['detail'] or ''}".rstrip()]
    lines += [f"{e['pointer'] or '/'}: {e['code']}" for e in problem["errors"]]
    lines += [f"Unmet: {u['condition']} {u['value']}" for u in problem["unmet"] or ()]
    lines.append(f"Next: {problem['next_step']}")
    if problem["completeness"]:
        print_completeness(problem["completeness"], console)
    console.print(Text("\n".join(plain(line) for line in lines)))


def print_completeness(completeness: Mapping[str, Any], console: Console) -> None:
    """What is missing, before anything else."""
    told = [
        completeness["statement"],
        *(f"- {gap['meaning']}" for gap in completeness["gaps"]),
        completeness["policy_note"],
    ]
    level = Text(f"Completeness: {plain(completeness['level']).upper()}")
    text = Text("\n".join(plain(line) for line in told))
    console.print(Panel(text, title=level, expand=False))
    table = _table("Source", "Organisation", "State", "Events", "As of", "Took")
    for each in completeness["sources"]:
        table.add_row(*map(Text, _source_row(each)))
    console.print(table)


def plain(text: object) -> str:
    """Text from a source, without characters that could redraw the screen."""
    return "".join(
        " " if unicodedata.category(each) in _UNSEEN else each for each in str(text)
    )


def _table(*titles: str) -> Table:
    table = Table()
    for title in titles:
        table.add_column(title, overflow="fold")  # rather two lines than a cut one
    return table


def _none_shown(completeness: Mapping[str, Any]) -> str:
    if completeness["level"] == "complete":
        return "No events: every source answered, and holds none for this question."
    answered, listed = completeness["answered"], len(completeness["sources"])
    return f"Nothing from the {answered} of {listed} sources that answered."


def _source_row(each: Mapping[str, Any]) -> Sequence[str]:
    caveats = ", ".join(f"{c['code']} {c['count']}" for c in each["caveats"])
    state = _MARKS.get(each["state"], each["state"])
    reason = f" ({each['reason']})" if each["reason"] else ""
    organisation = each["organisation"]
    return (
        plain(each["source"]),
        plain(organisation["name"] or organisation["ods"]),
        plain(state + reason + (f"; {caveats}" if caveats else "")),
        "not known" if each["events"] is None else str(each["events"]),
        "-" if each["as_of"] is None else plain(_readable(each["as_of"], "minute")),
        "-" if each["took_ms"] is None else f"{each['took_ms']} ms",
    )


def _event_row(each: Mapping[str, Any]) -> Iterable[str]:
    place, provenance = each["provenance"]["organisation"], each["provenance"]
    return (
        plain(_when(each)),
        plain(_what(each)),
        plain(each["status"]),
        plain(place["name"] or place["ods"]),
        plain(f"{provenance['source']} {provenance['record_id'] or ''}"),
    )


def _when(event: Mapping[str, Any]) -> str:
    if not event["start"]:
        start = "date not known"
    else:
        start = _readable(event["start"], event["start_precision"])
    if not event["end"]:
        return start
    end = _readable(event["end"], event["end_precision"])
    same_day = event["start"] and event["start"][:10] == event["end"][:10]
    return f"{start} to {end.rpartition(' ')[2] if same_day else end}"


def _readable(text: str, precision: str) -> str:
    """A moment as finely as it is known, and no finer; its offset stays."""
    day, _, clock = text.partition("T")
    found = _CLOCK.fullmatch(clock)
    if found is None:
        return text
    seconds = "" if precision == "minute" else found[2]
    return f"{day} {found[1]}{seconds}{found[3].replace('+00:00', 'Z')}"


def _what(event: Mapping[str, Any]) -> str:
    title = event["title"] or "(hidden)"
    notes = [*event["caveats"], *event["altered"]]
    if others := len(event["same_as"]):
        notes.append(f"also told by {others} other record{'s' if others > 1 else ''}")
    marks = f" [{', '.join(notes)}]" if notes else ""
    return f"{event['kind'].replace('_', ' ')}: {title}{marks}"
