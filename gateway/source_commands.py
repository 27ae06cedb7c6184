"""`throughline source …`: what an engineer at a source needs."""

import asyncio
import json
import os
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from adapters import nhs_number
from gateway.checking.check import Means, check_source
from gateway.checking.registered import Registered
from gateway.checking.trying import Trial, try_source
from gateway.clock import SystemClock
from gateway.command_line import Configuration, end, explained, settings_of
from gateway.onboarding_commands import new
from gateway.settings import Settings, SourceSettings
from gateway.source_printing import print_report, print_trial

source = typer.Typer(help="Sources, as they are registered.", no_args_is_help=True)

source.command("new")(new)

_UNSEEN: Final = "-"
_SYNTHETIC: Final = "999"  # the range that is never issued to anyone


@source.command("check")
def check(  # noqa: PLR0913 - one option for each thing that may be said
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
    rows: Annotated[
        int,
        typer.Option(help="Rows looked at for the profile.", min=0, max=1_000_000),
    ] = 50_000,
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
            rows=rows,
        )
        report = asyncio.run(check_source(registered, means))
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        print_report(report, Console())
    raise typer.Exit(0 if report.is_ready else 1)


@source.command("try")
def try_(  # noqa: PLR0913 - one option for each thing that may be said
    source_id: Annotated[str, typer.Argument(help="The source's id.")],
    *,
    config: Configuration = Path("throughline.toml"),
    person: Annotated[
        str | None,
        typer.Option(
            "--nhs-number",
            help="A synthetic person (999…) whom it holds; without it, asked unseen.",
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option(help="Day after the last.")] = None,
    first_s: Annotated[
        float,
        typer.Option(
            "--first-s", help="Seconds for the first answer.", min=0.1, max=3600
        ),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as it is.")] = (
        False
    ),
) -> None:
    """Show one person's journey from this source alone, and where each field stands."""
    if person is None or person == _UNSEEN:
        person = str(typer.prompt("NHS number", hide_input=True))
    number = _synthetic(person)
    with explained():
        settings = settings_of(config)
        registered = Registered(
            settings=settings,
            source=_registered(settings, source_id),
            config=config.absolute(),
        )
        trial = Trial(
            clock=SystemClock(),
            operator=f"uid:{os.getuid()}",
            first_s=first_s,
            number=number,
            since=_day("--since", since),
            until=_day("--until", until),
        )
        tried = asyncio.run(try_source(registered, trial))
    print_trial(tried, Console(), as_json=as_json)
    raise typer.Exit(0 if tried.journey is not None else 1)


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


def _day(option: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        end(f"{option} is not a day. Write it as YYYY-MM-DD.")
