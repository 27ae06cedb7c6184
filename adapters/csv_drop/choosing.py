"""Which of the files that lie there are taken in: each once, the oldest first."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.csv_drop.directory import Drop, Holding, Promise, open_drop
from adapters.csv_drop.portion import Stopped
from adapters.csv_drop.settings import DropFile
from adapters.csv_drop.standing import (
    Placed,
    Standing,
    counting,
    told_by_manifest,
    told_by_name,
)
from adapters.errors import Unreadable

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The drops that count, oldest first, and how many that would count are missing."""

    drops: tuple[Drop, ...]
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """Chooses among files by what they are called, promised to be, and hold."""

    root: Path
    settings: DropFile
    promised: Mapping[str, Promise]
    stop: Callable[[], bool]

    def choose(self, holding: Holding) -> Chosen:
        """The drops to take in.

        Unreadable if one does not say where it stands; Stopped if told to stop.
        """
        if self.settings.drops.is_ordered:
            return self._by_standing(holding)
        drops, missing = holding.drops, 0
        if self.settings.mode == "append":
            if self.settings.newest != "name":
                drops = self._said_once(drops)
            missing = sum(1 for _ in self._absent(holding))
        return Chosen(drops=drops, missing=missing)

    def _by_standing(self, holding: Holding) -> Chosen:
        contents = self._contents(holding.drops)
        there: dict[tuple[Standing, str], Drop] = {}
        unplaced = []
        for drop in holding.drops:
            standing = self._standing(drop.name)
            if standing is None:
                unplaced.append(drop)
            else:
                there.setdefault((standing, contents[drop.name]), drop)
        self._refuse(unplaced, contents, {content for _, content in there})
        placed = [Placed(name=d.name, standing=s) for (s, _), d in there.items()]
        placed += [
            Placed(name=name, standing=standing, is_there=False)
            for name in self._absent(holding)
            if (standing := self._standing(name)) is not None
        ]
        only_newest = self.settings.mode == "replace"
        count = counting(placed, self.settings.drops, only_newest=only_newest)
        by_name = {drop.name: drop for drop in there.values()}
        return Chosen(
            drops=tuple(by_name[name] for name in count.names), missing=count.missing
        )

    def _standing(self, name: str) -> Standing | None:
        rules = self.settings.drops
        if rules.name is not None:
            return told_by_name(name, rules.name)
        promise = self.promised.get(name)
        if promise is None:
            return None
        return told_by_manifest(
            promise.period, promise.sequence, promise.created or promise.as_of
        )

    def _refuse(
        self, unplaced: Sequence[Drop], contents: Mapping[str, str], said: set[str]
    ) -> None:
        """Refuses the first that says something new, and not which drop it is."""
        for drop in unplaced:
            if contents[drop.name] in said:
                continue  # a copy of one that does
            if self.settings.drops.name is None:
                message = (
                    f"{drop.name} is not whole: no manifest names it yet with a "
                    "period, a sequence or a time of making"
                )
                raise Unreadable("incomplete", message)
            message = (
                f"{drop.name} does not say which drop it is; name it as drops.name "
                "expects, or take it out of the directory"
            )
            raise Unreadable("unreadable", message)

    def _absent(self, holding: Holding) -> Iterator[str]:
        """Files of ours that are promised and not there."""
        there = {drop.name for drop in holding.drops}
        for name in self.promised:
            if name not in there and self.settings.takes(name):
                yield name

    def _said_once(self, drops: Sequence[Drop]) -> tuple[Drop, ...]:
        """Without those that repeat an earlier one byte for byte."""
        contents = self._contents(drops)
        first: dict[str, Drop] = {}
        for drop in drops:
            first.setdefault(contents[drop.name], drop)
        return tuple(first.values())

    def _contents(self, drops: Sequence[Drop]) -> dict[str, str]:
        """Of each drop by name what no other content shares."""
        sizes = Counter(drop.size for drop in drops)
        return {
            # Nothing of another size is alike, so that few files are read twice.
            drop.name: self._digest(drop) if sizes[drop.size] > 1 else drop.name
            for drop in drops
        }

    def _digest(self, drop: Drop) -> str:
        digest = hashlib.sha256()
        with open_drop(self.root, drop) as stream:
            while block := stream.read(_BLOCK):
                if self.stop():
                    raise Stopped
                digest.update(block)
        return digest.hexdigest()
