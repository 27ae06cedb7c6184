"""`throughline source new`: look, ask, write, and see that what was written loads."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters import nhs_number
from adapters.errors import ConfigurationError
from adapters.http import AiohttpTransport, Transport
from adapters.registry import open_source
from adapters.surroundings import Limits, Surroundings
from adapters.vocabulary import SECTORS
from gateway.onboarding import server, table, write
from gateway.onboarding.guess import guess
from gateway.onboarding.interview import Asks, Query, Unanswered, settle
from gateway.onboarding.proposal import Proposal
from gateway.onboarding.sample import BYTES, NotASample, Sample, read_sample

KINDS: Final = ("csv_drop", "sql", "fhir", "hl7v2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be looked at, and where the source file goes."""

    kind: str
    place: str  # a file; a database's or a server's URL
    sector: str
    ods: str
    out: Path
    table: str | None = None
    secret: str | None = None  # a reference to the password or token


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What making a source file may use."""

    asks: Asks
    now: Callable[[], datetime]
    secret: Callable[[str], str]
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The text of a source file, and how many lines of it are to be looked at."""

    text: str
    guesses: int
    to_look_at: int


async def make(wanted: Wanted, means: Means) -> Made:
    """The source file for what was found.

    NotASample or Unanswered, each with the next step; nothing is written here.
    """
    if wanted.kind == "fhir":
        lines = await _of_server(wanted, means)
    elif wanted.kind == "hl7v2":
        lines = _of_messages(wanted, means)
    elif wanted.kind == "sql":
        lines = await _of_table(wanted, means)
    else:
        lines = _of_file(wanted, means)
    return Made(
        text="\n".join(lines).rstrip() + "\n",
        guesses=sum(line.startswith("# guessed:") for line in lines),
        to_look_at=sum(line.startswith("# LOOK:") for line in lines),
    )


def save(made: Made, wanted: Wanted, means: Means) -> None:
    """Write it, if it loads; ConfigurationError if not, and nothing is left behind.

    Never over a file that is there: FileExistsError.
    """
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    with wanted.out.open("x", encoding="utf-8") as stream:
        stream.write(made.text)
    try:
        load(wanted.out, wanted.sector, means.now)
    except ConfigurationError:
        wanted.out.unlink()
        raise


def load(path: Path, sector: str, now: Callable[[], datetime]) -> None:
    """ConfigurationError if the source file would not open. Nothing is connected."""
    open_source(
        path,
        Surroundings(
            now=now,
            secret=lambda _reference: "not needed before it is asked",
            transport=AiohttpTransport(),
            limits=Limits(),
            state=path.parent / ".state-not-made",
            source_id="new",
            sector=sector,
        ),
    )


def _of_file(wanted: Wanted, means: Means) -> list[str]:
    path, data = _read(wanted.place)
    sample = read_sample(data)
    if sample.form is not None and sample.form.header is None:
        sample = read_sample(data, header=_has_header(means))
    _tell(sample, means)
    found = _settled(sample, wanted, means)
    form = sample.form
    if form is None:  # pragma: no cover - a sample of a file always has one
        raise NotASample("has no form. Give a file.")
    top = write.of_file(
        form,
        directory=_directory(path, wanted),
        pattern=write.pattern_of(path.name),
        columns=sample.columns,
    )
    return _whole(top, found, wanted, means=means)


def _has_header(means: Means) -> bool:
    said = means.asks.answer(
        Query(
            option="--header",
            says="Does the first line name the columns?",
            offered=("yes", "no"),
        )
    )
    return said == "yes"


async def _of_table(wanted: Wanted, means: Means) -> list[str]:
    if wanted.table is None:
        raise Unanswered("a database needs to know which table or view: --table.")
    password = means.secret(wanted.secret) if wanted.secret else None
    sample = await table.read_table(
        table.Where(
            url=wanted.place,
            table=wanted.table,
            folder=wanted.out.parent,
            password=password,
        )
    )
    _tell(sample, means)
    found = _settled(sample, wanted, means)
    top = write.of_table(wanted.place, wanted.table, password=wanted.secret)
    return _whole(top, found, wanted, means=means)


def _settled(sample: Sample, wanted: Wanted, means: Means) -> Proposal:
    found = guess(sample, sector=wanted.sector)
    for warning in found.warnings:
        means.say(f"Look: {warning}")
    names = [
        each for each in sample.columns if sample.columns.count(each) == 1 and each
    ]
    settled = settle(found, means.asks, columns=names)
    mapped = _mapped(settled)
    return replace(
        settled, unmapped=tuple(name for name in names if name not in mapped)
    )


