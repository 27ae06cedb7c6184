"""How a question reaches a site that opens no port: through a relay it fetches from."""

import asyncio
from collections.abc import Callable
from typing import Final

from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.relay import Brought, Member, Relay
from adapters.site import sealing
from adapters.site.keys import Keys
from adapters.site.ticket import QUESTION_BYTES, TICKET_TYPE
from adapters.site.wire import Claims, NotSpoken, Posted, Refusal, read

_JSON: Final = "application/json"
_JOSE: Final = "application/jose"
# Of a question's time: a site ends by itself earlier than that, and says so. Silence
# until then is the way's fault, or the site's, and never its source's.
_SILENCE: Final = 0.97


class Outbound:
    """Leaves a question for a site to fetch; without a relay it reaches none."""

    def __init__(self, relay: Relay | None, site: str) -> None:
        self._relay = relay
        self._site = site

    async def carry(self, question: bytes, jti: str) -> bytes | Refusal:
        if self._relay is None:
            message = "this site is asked by a gateway that serves alone. Ask that."
            raise Refused("no_relay", message, domain="adapter")
        if len(question) > QUESTION_BYTES:
            message = "the question is longer than a site fetches. Ask for less."
            raise Refused("too_large", message, domain="adapter")
        try:
            async with asyncio.timeout(_SILENCE * _time_s(question)):
                brought = await self._relay.carry(self._site, jti, question)
        except TimeoutError:
            message = "the site fetched the question and never answered. See its log."
            raise Unavailable("no_answer", message, domain="adapter") from None
        return _read(brought)

    async def aclose(self) -> None:
        """The relay is the gateway's, and is not ours to close."""


def outbound(relay: Relay | None, who: Member) -> Outbound:
    """The carrier to a site, which the relay listens to from now on.

    ValueError where the relay listens to that site for another gateway.
    """
    if relay is not None:
        relay.admit(who)
    return Outbound(relay, who.site)


def member(
    site: str, gateway: str, pinned: Callable[[], Keys], *, leeway_s: float
) -> Member:
    """A site as a relay knows it: by the very keys that its answers are held to."""

    def believed(token: str) -> bytes | None:
        try:
            return sealing.verified(token, pinned().signing, TICKET_TYPE)
        except (sealing.NotAuthentic, AdapterError):
            return None

    return Member(site=site, gateway=gateway, believed=believed, leeway_s=leeway_s)


def _time_s(question: bytes) -> float:
    """How long an answer is of use, in seconds, as the question itself says."""
    claims = sealing.payload_unverified(read(question, Posted).question)
    return read(claims, Claims).deadline_ms / 1000


def _read(brought: Brought) -> bytes | Refusal:
    if brought.media_type == _JOSE:
        return brought.body
    try:
        if brought.media_type == _JSON:
            return read(brought.body, Refusal)
    except NotSpoken:
        pass
    message = "what the site brought is no answer. Report it to the site."
    raise Unreadable("unreadable", message, domain="adapter")
