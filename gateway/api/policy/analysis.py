"""POST check, diff, what-if, replay: what a document would do, before it does it.

They read, and change nothing; each is recorded before it is begun, runs beside the
event loop, and is waited for no longer than ten seconds.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, Response

from gateway.access.acting import actor_of
from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, service_of
from gateway.api.described import described
from gateway.api.policy.administration import admin_of, administrator
from gateway.api.policy.analysis_shapes import (
    PolicyCheckReport,
    PolicyDifference,
    PolicyReplayReport,
    WhatIfAnswers,
)
from gateway.api.policy.bodies import read_body
from gateway.api.policy.comparing import compared
from gateway.api.policy.questions import (
    PolicyDraft,
    PolicyReplay,
    PolicyWhatIf,
    written,
)
from gateway.api.policy.replaying import USUAL, replayed
from gateway.api.policy.telling import finding_of
from gateway.api.policy.trying import read_questions, tried
from gateway.audit.records import Analysed
from gateway.journey.journey import Shape, as_json
from gateway.policy.gate import findings_of
from gateway.policy.occasion import Occasion
from gateway.policy.proposing import proposed
from gateway.policy.states import Version
from gateway.policy.supposing import supposed
from gateway.problems import FieldError, RequestError
from policies.errors import Invalid

router = APIRouter()

_ASKED: Final[dict[str, Any]] = {"problems": (401, 403, 404, 409, 415, 422, 503)}
_Draft = TypeVar("_Draft", bound=PolicyDraft)


@router.post(
    "/v1/admin/policy/check",
    **described(
        "checkPolicy",
        "What the gate would say of a document",
        body=PolicyDraft,
        answer=PolicyCheckReport,
        **_ASKED,
    ),
)
async def check(request: Request) -> Response:
    """Every finding at once; `refuse` keeps it from being submitted."""
    actor = await administrator(request, "policy:read")
    draft = await _read(request, PolicyDraft)
    on, version = await _meant(request, actor, draft, recorded=True)
    work = partial(_checked, on, version)
    return await _analysed(request, "check", (on, version), work=work)


@router.post(
    "/v1/admin/policy/diff",
    **described(
        "diffPolicy",
        "Who would newly get access, and who would lose it",
        body=PolicyDraft,
        answer=PolicyDifference,
        **_ASKED,
    ),
)
async def diff(request: Request) -> Response:
    """Exact, with a witness and a sentence for each change."""
    actor = await administrator(request, "policy:read")
    draft = await _read(request, PolicyDraft)
    on, version = await _meant(request, actor, draft)

    def work() -> PolicyDifference:
        supposition = supposed(on.snapshot.versions, version, on.now)
        return compared(supposition, actor.organisation)

    return await _analysed(request, "diff", (on, version), work=work)


@router.post(
    "/v1/admin/policy/what-if",
    **described(
        "tryPolicy",
        "How questions would be decided, before and after",
        body=PolicyWhatIf,
        answer=WhatIfAnswers,
        **_ASKED,
    ),
)
async def what_if(request: Request) -> Response:
    """Each of our data, or asked by us; no source is asked, nobody is named."""
    actor = await administrator(request, "policy:read")
    draft = await _read(request, PolicyWhatIf)
    questions = read_questions(draft.questions, actor, service_of(request).house)
    on, version = await _meant(request, actor, draft)

    def work() -> WhatIfAnswers:
        return tried(supposed(on.snapshot.versions, version, on.now), questions)

    return await _analysed(request, "what-if", (on, version), work=work)


@router.post(
    "/v1/admin/policy/replay",
    **described(
        "replayPolicy",
        "How recorded decisions would have come out",
        body=PolicyReplay,
        answer=PolicyReplayReport,
        **_ASKED,
    ),
)
async def replay(request: Request) -> Response:
    """What was known before any source was asked is replayed; about no person."""
    actor = await administrator(request, "policy:read")
    draft = await _read(request, PolicyReplay)
    on, version = await _meant(request, actor, draft, recorded=True)

    def work() -> PolicyReplayReport:
        return replayed(
            supposed(on.snapshot.versions, version, on.now),
            on.known.recorded,
            ours=actor.organisation,
            last=draft.last or USUAL,
        )

    return await _analysed(request, "replay", (on, version), work=work)


def _checked(on: Occasion, version: Version) -> PolicyCheckReport:
    findings = findings_of(on, version)
    return PolicyCheckReport(
        document=version.id,
        hash=version.hash,
        is_publishable=all(each.severity == "warn" for each in findings),
        findings=[finding_of(each) for each in findings],
    )


async def _read(request: Request, model: type[_Draft]) -> _Draft:
    only_parameters(request)
    json_body(request)
    return read_body(await request.body(), model)


async def _meant(
    request: Request, actor: Requester, draft: PolicyDraft, *, recorded: bool = False
) -> tuple[Occasion, Version]:
    """The document that a body gives or names, upon what is kept now.

    With the decisions that were `recorded` only where they are wanted: there are many.
    """
    document = written(draft)
    admin = admin_of(request)
    if recorded:
        on = await admin.occasion(actor)
    else:
        now = service_of(request).clock.now()
        on = Occasion(snapshot=await admin.snapshot(), actor=actor, now=now)
    if document is not None:
        return on, proposed(on, document)
    assert draft.stored is not None  # noqa: S101 - one of the three is given
    named = draft.stored
    return on, on.found(named.kind, named.id, named.version)


async def _analysed(
    request: Request,
    action: str,
    about: tuple[Occasion, Version],
    *,
    work: Callable[[], Shape],
) -> Response:
    """The answer of an analysis that was recorded before it was begun.

    RequestError gate-failed where the set would be larger than one may be.
    """
    on, version = about
    house = service_of(request).house
    await house.trail.append(
        Analysed(
            actor=actor_of(on.actor),
            action=action,
            object=version.kind,
            document=version.id,
            hash=version.hash,
            policy=house.policy().version,
        )
    )
    try:
        found = await request.app.state.workbench.run(work)
    except Invalid as error:
        fault = FieldError(pointer="", code="too-large", message=error.message)
        raise RequestError("gate-failed", error.message, errors=(fault,)) from None
    return Response(as_json(found), media_type="application/json")
