"""An SFTP inbox on OpenSSH: what is taken, what is left, and what becomes of it."""

import asyncio
import json
import os
from hashlib import sha256

import pytest

from adapters.arrivals.sftp_inbox import SftpInbox
from tests.inboxes import knowing, landed, on_its_way, sftp

pytestmark = pytest.mark.parts

OLD = (1_700_000_000, 1_700_000_000)


def put(inbox, name, text="a,b\n1,2\n", *, at=OLD):
    inbox.mkdir(exist_ok=True)
    path = inbox / name
    path.write_text(text)
    os.utime(path, at)
    return path


@pytest.fixture
def place(sshd, tmp_path):
    """Visits `inbox` and brings what it takes into `drops`."""

    class Place:
        inbox = tmp_path / "inbox"
        drops = tmp_path / "drops"

        def way(self, **more):
            return SftpInbox(
                sftp(sshd, self.inbox, **more),
                into=self.drops,
                surroundings=knowing(tmp_path, {"env:KEY": sshd.key}),
            )

        async def visit(self, **more):
            return await self.way(**more).visit()

    found = Place()
    found.inbox.mkdir()
    return found


async def test_what_fits_the_pattern_arrives_whole_and_as_old_as_it_was(place):
    put(place.inbox, "a.csv", "a,b\n1,2\n")
    put(place.inbox, "notes.txt")
    visit = await place.visit()
    assert (visit.taken, visit.refused) == (1, None)
    assert landed(place.drops) == {"a.csv": b"a,b\n1,2\n"}
    assert (place.drops / "a.csv").stat().st_mtime == OLD[0]
    assert (place.inbox / "a.csv").exists()
    assert on_its_way(place.drops) == []


async def test_a_file_of_many_blocks_arrives_to_the_byte(place):
    body = os.urandom(3_000_001)
    (place.inbox / "big.csv").write_bytes(body)
    await place.visit()
    assert landed(place.drops) == {"big.csv": body}


async def test_what_was_taken_is_not_taken_again_by_another_process(place):
    put(place.inbox, "a.csv")
    assert (await place.visit()).taken == 1
    (place.drops / "a.csv").unlink()
    assert (await place.visit()).taken == 0
    assert landed(place.drops) == {}


async def test_a_corrected_file_is_taken_again(place):
    put(place.inbox, "a.csv", "old")
    await place.visit()
    put(place.inbox, "a.csv", "new", at=(OLD[0] + 5, OLD[0] + 5))
    assert (await place.visit()).taken == 1
    assert landed(place.drops) == {"a.csv": b"new"}


async def test_links_folders_and_hidden_files_are_not_taken(place, tmp_path):
    elsewhere = put(tmp_path, "secret.csv")
    (place.inbox / "link.csv").symlink_to(elsewhere)
    (place.inbox / "folder.csv").mkdir()
    put(place.inbox, ".hidden.csv")
    visit = await place.visit()
    assert (visit.taken, visit.refused) == (0, None)
    assert landed(place.drops) == {}


async def test_a_name_that_is_no_text_or_holds_a_path_is_passed_over(place):
    put(place.inbox, "\udcff.csv")
    put(place.inbox, "..\\a.csv")
    put(place.inbox, "line\nend.csv")
    put(place.inbox, "good.csv")
    assert (await place.visit()).refused is None
    assert list(landed(place.drops)) == ["good.csv"]


async def test_a_file_is_taken_once_nobody_has_written_it_for_a_while(place):
    way = place.way(settle_s=0.4)
    put(place.inbox, "a.csv")
    first = await way.visit()
    assert first.taken == 0
    assert first.again_s == 1.0
    put(place.inbox, "a.csv", "longer than it was")
    assert (await way.visit()).taken == 0
    await asyncio.sleep(0.5)
    assert (await way.visit()).taken == 1
    assert landed(place.drops) == {"a.csv": b"longer than it was"}


async def test_a_file_is_taken_once_its_marker_lies_beside_it(place):
    way = place.way(marker=".done", after="delete")
    put(place.inbox, "a.csv")
    assert (await way.visit()).taken == 0
    put(place.inbox, "a.csv.done", "")
    assert (await way.visit()).taken == 1
    assert list(place.inbox.iterdir()) == []


