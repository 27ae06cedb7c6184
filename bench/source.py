"""A FHIR source of a fixed, stated delay, as a process: `python -m bench.source`.

`/{number}/{size}/{delay}/{Type}`: the records of source `number`, `size` bytes of them
(`n2000`: so many records), after `delay` ms. `Patient` and `metadata` answer at once: a
source's delay is that of its records. It prints its port, then serves until stopped.
"""

import asyncio
import re
import sys
from typing import Final

from bench import payloads

_NUMBER_OF_BYTES: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_STATEMENT: Final = '{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1"}'
_BODIES: Final[dict[str, bytes]] = {}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with nothing to spare, so that little of the machine goes here."""

    def __init__(self) -> None:
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's own name
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end]
            found = _NUMBER_OF_BYTES.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._held) < whole:
                return
            self._held = self._held[whole:]
            path = head.split(b" ", 2)[1].decode("ascii")
            delay_s, reply = _reply(path.partition("?")[0])
            if delay_s:
                asyncio.get_running_loop().call_later(delay_s, self._send, reply)
            else:
                self._send(reply)

    def _send(self, reply: bytes) -> None:
        if self._transport is not None:
            self._transport.write(reply)


def _reply(path: str) -> tuple[float, bytes]:
    """The delay in seconds and the bytes to send for a path."""
    _, number, size, delay, name, *_ = path.split("/")
    body = _BODIES.get(path) or _BODIES.setdefault(path, _body(number, size, name))
    is_slow = name in payloads.TYPES
    return int(delay) / 1000 if is_slow else 0.0, body


def _body(number: str, size: str, name: str) -> bytes:
    base = "http://127.0.0.1"
    if name == "metadata":
        text = _STATEMENT
    elif name == "Patient":
        text = payloads.person(base=base)
    elif size.startswith("n"):
        text = payloads.searchset(
            name, base=base, seed=int(number), count=int(size[1:])
        )
    else:
        text = payloads.searchset(name, base=base, seed=int(number), size=int(size))
    body = text.encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
