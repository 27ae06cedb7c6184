"""What HL7 v2 messages show of their sender, and a source file for it. Pure."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from adapters import nhs_number
from adapters.hl7v2.framing import Framed, Frames
from adapters.hl7v2.settings import Reads
from gateway.onboarding.sample import NotASample
from gateway.onboarding.write import comment, listed, quoted, slug

_MESSAGES: Final = 20_000
_BYTES: Final = 1 << 20
_SEGMENTS: Final = ("AL1", "DG1", "PR1", "OBX")
_FEW: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Counts of what stands in the messages' headers and beside people's numbers."""

    messages: int
    senders: Mapping[str, int]
    types: Mapping[str, int]
    authorities: Mapping[str, int]  # of PID-3, or the type of id where none is named
    numbers: Mapping[str, int]  # how many under each authority are NHS numbers
    encodings: Mapping[str, int]  # as MSH-18 says
    segments: Mapping[str, int]
    is_ascii: bool
    is_utf8: bool


def read_messages(data: bytes) -> Seen:
    """What the messages show. NotASample if there is none."""
    counts = {key: Counter[str]() for key in _COUNTED}
    total = 0
    for framed in Frames(io.BytesIO(data), message_bytes=_BYTES):
        if not isinstance(framed, Framed) or total >= _MESSAGES:
            continue
        total += 1
        _count(framed, counts)
    if not total:
        raise NotASample("holds no HL7 v2 message: none begins with MSH. Give others.")
    return Seen(
        messages=total,
        is_ascii=data.isascii(),
        is_utf8=_is_utf8(data),
        **counts,
    )


_COUNTED: Final = (
    *("senders", "types", "authorities", "numbers", "encodings", "segments"),
)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _count(framed: Framed, counts: Mapping[str, Counter[str]]) -> None:
    lines = [line.decode("latin-1") for line in framed.lines]
    header = lines[0]
    mark, inner = header[3:4], header[4:5] or "^"
    msh = header.split(mark)
    counts["senders"][_part(msh, 2)] += 1
    counts["types"][_part(msh, 8).split(inner)[0]] += 1
    counts["encodings"][_part(msh, 17)] += 1
    for line in lines[1:]:
        counts["segments"][line[:3]] += 1
        if line[:3] == "PID":
            repeat = header[5:6] or "~"
            for one in _part(line.split(mark), 3).split(repeat):
                _count_number(one.split(inner), counts)


def _count_number(parts: list[str], counts: Mapping[str, Counter[str]]) -> None:
    name = _part(parts, 3).split("&")[0] or _part(parts, 4)
    if _part(parts, 0) and name:
        counts["authorities"][name] += 1
        counts["numbers"][name] += nhs_number.normalise(_part(parts, 0)) is not None


def _part(parts: list[str], at: int) -> str:
    return parts[at].strip() if at < len(parts) else ""


def key_of(seen: Seen) -> str | None:
    """The authority of the sender's own numbers: the commonest but the NHS's."""
    local = {n: c for n, c in seen.authorities.items() if not _is_nhs(seen, n)}
    return max(local, key=lambda name: local[name], default=None)


def _is_nhs(seen: Seen, name: str) -> bool:
    return seen.numbers[name] > 0.9 * seen.authorities[name]


def of_messages(
    seen: Seen, *, directory: str, pattern: str, key: str, ods: str
) -> list[str]:
    """The source file; `key` is the authority of the sender's own numbers."""
    return [
        'kind = "hl7v2"',
        f"directory = {quoted(directory)}",
        f"pattern = {quoted(pattern)}",
        *_encoding(seen),
        *_reads(seen),
        *_senders(seen),
        f"key = {quoted(_system(ods, key))}",
        "",
        *_authorities(seen, ods=ods, key=key),
    ]


def _encoding(seen: Seen) -> Iterator[str]:
    if seen.is_ascii:
        yield "# guessed: the messages have no character beyond ASCII to show it"
    told = sorted(name for name in seen.encodings if name)
    if told:
        yield from comment(f"MSH-18 names {', '.join(told)}, which stands over this")
    yield f"encoding = {quoted('utf-8' if seen.is_utf8 else 'cp1252')}"


def _reads(seen: Seen) -> Iterator[str]:
    known = get_args(Reads)
    told = [
        n for n in known if n in seen.types or (n in _SEGMENTS and n in seen.segments)
    ]
    others = sorted(set(seen.types) - set(known) - {""})
    yield from comment(
        f"sure: {seen.messages} messages hold these"
        + (f"; not read: {', '.join(others)}" if others else "")
    )
    yield f"reads = {listed(told or ['ADT'])}"


def _senders(seen: Seen) -> Iterator[str]:
    told = ", ".join(
        f"{name or 'nobody named'} ({n if n >= _FEW else '<5'})"
        for name, n in sorted(seen.senders.items(), key=lambda each: -each[1])[:10]
    )
    yield from comment(f"sent by (MSH-3): {told}")
    yield from comment(
        "guessed: the commonest authority of PID-3 whose numbers are no NHS numbers"
    )


def _system(ods: str, authority: str) -> str:
    return f"urn:throughline:{ods.lower()}:{slug(authority)}"


def _authorities(seen: Seen, *, ods: str, key: str) -> Iterator[str]:
    yield "[authorities]"
    for name in sorted(seen.authorities):
        right, all_ = seen.numbers[name], seen.authorities[name]
        if _is_nhs(seen, name) and name != key:
            yield from comment(f"sure: {right} of {all_} pass Modulus 11")
            yield f"{quoted(name)} = {quoted(nhs_number.SYSTEM)}"
        else:
            yield f"{quoted(name)} = {quoted(_system(ods, name))}"
