"""Which of two ways of asking is the quicker at this server, learned by trying both.

Fewer requests are not always less work: one server tells a whole record in the time
of a search, another takes three times as long as for all of the searches.
"""

from statistics import median
from typing import Final

_TRIES: Final = 3
# Fewer requests are worth a little waiting.
_WORTH: Final = 1.2


class Trial:
    """The times that the first few questions took each way, in seconds."""

    def __init__(self) -> None:
        self._times: dict[bool, list[float]] = {True: [], False: []}

    @property
    def is_at_once(self) -> bool:
        """Whether the next whole record is to be asked for at once."""
        if len(self._times[True]) < _TRIES:
            return True
        if len(self._times[False]) < _TRIES:
            return False
        return median(self._times[True]) <= _WORTH * median(self._times[False])

    def took(self, seconds: float, *, at_once: bool) -> None:
        """Note how long a whole record took."""
        times = self._times[at_once]
        if len(times) < _TRIES:
            times.append(seconds)
