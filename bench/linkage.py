"""How well demographics tie records that no number ties: `python -m bench.linkage`.

A labelled population of six sources; from each person as their practice describes
them, the records of the other five are looked for as a source would be asked: by date
of birth, by name, by postcode. `--write` writes bench/LINKAGE.md.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Person
from bench.linkage_errors import HARSH, MEASURED, Rates, Someone
from bench.linkage_population import Described, Labelled, population
from gateway.journey.matching.match import Match, Thresholds, choose, match
from gateway.journey.matching.written_name import read_name

_WRITTEN: Final = Path(__file__).parent / "LINKAGE.md"
_HEADINGS: Final = (
    *("population", "records", "linked: precision", "recall"),
    *("possible or better: precision", "recall", "baseline: precision", "recall"),
)
_KINDS: Final = ("anybody", "a twin", "a namesake of their father", "a housemate")


@dataclass(slots=True)
class Found:
    """Of the records that are truly somebody's, how many were tied to whom.

    `missed` were tied to nobody or left unfound; `wrong` were tied to another.
    """

    right: int = 0
    wrong: int = 0
    all: int = 0

    @property
    def precision(self) -> float:
        """The share of ties that are right; 1 where none was made."""
        made = self.right + self.wrong
        return self.right / made if made else 1.0

    @property
    def recall(self) -> float:
        """The share of records that were rightly tied."""
        return self.right / self.all


@dataclass(slots=True)
class Evaluation:
    """What came of one population: at both thresholds, and beside it the baseline."""

    linked: Found = field(default_factory=Found)
    possible: Found = field(default_factory=Found)
    exact: Found = field(default_factory=Found)
    wrong: Counter[str] = field(default_factory=Counter)  # linked, by whose record
    doubted: Counter[str] = field(default_factory=Counter)  # possible, by whose record
    pairs: Counter[str] = field(default_factory=Counter)  # looked at, by whose record
    # Of those, why: a kind, and a grade with the fields that agreed and differed.
    cases: Counter[tuple[str, str]] = field(default_factory=Counter)
    across_numbers: int = 0  # pairs whose valid numbers differ
    merged_across: int = 0  # of those, tied or possible: must be 0
    kept_apart: int = 0  # of those, the numbers alone kept from a tie

    def told_apart(self, kind: str) -> tuple[int, int, int]:
        """Pairs with another's record of this kind: looked at, possible, linked."""
        return self.pairs[kind], self.doubted[kind], self.wrong[kind]


