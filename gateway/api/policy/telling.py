"""Stored documents told to one reader: in the shapes of the API, with their ETag."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from fastapi import Response

from gateway.access.requester import Requester
from gateway.api.policy.administration import PLACES
from gateway.api.policy.conditions import entity_tag
from gateway.api.policy.shapes import (
    AgreementVersion,
    DocumentCard,
    DocumentList,
    DocumentSignature,
    LocalRuleVersion,
    PolicyFinding,
    SignatureWanted,
)
from gateway.api.policy.texts import spelt_out
from gateway.journey.journey import as_json
from gateway.policy.occasion import Stored
from gateway.policy.states import Finding

_SHAPES: Final = {"agreement": AgreementVersion, "local-rule": LocalRuleVersion}


def told(stored: Stored, *, actor: Requester, status: int = 200) -> Response:
    """One version, whole, under its ETag."""
    version = _SHAPES[stored.kind](
        kind=stored.kind,
        id=stored.id,
        version=stored.version,
        organisation=stored.organisation,
        state=stored.state,
        hash=stored.hash,
        etag=entity_tag(stored.etag),
        created_at=instant(stored.created_at),
        changed_at=instant(stored.changed_at),
        content=spelt_out(stored.content),
        signatures=list(_signatures(stored, actor)),
        waiting_for=[
            SignatureWanted(
                organisation=each.organisation,
                people=each.people,
                capacity=each.capacity,
            )
            for each in stored.waiting_for
        ],
        live_for=list(stored.live_for),
        findings=[finding_of(each) for each in stored.findings],
    )
    return Response(
        as_json(version),
        status_code=status,
        headers={"ETag": version.etag},
        media_type="application/json",
    )


def made(stored: Stored, *, actor: Requester) -> Response:
    """A new version: where it is to be read, and as `told`."""
    response = told(stored, actor=actor, status=201)
    response.headers["Location"] = f"{PLACES[stored.kind]}/{stored.id}"
    return response


def listed(found: Sequence[Stored], following: str | None) -> Response:
    """A page of versions, without their texts."""
    page = DocumentList(
        items=[
            DocumentCard(
                kind=each.kind,
                id=each.id,
                version=each.version,
                organisation=each.organisation,
                state=each.state,
                hash=each.hash,
                etag=entity_tag(each.etag),
                changed_at=instant(each.changed_at),
            )
            for each in found
        ],
        next=following,
    )
    return Response(as_json(page), media_type="application/json")


def finding_of(found: Finding) -> PolicyFinding:
    """What the gate found, as it is shown."""
    return PolicyFinding(
        code=found.code,
        severity=found.severity,
        pointer=found.path,
        message=found.message,
    )


def instant(at: datetime) -> str:
    """An instant in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _signatures(stored: Stored, actor: Requester) -> Iterable[DocumentSignature]:
    """Who signed; the person is nobody's business but their own organisation's."""
    for each in stored.signatures:
        is_own = each.organisation == actor.organisation
        yield DocumentSignature(
            organisation=each.organisation,
            action=each.action,
            capacity=each.capacity,
            person=each.person if is_own else None,
            at=instant(each.at),
        )
