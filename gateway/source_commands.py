"""`throughline source …`: what an engineer at a source needs."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters import nhs_number
from gateway.checking.check import Means, check_source
from gateway.checking.registered import Registered
from gateway.checking.report import Report
from gateway.clock import SystemClock
from gateway.command_line import Configuration, end, explained, settings_of
from gateway.settings import Settings, SourceSettings
from gateway.terminal import plain

source = typer.Typer(help="Sources, as they are registered.", no_args_is_help=True)

_UNSEEN: Final = "-"
_SYNTHETIC: Final = "999"  # the range that is never issued to anyone


@source.command("check")
def check(
    source_id: Annotated[str, typer.Argument(help="The source's id.")],
    *,
    config: Configuration = Path("throughline.toml"),
    person: Annotated[
        str | None,
        typer.Option(
            "--nhs-number",
            help='A synthetic person (999…) whom it holds; "-": asked for unseen.',
        ),
    ] = None,
    first_s: Annotated[
        float,
        typer.Option(
            "--first-s", help="Seconds for the first answer.", min=0.1, max=3600
        ),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = (
        False
    ),
) -> None:
    """Ask one source whether it is ready, or what is wrong, where, and the remedy."""
    if person == _UNSEEN:
        person = typer.prompt("NHS number of a synthetic person", hide_input=True)
    number = None if person is None else _synthetic(person)
    with explained():
        settings = settings_of(config)
        registered = Registered(
            settings=settings,
            source=_registered(settings, source_id),
            config=config.absolute(),
        )
        means = Means(
            clock=SystemClock(),
            operator=f"uid:{os.getuid()}",
            first_s=first_s,
            number=number,
        )
        report = asyncio.run(check_source(registered, means))
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        print_report(report, Console())
    raise typer.Exit(0 if report.is_ready else 1)


def _registered(settings: Settings, source_id: str) -> SourceSettings:
    by_id = {each.id: each for each in settings.sources}
    if source_id not in by_id:
        end(f"no source has that id. Use one of: {', '.join(sorted(by_id))}.")
    return by_id[source_id]


def _synthetic(text: str) -> str:
    """The ten digits. A real person is asked for through policy, never here."""
    digits = nhs_number.normalise(text)
    if digits is None:
        end("--nhs-number is not an NHS number. Give ten digits that pass its check.")
    if not digits.startswith(_SYNTHETIC):
        end(
            "--nhs-number may be a real person's. Give a synthetic one, of the range "
            f"that begins with {_SYNTHETIC}; a real person is asked for as a journey."
        )
    return digits


def print_report(report: Report, console: Console) -> None:
    """The findings, what is to be done about them, and the verdict last."""
    table = _table("Question", "", "Found")
    for each in report.findings:
        if each.result != "not-asked":
            table.add_row(each.question, each.result, Text(plain(each.says)))
    console.print(table)
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
