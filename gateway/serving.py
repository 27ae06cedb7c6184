"""The server that `throughline serve` runs, and what it tells when it is to stop."""

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

import uvicorn

_NOT_STARTED: Final = 3  # as uvicorn's own command has it


class _Server(uvicorn.Server):
    """Tells at once that it is to stop, and not when the last has been answered."""

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._leave()


def run(config: uvicorn.Config, leave: Callable[[], None]) -> None:
    """Serve until stopped; `leave` is called, in a signal, when that begins.

    Ends the process with 3 if it cannot listen.
    """
    server = _Server(config, leave)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)
