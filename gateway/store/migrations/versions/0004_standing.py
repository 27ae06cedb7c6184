"""How sources stand: wrong answers, suspensions, findings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_standing",
        sa.Column("source", sa.Text(), primary_key=True, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at", sa.Text(), nullable=True),
    )
    op.create_table(
        "source_mismatch",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
    )
    op.create_index("source_mismatch_of", "source_mismatch", ["source", "at"])
    op.create_table(
        "source_finding",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("source", "code", "first_at", "last_at", "journey")
        ),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("seen", sa.BigInteger(), nullable=False),
    )
    op.create_index("source_finding_of", "source_finding", ["source", "last_at", "id"])
