"""Who acts, as the audit trail names them."""

from gateway.access.requester import Requester
from gateway.audit.records import Actor


def actor_of(requester: Requester) -> Actor:
    """The caller as recorded: what the token and the registry said, and no name."""
    return Actor(
        issuer=requester.issuer,
        subject=requester.subject,
        client_id=requester.client_id,
        organisation=requester.organisation,
        role=requester.role,
    )
