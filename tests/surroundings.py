"""What adapters are given in tests: a still clock, no network, no secrets."""

from datetime import UTC, datetime
from pathlib import Path

from adapters.http import AiohttpTransport
from adapters.surroundings import Limits, Surroundings

NOW = datetime(2031, 5, 6, 12, 0, tzinfo=UTC)  # later than any file written here


def in_folder(
    folder: Path,
    *,
    sector: str = "acute",
    now: datetime = NOW,
    limits: Limits | None = None,
) -> Surroundings:
    """Surroundings whose state lies in `folder`/state."""
    return Surroundings(
        now=lambda: now,
        secret=_no_secret,
        transport=AiohttpTransport(),
        limits=limits or Limits(),
        state=folder / "state",
        source_id="Z9T01.test",
        sector=sector,
    )


def _no_secret(reference: str) -> str:
    raise LookupError(reference)
