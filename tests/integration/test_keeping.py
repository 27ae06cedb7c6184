"""A running gateway takes in what arrives, and outlives no agreement with an index."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from gateway.app import create_app
from gateway.settings import load_settings
from tests.gateways import SOURCES, write_gateway
from tests.houses import HouseClock

AFTER = datetime(2028, 1, 1, tzinfo=UTC)  # the agreement has ended


async def until(found) -> None:
    async with asyncio.timeout(20):
        for pause in (0.05,) * 1000:
            if found():
                return
            await asyncio.sleep(pause)


def recorded(folder) -> list[dict[str, Any]]:
    store = sqlite3.connect(folder / "throughline.db")
    with closing(store):
        return [
            json.loads(row[0])
            for row in store.execute("SELECT record FROM audit_record")
        ]


async def test_an_index_is_there_before_it_is_asked_and_gone_with_its_agreement(
    tmp_path,
):
    path = write_gateway(tmp_path)
    text = path.read_text("utf-8")
    path.write_text(text.replace("[audit]", "[policy]\npoll_s = 0.1\n\n[audit]", 1))
    clock = HouseClock()
    settings = load_settings(path, {})
    (state,) = (each.state for each in settings.sources if each.id == "Z9A01.gp")
    app = create_app(settings, clock)
    async with app.router.lifespan_context(app):
        await until((state / "index.drop").exists)
        clock.at = AFTER
        await until(lambda: not (state / "index.drop").exists())
        assert list(state.iterdir()) == []
        await asyncio.sleep(0.3)
        drops = path.parent / "sources" / "Z9A01.gp" / "drops"
        (drops / "events.csv").touch()
        await asyncio.sleep(0.5)
        assert list(state.iterdir()) == []
    forgotten = [each for each in recorded(tmp_path) if each.get("action") == "forget"]
    assert [(each["object"], each["document"]) for each in forgotten] == [
        ("source", next(iter(SOURCES)))
    ]
