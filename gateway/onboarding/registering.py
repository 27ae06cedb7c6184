"""The `[[sources]]` table that makes a source file part of a gateway."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.errors import ConfigurationError
from gateway.onboarding.interview import Asks, Query
from gateway.onboarding.write import quoted

_DAY_S: Final = "86400"
_FLAGS: Final = (
    ("legally-restricted", "--restricted"),
    ("sensitive-record", "--sensitive"),
)
_SAID: Final = ("states", "prefiltered", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Which source of whom, and where its file is."""

    id: str
    ods: str
    sector: str
    file: Path


def table_of(wanted: Registration, asks: Asks, *, folder: Path) -> str:
    """The table, as it stands in a throughline.toml in `folder`."""
    fresh = asks.answer(
        Query(
            option="--fresh-s",
            says="How many seconds old may its data be? It is promised, and checked.",
            default=_DAY_S,
        )
    )
    flags = [(flag, _flag(flag, option, asks)) for flag, option in _FLAGS]
    file = os.path.relpath(wanted.file.absolute(), folder.absolute())
    lines = [
        "[[sources]]",
        f"id = {quoted(wanted.id)}",
        f"organisation = {quoted(wanted.ods)}",
        f"sector = {quoted(wanted.sector)}",
        f"file = {quoted(Path(file).as_posix())}",
        f"fresh_s = {_whole(fresh)}",
        'labels = "unlabelled"',
        "[sources.flags]",
        *(f"{flag} = {quoted(said)}" for flag, said in flags),
    ]
    return "\n".join(lines) + "\n"


def _whole(text: str) -> str:
    return text.strip() if text.strip().isdecimal() else quoted(text)


def _flag(flag: str, option: str, asks: Asks) -> str:
    return asks.answer(
        Query(
            option=option,
            says=f"People marked {flag}: does the source say so with each "
            "(states), keep them back itself (prefiltered), or neither (none: "
            "then everything is withheld)?",
            offered=_SAID,
            default="none",
        )
    )


def register(table: str, config: Path, load: Callable[[Path], object]) -> None:
    """Add the table to a configuration, which `load` then reads.

    ConfigurationError if that fails; the configuration is then as it was.
    """
    before = config.read_bytes()
    with config.open("ab") as stream:
        stream.write(b"" if before.endswith(b"\n\n") else b"\n")
        stream.write(table.encode())
    try:
        load(config)
    except ConfigurationError:
        config.write_bytes(before)
        raise
