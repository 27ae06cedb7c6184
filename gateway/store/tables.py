"""The tables of the store. Never a patient value: people are keyed hashes here."""

from typing import ClassVar

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

# SQLite counts rows only under a column typed INTEGER; PostgreSQL's must be wide.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class AuditRecord(SQLModel, table=True):
    """One entry of the audit log: its canonical text, and the chain up to it."""

    __tablename__: ClassVar[str] = "audit_record"

    n: int = Field(primary_key=True, sa_type=_NUMBER)
    record: str = Field(sa_type=Text)
    chain: bytes = Field(sa_type=LargeBinary)  # c_n, 32 bytes


class AuditHead(SQLModel, table=True):
    """The one row that says where the log ends; locked by whoever appends."""

    __tablename__: ClassVar[str] = "audit_head"

    id: int = Field(primary_key=True)
    n: int = Field(sa_type=_NUMBER)
    chain: bytes = Field(sa_type=LargeBinary)
