"""What the wire can do to a FHIR server's reply: trust.md, cases S1 to S19."""

import asyncio
import gzip
import ipaddress
import socket
import ssl
import zlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from adapters.http import AiohttpTransport, Request, Response, fault_of, retry_after
from adapters.surroundings import Limits
from tests.fhir_asking import about, asking

pytestmark = pytest.mark.fault
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FAILED = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error"}]}'
CHUNKED = ["Transfer-Encoding: chunked"]
EMPTY = b'{"resourceType":"Bundle","type":"searchset","total":0}'


def reply(body=EMPTY, *, head=(), kind="application/fhir+json", status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *head]
    if not any(
        line.lower().startswith(("content-length", "transfer-")) for line in head
    ):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def wire(*pieces, then="close", tls=None):
    """A server that sends these bytes to every request, then closes, resets or hangs.

    Yields its base address and the list of requests it saw.
    """
    seen: list[bytes] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader, writer):
        tasks.add(asyncio.ensure_future(answer(reader, writer)))

    async def answer(reader, writer):
        try:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            if then == "hang":
                await asyncio.Event().wait()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if then == "reset" else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/fhir", seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def failure(base, folder, **around) -> AdapterError:
    async with asking(base, folder, **around) as adapter:
        with pytest.raises(AdapterError) as caught:
            async with asyncio.timeout(5):
                await adapter.ask(about())
    return caught.value


async def test_a_server_that_refuses_connections_is_unavailable(tmp_path):
    async with wire() as (base, _):
        pass
    error = await failure(base, tmp_path)
    assert (type(error), error.reason, error.domain) == (
        Unavailable,
        "connect",
        "source",
    )


async def test_an_unknown_name_is_said_to_be_one(tmp_path):
    error = await failure("http://no-such-host.invalid/fhir", tmp_path)
    assert (type(error), error.reason) == (Unavailable, "dns")


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(
    "sent",
    [
        (),
        (b"HTTP/1.1 200 OK\r\nContent-Ty",),
        (reply(head=["Content-Length: 5000"]),),
        (reply(b"ff\r\n{", head=["Transfer-Encoding: chunked"]),),
        (reply(gzip.compress(EMPTY)[:-9], head=["Content-Encoding: gzip"]),),
    ],
    ids=["nothing", "half a head", "short body", "short chunk", "short gzip"],
)
async def test_a_reply_cut_short_is_no_answer(tmp_path, sent, then):
    async with wire(*sent, then=then) as (base, _):
        error = await failure(base, tmp_path)
    assert (type(error), error.reason) == (Unavailable, "cut")


async def test_a_cut_without_length_is_broken_json_and_no_answer(tmp_path):
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/fhir+json\r\n\r\n"
    async with wire(head + EMPTY[:-3]) as (base, _):
        error = await failure(base, tmp_path)
    assert (type(error), error.reason) == (Unreadable, "unreadable")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (reply(b'{"resourceType":"Bundle",'), "unreadable"),
        (reply(b"<html>Please log in</html>", kind="text/html"), "unreadable"),
        (reply(b"<html>Please log in</html>"), "unreadable"),
        (reply(b"<Bundle xmlns='http://hl7.org/fhir'/>"), "xml"),
        (reply(b"<Bundle/>", kind="application/fhir+xml"), "xml"),
        (reply(EMPTY.decode().encode("utf-16")), "unreadable"),
        (reply(kind="application/fhir+json; charset=iso-8859-1"), "unreadable"),
        (reply(b"[" * 100_000), "unreadable"),
        (reply(EMPTY[:-1] + b',"x":' + b"[" * 70 + b"]" * 70 + b"}"), "unreadable"),
        (reply(b'{"resourceType":"Bundle","type":"transaction"}'), "unreadable"),
        (reply(b'{"resourceType":"Patient","id":"p0"}'), "unreadable"),
        (reply(FAILED), "outcome_reported"),
        (reply(b'{"hello":"world"}'), "unreadable"),
        (reply(head=["Content-Encoding: br"]), "unreadable"),
        (reply(head=["Content-Encoding: gzip"]), "unreadable"),
        (reply(head=["Content-Encoding: gzip, gzip"]), "too_large"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "unreadable"),
    ],
)  # fmt: skip
async def test_what_is_no_fhir_is_unreadable_by_name(tmp_path, sent, reason):
    async with wire(sent) as (base, _):
        error = await failure(base, tmp_path)
    assert (type(error), error.reason) == (Unreadable, reason)


