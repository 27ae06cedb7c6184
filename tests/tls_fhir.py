"""A FHIR server behind TLS, and certificates of an authority made for the test."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Self

import trustme

from tests.stub_fhir import StubFhir


class TlsFhir(StubFhir):
    """Serves over TLS with `context`; remembers whose certificates it was shown."""

    def __init__(self, resources, context: ssl.SSLContext, **more):
        super().__init__(resources, **more)
        self._context = context
        self.shown: list[str] = []  # the name in the certificate of each connection

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._greet, "127.0.0.1", 0, ssl=self._context
        )
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"https://127.0.0.1:{port}/fhir"
        return self

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        shown = writer.get_extra_info("peercert") or {}
        names = shown.get("subjectAltName", ((None, "nobody"),))
        self.shown.append(names[0][1])
        await self._serve(reader, writer)


def server_context(
    authority: trustme.CA,
    host: str = "127.0.0.1",
    *,
    client: trustme.CA | None = None,
    **issued,
) -> ssl.SSLContext:
    """A server's context; with `client` it wants a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, **issued).configure_cert(context)
    if client is not None:
        client.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def papers(authority: trustme.CA, name: str = "throughline@z9a01.invalid"):
    """A client's certificate with its chain, and its key, as PEM."""
    leaf = authority.issue_cert(name)
    chain = "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)
    return chain, leaf.private_key_pem.bytes().decode()


@contextmanager
def outspoken(context: ssl.SSLContext, connections: int) -> Iterator[str]:
    """A server that says why it refuses a certificate, before it hangs up.

    asyncio's own servers hang up without a word; real ones do not.
    """

    def refuse() -> None:
        for _ in range(connections):
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            ) as secured:
                secured.settimeout(1)
                with suppress(OSError):
                    secured.do_handshake()
                # Whatever else came is read, or a reset would overtake what was said.
                with suppress(OSError):
                    socket.socket.recv(secured, 65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=refuse, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/fhir"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)
