"""What an adapter is given of the world: time, network, secrets, limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adapters.errors import Unavailable
from adapters.http import Transport
from adapters.long_work import LongWork
from adapters.relay import Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one question to one source; none can be switched off."""

    connect_s: float = 1.0
    source_s: float = 4.0
    page_bytes: int = 8 * 1024 * 1024  # on the wire and decoded, each
    source_bytes: int = 32 * 1024 * 1024
    pages: int = 50
    records: int = 20_000
    json_depth: int = 64
    csv_field_bytes: int = 128 * 1024


def none_enrolled(_site: str) -> str:
    """Where no gateway is: nobody has enrolled a site."""
    message = "the site is not enrolled: only a running gateway knows which are."
    raise Unavailable("site_unread", message, domain="adapter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Handed to every adapter as it is built.

    `secret` turns a reference ("env:EPR_PASSWORD", "file:/run/secrets/epr") into
    its value; `state` is a directory at the organisation for an adapter's own
    indexes, which the gateway never reads. `enrolled` gives the public keys of a site
    of the source's own organisation, as a document of JWKs, as they are now; it raises
    Unavailable, of the adapter's domain, for a site that is not believed.
    """

    now: Callable[[], datetime]
    secret: Callable[[str], str]
    transport: Transport
    limits: Limits
    state: Path
    source_id: str
    sector: str
    long_work: LongWork = field(default_factory=LongWork)  # shared by all sources
    relay: Relay | None = None  # where sites that open no port fetch their questions
    enrolled: Callable[[str], str] = none_enrolled
