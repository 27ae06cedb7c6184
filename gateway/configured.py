"""What every configuration of ours is: a file, the environment over it, secrets beside.

Secrets are never settings: a setting refers to one (`env:NAME`, `file:path`), and
`Configured.secret` follows the reference when it is needed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from pydantic import PrivateAttr
from sqlalchemy.engine import URL, make_url

from adapters import source_file
from adapters.errors import ConfigurationError
from gateway.environment import of_the_environment, overlay

_SECRET_BYTES: Final = 64 * 1024


class Configured(source_file.Settings):
    """A whole configuration. Paths are absolute or under `folder`."""

    _path: Path = PrivateAttr(default=Path())
    _environ: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file itself."""
        return self._path

    @property
    def folder(self) -> Path:
        """The directory of the file."""
        return self._path.parent

    def secret(self, reference: str) -> str:
        """The secret that `env:NAME` or `file:path` refers to, without line ends.

        ConfigurationError, which never shows the secret, if there is none.
        """
        kind, _, place = reference.partition(":")
        if kind == "env":
            found = self._environ.get(place, "")
        else:
            found = _read_secret(self.folder / place)
        if not found:
            message = f"the secret {kind}:{place} is missing or empty. Provide it."
            raise ConfigurationError(message, file=str(self._path))
        return found

    def store_url(self, url: str, password: str | None) -> URL:
        """A store's URL: a relative SQLite path made absolute, password in."""
        made = make_url(url)
        if made.get_backend_name() == "sqlite":
            return made.set(database=str(self.folder / (made.database or "")))
        return made if password is None else made.set(password=self.secret(password))


Model = TypeVar("Model", bound=Configured)


def load(path: Path, environ: Mapping[str, str], model: type[Model]) -> Model:
    """The configuration of an absolute path, and the environment over it.

    ConfigurationError for the first thing wrong: file, line, key, remedy. What
    came from the environment is named by its variable.
    """
    tables = source_file.load(path)
    overlaid = overlay(tables, environ)
    try:
        settings = source_file.check(
            path, tables, model, context={"folder": path.parent}
        )
    except ConfigurationError as error:
        raise of_the_environment(error, overlaid) from None
    settings._path = path  # noqa: SLF001 - set once, here, where settings are made
    settings._environ = environ  # noqa: SLF001 - as above
    return settings


def _read_secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SECRET_BYTES).decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError):
        return ""
