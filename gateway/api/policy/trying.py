"""Questions about nobody, decided as policy stands and as it would."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.access.requester import Requester
from gateway.api.policy.analysis_shapes import WhatIfAnswer, WhatIfAnswers
from gateway.api.policy.comparing import decision_told
from gateway.api.policy.questions import WhatIfQuestion
from gateway.journey.inquiry import House
from gateway.policy.plan import Abilities, decide_cells
from gateway.policy.supposing import Supposition
from gateway.problems import FieldError, RequestError
from gateway.sources import Source
from policies import vocabulary
from policies.compile import PolicySet
from policies.decide import Decision
from policies.request import Request as PolicyRequest

# Each field of a question that holds codes, and the codes it may hold.
_CODES: Final = {
    "category": vocabulary.CATEGORIES,
    "purpose": tuple(vocabulary.PURPOSES),
    "role": vocabulary.ROLES,
    "relationships": vocabulary.RELATIONSHIPS,
    "operation": vocabulary.OPERATIONS,
    "mode": vocabulary.MODES,
    "assurance": vocabulary.ASSURANCE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A question, and the sources that hold what it is about."""

    request: PolicyRequest
    owner: str
    category: str
    sources: tuple[Source, ...]
    abilities: Abilities


def read_questions(
    asked: Sequence[WhatIfQuestion], actor: Requester, house: House
) -> tuple[Tried, ...]:
    """The questions, each of the actor's own data or asked for its organisation.

    RequestError request-invalid for an unknown code or what no source here holds;
    not-permitted for a question of others about others.
    """
    return tuple(
        _read(each, actor, house, pointer=f"/questions/{place}")
        for place, each in enumerate(asked)
    )


def tried(supposition: Supposition, questions: Sequence[Tried]) -> WhatIfAnswers:
    """Every question under both. Takes time: run it beside the event loop."""
    before, after = supposition.before.compiled(), supposition.after.compiled()
    version = supposition.version
    return WhatIfAnswers(
        document=version.id,
        hash=version.hash,
        against=before.version,
        items=[
            answer for each in questions for answer in _answers(each, (before, after))
        ],
    )


def _answers(
    question: Tried, sets: tuple[PolicySet, PolicySet]
) -> Iterator[WhatIfAnswer]:
    before, after = (_decided(question, each) for each in sets)
    for source, was, will_be in zip(question.sources, before, after, strict=True):
        told = decision_told(was), decision_told(will_be)
        yield WhatIfAnswer(
            owner=question.owner,
            category=question.category,
            source=source.id,
            before=told[0],
            after=told[1],
            is_changed=(was.effect, was.view) != (will_be.effect, will_be.view),
        )


def _decided(question: Tried, policy: PolicySet) -> tuple[Decision, ...]:
    cells = [(source, question.category) for source in question.sources]
    return decide_cells(policy, question.request, cells, abilities=question.abilities)


def _read(
    asked: WhatIfQuestion, actor: Requester, house: House, *, pointer: str
) -> Tried:
    _check_codes(asked, pointer)
    if actor.organisation not in (asked.owner, asked.recipient):
        raise RequestError(
            "not-permitted",
            "Ask about your own data, or about what your own organisation may see.",
            errors=(FieldError(pointer=f"{pointer}/owner", code="not-yours"),),
        )
    sources = tuple(
        each
        for each in house.sources
        if each.organisation.ods == asked.owner
        and asked.category in each.held | {"demographics"}
    )
    if not sources:
        raise _wrong(f"{pointer}/category", "not-held")
    return Tried(
        request=_request(asked, house.clock.now(), pointer),
        owner=asked.owner,
        category=asked.category,
        sources=sources,
        abilities=house.able(asked.recipient, justified=True),
    )


def _request(asked: WhatIfQuestion, now: datetime, pointer: str) -> PolicyRequest:
    return PolicyRequest(
        operation=asked.operation or "journey.read",
        mode=asked.mode or "identified",
        purpose=asked.purpose,
        agreement=asked.agreement,
        recipient=asked.recipient,
        role=asked.role,
        assurance=asked.assurance,
        relationships=frozenset(asked.relationships),
        break_glass=asked.break_glass or False,
        now=now if asked.at is None else _instant(asked.at, f"{pointer}/at"),
    )


def _instant(text: str, pointer: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(pointer, "not-an-instant") from None
    if at.tzinfo is None or not 1948 <= at.year <= 2999:
        raise _wrong(pointer, "not-an-instant")
    return at


def _check_codes(asked: WhatIfQuestion, pointer: str) -> None:
    faults = [
        f"{pointer}/{name}"
        for name, allowed in _CODES.items()
        for code in _listed(getattr(asked, name))
        if code not in allowed
    ]
    if faults:
        errors = tuple(FieldError(pointer=each, code="unknown") for each in faults)
        raise RequestError("request-invalid", errors=errors)


def _listed(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _wrong(pointer: str, code: str) -> RequestError:
    return RequestError(
        "request-invalid", errors=(FieldError(pointer=pointer, code=code),)
    )
