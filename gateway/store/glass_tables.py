"""Broken glass and the notices that follow. People are keyed hashes here too.

Instants are text in UTC, to the microsecond and always of one length, so that they
sort as they follow each other.
"""

from typing import ClassVar

from sqlalchemy import Text
from sqlmodel import Field, SQLModel


class BrokenGlass(SQLModel, table=True):
    """One breaking of the glass, by one caller, about one person, for one purpose."""

    __tablename__: ClassVar[str] = "break_glass"

    id: str = Field(primary_key=True, sa_type=Text)
    issuer: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    client_id: str = Field(sa_type=Text)
    organisation: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    person_key: str = Field(sa_type=Text)  # the audit key that made the hash beside it
    person_hmac: str = Field(sa_type=Text)
    purpose: str = Field(sa_type=Text)
    reason_code: str = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)  # encrypted; None once it was reviewed
    declared_at: str = Field(sa_type=Text)
    expires_at: str = Field(sa_type=Text)
    review_by: str = Field(sa_type=Text)
    ended_at: str | None = Field(default=None, sa_type=Text)
    reviewed_at: str | None = Field(default=None, sa_type=Text)
    reviewer: str | None = Field(default=None, sa_type=Text)
    finding: str | None = Field(default=None, sa_type=Text)


class Notice(SQLModel, table=True):
    """Something an organisation is to be told, until its channel has taken it."""

    __tablename__: ClassVar[str] = "notice"

    id: str = Field(primary_key=True, sa_type=Text)
    organisation: str = Field(sa_type=Text)
    recipient: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    once: str = Field(sa_type=Text, unique=True)  # what is said twice is sent once
    created_at: str = Field(sa_type=Text)
    due_at: str | None = Field(default=None, sa_type=Text)  # None: it was delivered
    tries: int = 0
