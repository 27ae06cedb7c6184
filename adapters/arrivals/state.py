"""How the way by which files arrive has fared lately, for answers to say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.errors import AdapterError

FAILED: Final = "arrival_failed"
REPORTED: Final = "delivery_reported"


@dataclass(slots=True, kw_only=True)
class ArrivalState:
    """Written by `arriving`, read by the source whenever it answers.

    `since` is when the way last began to fail; None while it works, or before it
    was first tried. `reports` counts what the inbox itself says went wrong.
    """

    since: datetime | None = None
    error: AdapterError | None = None
    reports: int = 0

    def failed(self, error: AdapterError, at: datetime) -> None:
        """Notes a failure; the moment it began stays until it works again."""
        if self.since is None:
            self.since = at
        self.error = error

    def worked(self, reports: int = 0) -> None:
        """Notes that everything that lay there was taken."""
        self.since = self.error = None
        self.reports = reports

    @property
    def caveats(self) -> tuple[str, ...]:
        """Codes of the vocabulary that every answer of the source must carry."""
        failed = () if self.since is None else (FAILED,)
        return (*failed, *(REPORTED,) * self.reports)
