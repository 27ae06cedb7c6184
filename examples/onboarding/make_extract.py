"""An extract of nobody, as awkward as real ones are.

Semicolons, cp1252, days first, a day that means "not known", a number that stands for
none, a row that comes twice and one that cannot be read. It is the same every time.
`python -m examples.onboarding.make_extract FOLDER` writes it.
"""

import argparse
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from adapters import nhs_number

ANN: Final = "9990001006"  # who is in the demo too
HEADER: Final = (
    *("Lfd", "Klient", "NHSNo", "Born", "Came on", "Left"),
    *("How it ended", "What for", "Seen by"),
)
_WHAT: Final = (
    "Dressing, lower leg",
    "Doppler, left leg (30° raised)",
    "Review of ulcer",
    "Compression, both legs",
)
_ENDED: Final = (*("Seen",) * 8, "DNA", "Cancelled", "Sent home")
_BY: Final = ("Sr. Müller", "Sr. Brontë", "Nr. Patel")
_LAST: Final = datetime(2026, 3, 27, 8, 0)  # noqa: DTZ001 - a wall clock, as extracts have it


def numbers(how_many: int) -> list[str]:
    """NHS numbers of the range that is never issued."""
    found = (f"9992{n:05d}{check}" for n in range(10**5) for check in range(10))
    valid = (each for each in found if nhs_number.normalise(each))
    return [ANN, *(next(valid) for _ in range(how_many - 1))]


def rows(seed: int) -> Iterator[tuple[str, ...]]:
    """The extract's rows, without its two faults."""
    chance = Random(seed)  # noqa: S311 - the same people every time
    people = [
        (f"K{1000 + n}", number, date(1943, 1, 21) + timedelta(days=301 * n))
        for n, number in enumerate(numbers(60))
    ]
    for visit in range(400):
        key, number, born = people[visit % 60]
        came = _LAST - timedelta(days=chance.randrange(700), minutes=5 * visit)
        left = came + timedelta(minutes=chance.randrange(15, 90))
        yield (
            f"{50001 + visit}",
            key,
            "0000000000" if visit % 60 in {7, 19, 23, 31, 44, 58} else number,
            born.strftime("%d.%m.%Y"),
            came.strftime("%d.%m.%Y %H:%M"),
            "01.01.1800 00:00" if visit % 23 == 0 else left.strftime("%d.%m.%Y %H:%M"),
            chance.choice(_ENDED),
            chance.choice(_WHAT),
            chance.choice(_BY),
        )


def written(seed: int = 11) -> bytes:
    """The whole file, in cp1252."""
    found = [*rows(seed)]
    twice = found[17]
    broken = (*found[29][:4], "soon", *found[29][5:])
    lines = [HEADER, *found[:29], broken, *found[30:], twice]
    text = "".join(";".join(line) + "\r\n" for line in lines)
    return text.encode("cp1252")


def main() -> None:
    """Write it to the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "legs_2026-03-27.csv").write_bytes(written())


if __name__ == "__main__":
    main()
