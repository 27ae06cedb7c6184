"""Broken glass, notices, and decisions found by their id."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OF_THE_GLASS: Final = (
    *("issuer", "subject", "client_id", "organisation", "role"),
    *("person_key", "person_hmac", "purpose", "reason_code"),
    *("declared_at", "expires_at", "review_by"),
)
_OF_A_NOTICE: Final = (
    *("organisation", "recipient", "kind", "reference", "once", "created_at"),
)
_PLACE: Final = {
    "sqlite": "instr(replace(record, '\\', ''), '\"decision\":\"')",
    "postgresql": "strpos(replace(record, '\\', ''), '\"decision\":\"')",
}
_ONCE_KNOWN: Final = ("reason", "ended_at", "reviewed_at", "reviewer", "finding")


def upgrade() -> None:
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _OF_THE_GLASS),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _ONCE_KNOWN),
    )
    op.create_index("break_glass_of", "break_glass", ["organisation", "declared_at"])
    op.create_table(
        "notice",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _OF_A_NOTICE),
        sa.Column("due_at", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.UniqueConstraint("once"),
    )
    op.create_index("notice_due", "notice", ["due_at"])
    # A decision's id stands in its entry, and in the first part of a long one, where
    # every quote is escaped: it is indexed there, so that nothing is written twice.
    place = _PLACE[op.get_bind().dialect.name]
    op.execute(
        "CREATE INDEX audit_record_decision ON audit_record "
        f"(substr(replace(record, '\\', ''), {place} + 12, 28)) WHERE {place} > 0"
    )
