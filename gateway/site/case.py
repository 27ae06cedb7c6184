"""One verified question at a site: which source it is of, and what was decided."""

from dataclasses import dataclass

from gateway.site.deciding import Decided
from gateway.site.verifying import Taken
from gateway.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What each step from the intent on works with."""

    taken: Taken
    source: Source
    decided: Decided
