"""Alembic's environment: it runs on the connection that the start hands it."""

from alembic import context
from sqlmodel import SQLModel

from gateway.store import tables

assert tables.AuditHead.metadata is SQLModel.metadata  # noqa: S101 - importing it is what fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
)
with context.begin_transaction():
    context.run_migrations()
