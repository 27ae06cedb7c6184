"""A sample whose columns are being given their parts, one after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.onboarding.facts import Facts
from gateway.onboarding.sample import Sample
from gateway.onboarding.synonyms import Synonyms


@dataclass(slots=True, kw_only=True)
class Taken:
    """A sample, and the columns that have a part already."""

    sample: Sample
    facts: Mapping[str, Facts]
    lists: Synonyms
    columns: set[str] = field(default_factory=set)

    def free(self) -> list[Facts]:
        return [f for name, f in self.facts.items() if name not in self.columns]

    def take(self, *names: str) -> None:
        self.columns.update(names)

    def strength(self, facts: Facts, role: str) -> int:
        return self.lists.strength(facts.name, role)

    def best(self, role: str, fits: Iterable[Facts], *, least: int = 1) -> Facts | None:
        """The column whose name says the part most, the first of several."""
        named = [(self.strength(each, role), each) for each in fits]
        strongest = max((s for s, _ in named), default=0)
        if strongest < least:
            return None
        return next(each for strength, each in named if strength == strongest)
