"""`throughline source new`: asks, and writes what it was told and could see."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from adapters.errors import AdapterError, ConfigurationError
from adapters.vocabulary import SECTORS
from gateway.clock import SystemClock
from gateway.command_line import end, explained, settings_of
from gateway.onboarding.interview import Query, Said, Unanswered
from gateway.onboarding.making import KINDS, Made, Means, Wanted, make, save
from gateway.onboarding.registering import Registration, register, table_of
from gateway.onboarding.sample import NotASample
from gateway.onboarding.write import slug

_Place = Annotated[
    str | None,
    typer.Option("--from", help="A sample file; a database's or server's URL."),
]
_Kind = Annotated[str | None, typer.Option(help=", ".join(KINDS))]
_Sector = Annotated[str | None, typer.Option(help="The source's sector.")]
_Ods = Annotated[str | None, typer.Option(help="ODS code of whose source it is.")]
_Out = Annotated[
    Path | None, typer.Option(help="The source file to write.", dir_okay=False)
]
_Table = Annotated[str | None, typer.Option(help="Of a database: the table or view.")]
_Secret = Annotated[
    str | None, typer.Option(help="env:NAME or file:path of a password or token.")
]
_Event = Annotated[str | None, typer.Option(help="What one row is about.")]
_YesNo = Annotated[str | None, typer.Option(help="yes or no.")]
_Column = Annotated[str | None, typer.Option(help='The column, or "none".')]
_End = Annotated[str | None, typer.Option("--end", help='The column, or "none".')]
_Order = Annotated[str | None, typer.Option(help="day-first or month-first.")]
_Columns = Annotated[
    str | None, typer.Option(help="The column, or several with commas.")
]
_System = Annotated[
    str | None, typer.Option(help="The URI of the source's own numbers.")
]
_Config = Annotated[
    Path | None,
    typer.Option("--register", help="The throughline.toml to add it to."),
]
_Id = Annotated[str | None, typer.Option("--id", help="Its id there.")]
_Fresh = Annotated[str | None, typer.Option(help="Seconds it promises.")]
_Flag = Annotated[str | None, typer.Option(help="states, prefiltered or none.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing; take what is offered.")]


def new(  # noqa: PLR0913 - one option for each question, so that it can be scripted
    *,
    place: _Place = None,
    kind: _Kind = None,
    sector: _Sector = None,
    organisation: _Ods = None,
    out: _Out = None,
    table: _Table = None,
    secret: _Secret = None,
    event_kind: _Event = None,
    header: _YesNo = None,
    start: _Column = None,
    finish: _End = None,
    dates: _Order = None,
    record_id: _Columns = None,
    person_key: _Column = None,
    nhs_number_column: _Column = None,
    key_system: _System = None,
    placeholders: _YesNo = None,
    config: _Config = None,
    source_id: _Id = None,
    fresh_s: _Fresh = None,
    restricted: _Flag = None,
    sensitive: _Flag = None,
    yes: _Yes = False,
) -> None:
    """Look at a sample and write a source file for it; asks what cannot be seen."""
    options = {
        "--from": place,
        "--kind": kind,
        "--sector": sector,
        "--organisation": organisation,
        "--out": str(out) if out else None,
        "--table": table,
        "--event-kind": event_kind,
        "--header": header,
        "--start": start,
        "--end": finish,
        "--dates": dates,
        "--record-id": record_id,
        "--person-key": person_key,
        "--nhs-number-column": nhs_number_column,
        "--key-system": key_system,
        "--placeholders": placeholders,
        "--id": source_id,
        "--fresh-s": fresh_s,
        "--restricted": restricted,
        "--sensitive": sensitive,
    }
    given = {name: said for name, said in options.items() if said is not None}
    _run(given, secret=secret, config=config, prompt=None if yes else _prompt)


def _run(
    options: Mapping[str, str],
    *,
    secret: str | None,
    config: Path | None,
    prompt: Callable[[Query], str] | None,
) -> None:
    asks = Said(options=options, prompt=prompt)
    means = Means(
        asks=asks,
        now=SystemClock().now,
        secret=_secret,
        say=typer.echo,
    )
    with explained():
        try:
            wanted = _wanted(asks, secret)
            made = asyncio.run(make(wanted, means))
            save(made, wanted, means)
            _say(wanted, made)
            _register(wanted, asks, config)
        except NotASample as error:
            end(f"--from: {error}")
        except Unanswered as error:
            end(str(error))
        except AdapterError as error:
            end(f"--from: {error.reason}: {error}")
        except FileExistsError:
            end("--out is there already, and is not written over. Name another.")


def _say(wanted: Wanted, made: Made) -> None:
    typer.echo(
        f"Written: {wanted.out}. Marked in it: guessed {made.guesses}, "
        f"LOOK {made.to_look_at}."
    )


def _wanted(asks: Said, secret: str | None) -> Wanted:
    def ask(option: str, says: str, **more: object) -> str:
        query = Query(option=option, says=says, **more)  # type: ignore[arg-type]  # offered and default, as Query names them
        return asks.answer(query)

    place = ask("--from", "Which sample file, or the URL of what database or server?")
    kind = ask("--kind", "Which kind of source?", offered=KINDS, default=_kind(place))
    ods = ask("--organisation", "Whose is it? The ODS code.")
    sector = ask("--sector", "Which sector?", offered=sorted(SECTORS))
    table = asks.options.get("--table")
    if kind == "sql" and table is None:
        table = ask("--table", "Which table or view?")
    named = slug(table or Path(place).stem)
    out = ask("--out", "Where to write it?", default=f"sources/{named}.toml")
    return Wanted(
        kind=kind,
        place=place,
        sector=sector,
        ods=ods,
        out=Path(out),
        table=table,
        secret=secret,
    )


def _kind(place: str) -> str:
    if place.startswith(("http://", "https://")):
        return "fhir"
    if "://" in place:
        return "sql"
    return "hl7v2" if place.lower().endswith((".hl7", ".er7")) else "csv_drop"


def _register(wanted: Wanted, asks: Said, config: Path | None) -> None:
    if config is None:
        return
    identity = asks.answer(
        Query(
            option="--id",
            says="What is it called in journeys?",
            default=f"{wanted.ods}.{wanted.out.stem}",
        )
    )
    registration = Registration(
        id=identity, ods=wanted.ods, sector=wanted.sector, file=wanted.out
    )
    try:
        table = table_of(registration, asks, folder=config.parent)
        register(table, config, settings_of)
    except FileNotFoundError:
        end(f"{config} is not there: {wanted.out} is written, and not registered.")
    typer.echo(f"Registered: {identity} in {config}. Next: throughline source check.")


def _prompt(query: Query) -> str:
    says = query.says
    if query.offered:
        says += f"\n  one of: {', '.join(query.offered)}\n "
    answer: str = typer.prompt(says, default=query.default)
    return answer


def _secret(reference: str) -> str:
    """What `env:NAME` or `file:path` refers to. ConfigurationError without one."""
    kind, _, place = reference.partition(":")
    try:
        found = (
            os.environ.get(place, "")  # noqa: TID251 - the edge that hands the environment in
            if kind == "env"
            else Path(place).read_text("utf-8").strip("\r\n")
        )
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found or kind not in {"env", "file"}:
        message = "leads to no secret. Write env:NAME or file:path."
        raise ConfigurationError(message, file="--secret")
    return found
