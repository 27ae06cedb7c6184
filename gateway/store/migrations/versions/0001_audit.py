"""The audit log and its head."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_record",
        sa.Column("n", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("n", _NUMBER, nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
    )
    # The chain starts from 32 zero bytes: there is nothing before the first entry.
    op.bulk_insert(head, [{"id": 1, "n": 0, "chain": bytes(32)}])
