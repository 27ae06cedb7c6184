"""A mailbox that fails, lies or falls silent: nothing half arrives, and all is told."""

import asyncio
import gzip
import os
import ssl
import threading
import time

import pytest
import trustme

from adapters.arrivals import mesh as mesh_module
from adapters.arrivals.mesh_inbox import MeshInbox
from adapters.arrivals.settings import Mesh
from adapters.errors import AdapterError, Refused, Unavailable, Unreadable
from tests.inboxes import cutting, knowing, landed, mesh_secrets, on_its_way
from tests.inboxes import mesh as settings_of
from tests.parts.postgres import free_port
from tests.stub_mailbox import ROOT, Reply, stub_mailbox

pytestmark = pytest.mark.fault


@pytest.fixture
def stub():
    with stub_mailbox() as found:
        yield found


@pytest.fixture
def way(stub, tmp_path):
    def made(**more):
        said = {
            "kind": "mesh",
            "url": stub.url,
            "mailbox": "X26ABC2",
            "password": "env:PASSWORD",
            "shared_key": "env:SHARED_KEY",
            "workflows": ["TEST_WORKFLOW"],
            "take": ["*.csv"],
            "silent_s": 2,
        }
        secrets = {"env:PASSWORD": "word", "env:SHARED_KEY": "key"}
        return MeshInbox(
            Mesh.model_validate({**said, **more}),
            into=tmp_path / "drops",
            surroundings=knowing(tmp_path, secrets),
        )

    return made


async def refusal(way) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await way.visit()
    return caught.value


async def broken(way) -> str | None:
    """Why what the mailbox holds was not taken."""
    visit = await way.visit()
    assert visit.taken == 0
    return visit.refused.reason if visit.refused else None


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (401, Refused, "credentials"),
        (403, Refused, "credentials"),
        (302, Refused, "redirect"),
        (400, Unreadable, "unreadable"),
        (404, Unreadable, "unreadable"),
        (429, Unavailable, "busy"),
        (503, Unavailable, "busy"),
        (500, Unavailable, "server_error"),
    ],
)
async def test_a_refusal_is_told_for_what_it_is(way, stub, status, kind, reason):
    headers = {"Location": f"{stub.url}/elsewhere"} if status == 302 else {}
    stub.replies[f"{ROOT}/inbox"] = Reply(status=status, headers=headers)
    error = await refusal(way())
    assert (type(error), error.reason) == (kind, reason)
    assert f"{stub.url}/elsewhere" not in stub.asked


@pytest.mark.parametrize(
    "body",
    [
        b"<html>please sign in</html>",
        b"[]",
        b'{"messages": 3}',
        b'{"messages": ["../../../etc/passwd"]}',
        b'{"messages": ["' + b"A" * 200 + b'"]}',
        b'{"messages": ["\xff"]}',
        b"[" * 100_000,
        b'{"links": {"next": "@example.org/"}}',
        b'{"links": {"next": "/messageexchange/OTHER/inbox"}}',
    ],
)
async def test_a_list_that_is_none_is_told(way, stub, body):
    stub.replies[f"{ROOT}/inbox"] = Reply(body=body)
    error = await refusal(way())
    assert (type(error), error.reason) == (Unreadable, "unreadable")


async def test_a_list_without_end_is_not_followed_without_end(way, stub):
    stub.replies[f"{ROOT}/inbox"] = Reply(
        body=f'{{"links": {{"next": "{ROOT}/inbox?again=1"}}}}'.encode()
    )
    assert (await way().visit()).taken == 0
    assert len([path for path in stub.asked if "/inbox" in path]) == 100


async def test_a_list_of_megabytes_is_not_read_to_its_end(way, stub):
    stub.replies[f"{ROOT}/inbox"] = Reply(body=b" " * 5_000_000)
    error = await refusal(way())
    assert (type(error), error.reason) == (Unreadable, "too_large")


async def test_mesh_is_greeted_once_a_day(way, stub, monkeypatch):
    stub.lists()
    visited = way()
    for _ in range(2):
        await visited.visit()
    assert stub.asked.count(f"POST {ROOT}") == 1
    monkeypatch.setattr("adapters.arrivals.mesh_inbox._GREETED_S", 0.0)
    await visited.visit()
    assert stub.asked.count(f"POST {ROOT}") == 2


async def test_a_greeting_that_is_refused_is_told_and_repeated(way, stub):
    stub.lists()
    stub.replies[f"POST {ROOT}"] = Reply(status=403)
    visited = way()
    for _ in range(2):
        assert (await refusal(visited)).reason == "credentials"
    assert stub.asked == [f"POST {ROOT}"] * 2