async def test_a_mark_at_the_start_and_stray_controls_are_survived(tmp_path):
    strange = b"\xef\xbb\xbf" + EMPTY.replace(b'"total"', b'"x":"a\x01b","total"')
    async with wire(reply(strange)) as (base, _), asking(base, tmp_path) as adapter:
        answer = await adapter.ask(about())
    assert answer.person is None
    assert "control_characters" in {caveat.code for caveat in answer.caveats}


@pytest.mark.parametrize(
    "sent",
    [
        reply(b" " * 5000),
        reply(head=["Content-Length: 999999999"]),
        reply(b"1388\r\n" + b" " * 5000 + b"\r\n0\r\n\r\n", head=CHUNKED),
        reply(gzip.compress(b" " * 4_000_000), head=["Content-Encoding: gzip"]),
        reply(head=[f"X-Much: {'x' * 100_000}"]),
        reply(head=[f"X-{nth}: {'x' * 100}" for nth in range(5000)]),
    ],
    ids=["long", "said to be long", "chunked", "gzip", "header", "headers"],
)  # fmt: skip
async def test_what_is_too_large_is_stopped(tmp_path, sent):
    limits = Limits(page_bytes=4096)
    async with wire(sent) as (base, _):
        error = await failure(base, tmp_path, limits=limits)
    assert (type(error), error.reason) == (Unreadable, "too_large")


async def test_gzip_within_bounds_is_read_as_it_comes(tmp_path):
    packed = gzip.compress(EMPTY)
    sent = reply(b"", head=["Content-Encoding: gzip", f"Content-Length: {len(packed)}"])
    async with (
        wire(sent, packed[:5], packed[5:]) as (base, _),
        asking(base, tmp_path) as adapter,
    ):
        answer = await adapter.ask(about())
    assert answer.person is None


async def test_a_thousandfold_gzip_costs_no_more_than_the_limit():
    bomb = gzip.compress(zlib.compress(b"", 0) + b"\0" * 50_000_000)
    transport = AiohttpTransport()
    async with wire(reply(bomb, head=["Content-Encoding: gzip"])) as (base, _):
        with pytest.raises(Unreadable) as caught:
            await transport.send(Request(url=base, page_bytes=1_000_000))
    await transport.aclose()
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 T", "308 P"])
async def test_a_redirect_is_refused_and_not_followed(tmp_path, status):
    head = ["Location: http://169.254.169.254/latest"]
    async with wire(reply(status=status, head=head)) as (base, seen):
        error = await failure(base, tmp_path)
    assert (type(error), error.reason) == (Refused, "redirect")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "kind", "reason", "domain"),
    [
        ("401 Unauthorized", Refused, "credentials", "adapter"),
        ("403 Forbidden", Refused, "refused", "source"),
        ("429 Too Many", Unavailable, "busy", "source"),
        ("502 Bad", Unavailable, "busy", "source"),
        ("503 Busy", Unavailable, "busy", "source"),
        ("504 Late", Unavailable, "busy", "source"),
        ("500 Oh", Unavailable, "server_error", "source"),
        ("406 No", Unreadable, "unexpected_status", "source"),
        ("400 Bad", Refused, "unsupported", "source"),
    ],
)
async def test_a_status_says_what_to_do_next(tmp_path, status, kind, reason, domain):
    async with wire(reply(b"{}", status=status)) as (base, _):
        error = await failure(base, tmp_path)
    assert (type(error), error.reason, error.domain) == (kind, reason, domain)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("36000", 3600),
        ("9" * 400, 3600),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 01 Nov 2026 12:00:30", 30),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after_is_read_and_bounded(text, seconds):
    assert retry_after(text, NOW) == seconds


