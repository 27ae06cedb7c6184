"""The command `throughline audit`: hold the trails of two ends together."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection

from adapters import source_file
from gateway.audit.exchanged import Exchanged, NotReadable, exchanged
from gateway.audit.reconcile import Counted, Difference, Span, pairs
from gateway.audit.records import instant
from gateway.command_line import end, explained, settings_of
from gateway.settings import Settings
from gateway.site.settings import load_site
from gateway.store.database import Database
from gateway.store.failures import FAILURES

audit = typer.Typer(help="Look into audit trails.")
_DIFFERENT: Final = 1  # the exit status; 2, as everywhere: it could not be done
_STATEMENT_S: Final = 60.0

Place = Annotated[
    Path, typer.Argument(help="A throughline.toml, a site.toml, or an SQLite store.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """Where one end's trail is, and whose it is as far as that is known."""

    path: Path
    url: URL
    gateway: Settings | None = None
    site: str | None = None


@audit.callback()
def about() -> None:
    """Look into audit trails."""


@audit.command()
def reconcile(
    a: Place,
    b: Place,
    *,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Of A, only these sources; may be repeated."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="First recorded from then on, ISO 8601.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="First recorded before then, ISO 8601.")
    ] = None,
) -> None:
    """List what the trail of A, a gateway's, and of B, a site's, do not tell alike.

    Exit status 0: they are equal; 1: they differ; 2: one cannot be read.
    """
    with explained():
        ends = (_end_of(a), _end_of(b))
        span = Span(
            since=_instant("--since", since), before=_instant("--before", before)
        )
        chosen = _chosen(ends, source)
    counted = Counted()
    differs = False
    with pairs() as held:
        _read(ends[0], partial(held.put, "a"), chosen[0])
        _read(ends[1], partial(held.put, "b"), chosen[1])
        for found in held.differences(counted, span):
            differs = True
            typer.echo(_line(found))
    typer.echo(f"A has {counted.a} questions, B {counted.b}; {counted.alike} alike.")
    raise typer.Exit(_DIFFERENT if differs else 0)


def _end_of(path: Path) -> _End:
    if path.suffix != ".toml":
        url = URL.create("sqlite+aiosqlite", database=str(path.absolute()))
        return _End(path=path, url=url)
    if "issuers" in source_file.load(path):
        settings = settings_of(path)
        return _End(path=path, url=settings.database_url(), gateway=settings)
    site = load_site(path, os.environ)  # noqa: TID251 - the edge that hands the environment in
    return _End(path=path, url=site.database_url(), site=site.id)


def _chosen(
    ends: tuple[_End, _End], named: list[str] | None
) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """Of which sources each trail is read; None: of all."""
    a, b = ends
    if named:
        return frozenset(named), None
    if a.gateway is not None and b.site is not None:
        return _behind(b.site, a), None
    if b.gateway is not None and a.site is not None:
        return None, _behind(a.site, b)
    return None, None


def _behind(site: str, gateway: _End) -> frozenset[str]:
    """The gateway's sources that are behind a site: it has others' exchanges too."""
    found = set()
    for each in gateway.gateway.sources if gateway.gateway else ():
        tables = source_file.load(each.file)
        told = tables.get("site")
        if tables.get("kind") == "site" and isinstance(told, dict):
            found |= {each.id} if told.get("id") == site else set()
    if not found:
        end(f"{gateway.path}: no source is behind that site. Name one with --source.")
    return frozenset(found)


def _read(
    place: _End,
    put: Callable[[Iterable[Exchanged]], None],
    sources: frozenset[str] | None,
) -> None:
    def work(connection: Connection) -> None:
        put(exchanged(connection, sources=sources))

    try:
        if place.url.get_backend_name() == "sqlite":
            _of_file(place.url.database or "", work)
        else:
            asyncio.run(_of_server(place.url, work))
    except NotReadable as error:
        end(f"{place.path}: {error} Is it the right file, and whole?")
    except FAILURES:
        end(f"{place.path}: its trail cannot be read. Is it there, and an audit trail?")


def _of_file(place: str, work: Callable[[Connection], None]) -> None:
    """Read-only: the trail may be in use, or evidence."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"file:{quote(place)}?mode=ro", uri=True),
        hide_parameters=True,
    )
    try:
        with engine.connect() as connection:
            work(connection)
    finally:
        engine.dispose()


async def _of_server(url: URL, work: Callable[[Connection], None]) -> None:
    database = Database(url, busy_s=_STATEMENT_S)
    try:
        await database.read(work)
    finally:
        await database.aclose()


def _line(found: Difference) -> str:
    answers = (",".join(each) or "-" for each in (found.a, found.b))
    return "\t".join([found.kind, found.question, found.at, *answers])


def _instant(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return instant(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        end(f"{option} is not a date or an instant. Write 2026-01-31T09:00:00Z.")
