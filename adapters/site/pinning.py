"""Which keys a site is believed by: a file's, pinned for good, or those enrolled."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

from adapters.site.keys import Keys, NotKeys, pinned_keys
from adapters.site.settings import SiteFile
from adapters.source_file import wrong
from adapters.surroundings import Surroundings

ENROLLED: Final = Path("enrolled")  # in place of a file


def pinned_by(
    path: Path, settings: SiteFile, surroundings: Surroundings
) -> Callable[[], Keys]:
    """What gives the site's keys as they are now, in any thread, without waiting.

    It raises Unavailable, of the adapter's domain, where the site is not enrolled.
    ConfigurationError where a file is named that holds no keys.
    """
    if settings.site.keys == ENROLLED:
        site = settings.site.id
        return lambda: _read(surroundings.enrolled(site))
    keys = _of_file(path, settings)
    return lambda: keys


@lru_cache(maxsize=1_000)
def _read(document: str) -> Keys:
    return pinned_keys(document)


def _of_file(path: Path, settings: SiteFile) -> Keys:
    place = path.parent / settings.site.keys
    try:
        return pinned_keys(place.read_text("ascii"))
    except NotKeys as error:
        raise wrong(path, ("site", "keys"), str(error)) from None
    except (OSError, UnicodeDecodeError):
        message = "names no file of the site's public keys. Correct the path."
        raise wrong(path, ("site", "keys"), message) from None
