"""One process for each site: what one has taken, another would take again."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.errors import ConfigurationError


@contextmanager
def sole(config: Path) -> Iterator[None]:
    """Hold the site of a configuration, until left or killed.

    ConfigurationError where another process of this machine holds it.
    """
    place = config.with_name("site.lock")
    try:
        held = place.open("a")
    except OSError:
        raise ConfigurationError(
            "its folder cannot be written to. Give the site its own folder.",
            file=str(config),
        ) from None
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                "another process serves this site: each would take what the other "
                "has taken. Stop it first.",
                file=str(config),
            ) from None
        yield
