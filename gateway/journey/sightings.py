"""What was last seen of each source, about the source and never about a person."""

from dataclasses import dataclass
from typing import assert_never

from gateway.journey.completeness import timestamp
from gateway.journey.outcome import Answered, Asked, Denied, Failure, NotAsked
from gateway.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The technical state of a source when last asked: `answering`, or a failure's."""

    state: str
    as_of: str | None


class Sightings:
    """The last sighting of each source, in memory and lost at stop."""

    def __init__(self) -> None:
        self._last: dict[str, Sighting] = {}

    def of(self, source: Source) -> Sighting | None:
        """What was last seen, None if it was not asked since the start."""
        return self._last.get(source.id)

    def note(self, asked: Asked) -> None:
        """Remember how a source did. What was answered plays no part in it."""
        match asked.outcome:
            case Answered(as_of=as_of):
                seen = Sighting(state="answering", as_of=timestamp(as_of))
                self._last[asked.source.id] = seen
            case Failure(state=state):
                before = self._last.get(asked.source.id)
                seen = Sighting(state=state, as_of=before.as_of if before else None)
                self._last[asked.source.id] = seen
            case NotAsked() | Denied():
                pass  # nothing was seen
            case _ as never:
                assert_never(never)
