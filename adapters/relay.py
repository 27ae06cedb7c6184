"""What an adapter may be given to reach a site that opens no port: a relay.

The site fetches its questions and brings its answers. Whoever keeps the relay reads
neither: both are sealed, each to the other end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A site that a relay listens to, as its source's adapter makes it known.

    `believed` gives the payload of a token that a key of the site signed, None for
    any other: keys are read as they are now. `leeway_s` is between the two clocks.
    """

    site: str
    gateway: str
    believed: Callable[[str], bytes | None] = field(repr=False)
    leeway_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a site brought for a question: `media_type` says what the bytes are."""

    media_type: str
    body: bytes = field(repr=False)


class Relay(Protocol):
    """Holds questions until their sites fetch them, in memory alone."""

    def admit(self, member: Member) -> None:
        """Listen to a site from now on, besides those listened to already.

        ValueError if the same site was admitted for another gateway.
        """
        ...

    async def carry(self, site: str, jti: str, question: bytes) -> Brought:
        """What the site brought for the question; cancelled, it is held no longer.

        Raises Unavailable of the adapter's domain: `busy` where too many wait already,
        `no_poll` where the site does not fetch it.
        """
        ...
