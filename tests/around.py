"""What an adapter is given of the world in tests: a clock, sockets, a folder."""

from datetime import UTC, datetime
from pathlib import Path

from adapters.http import AiohttpTransport, Transport
from adapters.surroundings import Limits, Surroundings


def surroundings(
    folder: Path,
    *,
    sector: str = "acute",
    transport: Transport | None = None,
    limits: Limits | None = None,
) -> Surroundings:
    """Surroundings whose state lies in `folder`; a transport is yours to close."""
    state = folder / "state"
    state.mkdir(parents=True, exist_ok=True)
    return Surroundings(
        now=lambda: datetime.now(UTC),
        secret=lambda reference: reference.partition(":")[2],
        transport=transport or AiohttpTransport(),
        limits=limits or Limits(),
        state=state,
        source_id="Z9A01.test",
        sector=sector,
    )
