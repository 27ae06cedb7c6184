"""A source file from a settled proposal, each line with what it rests on. Pure.

No cell of a person is written: only columns' names, formats, words for nothing, and
words that several people share.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapters import nhs_number
from adapters.mapping.cells import plain
from adapters.vocabulary import STATUSES
from gateway.onboarding.proposal import (
    Guess,
    Placeholder,
    Proposal,
    StatusGuess,
    TimeGuess,
)
from gateway.onboarding.sample import Form

_WIDTH = 88  # of a comment
_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose source it is: ODS code, and the system of its own person key."""

    ods: str
    key_system: str


def quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def listed(words: Iterable[str]) -> str:
    """A TOML array of strings."""
    return f"[{', '.join(map(quoted, words))}]"


def slug(name: str) -> str:
    """A name as part of a URN or a file: lower case, words joined by hyphens."""
    return _SLUG.sub("-", name.lower()).strip("-") or "unnamed"


def key_system(ods: str, column: str) -> str:
    """The system proposed for an organisation's own numbers of this column."""
    return f"urn:throughline:{ods.lower()}:{slug(column)}"


def said(guess: Guess | TimeGuess) -> list[str]:
    """The comment that says how sure a part is."""
    return comment(f"{'sure' if guess.is_sure else 'guessed'}: {guess.because}")


def comment(text: str) -> list[str]:
    """Lines of a comment, no wider than a screen."""
    lines, line = [], "#"
    for word in plain(text).split():
        if len(line) + len(word) >= _WIDTH:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line]


def head(sector: str, *, of: str) -> list[str]:
    """How to read the comments of a file that was written from a sample."""
    return [
        f"# A source of the sector {sector}, written by `throughline source new` from",
        f"# {plain(of)}.",
        '# "sure" is what names and cells agree on; look at what is "guessed" before',
        "# anybody relies on it. Then: throughline source check.",
    ]


def of_file(
    form: Form, *, directory: str, pattern: str, columns: Sequence[str]
) -> list[str]:
    """The top of a CSV drop's source file."""
    lines = [
        'kind = "csv_drop"',
        f"directory = {quoted(directory)}",
        "# guessed: the sample's name, with any digits of a date left open",
        f"pattern = {quoted(pattern)}",
        f"delimiter = {quoted(form.delimiter)}",
    ]
    if form.quote != '"':
        lines += ["# sure: quotes stand within cells, and close none", 'quote = ""']
    if form.header is False:
        lines += [
            "# no header was seen: rename the columns as you like, in this order",
            "header = false",
            f"columns = {listed(columns)}",
        ]
    if form.encoding == "cp1252":
        lines += comment("sure: it is not UTF-8, and reads as cp1252")
    elif form.is_ascii:
        lines += comment("guessed: the sample has no character beyond ASCII to show it")
    lines.append(f"encoding = {quoted(form.encoding)}")
    lines += comment(
        "the newest file is the whole truth; or: append, if each adds rows"
    )
    lines.append('mode = "replace"')
    return lines


def of_table(url: str, table: str, *, password: str | None) -> list[str]:
    """The top of a database's source file."""
    lines = ['kind = "sql"', f"url = {quoted(url)}"]
    if password is not None:
        lines.append(f"password = {quoted(password)}")
    lines.append(f"table = {quoted(table)}")
    return lines


def mapping(found: Proposal, owner: Owner) -> list[str]:
    """The tables of `[mapping]`."""
    return [
        "[mapping]",
        'zone = "Europe/London"              # of times that have none of their own',
        *_absent(found),
        *_record_id(found),
        *_kind(found),
        *_title(found),
        *_times(found),
        *_cells(found),
        *_status(found),
        *_identifiers(found, owner),
        *_codes(found),
        *_person(found),
        *_left(found),
    ]


def _absent(found: Proposal) -> Iterator[str]:
    if found.absent:
        yield "# words that stand in the sample for nothing"
        yield f"absent = {listed(found.absent)}"


def _record_id(found: Proposal) -> Iterator[str]:
    if found.record_id is not None:
        yield from said(found.record_id)
        columns = found.record_id.columns
        one = quoted(columns[0]) if len(columns) == 1 else listed(columns)
        yield f"record_id = {one}"


def _kind(found: Proposal) -> Iterator[str]:
    yield from said(found.kind)
    yield f"kind = {quoted(found.kind.column)}"


def _title(found: Proposal) -> Iterator[str]:
    if found.title is not None and not set("{}") & set(found.title.column):
        yield from said(found.title)
        yield f"title = {quoted(f'{{{found.title.column}}}')}"


def _times(found: Proposal) -> Iterator[str]:
    for key in ("start", "end", "recorded"):
        guess: TimeGuess | None = getattr(found, key)
        if guess is not None:
            yield from said(guess)
            yield f"{key} = {_time(guess)}"


