"""Decisions explained: past ones by their id, and questions nobody has asked yet."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, StrictBool, StrictStr

from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.explanation import Explanation, explanation_of
from gateway.api.journey_request import (
    ShortText,
    check_purpose,
    parsed,
    read_categories,
)
from gateway.api.policy.bodies import Model
from gateway.audit import records
from gateway.decisions.at_hand import set_at_hand
from gateway.decisions.entries import Entry, look_up
from gateway.decisions.explained import (
    Asked,
    Explained,
    explained,
    of_entry,
    request_of,
)
from gateway.journey.inquiry import House
from gateway.journey.journey import as_json
from gateway.policy.plan import cell_of
from gateway.problems import FieldError, RequestError
from policies import vocabulary
from policies.compile import PolicySet
from policies.request import Request as PolicyRequest

router = APIRouter()

_JSON: Final = "application/json"
_PRIVACY_OFFICER: Final = "privacy-officer"


class ExplainRequest(Model):
    """A question nobody asked: what for, whose data, of which relationship.

    Without `organisations` all are meant, without `categories` all that each holds.
    Role, assurance and organisation are the caller's own. There is no person in it.
    """

    purpose: StrictStr
    organisations: (
        Annotated[list[ShortText], Field(min_length=1, max_length=50)] | None
    ) = None
    categories: (
        Annotated[list[ShortText], Field(min_length=1, max_length=50)] | None
    ) = None
    relationship: ShortText | None = None
    agreement: ShortText | None = None
    break_glass: StrictBool | None = None


@router.get(
    "/v1/decisions/{decision_id}",
    **described(
        "getDecision",
        "Why a question of yours was decided as it was",
        answer=Explanation,
        problems=(401, 403, 404, 503),
    ),
)
async def get_decision(
    request: Request, decision_id: Annotated[str, Path(description="A decision's id.")]
) -> Response:
    """To its caller and their privacy officer; to an owner, the owner's part."""
    requester = await requester_of(request)
    only_parameters(request)
    service = service_of(request)
    entry = await look_up(service.database, decision_id)
    owner = _owner(requester)
    if entry is None or not (_is_own(entry, requester) or _owns_a_cell(entry, owner)):
        raise RequestError("not-found")
    house = service.house
    under = await set_at_hand(
        entry.policy, current=house.policy(), database=service.database
    )
    found = await asyncio.to_thread(_again, house, entry, under, owner=owner)
    if not _is_own(entry, requester):
        found = [each for each in found if each.owner == owner]
    asked, told = request_of(entry), (entry.policy, entry.decision)
    await _record(house, requester, found, asked=asked, told=told)
    shape = explanation_of(
        asked,
        found,
        policy=entry.policy,
        about=entry,
        names_caller=_oversees(entry, requester),
    )
    return Response(as_json(shape), media_type=_JSON)


@router.post(
    "/v1/decisions/explain",
    **described(
        "explainDecision",
        "What would be decided, and why; of no person, and asking no source",
        body=ExplainRequest,
        answer=Explanation,
        problems=(401, 403, 415, 503),
    ),
)
async def explain_decision(request: Request) -> Response:
    """Recorded like every explanation. Nothing in it depends on anybody's data."""
    requester = await requester_of(request)
    only_parameters(request)
    json_body(request)
    asked = parsed(await request.body(), ExplainRequest)
    check_purpose(asked.purpose)
    if not requester.purpose_allowed(asked.purpose):
        raise RequestError("not-permitted", "This purpose is not registered for you.")
    house = service_of(request).house
    policy = house.policy()
    supposed = _supposed(house, requester, asked)
    cells = _cells(house, asked)
    found = await asyncio.to_thread(
        partial(
            explained,
            policy,
            supposed,
            cells,
            abilities=house.able(requester.organisation, justified=True),
            owner=_owner(requester),
        )
    )
    told = (policy.version, None)
    await _record(house, requester, found, asked=supposed, told=told)
    shape = explanation_of(supposed, found, policy=policy.version)
    return Response(as_json(shape), media_type=_JSON)


def _again(
    house: House, entry: Entry, under: PolicySet | None, *, owner: str | None
) -> list[Explained]:
    """The cells of a past decision, with what can be done for its caller."""
    recipient = entry.actor.organisation
    return list(
        of_entry(
            entry,
            under,
            abilities=lambda justified: house.able(recipient, justified=justified),
            owner=owner,
        )
    )


def _owner(requester: Requester) -> str | None:
    """The organisation whose cells this caller may read in full, if any."""
    reads = requester.role == _PRIVACY_OFFICER or "policy:read" in requester.scopes
    return requester.organisation if reads else None


def _is_own(entry: Entry, requester: Requester) -> bool:
    """Whether this caller asked it, or is told of it as their privacy officer."""
    actor = entry.actor
    asked_it = (actor.issuer, actor.subject, actor.organisation) == (
        requester.issuer,
        requester.subject,
        requester.organisation,
    )
    return asked_it or _oversees(entry, requester)


def _oversees(entry: Entry, requester: Requester) -> bool:
    is_officer = requester.role == _PRIVACY_OFFICER
    return is_officer and entry.actor.organisation == requester.organisation


def _owns_a_cell(entry: Entry, owner: str | None) -> bool:
    return any(each.organisation == owner for each in entry.decisions)


def _supposed(
    house: House, requester: Requester, asked: ExplainRequest
) -> PolicyRequest:
    """The request that is supposed: the caller's own, with what the body changes."""
    supposed = asked.relationship
    if supposed is not None and supposed not in vocabulary.RELATIONSHIPS:
        raise RequestError("request-invalid", errors=(_unknown("/relationship"),))
    held = frozenset(each.kind for each in requester.relationships)
    return PolicyRequest(
        operation="journey.read",
        mode="identified",
        purpose=asked.purpose,
        agreement=records.cited(asked.agreement),
        recipient=requester.organisation,
        role=requester.role,
        assurance=requester.assurance,
        relationships=held if supposed is None else frozenset({supposed}),
        break_glass=bool(asked.break_glass),
        now=house.clock.now(),
    )


def _cells(house: House, asked: ExplainRequest) -> list[Asked]:
    categories = read_categories(asked.categories)
    owners = {each.organisation.ods for each in house.sources}
    named = owners if asked.organisations is None else asked.organisations
    strangers = [
        n for n, each in enumerate(asked.organisations or ()) if each not in owners
    ]
    if strangers:
        errors = tuple(_unknown(f"/organisations/{place}") for place in strangers)
        raise RequestError("request-invalid", errors=errors)
    return [
        Asked(source=source.id, cell=cell_of(source, category))
        for source in house.sources
        if source.organisation.ods in named
        for category in sorted(source.held & categories)
    ]


def _unknown(pointer: str) -> FieldError:
    return FieldError(pointer=pointer, code="unknown")


async def _record(
    house: House,
    requester: Requester,
    found: Sequence[Explained],
    *,
    asked: PolicyRequest,
    told: tuple[str, str | None],
) -> None:
    """That it was explained, before it is; `told`: under which set, of which decision.

    AuditUnavailable where that cannot be recorded.
    """
    policy, about = told
    await house.trail.append(
        records.Explained(
            actor=actor_of(requester),
            purpose=asked.purpose,
            policy=policy,
            organisations=tuple(sorted({each.owner for each in found})),
            about=about,
            in_full=tuple(sorted({each.owner for each in found if each.in_full})),
        )
    )
