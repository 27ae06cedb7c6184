"""Policy's rows read into values and written back, whole versions at a time.

A text that is not what its hash says is nobody's: a draft like that is left out, and
beside one that was submitted nothing at all is read. Either way somebody is told.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection, Row

from gateway.alarms import raise_alarm
from gateway.policy.occasion import Snapshot
from gateway.policy.states import Finding, Party, Signed, Version
from gateway.problems import RequestError
from gateway.store.policy_tables import (
    PolicyDocument,
    PolicyFinding,
    PolicyHead,
    PolicyParty,
    PolicySignature,
)
from policies.clauses import Agreement, LocalRule, Signature
from policies.documents import parse_document
from policies.errors import Invalid

_DOCUMENTS: Final = PolicyDocument.__table__  # type: ignore[attr-defined]  # SQLModel adds it, unseen by mypy
_PARTIES: Final = PolicyParty.__table__  # type: ignore[attr-defined]  # as above
_SIGNATURES: Final = PolicySignature.__table__  # type: ignore[attr-defined]  # as above
_FINDINGS: Final = PolicyFinding.__table__  # type: ignore[attr-defined]  # as above
_HEADS: Final = PolicyHead.__table__  # type: ignore[attr-defined]  # as above
_OF_A_VERSION: Final = (_FINDINGS, _SIGNATURES, _PARTIES, _DOCUMENTS)

_MOST_REMEMBERED: Final = 4096


class Tampered(Exception):
    """A text in the store is not the one its hash was made of."""


class Stale(Exception):
    """Something was changed since it was read: read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every change moves on."""

    revision: int
    sequence: int


def spelt(at: datetime) -> str:
    """An instant as the store keeps it: UTC, always of one length, sorting as it is."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def instant(text: str) -> datetime:
    """The instant of a spelling."""
    return datetime.fromisoformat(text)


def read_head(connection: Connection) -> Head:
    """The one row. Tampered if it is gone."""
    found = connection.execute(select(_HEADS.c.revision, _HEADS.c.sequence)).first()
    if found is None:
        raise Tampered
    return Head(revision=found.revision, sequence=found.sequence)


def move_head(connection: Connection, seen: Head, sequence: int) -> None:
    """Move on from what was read; Stale if somebody else did so meanwhile."""
    moved = connection.execute(
        update(_HEADS)
        .where(_HEADS.c.id == 1, _HEADS.c.revision == seen.revision)
        .values(revision=seen.revision + 1, sequence=sequence)
    )
    if moved.rowcount != 1:
        raise Stale


def read_snapshot(connection: Connection) -> Snapshot:
    """Every version of every document.

    RequestError policy-unavailable, and an alarm, beside a submitted text that is not
    what was signed.
    """
    head = read_head(connection)
    parties = _grouped(connection, _PARTIES)
    signatures = _grouped(connection, _SIGNATURES)
    findings = _grouped(connection, _FINDINGS)
    versions: defaultdict[str, list[Version]] = defaultdict(list)
    for row in connection.execute(
        select(_DOCUMENTS).order_by(_DOCUMENTS.c.id, _DOCUMENTS.c.version)
    ).all():
        document = _sound(row)
        if document is not None:
            place = (row.id, row.version)
            versions[row.id].append(
                Version(
                    **_of_a_document(row, document),
                    parties=tuple(_party(each) for each in parties[place]),
                    signed=tuple(_signed(each) for each in signatures[place]),
                    findings=tuple(_finding(each) for each in findings[place]),
                )
            )
    return Snapshot(
        revision=head.revision, sequence=head.sequence, versions=dict(versions)
    )


def write_version(connection: Connection, version: Version) -> None:
    """The version as it is now, in place of what it was."""
    remove_version(connection, version)
    place = {"id": version.id, "version": version.version}
    connection.execute(insert(_DOCUMENTS), {**place, **_document_row(version)})
    for table, rows in (
        (_PARTIES, [_party_row(each) for each in version.parties]),
        (_SIGNATURES, [_signature_row(each) for each in version.signed]),
        (_FINDINGS, _finding_rows(version.findings)),
    ):
        if rows:
            connection.execute(insert(table), [{**place, **row} for row in rows])


