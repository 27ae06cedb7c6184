"""The sets of policy that are, were or will be in force, as far as one may see them."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from gateway.access.requester import Requester
from gateway.api.asking import only_parameters, service_of
from gateway.api.described import described
from gateway.api.paging import CURSOR, LIMIT, size_of
from gateway.api.policy.administration import admin_of, administrator
from gateway.api.policy.telling import instant
from gateway.journey.journey import Shape, as_json
from gateway.policy.sets import KeptSet, Turn
from gateway.problems import FieldError, RequestError
from policies.clauses import Agreement, Member
from policies.documents import content_hash

router = APIRouter()


class PolicySetTurn(Shape, frozen=True, kw_only=True):
    """A set's turn to be in force: at once, or from an instant on."""

    sequence: int
    version: str
    effective_at: str | None
    published_at: str


class PolicySetList(Shape, frozen=True, kw_only=True):
    """A page of turns, the newest first."""

    items: list[PolicySetTurn]
    next: str | None


class PolicySetMember(Shape, frozen=True, kw_only=True):
    """A document as it stands in a set: for whom, and for whom it rests."""

    kind: str
    id: str
    version: int
    hash: str
    stands_for: list[str]
    suspended_for: list[str]


class PolicySetDetail(Shape, frozen=True, kw_only=True):
    """One set: the documents your organisation may see, and how many others.

    `is_in_force_here`: whether this replica decides by it now.
    """

    version: str
    engine: str
    vocabulary: str
    made_at: str
    is_in_force_here: bool
    members: list[PolicySetMember]
    others: int


@router.get(
    "/v1/admin/policy/sets",
    **described(
        "listPolicySets",
        "The sets in the order of their turns, newest first",
        answer=PolicySetList,
        problems=(401, 403, 409, 503),
        parameters=(LIMIT, CURSOR),
    ),
)
async def list_sets(request: Request) -> Response:
    """A set may have several turns: what was in force can be so again."""
    await administrator(request, "policy:read")
    only_parameters(request, "limit", "cursor")
    size = size_of(request.query_params.get("limit"))
    before = _before(request.query_params.get("cursor"))
    turns = await admin_of(request).sets(before=before, limit=size + 1)
    page = PolicySetList(
        items=[_turn(each) for each in turns[:size]],
        next=str(turns[size - 1].sequence) if len(turns) > size else None,
    )
    return Response(as_json(page), media_type="application/json")


@router.get(
    "/v1/admin/policy/sets/active",
    **described(
        "getActivePolicySet",
        "The set in force now",
        answer=PolicySetDetail,
        problems=(401, 403, 409, 503),
    ),
)
async def active_set(request: Request) -> Response:
    """By the store; a replica follows within seconds."""
    actor = await administrator(request, "policy:read")
    only_parameters(request)
    admin = admin_of(request)
    turn = await admin.active()
    return _told(request, await admin.set(turn.set_version), actor)


@router.get(
    "/v1/admin/policy/sets/{version}",
    **described(
        "getPolicySet",
        "One set, by the version that decisions name",
        answer=PolicySetDetail,
        problems=(401, 403, 404, 409, 503),
    ),
)
async def read_set(
    request: Request, version: Annotated[str, Path(description="A set's version.")]
) -> Response:
    """No set is ever removed, so that old decisions can be explained."""
    actor = await administrator(request, "policy:read")
    only_parameters(request)
    return _told(request, await admin_of(request).set(version), actor)


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= 15:
        return int(cursor)
    raise RequestError(
        "request-invalid",
        "cursor is not one of ours.",
        errors=(FieldError(pointer="/cursor", code="invalid"),),
    )


def _turn(turn: Turn) -> PolicySetTurn:
    begins = turn.effective_at
    return PolicySetTurn(
        sequence=turn.sequence,
        version=turn.set_version,
        effective_at=None if begins is None else instant(begins),
        published_at=instant(turn.at),
    )


def _told(request: Request, held: KeptSet, actor: Requester) -> Response:
    members = held.composition.members
    seen = [each for each in members if actor.organisation in _involved(each)]
    detail = PolicySetDetail(
        version=held.version,
        engine=held.engine,
        vocabulary=held.vocabulary,
        made_at=instant(held.made_at),
        is_in_force_here=service_of(request).house.policy().version == held.version,
        members=[_member(each) for each in seen],
        others=len(members) - len(seen),
    )
    return Response(as_json(detail), media_type="application/json")


def _member(member: Member) -> PolicySetMember:
    document = member.document
    kind = "agreement" if isinstance(document, Agreement) else "local-rule"
    return PolicySetMember(
        kind=kind,
        id=document.id,
        version=member.version,
        hash=content_hash(document),
        stands_for=sorted(member.standing or ()),
        suspended_for=sorted(member.suspended),
    )


def _involved(member: Member) -> Iterable[str]:
    document = member.document
    if isinstance(document, Agreement):
        return document.parties.providers | document.parties.recipients
    return {document.org}
