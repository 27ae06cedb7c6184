"""On which servers the records of one page stand, by their fullUrls.

`Patient/1` means another person on another server, so a relative reference leads to
where its own record stands. A server behind a proxy, though, writes its inner name
into every fullUrl: that name is its own too, once its Patient was found by it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_RESTFUL: Final = re.compile(
    r"(?P<root>https?://[^?#\s]+)/[A-Z][A-Za-z]+/[^/?#\s]+(?:/_history/[^/?#\s]+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """`homes` are the servers of the entries that stand on another than the source.

    `alias` is what a page calls itself that came from no server we know.
    """

    alias: str | None = None
    homes: Mapping[int, str] = field(default_factory=dict)


_OWN: Final = Roots()


def roots_of(full_urls: Sequence[str | None], own: Iterable[str]) -> Roots:
    """The roots of a page's entries, in their order; `own` are those of the source."""
    names = tuple(f"{root}/" for root in own)
    prefixes = names or ("urn:",)
    for url in full_urls:
        if url and not url.startswith(prefixes):
            break
    else:
        return _OWN  # as nearly always
    roots = {
        position: found["root"]
        for position, url in enumerate(full_urls)
        if url and not url.startswith(prefixes) and (found := _RESTFUL.fullmatch(url))
    }
    if not names and len(several := set(roots.values())) == 1:
        return Roots(alias=several.pop())
    return Roots(homes=roots)
