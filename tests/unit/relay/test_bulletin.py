"""What the gateways of one store tell each other: a store that fails in its own way."""

import asyncio
from types import SimpleNamespace

import structlog

from gateway.relay import bulletin as bulletin_file
from gateway.relay.bulletin import Bulletin


async def test_a_defect_of_the_driver_does_not_end_the_listening(monkeypatch):
    """Seeded defect: the task ends, and no question crosses any more."""
    monkeypatch.setattr(bulletin_file, "_AGAIN_S", 0.001)
    tried = []

    def connect():
        tried.append(1)
        message = "what the store held"
        raise RuntimeError(message)

    database = SimpleNamespace(engine=SimpleNamespace(connect=connect))
    bulletin = Bulletin(database, print, connected=lambda: None)  # type: ignore[arg-type]  # a store that fails alone
    with structlog.testing.capture_logs() as alarms:
        bulletin.start()
        async with asyncio.timeout(5):
            while len(tried) < 3:  # noqa: ASYNC110 - what is watched tells nobody
                await asyncio.sleep(0.01)
        await bulletin.aclose()
    assert [each["event"] for each in alarms] == ["relay_store_lost"]
    assert "what the store held" not in str(alarms)