async def test_what_was_taken_is_deleted_there_if_that_is_wanted(place):
    put(place.inbox, "a.csv")
    await place.visit(after="delete")
    assert list(landed(place.drops)) == ["a.csv"]
    assert list(place.inbox.iterdir()) == []


async def test_what_was_taken_is_archived_there_and_never_over_another(place, tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(2):
        put(place.inbox, "a.csv", f"{number}", at=(OLD[0] + number, OLD[0] + number))
        visit = await place.visit(after="archive", archive=str(archive))
        assert visit.refused is None
    assert list(place.inbox.iterdir()) == []
    assert landed(archive) == {"a.csv": b"0", f"a.csv.{OLD[0] + 1}": b"1"}
    assert landed(place.drops) == {"a.csv": b"1"}


async def test_what_could_not_be_deleted_yet_is_deleted_later(place):
    put(place.inbox, "a.csv")
    await place.visit(after="leave")
    visit = await place.visit(after="delete")
    assert visit.taken == 0
    assert list(place.inbox.iterdir()) == []


async def test_what_a_dead_process_had_moved_aside_is_finished_or_put_back(place):
    put(place.inbox, "taken.csv")
    await place.visit()
    (place.inbox / "taken.csv").rename(place.inbox / ".throughline-taken.csv")
    put(place.inbox, ".throughline-new.csv", "never seen")
    visit = await place.visit(after="delete")
    assert visit.refused is None
    assert list(landed(place.inbox)) == ["new.csv"]
    await place.visit(after="delete")
    assert landed(place.drops)["new.csv"] == b"never seen"


async def test_what_lies_aside_is_not_put_over_a_newer_file(place):
    put(place.inbox, "a.csv", "newer")
    put(place.inbox, ".throughline-a.csv", "never seen")
    visit = await place.visit(after="delete")
    assert visit.refused.reason == "incomplete"
    assert landed(place.drops) == {"a.csv": b"newer"}
    assert (place.inbox / ".throughline-a.csv").read_text() == "never seen"


def promise(name, body):
    digest = sha256(body.encode()).hexdigest()
    return json.dumps({"file": name, "sha256": digest.upper(), "rows": 1})


MANIFESTS = {"take": ["*.csv", "*.json"], "manifest": "*.json"}


async def test_a_file_that_is_not_as_promised_does_not_arrive_nor_its_manifest(place):
    put(place.inbox, "a.csv", "a,b\n")
    put(place.inbox, "a.json", promise("a.csv", "something else"))
    way = place.way(**MANIFESTS)
    for _ in range(2):
        visit = await way.visit()
        assert visit.refused.reason == "incomplete"
        assert landed(place.drops) == {}
    put(place.inbox, "a.json", promise("a.csv", "a,b\n"))
    assert (await way.visit()).refused is None
    assert list(landed(place.drops)) == ["a.csv", "a.json"]


async def test_a_manifest_waits_for_what_it_promises(place):
    way = place.way(**MANIFESTS, settle_s=0.3)
    put(place.inbox, "a.json", promise("a.csv", "a"))
    await way.visit()
    await asyncio.sleep(0.4)
    put(place.inbox, "a.csv", "a")
    assert (await way.visit()).taken == 0
    await asyncio.sleep(0.4)
    assert (await way.visit()).taken == 2


async def test_more_files_than_a_visit_takes_are_taken_by_the_next_oldest_first(place):
    for number in (3, 1, 2):
        put(place.inbox, f"{number}.csv", at=(OLD[0] + number, OLD[0] + number))
    way = place.way(visit_files=2)
    visit = await way.visit()
    assert (visit.taken, visit.again_s) == (2, 0.0)
    assert list(landed(place.drops)) == ["1.csv", "2.csv"]
    visit = await way.visit()
    assert (visit.taken, visit.again_s) == (1, None)


async def test_a_file_from_the_future_is_as_old_as_its_arrival(place):
    put(place.inbox, "a.csv", at=(4_000_000_000, 4_000_000_000))
    await place.visit()
    assert (place.drops / "a.csv").stat().st_mtime < 3_900_000_000
