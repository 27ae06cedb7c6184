"""One result of a benchmark beside its floor, and whether it met its goal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`ratio` is ours over the floor's, a median; `spread` its least and most.

    Both are None where the floor could not be run: then `floor` says why. `allowed` is
    the most it may be, or with `at_least` the least; `cause` is why it might be missed.
    """

    goal: str
    work: str
    ours: str
    floor: str
    allowed: float
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    at_least: bool = False
    cause: str = ""

    @property
    def is_missed(self) -> bool:
        if self.ratio is None:
            return False
        is_under = self.ratio < self.allowed
        return is_under if self.at_least else self.ratio > self.allowed

    @property
    def bound(self) -> str:
        """How `allowed` is to be read."""
        return "at least" if self.at_least else "at most"

    @property
    def verdict(self) -> str:
        if self.ratio is None:
            return "not judged"
        return "MISSED" if self.is_missed else "met"

    def __str__(self) -> str:
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        if self.spread is not None:
            ratio += f" ({self.spread[0]:.2f} to {self.spread[1]:.2f})"
        return (
            f"{self.goal}  {self.work}: {self.ours}; {self.floor}; "
            f"ratio {ratio}, {self.bound} {self.allowed:g}: {self.verdict}"
        )
