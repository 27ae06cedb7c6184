"""Policy: documents, signatures, sets, and which of them is in force."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    head = op.create_table(
        "policy_head",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("sequence", _NUMBER, nullable=False),
    )
    # Nothing was written yet, and no set is in force.
    op.bulk_insert(head, [{"id": 1, "revision": 0, "sequence": 0}])
    _documents()
    _parties()
    _sets()
    op.create_table(
        "idempotency_key",
        _text("caller", key=True),
        _text("key", key=True),
        *_texts("request", "result", "at"),
    )


def _documents() -> None:
    op.create_table(
        "policy_document",
        *_version_of_a_document(),
        *_texts("kind", "organisation", "state", "content", "hash", "authors"),
        *_texts("created_at", "changed_at"),
    )
    op.create_table(
        "policy_finding",
        *_version_of_a_document(),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        *_texts("code", "severity", "path", "message"),
    )


def _parties() -> None:
    op.create_table(
        "policy_party",
        *_version_of_a_document(),
        _text("organisation", key=True),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("is_narrowing", sa.Boolean(), nullable=False),
        sa.Column("completed_at", sa.Text()),
        sa.Column("suspended_at", sa.Text()),
    )
    op.create_table(
        "policy_signature",
        *_version_of_a_document(),
        _text("organisation", key=True),
        _text("action", key=True),
        _text("person", key=True),
        *_texts("capacity", "hash", "at"),
    )


def _sets() -> None:
    op.create_table(
        "policy_vocabulary", _text("hash", key=True), *_texts("version", "at")
    )
    op.create_table(
        "policy_set",
        _text("version", key=True),
        *_texts("digest", "engine", "vocabulary", "signatures", "made_at"),
    )
    op.create_table(
        "policy_set_member",
        _text("set_version", key=True),
        *_version_of_a_document(),
        *_texts("hash", "stands"),
    )
    op.create_table(
        "policy_active",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
        *_texts("set_version", "at"),
        sa.Column("effective_at", sa.Text()),
    )


def _version_of_a_document() -> tuple["sa.Column[str]", "sa.Column[int]"]:
    number: sa.Column[int] = sa.Column(
        "version", sa.Integer(), primary_key=True, autoincrement=False
    )
    return _text("id", key=True), number


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [_text(name) for name in names]
