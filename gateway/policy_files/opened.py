"""What a path on the command line means: files, a folder, or a whole configuration."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adapters.errors import ConfigurationError
from gateway.policy.composition import Composition
from gateway.policy_files.kept_store import in_force, last_decisions
from gateway.policy_files.recorded_lines import read_recorded
from gateway.policy_files.shelf import as_signed, files_of, read_shelf
from gateway.settings import Settings, load_settings
from policies.analysis.replay import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where and when policy is looked at: the time, and the environment."""

    now: datetime
    environ: Mapping[str, str] = field(repr=False)

    def settings(self, path: Path) -> Settings:
        """A configuration, with the environment over it."""
        return load_settings(path, self.environ)


def policy_paths(paths: Sequence[Path], desk: Desk) -> tuple[Path, ...]:
    """The files that these name: themselves, a folder's, or a configuration's.

    ConfigurationError where there is none, or where policy is kept in the store.
    """
    return tuple(each for path in paths for each in _named(path, desk))


def composition_of(
    paths: Sequence[Path], desk: Desk, *, signed: bool = False, may_be_empty: bool
) -> Composition:
    """What the set that these name is made of; `signed`: as though by all parties.

    A configuration whose policy is kept in the store names the set in force there.
    ConfigurationError for the first thing wrong.
    """
    found = _composition(paths, desk)
    if not found.members and not may_be_empty:
        message = "holds no agreement and no local rule. Name files that do."
        raise ConfigurationError(message, file=", ".join(map(str, paths)))
    return as_signed(found, desk.now) if signed else found


def decisions_of(path: Path, desk: Desk, *, most: int) -> Sequence[Recorded]:
    """The last decisions, of a file of records or of a configuration's store."""
    if _is_configuration(path):
        return asyncio.run(last_decisions(desk.settings(path), most=most))
    return read_recorded(path, most=most)


def _composition(paths: Sequence[Path], desk: Desk) -> Composition:
    if len(paths) == 1 and _is_configuration(paths[0]):
        settings = desk.settings(paths[0])
        if settings.policy.source == "store":
            return asyncio.run(in_force(settings, desk.now))
    return read_shelf(policy_paths(paths, desk)).composition


def _named(path: Path, desk: Desk) -> Iterator[Path]:
    if not _is_configuration(path):
        yield from files_of(path)
        return
    settings = desk.settings(path)
    if settings.policy.source == "store":
        message = "policy is kept in the store here. Name files of policy instead."
        raise ConfigurationError(message, file=str(path))
    found = settings.policy_files()
    if not found:
        message = "policy.documents names no file that is there. Correct it."
        raise ConfigurationError(message, file=str(path))
    yield from found


def _is_configuration(path: Path) -> bool:
    return path.suffix == ".toml"
