"""Who is asking, for whom they work, and the most they may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from gateway.problems import RequestError
from gateway.settings import ClientSettings

ORGANISATION_HEADER: Final = "NHSD-End-User-Organisation-ODS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """A relationship a development token asserts: its kind, and at which body."""

    kind: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """One caller, settled once per request from a verified token and our registry.

    Purposes and scopes are the client's, narrowed to the token's where it names
    any: a token can bound what the registry grants, and never add to it. Capacities
    belong to the person, so that only those both name count.
    """

    issuer: str
    subject: str = field(repr=False)
    client_id: str
    kind: Literal["user", "system"]
    organisation: str  # ODS code, the one acted for
    role: str
    assurance: str | None  # aal1-3, None where the token does not say
    purposes: frozenset[str]
    scopes: frozenset[str]
    relationships: tuple[Relationship, ...] = ()  # development only
    capacities: frozenset[str] = frozenset()  # as what the person may sign
    signed_in_at: datetime | None = None  # None: the issuer does not say
    token_id: str = field(repr=False)

    def purpose_allowed(self, purpose: str) -> bool:
        """Whether this caller may give that purpose; compared exactly."""
        return purpose in self.purposes

    def require(self, scope: str) -> None:
        """RequestError not-permitted unless the scope is held."""
        if scope not in self.scopes:
            raise RequestError("not-permitted")


def organisation_of(named: Sequence[str], asked: str | None) -> str:
    """The one organisation acted for: the header's, if it is one of the token's.

    Without a header the token must name exactly one. RequestError
    organisation-mismatch otherwise. Source: the client API's rule of headers.
    """
    if asked is not None:
        if asked not in named:
            raise RequestError("organisation-mismatch")
        return asked
    if len(named) != 1:
        raise RequestError("organisation-mismatch")
    return named[0]


def settle(
    *, requested: frozenset[str] | None, registered: frozenset[str]
) -> frozenset[str]:
    """What is registered, narrowed to what the token names, if it names any."""
    return registered if requested is None else registered & requested


def check_registration(client: ClientSettings, *, organisation: str, role: str) -> None:
    """RequestError not-permitted if the client may not act so."""
    if organisation not in client.organisations or role not in client.roles:
        raise RequestError("not-permitted")
