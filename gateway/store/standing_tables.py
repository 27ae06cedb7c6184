"""How each source stands: its wrong answers, its suspension, what was found in it.

About sources and never about a person: a record is known by a keyed hash of its id.
Instants are text in UTC, to the microsecond and always of one length.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Integer, Text
from sqlmodel import Field, SQLModel

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class SourceStanding(SQLModel, table=True):
    """Whether a source is suspended; `revision` grows with each change of that."""

    __tablename__: ClassVar[str] = "source_standing"

    source: str = Field(primary_key=True, sa_type=Text)
    revision: int = Field(sa_type=_NUMBER)
    suspended_at: str | None = Field(default=None, sa_type=Text)


class SourceMismatch(SQLModel, table=True):
    """One question that a source answered with somebody else's record."""

    __tablename__: ClassVar[str] = "source_mismatch"

    id: str = Field(primary_key=True, sa_type=Text)
    source: str = Field(sa_type=Text)
    at: str = Field(sa_type=Text)


class SourceFinding(SQLModel, table=True):
    """What is not right with one record of a source, or with its answers."""

    __tablename__: ClassVar[str] = "source_finding"

    id: str = Field(primary_key=True, sa_type=Text)
    source: str = Field(sa_type=Text)
    code: str = Field(sa_type=Text)
    category: str | None = Field(default=None, sa_type=Text)
    record: str | None = Field(default=None, sa_type=Text)  # key id and HMAC of its id
    seen: int = Field(sa_type=_NUMBER)
    first_at: str = Field(sa_type=Text)
    last_at: str = Field(sa_type=Text)
    journey: str = Field(sa_type=Text)  # the last in which it was found
