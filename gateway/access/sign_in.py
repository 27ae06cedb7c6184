"""Some acts want the person, and not a session that somebody left open."""

from datetime import datetime, timedelta
from typing import Final

from gateway.access.requester import Requester
from gateway.problems import RequestError

RECENT: Final = timedelta(minutes=5)


def require_person(requester: Requester) -> None:
    """RequestError not-permitted for a system: some things a person must do."""
    if requester.kind != "user":
        raise RequestError("not-permitted", "A person must do this, not a system.")


def require_recent_sign_in(requester: Requester, *, now: datetime) -> None:
    """RequestError unless a person asks who signed in within the last 5 minutes.

    not-permitted for a system, which cannot sign in; reauthentication-needed where
    the sign-in is older, or where the token has no `auth_time` to tell of it.
    """
    require_person(requester)
    at = requester.signed_in_at
    if at is None or now - at > RECENT:
        raise RequestError("reauthentication-needed")
