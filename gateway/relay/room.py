"""How many answers are read, or held for another gateway, at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.relay.queue import Full


class Room:
    """Places for answers: `most` of all sites, half of them of one.

    Where there is one place, one site can take it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = max(1, most // 2)
        self._taken: Counter[str] = Counter()

    @contextmanager
    def of(self, site: str) -> Iterator[None]:
        """A place for one answer of a site. Full where it has none left."""
        if self._taken.total() >= self._most or self._taken[site] >= self._share:
            raise Full
        self._taken[site] += 1
        try:
            yield
        finally:
            self._taken[site] -= 1
            if not self._taken[site]:
                del self._taken[site]