def _time(guess: TimeGuess) -> str:
    formats = listed(guess.reading.formats)
    absent = f", absent = {listed(guess.absent)}" if guess.absent else ""
    if guess.clock is None:
        return f"{{ column = {quoted(guess.column)}, formats = {formats}{absent} }}"
    unknown = guess.clock_absent
    later = f", time_absent = {listed(unknown)}" if unknown else ""
    return (
        f"{{ date = {quoted(guess.column)}, formats = {formats}{absent}, "
        f"time = {quoted(guess.clock)}, time_formats = {listed(guess.clock_formats)}"
        f"{later} }}"
    )


def _cells(found: Proposal) -> Iterator[str]:
    for key in ("organisation", "version"):
        guess: Guess | None = getattr(found, key)
        if guess is not None:
            yield from said(guess)
            yield f"{key} = {quoted(guess.column)}"


def _status(found: Proposal) -> Iterator[str]:
    if found.status is not None:
        yield from _status_column(found.status)
    elif found.end is not None:
        yield "# guessed: no column says a status, so a row with an end is over"
        yield 'status = { ended = "finished", open = "active" }'
    else:
        yield "# no column says a status: each event is of status unknown"


def _status_column(status: StatusGuess) -> Iterator[str]:
    yield ""
    yield f"# guessed: {status.because}"
    yield "[mapping.status]"
    yield f"column = {quoted(status.column)}"
    told = ", ".join(f"{quoted(w)} = {quoted(s)}" for w, s in status.codes.items())
    if status.untranslated:
        yield from comment(
            f"not translated yet, and so unknown: {listed(status.untranslated)}. Add "
            f"each to codes as one of {', '.join(sorted(STATUSES))}."
        )
    if status.others:
        few = str(status.others) if status.others >= 5 else "fewer than 5"
        yield f"# {few} rows hold words that are too rare to be written here"
    yield f"codes = {{ {told} }}"


def _identifiers(found: Proposal, owner: Owner) -> Iterator[str]:
    for guess, system, is_key in (
        (found.person_key, owner.key_system, True),
        (found.nhs_number, nhs_number.SYSTEM, False),
    ):
        if guess is None:
            continue
        yield ""
        yield from said(guess)
        own = [each for each in found.placeholders if each.column == guess.column]
        yield from _real_numbers(own)
        yield "[[mapping.identifiers]]"
        yield f"column = {quoted(guess.column)}"
        yield f"system = {quoted(system)}"
        if is_key:
            yield "key = true"
        words = [each.value for each in own if not each.is_number]
        if words:
            yield "# said to be placeholders when it was written"
            yield f"absent = {listed(words)}"


def _real_numbers(own: Sequence[Placeholder]) -> Iterator[str]:
    for each in own:
        if each.is_number:
            yield from comment(
                f"beside {each.people} people stands one value that passes as an NHS "
                "number. It may be somebody's, so it is not written here; it links "
                "nobody. Ask the source's owner."
            )


def _codes(found: Proposal) -> Iterator[str]:
    for code in found.codes:
        yield ""
        yield from comment(f"{'sure' if code.is_sure else 'guessed'}: {code.because}")
        yield "[[mapping.codes]]"
        yield f"column = {quoted(code.column)}"
        if code.system is not None:
            yield f"system = {quoted(code.system)}"
        if code.display is not None:
            yield f"display = {quoted(code.display)}"


def _person(found: Proposal) -> Iterator[str]:
    if not (found.name or found.birth_date or found.gender or found.postcode):
        return
    yield ""
    yield "# For the check that it is the right person"
    yield "[mapping.person]"
    if found.name is not None:
        yield f"name = {listed(found.name.columns)}"
    if found.birth_date is not None:
        yield from said(found.birth_date)
        yield f"birth_date = {_time(found.birth_date)}"
    for key in ("gender", "postcode"):
        guess: Guess | None = getattr(found, key)
        if guess is not None:
            yield f"{key} = {quoted(guess.column)}"


def _left(found: Proposal) -> Iterator[str]:
    yield ""
    for warning in found.warnings:
        yield from comment(f"LOOK: {warning}")
    if found.unmapped:
        told = ", ".join(repr(each) for each in found.unmapped)
        yield from comment(
            "Not mapped, and so never shown; docs/mapping.md tells how a column "
            f"becomes a detail, a code or a label: {told}."
        )


def pattern_of(name: str) -> str:
    """The names of later files of the same drop: the digits of a date left open."""
    open_ = re.sub(r"\d[\d_.-]*\d(?=\D|$)", "*", name)
    return re.sub(r"[\[\]?]", "?", open_)
