"""What every admin route of policy does before its own work."""

from typing import Final

from fastapi import Request

from gateway.access.requester import Requester
from gateway.api.asking import requester_of, service_of
from gateway.policy.lifecycle import PolicyAdmin
from gateway.policy.states import Kind
from gateway.problems import RequestError

AGREEMENTS: Final = "/v1/admin/policy/agreements"
RULES: Final = "/v1/admin/policy/local-rules"
PLACES: Final = {"agreement": AGREEMENTS, "local-rule": RULES}


async def administrator(request: Request, scope: str) -> Requester:
    """Who is asking; RequestError not-permitted without the scope."""
    requester = await requester_of(request)
    requester.require(scope)
    return requester


def admin_of(request: Request) -> PolicyAdmin:
    """The life of documents. RequestError conflict where policy is kept in files."""
    admin = service_of(request).policy_admin
    if admin is None:
        raise RequestError(
            "conflict",
            "Policy is kept in files here: change it there, or set [policy] source.",
        )
    return admin


def kind_of(request: Request) -> Kind:
    """The kind of document that an address is about."""
    return "agreement" if request.url.path.startswith(AGREEMENTS) else "local-rule"


def number_of(version: str) -> int:
    """A version's number. RequestError not-found for what cannot be one."""
    if version.isascii() and version.isdigit() and len(version) <= 6 and int(version):
        return int(version)
    raise RequestError("not-found")
