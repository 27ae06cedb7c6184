"""A profile of HL7 v2 messages: counts of what stands in their headers and PID-3."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Final

from adapters import nhs_number
from adapters.hl7v2.framing import Bad, Framed, Frames
from adapters.hl7v2.settings import Hl7v2File
from adapters.source_file import load, read
from gateway.checking.profile import FEW, ColumnProfile, DataProfile
from gateway.checking.registered import Registered

_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d{4,6}(\.\d+)?)?([+-]\d{4})?")
_YEARS: Final = range(1900, 2101)


@dataclass(slots=True)
class _Seen:
    """What is counted while messages go by."""

    messages: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    bodies: set[bytes] = field(default_factory=set, repr=False)
    ids: Counter[str] = field(default_factory=Counter, repr=False)
    repeated: int = 0
    times: list[str] = field(default_factory=list)
    untimed: int = 0
    people: dict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set), repr=False
    )
    types: Counter[str] = field(default_factory=Counter)
    numbers: Counter[tuple[str, bool]] = field(default_factory=Counter)


def profile_feed(registered: Registered, *, most: int) -> DataProfile | None:
    """The profile of at most so many messages; None of a source of another kind.

    ConfigurationError for a wrong file; OSError if the directory cannot be read.
    """
    path = registered.source.file
    if load(path).get("kind") != "hl7v2" or most < 1:
        return None
    settings = read(path, Hl7v2File)
    if settings.directory is None:
        return None  # what comes over MLLP alone lies nowhere to be read
    files = _files(path.parent / settings.directory, settings)
    seen, is_whole = _Seen(), True
    for file in reversed(files):
        with file.open("rb") as stream:
            for each in Frames(stream, message_bytes=settings.message_bytes):
                if seen.messages >= most:
                    is_whole = False
                    break
                _count(each, seen)
    return DataProfile(
        rows=seen.messages,
        is_whole=is_whole,
        columns=tuple(_columns(seen, settings)),
        rejected=dict(seen.rejected),
        repeated_ids=sum(n - 1 for n in seen.ids.values()),
        repeated_rows=seen.repeated,
        arrivals=tuple(_changed(each) for each in files),
    )


def _files(folder: Path, settings: Hl7v2File) -> list[Path]:
    """Those of the pattern, the one changed last at the end."""
    found = [
        each
        for each in folder.iterdir()
        if each.is_file() and fnmatchcase(each.name, settings.pattern)
    ]
    return sorted(found, key=lambda each: each.stat().st_mtime_ns)


def _changed(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _count(each: Framed | Bad, seen: _Seen) -> None:
    seen.messages += 1
    if isinstance(each, Bad):
        seen.rejected[each.reason] += 1
        return
    body = sha256(b"\r".join(each.lines)).digest()
    if body in seen.bodies:
        seen.repeated += 1
        return
    seen.bodies.add(body)
    lines = [line.decode("latin-1") for line in each.lines]
    mark, inner = lines[0][3:4] or "|", lines[0][4:5] or "^"
    header = lines[0].split(mark)
    kind = _part(header, 8).split(inner)[0]
    seen.types[kind] += 1
    if control := _part(header, 9):
        seen.ids[f"{_part(header, 2)}|{control}"] += 1  # each sender counts its own
    _count_time(_part(header, 6), seen)
    repeat = lines[0][5:6] or "~"
    for line in lines[1:]:
        if line.startswith("PID"):
            for one in _part(line.split(mark), 3).split(repeat):
                _count_number(one.split(inner), seen, kind)


def _count_time(text: str, seen: _Seen) -> None:
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) not in _YEARS or not 1 <= int(found[2]) <= 12:
        seen.untimed += bool(text)
    else:
        seen.times.append(f"{found[1]}-{found[2]}")


def _count_number(parts: Sequence[str], seen: _Seen, kind: str) -> None:
    name = _part(parts, 3).split("&")[0] or _part(parts, 4)
    if _part(parts, 0) and name:
        right = nhs_number.normalise(_part(parts, 0)) is not None
        seen.numbers[name, right] += 1
        seen.people[kind].add(_part(parts, 0))


def _part(parts: Sequence[str], at: int) -> str:
    return parts[at].strip() if at < len(parts) else ""


def _columns(seen: _Seen, settings: Hl7v2File) -> Iterator[ColumnProfile]:
    ids, times = seen.ids, seen.times
    yield ColumnProfile(
        key="message",
        column="MSH-10",
        filled=sum(ids.values()),
        absent=0,
        distinct=len(ids),
    )
    yield ColumnProfile(
        key="recorded",
        column="MSH-7",
        filled=len(times) + seen.untimed,
        absent=0,
        distinct=len(set(times)),
        first=min(times) if len(times) >= FEW else None,
        last=max(times) if len(times) >= FEW else None,
        unreadable=seen.untimed,
    )
    yield _kinds(seen, settings)
    for name in sorted({name for name, _ in seen.numbers}):
        right, wrong = seen.numbers[name, True], seen.numbers[name, False]
        is_number = settings.systems.get(name) == nhs_number.SYSTEM
        yield ColumnProfile(
            key="identifiers" if name in settings.systems else "not mapped",
            column=f"PID-3 of {name}",
            filled=right + wrong,
            absent=0,
            distinct=0,
            valid=right if is_number else None,
            invalid=wrong if is_number else 0,
        )


def _kinds(seen: _Seen, settings: Hl7v2File) -> ColumnProfile:
    strange = {kind: n for kind, n in seen.types.items() if kind not in settings.reads}
    return ColumnProfile(
        key="kind",
        column="MSH-9",
        filled=seen.types.total() - seen.types[""],
        absent=0,
        distinct=len(seen.types),
        untranslated=sum(strange.values()),
        words=tuple(kind for kind in strange if len(seen.people[kind]) >= FEW),
    )
