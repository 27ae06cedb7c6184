"""`make corpus`: what becomes of every file of the real-shaped data, family by family.

Run as `python -m tests.corpus_report`. Exits 1 if any record is unaccounted for, and 2
where the data is not there. A crash is not caught: it ends the run with its traceback.
"""

import asyncio
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import hl7v2_corpus
from tests.corpus import ROOT
from tests.drop_corpus import EXTRACTS, take
from tests.fhir_corpus import lines, table


def main() -> int:
    """The tables on standard output; the exit code says whether all adds up."""
    shared = Path(os.environ.get("THROUGHLINE_CORPUS", "../shared"))
    data = ROOT / shared / "data"
    if not data.is_dir():
        sys.stdout.write("no data: set THROUGHLINE_CORPUS to where data/ is\n")
        return 2
    return asyncio.run(_report(data))


async def _report(data: Path) -> int:
    with TemporaryDirectory() as scratch:
        rows = await table(data, Path(scratch))
    _say(*lines(rows))
    lost = sum(row.unaccounted for row in rows.values())
    lost += await _drops(data) + await _messages(data)
    return 1 if lost else 0


async def _drops(data: Path) -> int:
    """The drops' table; how many of their rows have no place."""
    heads = "".join(f"{head:>10}" for head in ("rows", "events", "rejected", "twice"))
    _say("", f"{'file':64}{heads}")
    lost = 0
    for extract in EXTRACTS:
        with TemporaryDirectory() as scratch:
            taken = await take(extract, data, Path(scratch))
        lost += abs(taken.rows - taken.accounted)
        counts = (taken.rows, len(taken.events), taken.rejected.total(), taken.repeated)
        why = ", ".join(f"{why} {n}" for why, n in sorted(taken.rejected.items()))
        figures = "".join(f"{count:>10}" for count in counts)
        _say(f"{extract.file:64}{figures}  {why}".rstrip())
    _say(f"rows unaccounted {lost}")
    return lost


async def _messages(data: Path) -> int:
    """The table of HL7 v2 messages; how many of them have no place."""
    with TemporaryDirectory() as scratch:
        rows = await hl7v2_corpus.table(data, Path(scratch))
    _say("", *hl7v2_corpus.lines(rows))
    return sum(row.unaccounted for row in rows.values())


def _say(*said: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in said))


if __name__ == "__main__":
    sys.exit(main())
