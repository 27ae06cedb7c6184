"""The exchanges that a trail tells of: questions to a site, and what was answered.

A gateway's trail and a site's are read alike, in their order, a page at a time. They
are read as they are: whether their chains hold is the verifier's to say.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway.store.tables import AuditRecord

_RECORDS: Final = AuditRecord.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_PAGE: Final = 1_000
_LONGEST: Final = 16 * 1024 * 1024  # of a record kept in parts
_QUESTION: Final = re.compile(r"[0-9a-f]{32}")
_ANSWER: Final = re.compile(r"[0-9a-f]{64}")
_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_TELLS: Final = '"question":"'  # in each record of an exchange, and in few others


class NotReadable(Exception):
    """What was read is no trail of ours; the message says where, and shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """That a question was put, when that was recorded, and its answer's SHA-256."""

    question: str
    at: str  # UTC to the microsecond, of one length
    answer: str | None


def exchanged(
    connection: Connection, *, sources: Collection[str] | None = None
) -> Iterator[Exchanged]:
    """Every exchange, as often as it is told of, in the trail's order.

    Of what a gateway recorded, with these sources alone, if they are named.
    NotReadable for what is no trail.
    """
    for text in _whole(_rows(connection)):
        if _TELLS in text:
            yield from _told(_object(text), sources)


def _rows(connection: Connection) -> Iterator[tuple[int, str]]:
    last = 0
    while True:
        wanted = select(_RECORDS.c.n, _RECORDS.c.record).where(_RECORDS.c.n > last)
        page = connection.execute(wanted.order_by(_RECORDS.c.n).limit(_PAGE)).all()
        if not page:
            return
        for row in page:
            if not isinstance(row.record, str):
                raise NotReadable(f"entry {row.n} is no record.")
            yield row.n, row.record
        last = page[-1].n


def _whole(rows: Iterable[tuple[int, str]]) -> Iterator[str]:
    """The texts of records, those kept in parts put together again."""
    parts: list[str] = []
    of: tuple[object, object] | None = None
    for n, text in rows:
        if not text.startswith('{"id":') or '"type":"part"' not in text:
            _end_of(parts, n)
            yield text
            continue
        part = _object(text)
        number, count = part.get("part"), part.get("parts")
        if (
            number != len(parts) + 1
            or (parts and of != (part.get("id"), count))
            or not isinstance(part.get("text"), str)
        ):
            raise NotReadable(f"entry {n} is a part that does not follow.")
        of = (part.get("id"), count)
        parts.append(part["text"])
        if sum(map(len, parts)) > _LONGEST:
            raise NotReadable(f"entry {n} is of too long a record.")
        if number == count:
            yield "".join(parts)
            parts.clear()
    _end_of(parts, None)


def _end_of(parts: list[str], n: int | None) -> None:
    if parts:
        where = "the last entry" if n is None else f"the entry before {n}"
        raise NotReadable(f"{where} is a part of a record that is not whole.")


def _told(
    record: Mapping[str, Any], sources: Collection[str] | None
) -> Iterator[Exchanged]:
    at = record.get("at")
    if not isinstance(at, str) or _AT.fullmatch(at) is None:
        raise NotReadable("a record of an exchange has no time.")
    if record.get("type") == "not_taken":
        yield _exchange({"question": record.get("question"), "answer": None}, at)
        return
    if (single := record.get("exchange")) is not None:
        yield _exchange(single, at)
    for source in _listed(record, "sources"):
        # An intent names its sources; an outcome tells what became of each.
        if isinstance(source, dict) and (
            sources is None or str(source.get("source")) in sources
        ):
            for each in _listed(source, "exchanges"):
                yield _exchange(each, at)


def _listed(told: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = told.get(name, [])
    if not isinstance(found, list):
        raise _not_ours()
    return found


def _exchange(told: Any, at: str) -> Exchanged:  # noqa: ANN401 - of a trail that may be anybody's
    if isinstance(told, dict):
        question, answer = told.get("question"), told.get("answer")
        is_told = isinstance(answer, str) and _ANSWER.fullmatch(answer)
        if (
            isinstance(question, str)
            and _QUESTION.fullmatch(question)
            and (is_told or answer is None)
        ):
            return Exchanged(question=question, at=at, answer=answer)
    raise _not_ours()


def _not_ours() -> NotReadable:
    return NotReadable("a record tells of an exchange in no form of ours.")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotReadable("an entry is no record.")
    return found
