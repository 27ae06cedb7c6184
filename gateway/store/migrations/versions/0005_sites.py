"""The public keys of sites, as they were enrolled."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_key_set",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("organisation", "site", "keys", "state")
        ),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("mistyped", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.Text(), nullable=True),
        sa.Column("until", sa.Text(), nullable=False),
        sa.UniqueConstraint("organisation", "site", "place"),
    )
