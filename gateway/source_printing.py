"""A check and a trial in the terminal: what is wrong last, where the eye ends."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.vocabulary import CAVEATS
from gateway.checking.profile import ColumnProfile, DataProfile, told
from gateway.checking.report import Maturity, Report
from gateway.checking.trying import Tried
from gateway.terminal import plain, print_journey, print_problem

_PER_CENT: Final = 100


def print_report(report: Report, console: Console) -> None:
    """The findings, what is to be done about them, and the verdict last."""
    table = _table("Question", "", "Found")
    for each in report.findings:
        if each.result != "not-asked":
            table.add_row(each.question, each.result, Text(plain(each.says)))
    console.print(table)
    if report.profile is not None:
        console.print(_profile(report.profile))
    if report.rejected:
        console.print(_rejected(report))
    for why, questions in _unasked(report).items():
        console.print(Text(f"Not asked, {why}: {', '.join(questions)}."))
    wrong = [each for each in report.findings if each.result == "wrong"]
    notes = [each for each in report.findings if each.result == "note"]
    for title, found in (("Note", notes), ("Wrong", wrong)):
        for each in found:
            end_ = "" if each.says.endswith((".", "?")) else "."
            console.print(Text(plain(f"{title}: {each.question}: {each.says}{end_}")))
            console.print(Text(plain(f"  where: {each.where}")))
            console.print(Text(plain(f"  remedy: {each.remedy}")))
    if report.abilities:
        console.print(Text(f"Abilities: {', '.join(report.abilities)}."))
    if report.maturity is not None:
        print_maturity(report.maturity, console)
    console.print(Text(plain(_verdict(report, wrong=len(wrong), notes=len(notes)))))


def _verdict(report: Report, *, wrong: int, notes: int) -> str:
    if report.is_ready:
        return f"{report.source}: ready" + (f", with {notes} to note" if notes else "")
    return f"{report.source}: not ready, {wrong} to mend"


def _unasked(report: Report) -> dict[str, list[str]]:
    why: dict[str, list[str]] = {}
    for each in report.findings:
        if each.result == "not-asked":
            why.setdefault(each.says, []).append(each.question)
    return why


def _rejected(report: Report) -> Table:
    table = _table("Rows", "File", "Column", "Reason", "First line")
    for each in report.rejected:
        cells: Sequence[str] = (
            str(each.rows),
            plain(each.file),
            plain(each.column or ""),
            plain(each.reason),
            str(each.first_line),
        )
        table.add_row(*map(Text, cells))
    return table


def _table(*titles: str) -> Table:
    table = Table()
    for title in titles:
        table.add_column(title, overflow="fold")  # rather two lines than a cut one
    return table


def _profile(profile: DataProfile) -> Table:
    table = _table("Mapped as", "Column", "Filled", "Distinct", "From, to", "Look at")
    table.title = f"{profile.rows} rows" + ("" if profile.is_whole else " looked at")
    for each in profile.columns:
        span = f"{each.first} to {each.last}" if each.first else ""
        cells: Sequence[str] = (
            each.key,
            each.column,
            _share(profile, each.filled),
            str(each.distinct),
            span,
            "; ".join(_odd(each)),
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _share(profile: DataProfile, count: int) -> str:
    """A share of all rows; where it would tell of a few, only that."""
    few, rest = told(count), told(profile.rows - count)
    if not profile.rows or isinstance(few, str):
        return str(few)
    if isinstance(rest, str):
        return f"all but {rest}"
    return f"{_PER_CENT * profile.share(count):.1f} %"


def _odd(each: ColumnProfile) -> Iterator[str]:
    for count, what in (
        (each.absent, "written as nothing"),
        (each.unreadable, "not read"),
        (each.untranslated, "not translated"),
        (each.invalid if each.valid is not None else 0, "invalid"),
    ):
        if count:
            yield f"{told(count)} {what}"
    if each.shared:
        yield f"{each.shared} shared by many people"


def print_maturity(reached: Maturity, console: Console) -> None:
    """The level, and what the next one lacks."""
    level = "below 0" if reached.level is None else f"{reached.level} of 3"
    console.print(Text(f"Maturity: {level}"))
    following = 0 if reached.level is None else reached.level + 1
    for what, remedy in reached.missing:
        console.print(Text(plain(f"  for {following}: {what}")))
        console.print(Text(plain(f"    remedy: {remedy}")))


def print_trial(tried: Tried, console: Console, *, as_json: bool) -> None:
    """A journey from one source, every caveat in words, and where fields come from."""
    missed = tried.not_reached
    if as_json:
        told_ = tried.journey or tried.problem or _missed(tried)
        console.file.write(json.dumps(told_, indent=2, ensure_ascii=False) + "\n")
    elif missed is not None:
        console.print(Text(plain(f"Not asked: {missed.says}.")))
        console.print(Text(plain(f"  where: {missed.where}")))
        console.print(Text(plain(f"  remedy: {missed.remedy}")))
    elif tried.problem is not None:
        print_problem(tried.problem, console)
    elif tried.journey is not None:
        print_journey(tried.journey, console)
        for code, meaning in _caveats(tried.journey):
            console.print(Text(plain(f"Caveat {code}: {meaning}.")))
        console.print(_origins(tried))


def _missed(tried: Tried) -> dict[str, str | None]:
    missed = tried.not_reached
    if missed is None:
        return {}
    return {"says": missed.says, "where": missed.where, "remedy": missed.remedy}


def _caveats(journey: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    of_source = [
        each["code"]
        for source in journey["completeness"]["sources"]
        for each in source["caveats"]
    ]
    of_events = [code for event in journey["events"] for code in event["caveats"]]
    for code in dict.fromkeys((*of_source, *of_events)):
        yield code, CAVEATS.get(code, "not of the vocabulary")


def _origins(tried: Tried) -> Table:
    table = _table("Field", "Comes from")
    for each in tried.origins:
        table.add_row(Text(plain(each.field)), Text(plain(each.comes_from)))
    return table
