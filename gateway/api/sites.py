"""Enrolling the sites of one's own organisation: keys, their fingerprint, their end."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StrictStr,
    StringConstraints,
)

from adapters import nhs_number
from adapters.site.fingerprint import fingerprint
from adapters.site.keys import Keys, NotKeys, pinned_keys
from gateway.access.requester import Requester
from gateway.api.asking import json_body, only_parameters, requester_of, service_of
from gateway.api.described import described
from gateway.api.policy.bodies import Model, read_body
from gateway.audit.records import instant
from gateway.enrolment.changes import Confirmation
from gateway.enrolment.key_sets import KeySet
from gateway.journey.journey import Shape, as_json
from gateway.problems import FieldError, RequestError

router = APIRouter()

SiteId = Annotated[str, Path(description="A site's id, as its site.toml has it.")]
_JSON: Final = "application/json"
_SCOPE: Final = "source:write"


def _nobody(text: str) -> str:
    if nhs_number.is_within(text):
        message = "holds an NHS number"
        raise ValueError(message)
    return text


def _is_text(given: object) -> object:
    if not isinstance(given, str):
        message = "write an instant with its zone, as a text"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError alone into an error with a place
    return given


Instant = Annotated[AwareDatetime, BeforeValidator(_is_text)]


_Text = Annotated[StrictStr, StringConstraints(min_length=1, max_length=128)]


class PublicKey(Model):
    """A public key as RFC 7517 writes it; `kid` is its own thumbprint (RFC 7638)."""

    kty: _Text
    crv: _Text
    x: _Text
    y: _Text | None = None
    kid: _Text
    use: _Text


class PublicKeys(Model):
    """The document of `throughline site enrol`: a signing key and a sealing key."""

    keys: Annotated[tuple[PublicKey, ...], Field(min_length=2, max_length=2)]


class SiteRegistration(Model):
    """A site, and the public keys that it made."""

    site: Annotated[
        StrictStr,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
        AfterValidator(_nobody),
    ]
    keys: PublicKeys


class SiteConfirmation(Model):
    """The fingerprint as the site reads it out, typed by hand; how long keys are good.

    `until` is when these keys run out, two years from now if it is not said;
    `old_until`, when the site's older keys do: it must be said where there are any.
    """

    fingerprint: Annotated[StrictStr, StringConstraints(min_length=1, max_length=100)]
    until: Instant | None = None
    old_until: Instant | None = None


class SiteRevocation(Model):
    """Which of the site's keys are believed no more: all, if none are named."""

    keys: Annotated[StrictStr, StringConstraints(max_length=64)] | None = None


class SiteKeys(Shape, frozen=True, kw_only=True):
    """One signing and one sealing key of a site.

    `fingerprint` is null until it was typed in: it is to come from the site itself.
    """

    id: str
    state: str
    kids: list[str]
    fingerprint: str | None
    registered_at: str
    confirmed_at: str | None
    until: str
    revoked_at: str | None


class Site(Shape, frozen=True, kw_only=True):
    """A site of the caller's own organisation, and its keys, the latest first.

    `state` says whether it is believed: unconfirmed, confirmed, expired, revoked.
    """

    site: str
    organisation: str
    state: str
    keys: list[SiteKeys]


class SiteList(Shape, frozen=True, kw_only=True):
    """The sites of the caller's own organisation."""

    items: list[Site]


@router.get(
    "/v1/sites",
    **described(
        "listSites",
        "The sites of your own organisation, and which keys of theirs are believed",
        answer=SiteList,
        problems=(401, 403, 503),
    ),
)
async def list_sites(request: Request) -> Response:
    """Others' sites are not told."""
    requester = await _administrator(request)
    only_parameters(request)
    known = await service_of(request).enrolments.listed(requester.organisation)
    now = service_of(request).clock.now()
    sites = [
        _site(list(of_site), now)
        for _, of_site in groupby(known, key=lambda each: each.site)
    ]
    return _sent(SiteList(items=sites))


