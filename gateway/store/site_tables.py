"""The public keys of sites, as their organisations' administrators enrolled them.

Never a private key. Instants are text in UTC, to the microsecond and of one length.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class SiteKeySet(SQLModel, table=True):
    """One signing and one sealing key of a site, and whether they are believed.

    `place` counts the key sets of one site: no two are registered at once.
    """

    __tablename__: ClassVar[str] = "site_key_set"
    __table_args__: ClassVar[tuple[UniqueConstraint, ...]] = (
        UniqueConstraint("organisation", "site", "place"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    organisation: str = Field(sa_type=Text)
    site: str = Field(sa_type=Text)
    place: int = Field(sa_type=_NUMBER)
    keys: str = Field(sa_type=Text)  # a public document of JWKs
    state: str = Field(sa_type=Text)  # registered, confirmed, revoked
    mistyped: int = Field(sa_type=_NUMBER)  # fingerprints that were not theirs
    registered_at: str = Field(sa_type=Text)
    confirmed_at: str | None = Field(default=None, sa_type=Text)
    revoked_at: str | None = Field(default=None, sa_type=Text)
    until: str = Field(sa_type=Text)  # exclusive
