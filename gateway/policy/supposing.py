"""What a document would come to, were it signed by all its parties: a supposition."""

from dataclasses import dataclass
from datetime import datetime

from gateway.policy.composition import (
    Composition,
    Versions,
    as_if_signed,
    compose,
    with_version,
)
from gateway.policy.states import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposition:
    """What stands at an instant, and what would stand with one version signed.

    The instant is now, or the first at which the version could count.
    """

    version: Version
    at: datetime
    before: Composition
    after: Composition


def supposed(documents: Versions, version: Version, now: datetime) -> Supposition:
    """Policy without and with a version. Takes time: run it beside the event loop."""
    at = max(now, version.begins or now)
    signed = with_version(documents, as_if_signed(version, now))
    return Supposition(
        version=version,
        at=at,
        before=compose(documents, at),
        after=compose(signed, at),
    )