@router.post(
    "/v1/sites",
    **described(
        "registerSite",
        "Hand over the public keys of a site of your own organisation",
        body=SiteRegistration,
        answer=SiteKeys,
        status=201,
        problems=(401, 403, 409, 415, 503),
    ),
)
async def register_site(request: Request) -> Response:
    """They are believed only once their fingerprint is confirmed, within seven days."""
    requester = await _administrator(request)
    only_parameters(request)
    json_body(request)
    said = read_body(await request.body(), SiteRegistration)
    service = service_of(request)
    made = await service.enrolments.register(requester, said.site, _keys(said.keys))
    return _sent(_told(made, service.clock.now()), status=201)


@router.post(
    "/v1/sites/{site}/confirm",
    **described(
        "confirmSite",
        "Say that the keys registered are the site's: its fingerprint, typed by hand",
        body=SiteConfirmation,
        answer=SiteKeys,
        problems=(401, 403, 404, 409, 415, 422, 503),
    ),
)
async def confirm_site(request: Request, site: SiteId) -> Response:
    """The keys are believed in every gateway of the store within ten seconds."""
    requester = await _administrator(request)
    only_parameters(request)
    json_body(request)
    said = read_body(await request.body(), SiteConfirmation)
    service = service_of(request)
    confirmation = Confirmation(
        fingerprint=said.fingerprint,
        until=_utc(said.until),
        old_until=_utc(said.old_until),
    )
    believed = await service.enrolments.confirm(requester, site, confirmation)
    return _sent(_told(believed, service.clock.now()))


@router.post(
    "/v1/sites/{site}/revoke",
    **described(
        "revokeSite",
        "Believe a site of your own organisation no more, or one key set of its",
        body=SiteRevocation,
        answer=None,
        status=204,
        problems=(401, 403, 404, 409, 415, 503),
    ),
)
async def revoke_site(request: Request, site: SiteId) -> Response:
    """It counts in every gateway of the store within ten seconds; keys stay revoked."""
    requester = await _administrator(request)
    only_parameters(request)
    json_body(request)
    said = read_body(await request.body(), SiteRevocation)
    await service_of(request).enrolments.revoke(requester, site, said.keys)
    return Response(status_code=204)


async def _administrator(request: Request) -> Requester:
    requester = await requester_of(request)
    requester.require(_SCOPE)
    return requester


def _keys(document: PublicKeys) -> Keys:
    """One signing and one sealing key, each named by its own thumbprint (RFC 7638)."""
    try:
        keys = pinned_keys(document.model_dump_json(exclude_none=True))
    except NotKeys as error:
        raise _not_keys(str(error)) from None
    if any(
        each.kid != each.key.thumbprint()
        for each in (*keys.signing.values(), *keys.sealing.values())
    ):
        raise _not_keys("names a key other than by its thumbprint.")
    return keys


def _not_keys(message: str) -> RequestError:
    fault = FieldError(pointer="/keys", code="invalid", message=message)
    return RequestError("request-invalid", errors=(fault,))


def _utc(at: datetime | None) -> datetime | None:
    try:
        return None if at is None else at.astimezone(UTC)
    except OverflowError:
        raise RequestError("request-invalid") from None


def _site(known: Sequence[KeySet], now: datetime) -> Site:
    states = [each.standing(now) for each in known]
    return Site(
        site=known[0].site,
        organisation=known[0].organisation,
        state="confirmed" if "confirmed" in states else states[0],
        keys=[_told(each, now) for each in known],
    )


def _told(known: KeySet, now: datetime) -> SiteKeys:
    keys = known.read
    shown = None
    if known.confirmed_at is not None:
        shown = fingerprint(known.site, keys)
    return SiteKeys(
        id=known.id,
        state=known.standing(now),
        kids=[*keys.signing, *keys.sealing],
        fingerprint=shown,
        registered_at=instant(known.registered_at),
        confirmed_at=_instant(known.confirmed_at),
        until=instant(known.until),
        revoked_at=_instant(known.revoked_at),
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _sent(told: Shape, status: int = 200) -> Response:
    return Response(as_json(told), status_code=status, media_type=_JSON)