def evaluate(told: Labelled, *, hidden: bool = False) -> Evaluation:
    """Tie records without a usable number to people; `hidden` takes every number away.

    Precision and recall count records; each is of one person and one source.
    """
    records = [each for each in told.records if each.source != "gp"]
    known = {each.truth: each.person for each in told.records if each.source == "gp"}
    if hidden:
        records = [_without_number(each) for each in records]
        known = {truth: _numberless(person) for truth, person in known.items()}
    index = _Index(records)
    found = Evaluation()
    wanting = [each for each in records if each.number is None]
    for each in (found.linked, found.possible, found.exact):
        each.all = len(wanting)
    for someone in told.people:
        asking = _Asking(
            found=found, someone=someone, known=known[someone.id], people=told.people
        )
        by_source: dict[str, list[Described]] = defaultdict(list)
        for record in index.like(known[someone.id]):
            by_source[record.source].append(record)
        for candidates in by_source.values():
            asking.ask(candidates)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One person, as their practice describes them, and what is found of them."""

    found: Evaluation
    someone: Someone
    known: Person
    people: Sequence[Someone]

    def ask(self, candidates: Sequence[Described]) -> None:
        """What one source's candidates come to."""
        unnumbered: list[tuple[Described, Match]] = []
        for record in candidates:
            if record.number is not None:
                self.across(record)
                continue
            how = match(self.known, record.person)
            unnumbered.append((record, how))
            self.note(record, how)
        chosen = choose([how for _, how in unnumbered])
        if chosen.linked is not None:
            record = unnumbered[chosen.linked][0]
            self.count(self.found.linked, record, made=True)
            self.found.wrong[self.kind(record)] += 1

    def note(self, record: Described, how: Match) -> None:
        """One candidate without a number, at the lower bound and by the baseline."""
        found, kind = self.found, self.kind(record)
        may_be = how.grade != "certainly-not"
        self.count(found.possible, record, made=may_be)
        self.count(found.exact, record, made=_is_exact(self.known, record.person))
        found.pairs[kind] += 1
        found.doubted[kind] += may_be
        if kind and may_be:
            agreed, differed = ", ".join(how.agreed), ", ".join(how.differed) or "-"
            found.cases[kind, f"{how.grade} | {agreed} | {differed}"] += 1

    def across(self, record: Described) -> None:
        """A pair that both have a number: no two different ones may ever be tied."""
        known, found = self.known, self.found
        if Identifier(nhs_number.SYSTEM, record.number or "") in known.identifiers:
            return
        found.across_numbers += 1
        found.merged_across += match(known, record.person).grade != "certainly-not"
        unnumbered = match(_numberless(known), _numberless(record.person))
        found.kept_apart += unnumbered.is_linked

    def count(self, found: Found, record: Described, *, made: bool) -> None:
        """A tie that is right, or wrong."""
        found.right += made and record.truth == self.someone.id
        found.wrong += made and record.truth != self.someone.id

    def kind(self, record: Described) -> str:
        """How another whose record it is resembles the person; "" for their own."""
        return _kind(self.someone, self.people[record.truth])


def _kind(someone: Someone, other: Someone) -> str:
    """How another whose record it is resembles the person; "" for their own."""
    if someone.id == other.id:
        return ""
    if someone.household != other.household:
        return _KINDS[0]
    if someone.like == other.like == "twin" and someone.born == other.born:
        return _KINDS[1]
    if "namesake" in {someone.like, other.like} and someone.forename == other.forename:
        return _KINDS[2]
    return _KINDS[3]


def _is_exact(one: Person, other: Person) -> bool:
    """The baseline: surname, date of birth and postcode are the same, letter by letter.

    What hospital episodes were long joined by where no number was (HESID, step 3, has
    gender for surname).
    """
    told = [_exact(each) for each in (one, other)]
    return None not in told[0] and told[0] == told[1]


def _exact(person: Person) -> tuple[str | None, ...]:
    surnames = read_name(person.name or "").surnames
    born = person.birth_date.text if person.birth_date else None
    return "-".join(surnames) or None, born, person.postcode


def _numberless(person: Person) -> Person:
    kept = {i for i in person.identifiers if i.system != nhs_number.SYSTEM}
    return msgspec.structs.replace(person, identifiers=frozenset(kept))


def _without_number(record: Described) -> Described:
    return Described(
        truth=record.truth,
        source=record.source,
        person=_numberless(record.person),
        number=None,
    )


class _Index:
    """Records by what a source could be asked by: it is never read from end to end."""

    def __init__(self, records: Iterable[Described]) -> None:
        self._by: dict[tuple[str, ...], list[Described]] = defaultdict(list)
        for record in records:
            for key in _keys(record.person):
                self._by[key].append(record)

    def like(self, person: Person) -> list[Described]:
        """Those that share a key with the person, each once."""
        found = {id(r): r for key in _keys(person) for r in self._by.get(key, ())}
        return list(found.values())


def _keys(person: Person) -> Iterator[tuple[str, ...]]:
    name = read_name(person.name or "")
    first = name.forenames[0] if name.forenames else ""
    last = name.surnames[-1] if name.surnames else ""
    if person.birth_date:
        yield "born", person.birth_date.text
    if first and last:
        yield "name", *sorted((first[:1], last))
    if first and person.postcode:
        yield "place", first[:1], person.postcode