async def test_a_message_that_somebody_else_took_is_passed_over(way, stub):
    stub.lists("GONE", "HERE")
    stub.replies[f"{ROOT}/inbox/GONE"] = Reply(status=410)
    stub.holds("HERE")
    visit = await way().visit()
    assert (visit.taken, visit.refused) == (1, None)
    assert stub.acknowledged == ["HERE"]


async def test_what_was_acknowledged_by_somebody_else_is_no_failure(way, stub):
    stub.lists("A")
    stub.holds("A")
    stub.replies[f"{ROOT}/inbox/A/status/acknowledged"] = Reply(status=410)
    assert (await way().visit()).taken == 1


async def test_what_could_not_be_acknowledged_is_taken_only_once(way, stub, tmp_path):
    stub.lists("A")
    stub.holds("A", b"first")
    refused = f"{ROOT}/inbox/A/status/acknowledged"
    stub.replies[refused] = Reply(status=503)
    assert (await refusal(way())).reason == "busy"
    assert list(landed(tmp_path / "drops").values()) == [b"first"]
    del stub.replies[refused]
    stub.asked.clear()
    visit = await way().visit()
    assert (visit.taken, visit.refused) == (0, None)
    assert stub.acknowledged == ["A", "A"]
    assert f"{ROOT}/inbox/A" not in stub.asked


ZIPPED = gzip.compress(b"a,b\n" * 1000)


@pytest.mark.parametrize(
    "how",
    [
        {"body": b"no gzip", "Content_Encoding": "gzip"},
        {"body": ZIPPED[:100] + b"\0\0" + ZIPPED[102:], "Content_Encoding": "gzip"},
        {"body": b"x", "Content_Encoding": "br"},
        {"body": ZIPPED, "Content_Encoding": "gzip, gzip"},
        {"Mex_Chunk_Range": "1:99999"},
        {"Mex_Chunk_Range": "2:3"},
        {"Mex_Chunk_Range": "all of it"},
        {"Mex_Content_Encrypted": "Y"},
    ],
)
async def test_a_message_that_cannot_be_read_is_let_lie_and_told(
    way, stub, tmp_path, how
):
    stub.lists("A")
    stub.holds("A", **how)
    visited = way()
    assert await broken(visited) == "unreadable"
    asked = len(stub.asked)
    assert await broken(visited) == "unreadable"
    assert len(stub.asked) == asked + 1  # the list alone
    assert landed(tmp_path / "drops") == {}
    assert on_its_way(tmp_path / "drops") == []
    assert stub.acknowledged == []


async def test_gzip_that_is_cut_is_not_taken_for_whole(way, stub, tmp_path):
    stub.lists("A")
    stub.holds("A", ZIPPED[:-9], Content_Encoding="gzip")
    assert (await refusal(way())).reason == "cut"
    assert landed(tmp_path / "drops") == {}


async def test_a_body_shorter_than_it_says_is_not_taken_for_whole(way, stub, tmp_path):
    stub.lists("A")
    stub.holds("A", b"only a part").length = 5000
    assert (await refusal(way())).reason in {"cut", "timeout"}
    assert landed(tmp_path / "drops") == {}


async def test_a_second_chunk_that_is_gone_is_not_left_out(way, stub, tmp_path):
    stub.lists("A")
    stub.holds("A", b"first", Mex_Chunk_Range="1:2")
    assert await broken(way()) is None
    assert landed(tmp_path / "drops") == {}
    assert stub.acknowledged == []


async def test_chunks_that_differ_in_their_packing_are_not_joined(way, stub):
    stub.lists("A")
    stub.holds("A", ZIPPED, Mex_Chunk_Range="1:2", Content_Encoding="gzip")
    stub.holds("A/2", b"in clear")
    assert await broken(way()) == "unreadable"


async def test_gzip_within_gzip_is_held_to_its_bound(way, stub, tmp_path):
    stub.lists("A")
    twice = gzip.compress(gzip.compress(bytes(30_000_000)))
    stub.holds("A", twice, Content_Encoding="gzip", Mex_Content_Compressed="Y")
    assert await broken(way(file_bytes=1_000_000)) == "too_large"
    assert on_its_way(tmp_path / "drops") == []


