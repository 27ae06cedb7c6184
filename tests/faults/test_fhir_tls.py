"""Mutual TLS to a FHIR server: who we are, whom we believe, and whose fault it is."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from adapters.errors import AdapterError, ConfigurationError, Refused, Unavailable
from adapters.fhir import build
from adapters.http import AiohttpTransport
from tests.authorising import Guarded, authority, key_for, pem_of
from tests.fhir_asking import NOW, about, condition, ids, patient, surroundings
from tests.tls_fhir import TlsFhir, outspoken, papers, server_context

pytestmark = pytest.mark.fault
HELD = [patient(), condition()]
FOUND = ["Condition/c1"]
OURS = trustme.CA()  # who vouches for us
THEIRS = trustme.CA()  # who vouches for servers
OTHER = trustme.CA()


def secret(reference: str) -> str:
    """As the gateway follows references to files."""
    try:
        return Path(reference.removeprefix("file:")).read_text()
    except OSError:
        message = f"the secret {reference} is missing or empty. Provide it."
        raise ConfigurationError(message, file="throughline.toml") from None


def write_papers(folder, given):
    (folder / "us.pem").write_text(given[0])
    (folder / "us.key").write_text(given[1])


def write_tls(folder, *, ca=THEIRS, given=None, table="tls"):
    """A [tls] table whose files lie in the folder; nothing of ours without `given`."""
    lines = [f"[{table}]"]
    if ca is not None:
        ca.cert_pem.write_to_path(folder / "theirs.pem")
        lines.append('ca = "theirs.pem"')
    if given is not None:
        write_papers(folder, given)
        lines += [
            f'certificate = "file:{folder}/us.pem"',
            f'key = "file:{folder}/us.key"',
        ]
    return "\n".join([*lines, ""])


@asynccontextmanager
async def asking(base_url, folder, settings, transport=None):
    own = transport or AiohttpTransport()
    file = folder / "source.toml"
    file.write_text(f'kind = "fhir"\nbase_url = "{base_url}"\n{settings}')
    around = surroundings(own, folder)
    adapter = build(file, type(around)(**{**fields(around), "secret": secret}))
    try:
        yield adapter
    finally:
        await adapter.aclose()
        if transport is None:
            await own.aclose()


def fields(around):
    return {name: getattr(around, name) for name in around.__slots__}


async def failure(adapter) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        async with asyncio.timeout(10):
            await adapter.ask(about())
    return caught.value


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_our_certificate_lets_us_in(tmp_path, most):
    context = server_context(THEIRS, client=OURS)
    context.maximum_version = most
    settings = write_tls(tmp_path, given=papers(OURS))
    async with (
        TlsFhir(HELD, context) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        assert ids(await adapter.ask(about())) == FOUND
    assert set(server.shown) == {"throughline@z9a01.invalid"}


async def test_an_authority_alone_is_enough_where_no_certificate_is_wanted(tmp_path):
    async with (
        TlsFhir(HELD, server_context(THEIRS)) as server,
        asking(server.base_url, tmp_path, write_tls(tmp_path)) as adapter,
    ):
        assert ids(await adapter.ask(about())) == FOUND


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("given", [None, papers(OTHER)], ids=["none", "a stranger's"])
async def test_a_server_that_refuses_our_certificate_is_ours_to_mend(
    tmp_path, given, most
):
    context = server_context(THEIRS, client=OURS)
    context.maximum_version = most
    settings = write_tls(tmp_path, given=given)
    with outspoken(context, 5) as base:
        async with asking(base, tmp_path, settings) as adapter:
            error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "tls", "adapter")


@pytest.mark.parametrize("given", [None, papers(OTHER)], ids=["none", "a stranger's"])
async def test_a_server_that_hangs_up_on_our_certificate_is_ours_to_mend(
    tmp_path, given
):
    settings = write_tls(tmp_path, given=given)
    async with (
        TlsFhir(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "tls", "adapter")
    assert server.asked == []


async def test_a_server_that_went_down_is_no_matter_of_certificates(tmp_path):
    class Dying(TlsFhir):
        async def _exchange(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            assert self._server is not None
            self._server.close()
            raise ConnectionError

    async with (
        Dying(HELD, server_context(THEIRS)) as server,
        asking(server.base_url, tmp_path, write_tls(tmp_path)) as adapter,
    ):
        error = await failure(adapter)
    assert type(error) is Unavailable
    assert error.reason in {"connect", "cut"}
    assert error.domain == "source"


async def test_a_server_known_by_name_may_hang_up_too(tmp_path):
    settings = write_tls(tmp_path, given=papers(OTHER))
    context = server_context(THEIRS, "localhost", client=OURS)
    async with TlsFhir(HELD, context) as server:
        base = server.base_url.replace("127.0.0.1", "localhost")
        async with asking(base, tmp_path, settings) as adapter:
            error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "tls", "adapter")


async def test_a_reply_cut_short_behind_tls_is_no_matter_of_certificates(tmp_path):
    class Cutting(TlsFhir):
        async def _exchange(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            raise ConnectionError

    async with (
        Cutting(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(
            server.base_url, tmp_path, write_tls(tmp_path, given=papers(OURS))
        ) as adapter,
    ):
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "cut", "source")


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("context", "ca", "domain"),
    [
        (server_context(OTHER), THEIRS, "adapter"),
        (server_context(OTHER), None, "adapter"),
        (server_context(THEIRS, not_after=YESTERDAY), THEIRS, "source"),
        (server_context(THEIRS, "127.0.0.9"), THEIRS, "source"),
        (server_context(THEIRS, "fhir.invalid"), THEIRS, "source"),
    ],
    ids=["unknown", "unknown to all", "expired", "other host", "other name"],
)
async def test_a_certificate_that_is_not_theirs_says_who_must_act(
    tmp_path, context, ca, domain
):
    settings = write_tls(tmp_path, ca=ca, given=papers(OURS))
    async with (
        TlsFhir(HELD, context) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "tls", domain)
    assert server.asked == []


async def test_renewed_files_are_used_without_a_restart(tmp_path):
    first = papers(OURS, "first@z9a01.invalid")
    second = papers(OURS, "second@z9a01.invalid")
    async with (
        TlsFhir(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(server.base_url, tmp_path, write_tls(tmp_path, given=first)) as adapter,
    ):
        await adapter.ask(about())
        assert set(server.shown) == {"first@z9a01.invalid"}
        # The certificate is there already, its key is not yet.
        (tmp_path / "us.pem").write_text(second[0])
        assert ids(await adapter.ask(about())) == FOUND
        assert set(server.shown) == {"first@z9a01.invalid"}
        (tmp_path / "us.key").write_text(second[1])
        server.shown.clear()
        assert ids(await adapter.ask(about())) == FOUND
        assert set(server.shown) == {"second@z9a01.invalid"}
        # From now on nobody vouches for the server.
        OTHER.cert_pem.write_to_path(tmp_path / "theirs.pem")
        assert (await failure(adapter)).reason == "tls"


async def test_files_that_stay_half_renewed_are_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.tls._HALF_RENEWED_S", 0.2)
    async with (
        TlsFhir(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(
            server.base_url, tmp_path, write_tls(tmp_path, given=papers(OURS))
        ) as adapter,
    ):
        await adapter.ask(about())
        (tmp_path / "us.pem").write_text(papers(OURS)[0])
        assert ids(await adapter.ask(about())) == FOUND
        await asyncio.sleep(0.3)
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "tls", "adapter")


def encrypted(key: str) -> str:
    loaded = serialization.load_pem_private_key(key.encode(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    ).decode()


MINE = papers(OURS)


@pytest.mark.parametrize(
    ("spoilt", "name"),
    [
        ("", "us.pem"),
        ("no PEM", "us.pem"),
        (MINE[1], "us.pem"),
        ("ﬁ", "us.key"),
        (papers(OURS)[1], "us.key"),
        (encrypted(MINE[1]), "us.key"),
        (None, "us.key"),
        (None, "theirs.pem"),
        ("no PEM", "theirs.pem"),
        ("", "theirs.pem"),
        ("é", "theirs.pem"),
    ],
)
async def test_papers_that_are_none_are_ours_to_mend(tmp_path, spoilt, name):
    settings = write_tls(tmp_path, given=MINE)
    if spoilt is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(spoilt)
    async with (
        TlsFhir(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        error = await failure(adapter)
    assert (type(error), error.reason, error.domain) == (Unavailable, "tls", "adapter")
    assert "[tls]" in str(error)
    assert server.shown == []


async def test_no_connection_is_shared_with_another_identity(tmp_path):
    transport = AiohttpTransport()
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    first = write_tls(one, given=papers(OURS, "one@z9a01.invalid"))
    second = write_tls(two, given=papers(OURS, "two@z9a01.invalid"))
    async with (
        TlsFhir(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(server.base_url, one, first, transport) as adapter,
        asking(server.base_url, two, second, transport) as another,
    ):
        await adapter.ask(about())
        assert set(server.shown) == {"one@z9a01.invalid"}
        server.shown.clear()
        await another.ask(about())
        assert set(server.shown) == {"two@z9a01.invalid"}
        before = len(server.shown)
        await adapter.ask(about())
        await another.ask(about())
        assert len(server.shown) == before  # the pool is used, each its own
    await transport.aclose()


KEY = key_for("ES384")


@pytest.mark.parametrize(
    ("own", "reason"),
    [(None, None), ("", "tls"), ("theirs", None)],
    ids=["the source's", "nothing", "its own"],
)
async def test_the_token_endpoint_sees_who_we_are_too(tmp_path, own, reason):
    (tmp_path / "env:KEY").write_text(pem_of(KEY))
    context = server_context(THEIRS, client=OURS)
    async with authority(NOW, tls=context, keys=(KEY,)) as who:

        class Both(Guarded, TlsFhir):
            def __init__(self):
                TlsFhir.__init__(self, HELD, server_context(THEIRS, client=OURS))
                self._who, self.refused = who, 0

        settings = write_tls(tmp_path, given=papers(OURS))
        settings += who.settings(f"file:{tmp_path}/env:KEY")
        if own is not None:
            table = write_tls(tmp_path, given=papers(OURS), table="auth.tls")
            settings += table if own else "[auth.tls]\n"
        async with (
            Both() as server,
            asking(server.base_url, tmp_path, settings) as adapter,
        ):
            if reason is None:
                assert ids(await adapter.ask(about())) == FOUND
            else:
                error = await failure(adapter)
                assert (error.reason, error.domain) == (reason, "adapter")
                assert "auth.token_url" in str(error)


async def test_no_error_tells_a_key_or_an_address(tmp_path):
    settings = write_tls(tmp_path, given=papers(OTHER))
    async with (
        TlsFhir(HELD, server_context(THEIRS, client=OURS)) as server,
        asking(server.base_url, tmp_path, settings) as adapter,
    ):
        error = await failure(adapter)
        told = f"{error}{error!r}{vars(adapter._access)}"
    assert "127.0.0.1" not in str(error)
    assert "PRIVATE KEY" not in told


async def test_a_redirect_behind_tls_is_refused_as_any(tmp_path):
    class Elsewhere(TlsFhir):
        async def _reply(self, asked):
            self.wrong.headers = {"Location": "https://169.254.169.254/"}
            return 302, "text/plain", b""

    async with (
        Elsewhere(HELD, server_context(THEIRS)) as server,
        asking(server.base_url, tmp_path, write_tls(tmp_path)) as adapter,
    ):
        error = await failure(adapter)
    assert (type(error), error.reason) == (Refused, "redirect")
