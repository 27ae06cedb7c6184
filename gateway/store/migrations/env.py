"""Alembic's environment: it runs on the connection that the start hands it."""

from alembic import context
from sqlmodel import SQLModel

from gateway.store import (
    glass_tables,
    policy_tables,
    site_tables,
    standing_tables,
    tables,
)

# Importing them is what fills the metadata.
assert tables.AuditHead.metadata is SQLModel.metadata  # noqa: S101 - of ours
assert glass_tables.Notice.metadata is SQLModel.metadata  # noqa: S101 - of ours
assert policy_tables.PolicyHead.metadata is SQLModel.metadata  # noqa: S101 - of ours
assert site_tables.SiteKeySet.metadata is SQLModel.metadata  # noqa: S101 - of ours
assert standing_tables.SourceStanding.metadata is SQLModel.metadata  # noqa: S101 - of ours

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
)
with context.begin_transaction():
    context.run_migrations()
