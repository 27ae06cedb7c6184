"""A gateway by the machine's own calendar, as a site in a process has no other."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway.app import create_app
from gateway.clock import SystemClock
from gateway.settings import load_settings
from policies.documents import content_hash
from tests.gateways import RECIPIENT, SOURCES, bearer, write_gateway
from tests.houses import clause
from tests.site_processes import Enrolled


def write_policy(folder: Path, sources: Iterable[str]) -> None:
    """Everything for direct care, by the machine's own calendar."""
    today = date.today()  # noqa: DTZ011 - a process has no other
    owners = sorted({name.partition(".")[0] for name in sources})
    agreement = {
        "kind": "agreement",
        "id": "DSA-TEST",
        "parties": {"providers": owners, "recipients": [RECIPIENT]},
        "dpia": "DPIA-1",
        "review_by": str(today + timedelta(days=100)),
        "valid": {
            "from": str(today - timedelta(days=30)),
            "through": str(today + timedelta(days=100)),
        },
        "clauses": [clause()],
    }
    signatures = [
        {
            "kind": "signature",
            "document": "DSA-TEST",
            "hash": content_hash(agreement),
            "organisation": each,
            "person": "p",
            "capacity": "caldicott",
            "at": f"{today - timedelta(days=30)}T00:00:00+00:00",
        }
        for each in (*owners, RECIPIENT)
    ]
    text = yaml.safe_dump_all([agreement, *signatures], sort_keys=False)
    (folder / "policy" / "all.yaml").write_text(text, "utf-8")


def gateway_of(folder: Path) -> Path:
    """The throughline.toml of a gateway with the machine's calendar."""
    folder.mkdir()
    config = write_gateway(folder)
    write_policy(folder, SOURCES)
    return config


def through(config: Path, enrolled: Enrolled, *sources: str) -> None:
    """Let the gateway ask these sources through the site; else the site's first."""
    text = config.read_text("utf-8")
    for source in sources or (enrolled.source,):
        before = f'file = "sources/{source}/source.toml"'
        assert before in text
        text = text.replace(before, f'file = "{enrolled.source_file_of(source)}"')
    config.write_text(text, "utf-8")


@asynccontextmanager
async def gateway_running(config: Path) -> AsyncIterator[httpx.AsyncClient]:
    clock = SystemClock()
    settings = load_settings(config, {})
    app = create_app(settings, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway.example.invalid",
            headers=bearer(settings, clock),
        ) as client,
    ):
        yield client


def same(journey: dict[str, Any]) -> dict[str, Any]:
    """A journey without the times and ids that are made for it."""
    journey["journey_id"] = journey["decision"]["decision_id"] = None
    for each in journey["completeness"]["sources"]:
        each["took_ms"] = each["as_of"] = each["lag_s"] = None
    for each in journey["events"]:
        each["provenance"]["retrieved_at"] = None
    return journey
