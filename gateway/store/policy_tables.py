"""The tables of policy: documents, who signed them, and the sets they made.

Times are UTC in one spelling, lists and texts of documents canonical JSON: both
stores then hold, compare and hash them alike.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Integer, Text
from sqlmodel import Field, SQLModel

# SQLite counts rows only under a column typed INTEGER; PostgreSQL's must be wide.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class PolicyHead(SQLModel, table=True):
    """The one row that every change moves on, so that no two pass each other by."""

    __tablename__: ClassVar[str] = "policy_head"

    id: int = Field(primary_key=True)
    revision: int = Field(sa_type=_NUMBER)  # of everything, drafts too
    sequence: int = Field(sa_type=_NUMBER)  # the newest row of policy_active


class PolicyDocument(SQLModel, table=True):
    """One version of an agreement or local rule. An id is of one kind for good."""

    __tablename__: ClassVar[str] = "policy_document"

    id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    kind: str = Field(sa_type=Text)
    organisation: str = Field(sa_type=Text)  # whose draft it is
    state: str = Field(sa_type=Text)  # draft, submitted, rejected or withdrawn
    content: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)
    authors: str = Field(sa_type=Text)  # whoever wrote any of it; none may sign
    created_at: str = Field(sa_type=Text)
    changed_at: str = Field(sa_type=Text)


class PolicyParty(SQLModel, table=True):
    """What one organisation still owes to a submitted version, or has done."""

    __tablename__: ClassVar[str] = "policy_party"

    id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    organisation: str = Field(primary_key=True, sa_type=Text)
    is_owner: bool  # of data the document is about; else it only receives
    needed: int  # people who must sign; it only ever grows
    is_narrowing: bool = False  # proved when it was complete
    completed_at: str | None = Field(default=None, sa_type=Text)
    suspended_at: str | None = Field(default=None, sa_type=Text)


class PolicySignature(SQLModel, table=True):
    """One person's yes for an organisation: to a text, to its rest, to its return."""

    __tablename__: ClassVar[str] = "policy_signature"

    id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    organisation: str = Field(primary_key=True, sa_type=Text)
    action: str = Field(primary_key=True, sa_type=Text)  # approve, suspend, resume
    person: str = Field(primary_key=True, sa_type=Text)
    capacity: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)
    at: str = Field(sa_type=Text)


class PolicyFinding(SQLModel, table=True):
    """What the gate warned of when a version was submitted."""

    __tablename__: ClassVar[str] = "policy_finding"

    id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    code: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    path: str = Field(sa_type=Text)
    message: str = Field(sa_type=Text)


class PolicyVocabulary(SQLModel, table=True):
    """The closed lists that a set was made with."""

    __tablename__: ClassVar[str] = "policy_vocabulary"

    hash: str = Field(primary_key=True, sa_type=Text)
    version: str = Field(sa_type=Text)
    at: str = Field(sa_type=Text)


class PolicyKeptSet(SQLModel, table=True):
    """A set that was in force, under the version its decisions name."""

    __tablename__: ClassVar[str] = "policy_set"

    version: str = Field(primary_key=True, sa_type=Text)
    digest: str = Field(sa_type=Text)  # of members and signatures, whatever the engine
    engine: str = Field(sa_type=Text)
    vocabulary: str = Field(sa_type=Text)
    signatures: str = Field(sa_type=Text)
    made_at: str = Field(sa_type=Text)


class PolicySetMember(SQLModel, table=True):
    """A version of a document as it stood in a set."""

    __tablename__: ClassVar[str] = "policy_set_member"

    set_version: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    hash: str = Field(sa_type=Text)
    stands: str = Field(sa_type=Text)  # for whom, since when, with whom, suspended


class PolicyActive(SQLModel, table=True):
    """The sets in force, in order: of those begun, the last counts."""

    __tablename__: ClassVar[str] = "policy_active"

    sequence: int = Field(primary_key=True, sa_type=_NUMBER)
    set_version: str = Field(sa_type=Text)
    effective_at: str | None = Field(default=None, sa_type=Text)  # None: at once
    at: str = Field(sa_type=Text)


class IdempotencyKey(SQLModel, table=True):
    """A request that made something, so that sent again it makes nothing more."""

    __tablename__: ClassVar[str] = "idempotency_key"

    caller: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    request: str = Field(sa_type=Text)  # HMAC of what was sent
    result: str = Field(sa_type=Text)
    at: str = Field(sa_type=Text)
