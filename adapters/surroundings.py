"""What an adapter is given of the world: time, network, secrets, limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adapters.http import Transport
from adapters.long_work import LongWork


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Handed to every adapter as it is built.

    `secret` turns a reference ("env:EPR_PASSWORD", "file:/run/secrets/epr") into
    its value; `state` is a directory at the organisation for an adapter's own
    indexes, which the gateway never reads.
    """

    now: Callable[[], datetime]
    secret: Callable[[str], str]
    transport: Transport
    limits: Limits
    state: Path
    source_id: str
    sector: str
    long_work: LongWork = field(default_factory=LongWork)  # shared by all sources
