"""The server of `throughline serve`: what it tells when it is to stop."""

import os
import signal

import pytest
import uvicorn

from gateway.serving import run
from tests.serving import free_port


def config(lifespan):
    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        await lifespan(receive, send)

    return uvicorn.Config(app, port=free_port(), lifespan="on", log_level="critical")


def test_who_waits_is_told_before_the_last_is_answered():
    said = []

    async def lifespan(receive, send):
        await send({"type": "lifespan.startup.complete"})
        os.kill(os.getpid(), signal.SIGINT)
        await receive()
        said.append("stopped")
        await send({"type": "lifespan.shutdown.complete"})

    run(config(lifespan), lambda: said.append("leave"))
    assert said == ["leave", "stopped"]


def test_a_server_that_cannot_start_ends_the_process():
    async def lifespan(_, send):
        await send({"type": "lifespan.startup.failed"})

    with pytest.raises(SystemExit) as caught:
        run(config(lifespan), lambda: None)
    assert caught.value.code == 3
