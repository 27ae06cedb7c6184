"""Sets as they are kept: under their version, verified whenever they are read.

Every set that was ever in force stays readable, so that a decision can be explained
by the set it names.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, or_, select
from sqlalchemy.engine import Connection, Row

from gateway.policy.composition import Composition, standing_as_data
from gateway.policy.kept import Tampered, document_of, instant, spelt
from gateway.store.policy_tables import (
    PolicyActive,
    PolicyDocument,
    PolicyKeptSet,
    PolicySetMember,
    PolicyVocabulary,
)
from policies import vocabulary
from policies.canonical import canonical_json
from policies.clauses import Member, Signature
from policies.compile import ENGINE, PolicySet
from policies.documents import as_data, content_hash, parse_document
from policies.errors import Invalid

_SETS: Final = PolicyKeptSet.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_MEMBERS: Final = PolicySetMember.__table__  # type: ignore[attr-defined]  # as above
_ACTIVE: Final = PolicyActive.__table__  # type: ignore[attr-defined]  # as above
_VOCABULARIES: Final = PolicyVocabulary.__table__  # type: ignore[attr-defined]  # as above
_DOCUMENTS: Final = PolicyDocument.__table__  # type: ignore[attr-defined]  # as above


# What is in force (None) and what is to follow, from when on: the digests of the sets.
KeptTurns = tuple[tuple[str | None, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A set that is to be in force, from an instant on or at once."""

    version: str
    composition: Composition
    effective_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A set's turn to be in force, by its place in the sequence."""

    sequence: int
    set_version: str
    effective_at: datetime | None  # None: at once
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSet:
    """A set as the store has it, its documents verified and its version not yet."""

    version: str
    engine: str
    vocabulary: str
    made_at: datetime
    composition: Composition

    def compiled(self) -> PolicySet:
        """The set itself. Tampered if it is not the one that its version names.

        Another engine or vocabulary gives another version of the same set.
        """
        try:
            found = self.composition.compiled()
        except Invalid:
            raise Tampered from None
        ours = (self.engine, self.vocabulary) == (ENGINE, vocabulary.HASH)
        if ours and found.version != self.version:
            raise Tampered
        return found

    @property
    def is_of_this_engine(self) -> bool:
        """Whether we would give it the version it has."""
        return (self.engine, self.vocabulary) == (ENGINE, vocabulary.HASH)


def turns_at(connection: Connection, now: datetime) -> list[Turn]:
    """The set in force at an instant and those already due to follow it, in order."""
    begun = or_(_ACTIVE.c.effective_at.is_(None), _ACTIVE.c.effective_at <= spelt(now))
    current = select(func.max(_ACTIVE.c.sequence)).where(begun).scalar_subquery()
    rows = (
        select(_ACTIVE)
        .where(_ACTIVE.c.sequence >= current)
        .order_by(_ACTIVE.c.sequence)
    )
    return [_turn(row) for row in connection.execute(rows).all()]


def kept_turns(connection: Connection, now: datetime) -> KeptTurns:
    """The same as digests; None for that of a set that is gone."""
    found = []
    for place, turn in enumerate(turns_at(connection, now)):
        begins = turn.effective_at if place else None
        digest = select(_SETS.c.digest).where(_SETS.c.version == turn.set_version)
        found.append(
            (
                None if begins is None else spelt(begins),
                connection.execute(digest).scalar_one_or_none(),
            )
        )
    return tuple(found)


def recent_turns(
    connection: Connection, *, before: int | None, limit: int
) -> list[Turn]:
    """Turns, the newest first, of a lower sequence than `before` if it is given."""
    rows = select(_ACTIVE).order_by(_ACTIVE.c.sequence.desc()).limit(limit)
    if before is not None:
        rows = rows.where(_ACTIVE.c.sequence < before)
    return [_turn(row) for row in connection.execute(rows).all()]


