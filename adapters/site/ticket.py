"""What a site shows each time it fetches a question or brings an answer.

A token of seconds that the site signs itself: for one address and one body, and good
once. It gives away nothing that whoever reads it could use.
"""

from typing import Annotated, Final

from msgspec import Meta

from adapters.site import sealing
from adapters.site.keys import NamedKey
from adapters.site.wire import Code, Instant, Posted, QuestionId, Sha256, Spoken, spelt

TICKET_TYPE: Final = "throughline-ticket+jwt"
TICKET_S: Final = 60  # the longest that one is good for
SCHEME: Final = "Bearer"
HANDED_BYTES: Final = 128 * 1024  # the most that a site reads of what it is handed
QUESTION_BYTES: Final = HANDED_BYTES - 1024  # so that a question fits, with its id

Path = Annotated[
    str, Meta(pattern=r"^/v1/relay/[\w.-]{1,64}/(poll|answers/[0-9a-f]{32})$")
]


class Ticket(Spoken, frozen=True, kw_only=True):
    """Whose it is, for whom, for what; `iat` and `exp` in seconds of Unix time."""

    iss: Code
    aud: Code
    jti: QuestionId
    iat: Instant
    exp: Instant
    path: Path
    body_sha256: Sha256


class Handed(Spoken, frozen=True, kw_only=True):
    """What a poll is given: a question and its id; null where none came in time."""

    jti: QuestionId | None
    posted: Posted | None


def poll_path(site: str) -> str:
    """Where a site fetches its questions."""
    return f"/v1/relay/{site}/poll"


def answer_path(site: str, jti: str) -> str:
    """Where a site brings its answer to one of them."""
    return f"/v1/relay/{site}/answers/{jti}"


def ticket(said: Ticket, key: NamedKey) -> str:
    """The token of a ticket."""
    return sealing.signed(spelt(said), key, TICKET_TYPE)