def _document(rows: Sequence[tuple[str, Evaluation]], people: int, seed: int) -> str:
    """LINKAGE.md: what was found, in the order it was looked for."""
    lines = [*_opening(people, seed)]
    lines += [f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|"]
    lines += [_row(name, found) for name, found in rows]
    lines += [
        "",
        "People who are easily taken for each other (pairs of one person with a record",
        "of another's that were looked at; called possible or better; linked):",
        "",
        f"| population | {' | '.join(_KINDS)} |",
        "|---" * (len(_KINDS) + 1) + "|",
        *(_apart(name, found) for name, found in rows),
        "",
        "Each of those that were called possible or better, by what agreed. A grade is",
        "the pair's own; of two candidates that are both sure enough none is linked.",
        "",
        "| population | record of | grade | agreed | differed | pairs |",
        "|---|---|---|---|---|---|",
        *(line for name, found in rows for line in _cases(name, found)),
        "",
        "Pairs whose valid NHS numbers differ:",
        "",
        "| population | pairs | tied or possible | kept apart by the numbers alone |",
        "|---|---|---|---|",
        *(_numbers(name, found) for name, found in rows if found.across_numbers),
    ]
    return "\n".join(lines) + "\n"


def _opening(people: int, seed: int) -> Iterator[str]:
    bounds = Thresholds()
    yield "# Linkage by demographics, on a labelled population"
    yield ""
    yield "Written by `python -m bench.linkage --write`; how it works, and where the"
    yield "rates and weights come from: [docs/linkage.md](../docs/linkage.md)."
    yield ""
    yield f"- {people} people in six sources, seed {seed}."
    yield f"- Linked from {bounds.linked:g}, possible from {bounds.possible:g}."
    yield "- Baseline: surname, date of birth and postcode exactly the same."
    yield '- "no number": records without a valid NHS number, as the rates make them;'
    yield '  "hidden": every number of every source is taken away.'
    yield ""


def _cases(name: str, found: Evaluation) -> Iterator[str]:
    for (kind, told), count in sorted(found.cases.items()):
        yield f"| {name} | {kind} | {told} | {count} |"


def _numbers(name: str, found: Evaluation) -> str:
    counts = (found.across_numbers, found.merged_across, found.kept_apart)
    return f"| {name} | {' | '.join(map(str, counts))} |"


def _row(name: str, found: Evaluation) -> str:
    cells = [name, str(found.linked.all)]
    for each in (found.linked, found.possible, found.exact):
        cells += [f"{each.precision:.4f}", f"{each.recall:.4f}"]
    return f"| {' | '.join(cells)} |"


def _apart(name: str, found: Evaluation) -> str:
    told = (found.told_apart(kind) for kind in _KINDS)
    cells = [f"{looked}; {doubted}; {linked}" for looked, doubted, linked in told]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> int:
    """0 unless records were tied across NHS numbers that differ."""
    parser = argparse.ArgumentParser(prog="python -m bench.linkage")
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--write", action="store_true", help="write bench/LINKAGE.md")
    given = parser.parse_args()
    rows: list[tuple[str, Evaluation]] = []
    for name, rates in (("measured errors", MEASURED), ("harsh errors", HARSH)):
        rows += _evaluated(name, rates, seed=given.seed, people=given.people)
    text = _document(rows, given.people, given.seed)
    sys.stdout.write(text)
    if given.write:
        _WRITTEN.write_text(text, "utf-8")
    return int(any(found.merged_across for _, found in rows))


def _evaluated(
    name: str, rates: Rates, *, seed: int, people: int
) -> Iterator[tuple[str, Evaluation]]:
    told = population(seed, people=people, rates=rates)
    yield f"{name}, no number", evaluate(told)
    yield f"{name}, hidden", evaluate(told, hidden=True)


if __name__ == "__main__":
    sys.exit(main())
