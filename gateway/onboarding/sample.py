"""A sample of a delimited file: how it is written, and its first rows. Pure.

Everything is read as the adapter will read it: what is guessed here holds there.
"""

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters import nhs_number
from adapters.csv_drop.records import Bad, Record, Writing, records
from gateway.onboarding.synonyms import STRONG, synonyms

BYTES: Final = 16 * 1024 * 1024  # of a file looked at
ROWS: Final = 20_000  # rows looked at, of narrow files
_CELLS: Final = 600_000  # cells looked at, of wide ones
_LEAST: Final = 1_000  # rows looked at, however wide
_TRIED: Final = 500  # rows looked at to find the delimiter
_DELIMITERS: Final = (",", "|", "\t", ";", "^", "~")
_FIELD_BYTES: Final = 128 * 1024
_MOST: Final = 0.5  # of the lines must be as wide as each other
_PACKED: Final = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_DATA: Final = re.compile(
    r"[-+]?\d+([.,:/ -]\d+)*( ?[ap]m)?|\d{4}-\d\d-\d\d[T ].*|[0-9a-f-]{32,36}",
    re.IGNORECASE,
)


class NotASample(Exception):
    """What was given cannot be looked at; the message ends in the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a file is written. `header` None: the file does not show it."""

    encoding: str
    is_ascii: bool  # the sample alone cannot tell its encoding
    delimiter: str
    quote: str
    header: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of one file or table, all of one width; the cells are patient values."""

    columns: tuple[str, ...]
    rows: tuple[Sequence[str], ...] = field(repr=False)
    form: Form | None = None  # None: from a database
    types: Mapping[str, str] = field(default_factory=dict)  # of a database's columns
    set_aside: Mapping[str, int] = field(default_factory=dict)  # rows, by reason
    is_whole: bool = True  # whether these are all the rows there are

    def column(self, name: str) -> list[str]:
        """The cells of one column, without outer space."""
        index = self.columns.index(name)
        return [row[index].strip() for row in self.rows]


def read_sample(data: bytes, *, header: bool | None = None) -> Sample:
    """The sample of a file's first bytes; `header` where somebody has said so.

    NotASample where it is no delimited text, or holds no rows.
    """
    encoding, text = _decoded(data)
    form, width = _form(text, encoding)
    most = max(_LEAST, min(ROWS, _CELLS // width))
    found = list(_records(text, form, most + 1))
    whole = [each.cells for each in found if isinstance(each, Record)]
    if not whole:
        raise NotASample("holds no row that can be read. Give a file with rows.")
    said = _header(whole) if header is None else header
    form = Form(
        encoding=form.encoding,
        is_ascii=form.is_ascii,
        delimiter=form.delimiter,
        quote=form.quote,
        header=said,
    )
    rows = whole if said is False else whole[1:]
    wrong = Counter(each.reason for each in found if isinstance(each, Bad))
    wrong["wrong_width"] += sum(len(cells) != width for cells in rows)
    kept = [cells for cells in rows if len(cells) == width]
    if not kept:
        raise NotASample("holds no row under its header. Give a file with rows.")
    return Sample(
        columns=_named(whole[0] if said is not False else (), width),
        rows=tuple(kept[:most]),
        form=form,
        set_aside=+wrong,
        is_whole=len(data) < BYTES and len(found) <= most,
    )


def _decoded(data: bytes) -> tuple[str, str]:
    """The encoding and the text, cut at the end of its last whole line."""
    if data.startswith(_PACKED):
        raise NotASample("is an archive. Unpack it and give the file inside.")
    if data.startswith(_WIDE) or b"\0" in data[:4096]:
        raise NotASample("is UTF-16 or no text. Have it exported as UTF-8.")
    if len(data) >= BYTES:
        data = data[: data.rfind(b"\n") + 1] or data
    if not data.strip():
        raise NotASample("is empty. Give a file with rows.")
    if b"\n" not in data and b"\r" in data:
        raise NotASample("ends its lines with CR alone. Have it exported with LF.")
    for encoding in ("utf-8", "cp1252"):
        try:
            return encoding, data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise NotASample("is neither UTF-8 nor cp1252. Have it exported as UTF-8.")


def _form(text: str, encoding: str) -> tuple[Form, int]:
    """How it is written, as most of its first rows agree, and how many columns."""
    best: tuple[tuple[float, int], Form] | None = None
    for quote in ('"', ""):
        for delimiter in _DELIMITERS:
            form = Form(
                encoding=encoding,
                is_ascii=text.isascii(),
                delimiter=delimiter,
                quote=quote,
                header=None,
            )
            score = _agreement(list(_records(text, form, _TRIED)))
            if best is None or score > best[0]:
                best = score, form
    if best is None or best[0][1] < 2 or best[0][0] < _MOST:
        raise NotASample(
            "has no delimiter that most lines agree on. Use one of , | ; ^ ~ or tab."
        )
    return best[1], best[0][1]


def _agreement(found: Sequence[Record | Bad]) -> tuple[float, int]:
    """Which share of the records has the commonest width, and that width."""
    widths = Counter(len(each.cells) for each in found if isinstance(each, Record))
    if not widths:
        return 0.0, 0
    width, often = max(widths.items(), key=lambda each: (each[1], each[0]))
    # One column is what every wrong delimiter makes of a file.
    return (0.0, width) if width < 2 else (round(often / len(found), 2), width)


def _records(text: str, form: Form, most: int) -> list[Record | Bad]:
    writing = Writing(
        delimiter=form.delimiter,
        quote=form.quote,
        encoding="utf-8",
        field_bytes=_FIELD_BYTES,
    )
    stream = io.BytesIO(text.encode())
    return [
        each for _, each in zip(range(most), records(stream, writing), strict=False)
    ]


def _header(rows: Sequence[Sequence[str]]) -> bool | None:
    """Whether the first row names the columns; None where that cannot be seen."""
    first = [cell.strip() for cell in rows[0]]
    filled = [cell for cell in first if cell]
    if any(nhs_number.normalise(cell) or _DATA.fullmatch(cell) for cell in filled):
        return False
    if len(set(filled)) < len(filled):
        return False if len(filled) > 2 * len(set(filled)) else None
    known = sum(_is_known(cell) for cell in filled)
    if known >= 2:
        return True
    below = [
        [row[i].strip() for row in rows[1:50] if i < len(row)]
        for i in range(len(first))
    ]
    typed = sum(_is_data(cells) for cells in below)
    return True if typed and known else None


def _is_known(name: str) -> bool:
    lists = synonyms()
    return any(lists.strength(name, role) == STRONG for role in lists.roles)


def _is_data(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(_DATA.fullmatch(cell) for cell in filled)


def _named(header: Sequence[str], width: int) -> tuple[str, ...]:
    if not header:
        return tuple(f"column_{n}" for n in range(1, width + 1))
    names = [cell.strip() for cell in header]
    return tuple(names[:width] + [""] * (width - len(names)))
