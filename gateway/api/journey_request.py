"""The body of a journey question, parsed once, refused with places and never values."""

import re
from datetime import date
from typing import Annotated, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    StringConstraints,
    ValidationError,
)

from adapters import nhs_number
from adapters.contract import Identifier, Identifiers
from adapters.vocabulary import CATEGORIES
from gateway import safe_json
from gateway.journey.question import Claim, Question, Require
from gateway.problems import FieldError, RequestError, invalid_fields
from gateway.settings import Limits
from policies.vocabulary import PURPOSES

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
MOST_EVENTS: Final = 20_000
USUAL_EVENTS: Final = 5_000

ShortText = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
Day = Annotated[
    StrictStr,
    Field(json_schema_extra={"format": "date"}, min_length=10, max_length=10),
]


_Model = TypeVar("_Model", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class JourneyIdentifier(_Body):
    """Another identifier of the person: a system (URI) and a value within it."""

    system: ShortText
    value: ShortText


class JourneyRequire(_Body):
    """What must have answered: sources by id, organisations by ODS code, sectors."""

    sources: Annotated[list[ShortText], Field(max_length=200)] | None = None
    organisations: Annotated[list[ShortText], Field(max_length=200)] | None = None
    sectors: Annotated[list[ShortText], Field(max_length=20)] | None = None


class JourneyRelationship(_Body):
    """The relationship relied on, and why it is asked.

    `self-claimed` alone is taken on the caller's word; the others are found as
    evidence, and named here to give the reason that an agreement may want.
    """

    kind: Literal[
        "self",
        "proxy",
        "active-encounter",
        "registered",
        "referral",
        "caseload",
        "care-team",
        "self-claimed",
    ]
    reference: ShortText | None = None
    reason: Annotated[StrictStr, StringConstraints(min_length=1, max_length=1000)]


class JourneyRequest(_Body):
    """One person, one purpose, a window of London days, and conditions.

    Exactly one of `nhs_number` and `identifier`. `until` is exclusive; without
    bounds all time is asked. Without `categories` all are.
    """

    nhs_number: Annotated[StrictStr, StringConstraints(max_length=40)] | None = None
    identifier: JourneyIdentifier | None = None
    purpose: StrictStr
    since: Day | None = None
    until: Day | None = None
    categories: (
        Annotated[list[ShortText], Field(min_length=1, max_length=50)] | None
    ) = None
    require: JourneyRequire | None = None
    min_sources: Annotated[StrictInt, Field(ge=0, le=10_000)] | None = None
    limit: Annotated[StrictInt, Field(ge=1, le=MOST_EVENTS)] | None = None
    deadline_ms: Annotated[StrictInt, Field(ge=500, le=5_000)] | None = None
    agreement: ShortText | None = None
    relationship: JourneyRelationship | None = None
    break_glass: ShortText | None = None


def read_question(body: bytes, *, strict: bool, limits: Limits) -> Question:
    """The question in a request's body.

    RequestError: request-invalid, purpose-missing, purpose-unknown or
    identifier-invalid, pointing at fields of ours and never echoing a value.
    """
    request = parsed(body, JourneyRequest)
    check_purpose(request.purpose)
    since, until = _day(request.since, "/since"), _day(request.until, "/until")
    if since is not None and until is not None and since >= until:
        raise RequestError(
            "request-invalid",
            "The window is empty: until is exclusive and must be after since.",
            errors=(_at("/until", "not-after-since"),),
        )
    asked_ms = request.deadline_ms or round(limits.journey_s * 1000)
    return Question(
        person=_person(request),
        purpose=request.purpose,
        since=since,
        until=until,
        categories=read_categories(request.categories),
        require=_require(request.require),
        min_sources=request.min_sources or 0,
        strict=strict,
        limit=request.limit or USUAL_EVENTS,
        deadline_s=min(asked_ms / 1000, limits.journey_s),
        agreement=request.agreement,
        claim=_claim(request.relationship),
        break_glass=request.break_glass,
    )


def check_purpose(purpose: str) -> None:
    """RequestError purpose-missing or purpose-unknown unless it is one of the list."""
    if not purpose.strip():
        raise RequestError("purpose-missing", errors=(_at("/purpose", "empty"),))
    if purpose not in PURPOSES:
        raise RequestError("purpose-unknown", errors=(_at("/purpose", "unknown"),))


def parsed(body: bytes, model: type[_Model]) -> _Model:
    """A body with a purpose, as its model; refused as `read_question` says."""
    try:
        return model.model_validate(safe_json.read_object(body))
    except safe_json.DuplicateName as error:
        if "purpose" in error.names:
            field = _at("/purpose", "twice")
            raise RequestError("purpose-missing", errors=(field,)) from None
        raise _unreadable("duplicate-name") from None
    except safe_json.UnsafeJson as error:
        raise _unreadable(error.code) from None
    except ValidationError as error:
        raise invalid_fields(
            error.errors(include_url=False, include_input=False)
        ) from None


def _unreadable(code: str) -> RequestError:
    return RequestError("request-invalid", errors=(_at("", code),))


def _at(pointer: str, code: str) -> FieldError:
    return FieldError(pointer=pointer, code=code)


def _day(text: str | None, pointer: str) -> date | None:
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # refused below, like every other text that is no day
    raise RequestError("request-invalid", errors=(_at(pointer, "not-a-day"),))


def _person(request: JourneyRequest) -> Identifiers:
    if (request.nhs_number is None) == (request.identifier is None):
        raise RequestError(
            "request-invalid",
            "Give one of nhs_number and identifier.",
            errors=(_at("/nhs_number", "one-of"), _at("/identifier", "one-of")),
        )
    if request.identifier is None:
        return Identifiers(
            nhs_number=read_number(request.nhs_number or "", "/nhs_number")
        )
    system, value = request.identifier.system, request.identifier.value.strip()
    if system in nhs_number.SYSTEMS:
        return Identifiers(nhs_number=read_number(value, "/identifier/value"))
    if not value:
        raise RequestError(
            "identifier-invalid", errors=(_at("/identifier/value", "empty"),)
        )
    return Identifiers(others=frozenset({Identifier(system, value)}))


def read_number(text: str, pointer: str) -> str:
    """An NHS number's ten digits. RequestError identifier-invalid if it is none."""
    number = nhs_number.normalise(text)
    if number is None:
        raise RequestError(
            "identifier-invalid", errors=(_at(pointer, "not-an-nhs-number"),)
        )
    return number


def read_categories(named: list[str] | None) -> frozenset[str]:
    """The categories named, all if none is. RequestError request-invalid if unknown."""
    if named is None:
        return CATEGORIES
    wrong = [place for place, each in enumerate(named) if each not in CATEGORIES]
    if wrong:
        raise RequestError(
            "request-invalid",
            errors=tuple(_at(f"/categories/{place}", "unknown") for place in wrong),
        )
    return frozenset(named)


def _require(body: JourneyRequire | None) -> Require:
    if body is None:
        return Require()
    return Require(
        sources=frozenset(body.sources or ()),
        organisations=frozenset(body.organisations or ()),
        sectors=frozenset(body.sectors or ()),
    )


def _claim(body: JourneyRelationship | None) -> Claim | None:
    if body is None:
        return None
    if not body.reason.strip():
        error = _at("/relationship/reason", "empty")
        raise RequestError("request-invalid", "Say why you ask.", errors=(error,))
    return Claim(kind=body.kind, reason=body.reason)