def _mapped(found: Proposal) -> set[str]:
    guesses = (
        *(found.nhs_number, found.person_key, found.record_id, found.title),
        *(found.organisation, found.version, found.name, found.gender, found.postcode),
    )
    names = {name for each in guesses if each for name in each.columns}
    times = (found.start, found.end, found.recorded, found.birth_date)
    names |= {each.column for each in times if each}
    names |= {each.clock for each in times if each and each.clock}
    names |= {each.column for each in found.codes}
    names |= {each.display for each in found.codes if each.display}
    return names | ({found.status.column} if found.status else set())


def _whole(
    top: Sequence[str], found: Proposal, wanted: Wanted, *, means: Means
) -> list[str]:
    head = write.head(wanted.sector, of=f"{found.rows} rows of {_named(wanted)}")
    owner = write.Owner(ods=wanted.ods, key_system=_key_system(found, wanted, means))
    return [*head, *top, "", *write.mapping(found, owner)]


def _named(wanted: Wanted) -> str:
    return wanted.table or Path(wanted.place).name


def _key_system(found: Proposal, wanted: Wanted, means: Means) -> str:
    if found.person_key is None:
        return ""
    proposed = write.key_system(wanted.ods, found.person_key.column)
    return means.asks.answer(
        Query(
            option="--key-system",
            says=f"Under which system are the values of {found.person_key.column!r} "
            "known elsewhere? The same for every source that uses these numbers.",
            default=proposed,
        )
    )


async def _of_server(wanted: Wanted, means: Means) -> list[str]:
    headers = {}
    if wanted.secret is not None:
        headers = {"Authorization": f"Bearer {means.secret(wanted.secret)}"}
    transport: Transport = AiohttpTransport()
    loopback = "://127." in wanted.place or "://localhost" in wanted.place
    try:
        seen = await server.look_at_server(
            wanted.place, transport, headers=headers, loopback=loopback
        )
    finally:
        await transport.aclose()
    system = means.asks.answer(
        Query(
            option="--key-system",
            says="Under which system does it know its own numbers of people?",
            default="none",
        )
    )
    means.say(f"It speaks FHIR {seen.version or 'of a version it does not say'}.")
    lines = server.of_server(
        seen,
        server.ServerWanted(
            base_url=wanted.place,
            token=wanted.secret,
            key_system=None if system in {"none", nhs_number.SYSTEM} else system,
            loopback=loopback,
        ),
    )
    head = (
        f"# A source of the sector {wanted.sector}, written by `throughline source new`"
    )
    return [head, "# from what the server says of itself.", *lines]


def _of_messages(wanted: Wanted, means: Means) -> list[str]:
    from gateway.onboarding import messages  # noqa: PLC0415 - needed by one kind alone

    path, data = _read(wanted.place)
    seen = messages.read_messages(data)
    means.say(f"{seen.messages} messages.")
    key = means.asks.answer(
        Query(
            option="--person-key",
            says="Which authority of PID-3 gives this system's own number of a person?",
            offered=sorted(seen.authorities),
            default=messages.key_of(seen),
        )
    )
    lines = messages.of_messages(
        seen,
        directory=_directory(path, wanted),
        pattern=f"*{path.suffix}",
        key=key,
        ods=wanted.ods,
    )
    return [
        *write.head(wanted.sector, of=f"{seen.messages} messages of {path.name}"),
        *lines,
    ]


def _read(place: str) -> tuple[Path, bytes]:
    path = Path(place)
    try:
        with path.open("rb") as stream:
            return path, stream.read(BYTES)
    except (OSError, ValueError):
        raise NotASample("cannot be opened. Correct --from.") from None


def _directory(path: Path, wanted: Wanted) -> str:
    """Where the sample lies, as the source file will look for it."""
    folder = path.absolute().parent
    return Path(os.path.relpath(folder, wanted.out.absolute().parent)).as_posix()


def _tell(sample: Sample, means: Means) -> None:
    rows = f"{len(sample.rows)} rows{'' if sample.is_whole else ', the first of more'}"
    told = f"{rows}, {len(sample.columns)} columns"
    if sample.form is not None:
        mark = {"\t": "tab"}.get(sample.form.delimiter, f'"{sample.form.delimiter}"')
        named = "a header" if sample.form.header else "no header"
        told += f", {sample.form.encoding}, divided by {mark}, {named}"
    means.say(f"{told}.")
    for reason, rows_ in sample.set_aside.items():
        count = str(rows_) if rows_ >= 5 else "fewer than 5"
        means.say(f"Look: {count} rows cannot be read as such ({reason}).")


def known_sector(sector: str) -> bool:
    """Whether it is a sector of the vocabulary."""
    return sector in SECTORS