def read_set(connection: Connection, version: str) -> KeptSet | None:
    """A set by its version, None if there is none. Tampered if it is not whole."""
    row = connection.execute(select(_SETS).where(_SETS.c.version == version)).first()
    if row is None:
        return None
    held = (
        select(_MEMBERS, _DOCUMENTS.c.content, _DOCUMENTS.c.hash.label("kept"))
        .outerjoin(
            _DOCUMENTS,
            (_DOCUMENTS.c.id == _MEMBERS.c.id)
            & (_DOCUMENTS.c.version == _MEMBERS.c.version),
        )
        .where(_MEMBERS.c.set_version == version)
    )
    # Sorted here: stores differ in how they sort text.
    members = sorted(
        (_member(each) for each in connection.execute(held).all()),
        key=lambda each: (each.document.id, each.version),
    )
    composition = Composition(
        members=tuple(members), signatures=tuple(_signatures(row.signatures))
    )
    if composition.digest != row.digest:
        raise Tampered
    return KeptSet(
        version=row.version,
        engine=row.engine,
        vocabulary=row.vocabulary,
        made_at=instant(row.made_at),
        composition=composition,
    )


def write_sets(
    connection: Connection, sets: Sequence[Published], *, after: int, now: datetime
) -> None:
    """The sets, and their turns after the given place in the sequence."""
    _write_vocabulary(connection, now)
    for place, published in enumerate(sets, after + 1):
        _write_set(connection, published, now)
        begins = published.effective_at
        connection.execute(
            insert(_ACTIVE),
            {
                "sequence": place,
                "set_version": published.version,
                "effective_at": None if begins is None else spelt(begins),
                "at": spelt(now),
            },
        )


def _write_set(connection: Connection, published: Published, now: datetime) -> None:
    known = select(_SETS.c.version).where(_SETS.c.version == published.version)
    if connection.execute(known).first() is not None:
        return  # what was in force before may be so again
    composition = published.composition
    signatures = [as_data(each) for each in composition.signatures]
    connection.execute(
        insert(_SETS),
        {
            "version": published.version,
            "digest": composition.digest,
            "engine": ENGINE,
            "vocabulary": vocabulary.HASH,
            "signatures": canonical_json(signatures),
            "made_at": spelt(now),
        },
    )
    members = [
        {
            "set_version": published.version,
            "id": each.document.id,
            "version": each.version,
            "hash": content_hash(each.document),
            "stands": canonical_json(standing_as_data(each)),
        }
        for each in composition.members
    ]
    if members:
        connection.execute(insert(_MEMBERS), members)


def _write_vocabulary(connection: Connection, now: datetime) -> None:
    known = select(_VOCABULARIES.c.hash).where(_VOCABULARIES.c.hash == vocabulary.HASH)
    if connection.execute(known).first() is None:
        row = {
            "hash": vocabulary.HASH,
            "version": vocabulary.VERSION,
            "at": spelt(now),
        }
        connection.execute(insert(_VOCABULARIES), row)


def _turn(row: Row[Any]) -> Turn:
    return Turn(
        sequence=row.sequence,
        set_version=row.set_version,
        effective_at=instant(row.effective_at) if row.effective_at else None,
        at=instant(row.at),
    )


def _member(row: Row[Any]) -> Member:
    if row.content is None or row.kept != row.hash:
        raise Tampered
    try:
        stands = json.loads(row.stands)
        since = stands["first_active"].items()
        return Member(
            document=document_of(row.content, row.hash, identity=row.id),
            version=row.version,
            standing=frozenset(stands["standing"]),
            carried=frozenset(stands["carried"]),
            suspended=frozenset(stands["suspended"]),
            first_active={owner: instant(at) for owner, at in since},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Tampered from None


def _signatures(text: str) -> list[Signature]:
    try:
        found = [parse_document(each, where="store") for each in json.loads(text)]
    except (ValueError, TypeError, AttributeError, Invalid):
        raise Tampered from None
    if not all(isinstance(each, Signature) for each in found):
        raise Tampered
    return [each for each in found if isinstance(each, Signature)]
