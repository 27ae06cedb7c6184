"""Settings that the environment states stand over those of the file.

`THROUGHLINE_LIMITS__SOURCE_S=2` is `source_s` of `[limits]`. The environment is
passed in: `gateway.settings` alone reads it.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, Final

from adapters.errors import ConfigurationError

_PREFIX: Final = "THROUGHLINE_"


def overlay(tables: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Put the environment's settings over the file's; dotted key -> variable."""
    overlaid = {}
    for name in sorted(environ):
        if not name.startswith(_PREFIX):
            continue
        parts = name.removeprefix(_PREFIX).lower().split("__")
        if parts == ["environment"]:
            tables["environment"] = environ[name]
        elif len(parts) == 2 and all(parts):
            section = tables.setdefault(parts[0], {})
            if not isinstance(section, dict):
                message = f"[[{parts[0]}]] is a list: set it in the file."
                raise ConfigurationError(message, file="environment", key=name)
            section[parts[1]] = _value(environ[name])
        else:
            continue  # THROUGHLINE_CORPUS and its like are not settings
        overlaid[".".join(parts)] = name
    return overlaid


def _value(text: str) -> object:
    """A list where the text is one in TOML, else the text for pydantic to read."""
    if not text.startswith("["):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def of_the_environment(
    error: ConfigurationError, overlaid: Mapping[str, str]
) -> ConfigurationError:
    variable = overlaid.get(error.key or "")
    if variable is None:
        return error
    message = str(error).split(f"{error.key}: ", 1)[-1]
    return ConfigurationError(message, file="environment", key=variable)