async def test_a_mailbox_that_falls_silent_is_not_waited_for(way, stub):
    ended = threading.Event()
    stub.lists("A")
    reply = stub.holds("A", b"a part")
    reply.length, reply.then = 5000, lambda: ended.wait(20)
    began = time.monotonic()
    assert (await refusal(way(silent_s=0.5))).reason == "timeout"
    assert time.monotonic() - began < 5
    ended.set()


async def test_a_visit_that_is_cancelled_ends_although_the_mailbox_is_silent(
    way, stub, tmp_path
):
    begun, ended = threading.Event(), threading.Event()
    stub.lists("A")
    reply = stub.holds("A", b"a part")
    reply.length = 5000

    def hold() -> None:
        begun.set()
        ended.wait(20)

    reply.then = hold
    task = asyncio.create_task(way(silent_s=1).visit())
    await asyncio.to_thread(begun.wait)
    task.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 4
    assert on_its_way(tmp_path / "drops") == []
    ended.set()


async def test_a_name_that_fits_nothing_is_told(way, stub):
    stub.lists("A")
    stub.holds("A", Mex_FileName="a.csv")
    assert await broken(way(take=["a*b*c.csv"])) == "unreadable"


async def test_a_broken_message_is_tried_again_in_time(way, stub, monkeypatch):
    monkeypatch.setattr("adapters.arrivals.mesh_inbox._BROKEN_S", 0.0)
    visited = way()
    stub.lists("A")
    stub.holds("A", b"x", Content_Encoding="br")
    assert await broken(visited) == "unreadable"
    stub.holds("A", b"x")
    visit = await visited.visit()
    assert (visit.taken, visit.refused) == (1, None)


async def test_mesh_that_is_not_there_is_told(way):
    error = await refusal(way(url=f"http://127.0.0.1:{free_port()}"))
    assert (type(error), error.reason) == (Unavailable, "connect")


async def test_a_secret_stands_in_no_error(way, stub):
    stub.replies[f"{ROOT}/inbox"] = Reply(status=401, body=b"word, key and more")
    told = str(await refusal(way()))
    assert "word," not in told
    assert "key and more" not in told


@pytest.mark.parts
async def test_a_connection_cut_in_the_middle_leaves_nothing(mesh, tmp_path):
    body = os.urandom(500_000)
    await asyncio.to_thread(mesh.send, body, filename="a.csv")
    async with cutting(mesh.port, after=200_000) as port:
        url = f"https://127.0.0.1:{port}"
        assert (await refusal(real(mesh, tmp_path, url=url))).reason == "cut"
    assert landed(tmp_path / "drops") == {}
    assert on_its_way(tmp_path / "drops") == []
    assert (await real(mesh, tmp_path).visit()).taken == 1
    assert list(landed(tmp_path / "drops").values()) == [body]


def real(mesh, tmp_path, *, secrets=None, **more):
    return MeshInbox(
        settings_of(mesh, **more),
        into=tmp_path / "drops",
        surroundings=knowing(tmp_path, {**mesh_secrets(mesh), **(secrets or {})}),
    )


@pytest.mark.parts
async def test_a_server_of_an_unknown_authority_is_not_believed(mesh, tmp_path):
    other = trustme.CA().cert_pem.bytes().decode()
    error = await refusal(real(mesh, tmp_path, secrets={"env:CA": other}))
    assert (error.reason, error.domain) == ("tls", "adapter")


@pytest.mark.parts
async def test_a_certificate_that_mesh_does_not_believe_is_told(mesh, tmp_path):
    ours = trustme.CA().issue_cert("mailbox.example")
    secrets = {
        "env:CERTIFICATE": ours.cert_chain_pems[0].bytes().decode(),
        "env:CLIENT_KEY": ours.private_key_pem.bytes().decode(),
    }
    error = await refusal(real(mesh, tmp_path, secrets=secrets))
    assert (error.reason, error.domain) == ("tls", "adapter")


@pytest.mark.parts
async def test_papers_that_are_none_are_told(mesh, tmp_path):
    error = await refusal(real(mesh, tmp_path, secrets={"env:CLIENT_KEY": "none"}))
    assert (error.reason, error.domain) == ("tls", "adapter")
    assert "[arrival]" in str(error)


@pytest.mark.parts
async def test_only_the_authority_that_is_named_is_believed(mesh, tmp_path):
    context = await mesh_module.context_of(
        settings_of(mesh), mesh_secrets(mesh).__getitem__
    )
    assert context is not None
    adapter = mesh_module._Tls(context)
    adapter.cert_verify(None, mesh.url, True, None)
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode == ssl.CERT_REQUIRED
    adapter.close()
