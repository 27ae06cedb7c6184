"""Bodies that writers of policy send: read strictly, refused by place, never echoed."""

from typing import Annotated, Any, TypeVar, cast

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
from gateway import safe_json
from gateway.api.policy.texts import without_nulls
from gateway.problems import FieldError, RequestError, invalid_fields
from policies.clauses import Agreement, LocalRule
from policies.documents import parse_document
from policies.errors import Invalid

_Body = TypeVar("_Body", bound=BaseModel)


class Model(BaseModel):
    """What every request model is: nothing unknown, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


ContentHash = Annotated[StrictStr, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
ShortText = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]


class Approval(Model):
    """The text that is signed, by its hash, and as what the person signs."""

    hash: ContentHash
    capacity: ShortText | None = None


class Rollback(Model):
    """Which earlier version is to become the next."""

    version: Annotated[StrictInt, Field(ge=1, le=1_000_000)]


def read_body(body: bytes, model: type[_Body]) -> _Body:
    """The body as this model. RequestError request-invalid, by place."""
    try:
        return model.model_validate(_object(body))
    except ValidationError as error:
        raise invalid_fields(
            error.errors(include_url=False, include_input=False)
        ) from None


def read_nothing(body: bytes) -> None:
    """RequestError request-invalid for a body where none, or `{}`, is taken."""
    if body and _object(body):
        raise RequestError("request-invalid", errors=(_at("", "unknown"),))


def read_document(body: bytes, kind: str) -> Agreement | LocalRule:
    """The document of this kind that a body holds.

    RequestError request-invalid if it is not JSON; document-invalid, with the place
    and what would be right there, if it is no such document.
    """
    return parsed(_object(body), kind)


def parsed(
    data: dict[str, Any], kind: str, *, pointer: str = ""
) -> Agreement | LocalRule:
    """The document that JSON holds at this place of a body; as `read_document`."""
    if data.get("kind") != kind:
        raise _refused(f"{pointer}/kind", "unknown", message=f"must be {kind} here.")
    try:
        document = parse_document(without_nulls(data), where=kind)
    except Invalid as error:
        raise _refused(
            pointer + error.pointer, error.code, message=error.message
        ) from None
    _check_for_numbers(data, pointer)
    return cast("Agreement | LocalRule", document)  # its kind says that it is one


def _check_for_numbers(data: object, pointer: str) -> None:
    """RequestError document-invalid where somebody's NHS number stands in a text.

    Documents and their ids are kept for good, and told to others. What is read here
    was parsed: each key is one of ours.
    """
    match data:
        case str() if nhs_number.is_within(" ".join(data.split())):
            message = "holds an NHS number. Leave people out of documents of policy."
            raise _refused(pointer, "nhs-number", message=message)
        case dict():
            for key, held in data.items():
                _check_for_numbers(held, f"{pointer}/{key}")
        case list():
            for place, held in enumerate(data):
                _check_for_numbers(held, f"{pointer}/{place}")
        case _:
            pass  # holds no text


def _refused(pointer: str, code: str, *, message: str) -> RequestError:
    fault = FieldError(pointer=pointer, code=code, message=message)
    return RequestError("document-invalid", message, errors=(fault,))


def _object(body: bytes) -> dict[str, Any]:
    try:
        return safe_json.read_object(body)
    except safe_json.UnsafeJson as error:
        raise RequestError("request-invalid", errors=(_at("", error.code),)) from None


def _at(pointer: str, code: str) -> FieldError:
    return FieldError(pointer=pointer, code=code)
