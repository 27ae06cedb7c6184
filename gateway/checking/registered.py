"""The source under check, as it was registered, and where each thing is written."""

from dataclasses import dataclass
from pathlib import Path

from adapters import source_file
from gateway.settings import Settings, SourceSettings
from gateway.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One source of a configuration; `config` is its throughline.toml."""

    settings: Settings
    source: SourceSettings
    config: Path

    @property
    def file(self) -> str:
        """The source file, as an engineer would look for it."""
        path = self.source.file
        folder = self.settings.folder
        return str(path.relative_to(folder) if path.is_relative_to(folder) else path)

    def at(self, *keys: str) -> str:
        """Where a key of this source stands in the configuration."""
        position = self.settings.sources.index(self.source)
        line = source_file.line_of(self.config, ("sources", position, *keys))
        place = self.config.name if line is None else f"{self.config.name}, line {line}"
        return f"{place}: {'.'.join(keys)} of {self.source.id}"

    def keeping_in(self, state: Path) -> SourceSettings:
        """The same source, with another state directory."""
        return self.source.model_copy(update={"state": state})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A registered source, opened."""

    registered: Registered
    source: Source
