"""A fhir adapter set up to ask one server, and the questions tests put to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from adapters.contract import Answer, Identifiers, Query
from adapters.fhir import FhirAdapter, build
from adapters.http import AiohttpTransport
from adapters.surroundings import Limits, Surroundings
from adapters.vocabulary import CATEGORIES
from tests.people import number

NHS = "https://fhir.nhs.uk/Id/nhs-number"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
Record = dict[str, Any]


def surroundings(
    transport: AiohttpTransport,
    folder: Path,
    *,
    limits: Limits | None = None,
    sector: str = "acute",
    secrets: dict[str, str] | None = None,
    now: Callable[[], datetime] = lambda: NOW,
) -> Surroundings:
    return Surroundings(
        now=now,
        secret=lambda reference: (secrets or {})[reference],
        transport=transport,
        limits=limits or Limits(),
        state=folder,
        source_id="Z9A01.epr",
        sector=sector,
    )


@asynccontextmanager
async def asking(
    base_url: str,
    folder: Path,
    settings: str = "",
    *,
    transport: AiohttpTransport | None = None,
    **around: Any,
) -> AsyncIterator[FhirAdapter]:
    """The adapter for a server, with `settings` as further lines of its file."""
    transport = transport or AiohttpTransport()
    file = folder / "source.toml"
    file.write_text(f'kind = "fhir"\nbase_url = "{base_url}"\n{settings}')
    adapter = build(file, surroundings(transport, folder, **around))
    try:
        yield adapter
    finally:
        await adapter.aclose()
        await transport.aclose()


def about(
    nth: int = 0,
    *,
    since: date | None = None,
    until: date | None = None,
    categories: frozenset[str] = CATEGORIES,
    limit: int = 1000,
) -> Query:
    return Query(
        person=Identifiers(nhs_number=number(nth)),
        since=since,
        until=until,
        categories=categories,
        limit=limit,
    )


def caveats(answer: Answer) -> dict[str, int]:
    return {caveat.code: caveat.count for caveat in answer.caveats}


def ids(answer: Answer) -> list[str]:
    return [event.record_id for event in answer.events]


def patient(nth: int = 0, **fields: Any) -> Record:
    return {
        "resourceType": "Patient",
        "id": f"p{nth}",
        "identifier": [{"system": NHS, "value": number(nth)}],
        **fields,
    }


def condition(own: str = "c1", *, who: str = "Patient/p0", **fields: Any) -> Record:
    return {
        "resourceType": "Condition",
        "id": own,
        "code": {"text": "Asthma"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "subject": {"reference": who},
        **fields,
    }


def observation(own: str, day: str | None, **fields: Any) -> Record:
    dated = {"effectiveDateTime": day} if day else {}
    return {
        "resourceType": "Observation",
        "id": own,
        "status": "final",
        "code": {"text": "Peak flow"},
        "subject": {"reference": "Patient/p0"},
        **dated,
        **fields,
    }
