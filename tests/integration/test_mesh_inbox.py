"""A MESH mailbox, on NHS England's sandbox: what is taken, and what is left there."""

import asyncio
import gzip
import os

import pytest

from adapters.arrivals.mesh_inbox import MeshInbox
from adapters.errors import Refused
from tests.inboxes import knowing, landed, mesh_secrets, on_its_way
from tests.inboxes import mesh as settings_of

pytestmark = pytest.mark.parts


@pytest.fixture
def place(mesh, tmp_path):
    """Visits the mailbox and brings what it takes into `drops`."""

    class Place:
        drops = tmp_path / "drops"

        def way(self, **more):
            return MeshInbox(
                settings_of(mesh, **more),
                into=self.drops,
                surroundings=knowing(tmp_path, mesh_secrets(mesh)),
            )

        async def visit(self, **more):
            return await self.way(**more).visit()

    return Place()


async def sent(mesh, body, **said):
    return await asyncio.to_thread(lambda: mesh.send(body, **said))


async def waiting(mesh):
    return await asyncio.to_thread(mesh.waiting)


async def test_a_message_arrives_under_its_own_name_and_is_acknowledged(mesh, place):
    message = await sent(mesh, b"a,b\n1,2\n", filename="discharges.csv")
    visit = await place.visit()
    assert (visit.taken, visit.refused, visit.reports) == (1, None, 0)
    assert landed(place.drops) == {f"discharges.{message}.csv": b"a,b\n1,2\n"}
    assert await waiting(mesh) == []
    assert on_its_way(place.drops) == []


async def test_two_messages_of_one_name_are_two_files(mesh, place):
    for body in (b"1", b"2"):
        await sent(mesh, body, filename="discharges.csv")
    assert (await place.visit()).taken == 2
    assert sorted(landed(place.drops).values()) == [b"1", b"2"]


async def test_a_later_message_takes_the_place_of_one_of_the_same_name_if_so_said(
    mesh, place
):
    for body in (b"1", b"2"):
        await sent(mesh, body, filename="discharges.csv")
    assert (await place.visit(names="sender")).taken == 2
    assert landed(place.drops) == {"discharges.csv": b"2"}


async def test_a_name_that_no_source_reads_is_made_one_that_it_reads(mesh, place):
    message = await sent(mesh, b"1", filename="../../etc/X26ABC1_0001.dat")
    await place.visit()
    assert list(landed(place.drops)) == [f"X26ABC1_0001.{message}.csv"]


async def test_a_message_without_a_name_is_called_by_its_id(mesh, place):
    message = await sent(mesh, b"1")
    await place.visit()
    assert list(landed(place.drops)) == [f"{message}.csv"]


async def test_a_message_in_chunks_arrives_in_one_piece(mesh, place):
    body = os.urandom(300_000)
    await sent(mesh, body, max_chunk_size=70_000, filename="a.csv")
    await place.visit()
    assert list(landed(place.drops).values()) == [body]


async def test_chunks_compressed_each_for_itself_arrive_in_one_piece(mesh, place):
    body = b"a,b\n1,2\n" * 40_000
    await sent(mesh, body, max_chunk_size=70_000, compress=True, filename="a.csv")
    await place.visit()
    assert list(landed(place.drops).values()) == [body]


async def test_what_the_sender_compressed_is_taken_out(mesh, place):
    await sent(mesh, gzip.compress(b"a,b\n"), compressed=True, filename="a.csv")
    await place.visit()
    assert list(landed(place.drops).values()) == [b"a,b\n"]


async def test_what_is_of_another_workflow_is_left_for_others(mesh, place):
    message = await sent(mesh, b"1", workflow_id="TEST_WORKFLOW2")
    way = place.way()
    for _ in range(2):
        visit = await way.visit()
        assert (visit.taken, visit.refused) == (0, None)
    assert await waiting(mesh) == [message]
    assert landed(place.drops) == {}


async def test_a_report_is_counted_and_left_there(mesh, place):
    await asyncio.to_thread(mesh.report)
    await sent(mesh, b"1")
    way = place.way()
    assert (await way.visit()).reports == 1
    visit = await way.visit()
    assert (visit.reports, visit.taken) == (1, 0)
    assert len(landed(place.drops)) == 1
    assert len(await waiting(mesh)) == 1


async def test_an_encrypted_message_is_left_there_and_told(mesh, place):
    message = await sent(mesh, b"1", encrypted=True)
    visit = await place.visit()
    assert visit.refused.reason == "unreadable"
    assert await waiting(mesh) == [message]


async def test_a_message_that_is_too_large_spoils_no_other(mesh, place):
    large = await sent(mesh, os.urandom(5000), filename="a.csv")
    await sent(mesh, b"123", filename="b.csv")
    visit = await place.visit(file_bytes=1000)
    assert (visit.taken, visit.refused.reason) == (1, "too_large")
    assert list(landed(place.drops).values()) == [b"123"]
    assert on_its_way(place.drops) == []
    assert await waiting(mesh) == [large]


async def test_what_grows_a_thousandfold_is_stopped(mesh, place):
    await sent(mesh, bytes(20_000_000), compress=True, filename="a.csv")
    visit = await place.visit(file_bytes=1_000_000)
    assert visit.refused.reason == "too_large"
    assert landed(place.drops) == {}


async def test_more_messages_than_a_visit_takes_are_taken_by_the_next(mesh, place):
    for number in range(3):
        await sent(mesh, b"1", filename=f"{number}.csv")
    way = place.way(visit_files=2)
    visit = await way.visit()
    assert (visit.taken, visit.again_s) == (2, 0.0)
    assert (await way.visit()).taken == 1


async def test_a_message_is_as_old_as_its_acceptance(mesh, place):
    await sent(mesh, b"1", filename="a.csv")
    await place.visit()
    (path,) = (p for p in place.drops.iterdir() if p.suffix == ".csv")
    assert path.stat().st_mtime == int(path.stat().st_mtime)


@pytest.mark.parametrize("wrong", ["env:PASSWORD", "env:SHARED_KEY"])
async def test_a_wrong_word_is_refused_and_told(mesh, tmp_path, wrong):
    secrets = {**mesh_secrets(mesh), wrong: "wrong"}
    way = MeshInbox(
        settings_of(mesh),
        into=tmp_path / "drops",
        surroundings=knowing(tmp_path, secrets),
    )
    with pytest.raises(Refused) as caught:
        await way.visit()
    assert (caught.value.reason, caught.value.domain) == ("credentials", "adapter")
