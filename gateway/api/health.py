"""Open routes: is the process alive, is it ready, and what a problem code means."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from gateway.api.asking import service_of
from gateway.api.described import described
from gateway.journey.journey import Shape, as_json
from gateway.problems import PROBLEMS, RequestError

router = APIRouter()


class Health(Shape, frozen=True, kw_only=True):
    """Whether the process lives, or is ready to be asked."""

    ok: bool


class ProblemKind(Shape, frozen=True, kw_only=True):
    """What every problem of one code has in common."""

    type: str
    status: int
    title: str
    next_step: str


@router.get(
    "/livez",
    **described("live", "The process lives", answer=Health, open_to_all=True),
)
async def live() -> Response:
    """The loop turns."""
    return Response(as_json(Health(ok=True)), media_type="application/json")


@router.get(
    "/readyz",
    **described(
        "ready",
        "Policy is in force and the audit trail can be written",
        answer=Health,
        problems=(503,),
        open_to_all=True,
    ),
)
async def ready(request: Request) -> Response:
    """A source that is down never makes the gateway unready."""
    unready = service_of(request).unready
    if unready is not None:
        raise RequestError(unready, retry_after_s=5)
    return Response(as_json(Health(ok=True)), media_type="application/json")


@router.get(
    "/problems/{code}",
    **described(
        "getProblem",
        "What a problem code means, and what to do",
        answer=ProblemKind,
        problems=(404,),
        open_to_all=True,
    ),
)
async def problem(
    code: Annotated[str, Path(description="A code, as in a problem's `type`.")],
) -> Response:
    """The page behind a problem's `type`."""
    if code not in PROBLEMS:
        raise RequestError("not-found")
    kind = PROBLEMS[code]
    shape = ProblemKind(
        type=f"urn:throughline:problem:{code}",
        status=kind.status,
        title=kind.title,
        next_step=kind.next_step,
    )
    return Response(as_json(shape), media_type="application/json")