def remove_version(connection: Connection, version: Version) -> None:
    """Nothing of the version stays."""
    for table in _OF_A_VERSION:
        connection.execute(
            delete(table).where(
                table.c.id == version.id, table.c.version == version.version
            )
        )


def document_of(
    content: str, content_hash: str, *, identity: str
) -> Agreement | LocalRule:
    """The document of a text. Tampered unless its hash and its id are these."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    if f"sha256:{digest}" != content_hash:
        raise Tampered
    document = _parsed(content)
    if document.id != identity:
        raise Tampered
    return document


@lru_cache(maxsize=_MOST_REMEMBERED)
def _parsed(content: str) -> Agreement | LocalRule:
    try:
        document = parse_document(json.loads(content), where="store")
    except (ValueError, Invalid):
        raise Tampered from None
    if isinstance(document, Signature):
        raise Tampered
    return document


def _sound(row: Row[Any]) -> Agreement | LocalRule | None:
    try:
        return document_of(row.content, row.hash, identity=row.id)
    except Tampered:
        raise_alarm("policy_document_tampered", source=f"{row.id}@{row.version}")
        if row.state == "submitted":
            raise RequestError("policy-unavailable") from None
        return None


def _grouped(
    connection: Connection,
    table: Any,  # noqa: ANN401 - a table, as SQLModel leaves it
) -> defaultdict[tuple[str, int], list[Row[Any]]]:
    found: defaultdict[tuple[str, int], list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(select(table).order_by(*table.primary_key)).all():
        found[row.id, row.version].append(row)
    return found


def _of_a_document(row: Row[Any], document: Agreement | LocalRule) -> dict[str, Any]:
    return {
        "id": row.id,
        "version": row.version,
        "kind": row.kind,
        "organisation": row.organisation,
        "state": row.state,
        "document": document,
        "authors": frozenset(json.loads(row.authors)),
        "created_at": instant(row.created_at),
        "changed_at": instant(row.changed_at),
    }


def _document_row(version: Version) -> dict[str, object]:
    return {
        "kind": version.kind,
        "organisation": version.organisation,
        "state": version.state,
        "content": version.content,
        "hash": version.hash,
        "authors": json.dumps(sorted(version.authors)),
        "created_at": spelt(version.created_at),
        "changed_at": spelt(version.changed_at),
    }


def _party(row: Row[Any]) -> Party:
    return Party(
        organisation=row.organisation,
        is_owner=row.is_owner,
        needed=row.needed,
        is_narrowing=row.is_narrowing,
        completed_at=instant(row.completed_at) if row.completed_at else None,
        suspended_at=instant(row.suspended_at) if row.suspended_at else None,
    )


def _party_row(party: Party) -> dict[str, object]:
    return {
        "organisation": party.organisation,
        "is_owner": party.is_owner,
        "needed": party.needed,
        "is_narrowing": party.is_narrowing,
        "completed_at": spelt(party.completed_at) if party.completed_at else None,
        "suspended_at": spelt(party.suspended_at) if party.suspended_at else None,
    }


def _signed(row: Row[Any]) -> Signed:
    return Signed(
        organisation=row.organisation,
        action=cast("Any", row.action),
        person=row.person,
        capacity=row.capacity,
        hash=row.hash,
        at=instant(row.at),
    )


def _signature_row(signed: Signed) -> dict[str, object]:
    return {
        "organisation": signed.organisation,
        "action": signed.action,
        "person": signed.person,
        "capacity": signed.capacity,
        "hash": signed.hash,
        "at": spelt(signed.at),
    }


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        code=row.code, severity=row.severity, path=row.path, message=row.message
    )


def _finding_rows(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [
        {
            "position": position,
            "code": each.code,
            "severity": each.severity,
            "path": each.path,
            "message": each.message,
        }
        for position, each in enumerate(findings)
    ]
