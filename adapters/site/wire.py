"""What a gateway and a site say to each other, as values: all that is ever sent.

Written as JSON with sorted names, so that one value has one spelling, and whatever
is spelt otherwise is refused: no name comes twice, none is unknown.
"""

import re
import secrets
from datetime import date, datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from adapters.contract import Identifier

QUESTION_TYPE: Final = "throughline-question+jwt"
ANSWER_TYPE: Final = "throughline-answer+jwt"
QUESTIONS_PATH: Final = "/site/v1/questions"
LIFETIME_S: Final = 30  # the longest that a question is good for
LONGEST_WAIT_S: Final = 86_400  # that a source may ask for

# A code, an id, a reference: what may stand in an audit trail.
Code = Annotated[str, Meta(pattern=r"^[!#-\[\]-~]{1,255}$")]
# Why there is no answer: never more than a word of ours, whoever wrote it.
Reason = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
QuestionId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Instant = Annotated[int, Meta(ge=0, lt=2**53)]

RefusalCode = Literal[
    "malformed",
    "unknown_key",
    "forged",
    "misaddressed",
    "clock",
    "expired",
    "replayed",
    "altered",
    "unknown_purpose",
    "unknown_operation",
    "unknown_source",
    "busy",
    "audit",
    "too_large",
]
State = Literal["answered", "denied", "timeout", "unavailable", "error"]
Domain = Literal["gateway", "adapter", "source", "policy"]


class Spoken(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False
):
    """What every part obeys: frozen, whole, and no name beside its own."""


class Clause(Spoken, frozen=True, kw_only=True):
    """Categories that the gateway's policy grants alike; see `Granted`."""

    relationship: Code
    categories: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    view: dict[str, object]


class Decision(Spoken, frozen=True, kw_only=True):
    """What the gateway's policy said; see `Warrant`."""

    id: Code
    owner: Code
    policy: Code
    purpose: Code
    operation: Code
    mode: Code
    organisation: Code
    role: Code
    assurance: Code | None
    agreement: Text | None
    break_glass: bool
    granted: Annotated[tuple[Clause, ...], Meta(min_length=1, max_length=64)]


class Claims(Spoken, frozen=True, kw_only=True):
    """A question without the person it is about: signed, and read by who carries it.

    `iat` and `exp` in seconds of Unix time. The digest is of the body, which holds
    random salt: ten digits alone would be guessed from it.
    """

    iss: Code
    aud: Code
    jti: QuestionId
    iat: Instant
    exp: Instant
    query_sha256: Sha256
    decision: Decision
    journey: Code
    deadline_ms: Annotated[int, Meta(ge=1, le=1000 * LIFETIME_S)]


class Body(Spoken, frozen=True, kw_only=True):
    """Whom and what it is about: encrypted to the site. Lists are sorted."""

    salt: QuestionId
    source: Code
    nhs_number: Annotated[str, Meta(pattern=r"^[0-9]{10}$")] | None
    others: Annotated[tuple[Identifier, ...], Meta(max_length=256)]
    since: date | None
    until: date | None
    categories: Annotated[tuple[Code, ...], Meta(max_length=64)]
    limit: Annotated[int, Meta(ge=1, lt=2**31)]

    def __repr__(self) -> str:
        return "Body()"


class Posted(Spoken, frozen=True, kw_only=True):
    """A question on its way: the claims as a JWS, the body as a JWE."""

    question: str
    body: str


class Refusal(Spoken, frozen=True, kw_only=True):
    """Why a site did not take a question, and what its clock says."""

    refused: RefusalCode
    at: Annotated[datetime, Meta(tz=True)]


def fresh_id() -> str:
    """A new question's id: nowhere in it ten digits, as in an address none may be."""
    while re.search(r"[0-9]{10}", made := secrets.token_hex(16)):
        pass
    return made


_Value = TypeVar("_Value", bound=Struct)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class NotSpoken(ValueError):
    """The bytes are not one of these values, spelt as we spell it."""


def spelt(value: Struct) -> bytes:
    """The one spelling of a value. UnicodeError for a text that UTF-8 cannot hold."""
    return _ENCODER.encode(value)


def read(data: bytes, kind: type[_Value]) -> _Value:
    """The value of its one spelling, else NotSpoken, which shows nothing of it."""
    try:
        value = msgspec.json.decode(data, type=kind, strict=True)
        if spelt(value) == data:
            return value
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    raise NotSpoken
