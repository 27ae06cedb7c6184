"""P11: FHIR pages parsed and made events, beside the standard library's parsing alone.

The floor is `json.loads` of the same bytes: it makes no event, checks no depth and
finds no subject. Each figure is CPU time of this process; no server, no network.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from adapters.fhir import Scope, read_bundle

GOAL: Final = 1.5  # times the floor's MB/s
CORPUS: Final = Path(__file__).resolve().parents[1].parent / "shared" / "data"
_FAMILY: Final = "fhir-synthea-r4-transaction"
_SIZES: Final = {"20 KB": 20_000, "200 KB": 200_000, "5 MB": 5_000_000}
_SEARCHED: Final = ("Observation", "Encounter", "Condition", "Immunization")
_ROUNDS: Final = 7
_BYTES_A_ROUND: Final = 4_000_000  # small pages are read often enough to be timed
_SCOPE: Final = Scope(base="https://records.example.test/fhir", sector="acute")

Entry = dict[str, Any]
Row = dict[str, str]


def run(corpus: Path = CORPUS) -> list[Row]:
    """A row for each page; none where the real-shaped data is not there."""
    files = sorted((corpus / _FAMILY).glob("*.json"))
    bundles = [json.loads(file.read_bytes())["entry"] for file in files]
    everything = [entry for bundle in bundles for entry in bundle]
    if not everything:
        return []
    return [_measured(work, page) for work, page in _pages(bundles, everything)]


def _pages(
    bundles: list[list[Entry]], everything: list[Entry]
) -> Iterator[tuple[str, bytes]]:
    """Pages of searches of one type, then whole records of one or of many people."""
    for name in _SEARCHED:
        matches = [
            {
                "fullUrl": f"{_SCOPE.base}/{name}/{entry['resource']['id']}",
                "resource": entry["resource"],
                "search": {"mode": "match"},
            }
            for entry in everything
            if entry["resource"]["resourceType"] == name
        ]
        for label in ("20 KB", "200 KB"):
            yield f"{name} search, {label}", _page(matches, _SIZES[label], "searchset")
    longest = max(filter(_is_person, bundles), key=len)
    for label in ("20 KB", "200 KB"):
        yield f"one person, {label}", _page(longest, _SIZES[label], "transaction")
    yield "many people, 5 MB", _page(everything, _SIZES["5 MB"], "transaction")


def _is_person(entries: list[Entry]) -> bool:
    return any(one["resource"]["resourceType"] == "Patient" for one in entries)


def _written(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _page(entries: list[Entry], size: int, kind: str) -> bytes:
    """A compact Bundle of as many of these entries as fit."""
    kept: list[Entry] = []
    for entry in entries:
        size -= len(_written(entry)) + 1
        if size < 0:
            break
        kept.append(entry)
    return _written(
        {"resourceType": "Bundle", "type": kind, "total": len(kept), "entry": kept}
    )


def _measured(work: str, page: bytes) -> Row:
    resources = _same_on_both_sides(page)
    times = max(1, _BYTES_A_ROUND // len(page))
    rounds = [
        (
            _seconds(lambda: json.loads(page), times),
            _seconds(lambda: read_bundle(page, _SCOPE), times),
        )
        for _ in range(_ROUNDS)
    ]
    floor, ours = (statistics.median(one) for one in zip(*rounds, strict=True))
    ratios = [theirs / own for theirs, own in rounds]
    megabytes = len(page) / 1e6
    ratio = floor / ours
    return {
        "goal": "P11",
        "work": f"{work} ({resources} resources, {len(page) / 1000:.0f} KB)",
        "ours": f"{megabytes / ours:.0f} MB/s",
        "floor": f"json.loads: {megabytes / floor:.0f} MB/s",
        "ratio": f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        "allowed": f"at least {GOAL} x",
        "verdict": "met" if ratio >= GOAL else "MISSED",
    }


def _same_on_both_sides(page: bytes) -> int:
    """How many resources both sides find. RuntimeError where they do not agree."""
    theirs = sum("resource" in entry for entry in json.loads(page)["entry"])
    reading = read_bundle(page, _SCOPE)
    if not theirs == reading.resources == reading.accounted or reading.rejected:
        message = "the two sides do not find the same resources; nothing was timed"
        raise RuntimeError(message)
    return theirs


def _seconds(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one call, over so many."""
    gc.collect()
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


if __name__ == "__main__":
    rows = run()
    for row in rows:
        sys.stdout.write(" · ".join(row.values()) + "\n")
    if not rows:
        sys.exit(f"nothing to measure: no {_FAMILY} in {CORPUS}")
    sys.exit(any(row["verdict"] == "MISSED" for row in rows))