def test_a_busy_source_says_how_long():
    busy = Response(status=503, headers={"retry-after": "5"}, body=b"")
    fault = fault_of(busy, NOW)
    assert fault is not None
    assert fault.retry_after_s == 5
    assert fault_of(Response(status=204, headers={}, body=b""), NOW) is None


@pytest.mark.parametrize(
    "sent",
    [(), (b"HTTP/1.1 200 OK\r\n",), (reply(head=["Content-Length: 900"]),)],
    ids=["nothing", "half a head", "half a body"],
)
async def test_silence_is_ended_by_the_caller(tmp_path, sent):
    async with wire(*sent, then="hang") as (base, _), asking(base, tmp_path) as adapter:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await adapter.ask(about())


async def test_a_connection_that_the_source_had_closed_is_opened_again(tmp_path):
    # The head says nothing of closing, and yet the connection is closed behind it.
    async with wire(reply()) as (base, seen), asking(base, tmp_path) as adapter:
        await adapter.ask(about())
        await adapter.ask(about())
    assert len(seen) >= 2


async def test_no_message_holds_an_address_or_a_number(tmp_path):
    for sent in (b"", reply(b"{}", status="500 Oh"), reply(b"{"), b"nonsense\r\n\r\n"):
        async with wire(sent) as (base, _):
            error = await failure(base, tmp_path)
        assert "127.0.0.1" not in str(error)
        assert "999" not in str(error)


async def test_a_transport_closes_twice_and_unopened():
    transport = AiohttpTransport()
    await transport.aclose()
    async with wire(reply()) as (base, _):
        assert (await transport.send(Request(url=base))).body == EMPTY
    await transport.aclose()
    await transport.aclose()


def certificate(folder, *, days=1, host="127.0.0.1"):
    """A self-signed certificate and its key, as files; valid until `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem


@pytest.mark.parametrize(
    ("made", "trusted", "domain"),
    [
        ({}, False, "adapter"),
        ({"days": -1}, True, "source"),
        ({"host": "127.0.0.9"}, True, "source"),
    ],
    ids=["authority unknown here", "expired", "another host's"],
)
async def test_a_bad_certificate_says_whose_it_is_to_mend(
    tmp_path, made, trusted, domain
):
    pem = certificate(tmp_path, **made)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=pem if trusted else None)
    transport = AiohttpTransport(tls=client)
    async with wire(reply(), tls=server) as (base, _):
        with pytest.raises(Unavailable) as caught:
            await transport.send(Request(url=base))
    await transport.aclose()
    assert (caught.value.reason, caught.value.domain) == ("tls", domain)


async def test_a_server_that_wants_our_certificate_is_ours_to_mend(tmp_path):
    pem = certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    server.load_verify_locations(pem)
    server.verify_mode = ssl.CERT_REQUIRED
    # In TLS 1.3 the refusal comes after the handshake and looks like a cut.
    server.maximum_version = ssl.TLSVersion.TLSv1_2

    def refuse(listener):
        # Not asyncio's server: it hangs up without saying why, and real ones say.
        plain, _ = listener.accept()
        with plain, pytest.raises(ssl.SSLError):
            server.wrap_socket(plain, server_side=True)

    transport = AiohttpTransport(tls=ssl.create_default_context(cafile=pem))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"https://127.0.0.1:{listener.getsockname()[1]}/fhir"
        refusing = asyncio.create_task(asyncio.to_thread(refuse, listener))
        with pytest.raises(Unavailable) as caught:
            await transport.send(Request(url=base))
        await refusing
    await transport.aclose()
    assert (caught.value.reason, caught.value.domain) == ("tls", "adapter")
