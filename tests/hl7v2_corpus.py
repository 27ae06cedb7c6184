"""Every file of HL7 v2 messages nobody here wrote, each read whole: what became of it.

Every message must have a place: taken and read, taken and of a type that has no place
in a journey, or set aside with the reason.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from adapters.contract import Answer, Event, Identifier
from adapters.hl7v2 import Hl7v2, build
from tests.hl7 import everything, person_of
from tests.surroundings import in_folder

FAMILIES = ("hl7v2-simhospital", "hl7v2-microsoft", "hl7v2-linuxforhealth")
MRN = "urn:throughline:corpus:mrn"
SOCIAL = "urn:throughline:corpus:ssn"
READS = ("ADT", "SIU", "ORU", "MDM", "REF", "VXU", "PPR", "AL1", "DG1", "PR1", "OBX")
_ASSIGNERS = (
    *("SIMULATOR MRN", "test1", "ADT1", "A", "1", "BCBS", "MRN", "MR", "WEST"),
    *("GOOD HEALTH HOSPITAL", "EHRID", "NIST", "NIST MPI", "NIST-MPI-1", ""),
)


def source_file(directory: str = "feed") -> str:
    """One that knows whoever assigns identifiers in these files."""
    reads = ", ".join(f'"{each}"' for each in READS)
    assigners = "\n".join(f'"{each}" = "{MRN}"' for each in _ASSIGNERS)
    return (
        f'kind = "hl7v2"\ndirectory = "{directory}"\nsettle_s = 0\nkey = "{MRN}"\n'
        f"reads = [{reads}]\n[authorities]\n{assigners}\n"
        f'USSSA = "{SOCIAL}"\nUSA = "{SOCIAL}"\n'
    )


def messages_in(data: bytes) -> list[bytes]:
    """The messages of a file by the simplest rule there is: each begins with MSH."""
    found = re.split(rb"(?:^|[\r\n])(?:\xef\xbb\xbf)?(?=MSH\|)", data)
    return [each for each in found if each.startswith(b"MSH|")]


def fields(message: bytes, name: bytes) -> Iterator[list[bytes]]:
    """The segments of a name, split, by nothing but their marks."""
    for line in re.split(rb"[\r\n]+", message):
        if line.startswith(name + b"|"):
            yield line.split(b"|")


def keys_in(data: bytes) -> list[str]:
    """Everything that stands first in a repetition of a PID-3, or of an MRG-1."""
    found: set[str] = set()
    for message in messages_in(data):
        for name, number in ((b"PID", 3), (b"MRG", 1)):
            for each in fields(message, name):
                for one in each[number].split(b"~") if len(each) > number else ():
                    found.add(one.split(b"^")[0].decode("utf-8", "replace").strip())
    return sorted(found - {""})


@dataclass(slots=True, kw_only=True)
class Read:
    """What became of one file."""

    messages: int = 0
    types: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    events: dict[str, Event] = field(default_factory=dict)
    caveats: Counter[str] = field(default_factory=Counter)

    @property
    def unmapped(self) -> int:
        """Messages of types that have no place in a journey yet."""
        return sum(n for t, n in self.types.items() if t.partition("^")[0] not in READS)

    @property
    def unaccounted(self) -> int:
        return abs(self.messages - self.types.total() - self.rejected.total())


def lay_out(file: Path, scratch: Path) -> Path:
    """A feed of the file, and the source file that reads it."""
    (scratch / "feed").mkdir(parents=True)
    shutil.copy(file, scratch / "feed")
    source = scratch / "source.toml"
    source.write_text(source_file(), "utf-8")
    return source


async def read(file: Path, scratch: Path) -> Read:
    """The whole file through the adapter, person by person."""
    around = in_folder(scratch)
    adapter = build(lay_out(file, scratch), around)
    data = (scratch / "feed" / file.name).read_bytes()
    found = Read(messages=len(messages_in(data)))
    try:
        found.types = await adapter.taken()
        for each in await adapter.rejected():
            found.rejected[each.reason] += each.rows
        for key in keys_in(data):
            await _ask(adapter, key, found)
    finally:
        await adapter.aclose()
        await around.transport.aclose()
    return found


async def _ask(adapter: Hl7v2, key: str, found: Read) -> None:
    answer: Answer = await adapter.ask(everything(person_of(Identifier(MRN, key))))
    for event in answer.events:
        found.events[f"{event.kind} {event.record_id} {key}"] = event
    found.caveats.update({caveat.code: caveat.count for caveat in answer.caveats})


async def table(data: Path, scratch: Path) -> dict[str, Read]:
    """What became of each family, its files together."""
    rows: dict[str, Read] = {}
    for family in FAMILIES:
        row = rows[family] = Read()
        for number, file in enumerate(sorted((data / family).glob("*.hl7"))):
            one = await read(file, scratch / family / str(number))
            row.messages += one.messages
            row.types += one.types
            row.rejected += one.rejected
            row.events |= {f"{file.name} {name}": e for name, e in one.events.items()}
    return rows


def lines(rows: dict[str, Read]) -> list[str]:
    """The table, and how many messages have no place."""
    heads = ("messages", "read", "unmapped", "rejected", "events")
    shown = [f"{'family':24}" + "".join(f"{head:>10}" for head in heads)]
    for family, row in rows.items():
        read_ = row.types.total() - row.unmapped
        counts = (row.messages, read_, row.unmapped, row.rejected.total())
        figures = "".join(f"{n:>10}" for n in (*counts, len(row.events)))
        why = ", ".join(f"{why} {n}" for why, n in sorted(row.rejected.items()))
        shown.append(f"{family:24}{figures}  {why}".rstrip())
    lost = sum(row.unaccounted for row in rows.values())
    return [*shown, f"messages unaccounted {lost}, crashes 0"]
