"""What commands share: the configuration they read, and how a wrong one ends them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from adapters.errors import ConfigurationError
from gateway.settings import Settings, load_settings

Configuration = Annotated[
    Path,
    typer.Option("--config", help="The throughline.toml to use.", dir_okay=False),
]


def settings_of(path: Path) -> Settings:
    """The configuration, with this process's environment over it."""
    return load_settings(path, os.environ)  # noqa: TID251 - the edge that hands the environment in


@contextmanager
def explained() -> Iterator[None]:
    """End the command with the message of a wrong file, and nothing else."""
    try:
        yield
    except ConfigurationError as error:
        end(str(error))


def end(message: str) -> NoReturn:
    """End the command, with one line on stderr and exit status 2."""
    typer.echo(f"throughline: {message}", err=True)
    raise typer.Exit(2)
