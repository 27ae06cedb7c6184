"""A file lands whole and under its name, or not at all."""

import contextlib
import os
import resource
import threading
from datetime import UTC, datetime

import pytest

from adapters.arrivals import landing as module
from adapters.arrivals.landing import landing
from adapters.errors import Unavailable
from tests.inboxes import landed, on_its_way

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


def never():
    return False


def land(folder, name, data):
    with landing(folder, waits=never) as place, place.part() as part:
        part.write(data)
        place.keep(part, name, modified=AT)
        return part


def test_a_file_lands_with_its_age_its_digest_and_no_rights_for_others(tmp_path):
    part = land(tmp_path / "drops", "a.csv", b"abc")
    path = tmp_path / "drops" / "a.csv"
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mtime == AT.timestamp()
    assert path.stat().st_mode & 0o077 == 0
    assert part.size == 3
    assert part.sha256.startswith("ba7816bf")


def test_a_file_that_is_not_kept_leaves_nothing(tmp_path):
    with landing(tmp_path, waits=never) as place, place.part() as part:
        part.write(b"abc")
        assert len(on_its_way(tmp_path)) == 1
        assert landed(tmp_path) == {}
    assert on_its_way(tmp_path) == []


def test_a_link_of_that_name_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("untouched")
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / "a.csv").symlink_to(tmp_path / "elsewhere")
    land(drops, "a.csv", b"abc")
    assert not (drops / "a.csv").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "untouched"


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / ".arriving").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable) as caught:
        land(drops, "a.csv", b"abc")
    assert caught.value.reason == "state"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_that_name_is_an_error_that_leaves_nothing(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(Unavailable):
        land(tmp_path, "a.csv", b"abc")
    assert on_its_way(tmp_path) == []


def test_a_directory_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "drops").write_text("no directory")
    with pytest.raises(Unavailable) as caught:
        land(tmp_path / "drops", "a.csv", b"abc")
    assert (caught.value.reason, caught.value.domain) == ("state", "adapter")


def test_what_a_process_that_died_left_is_swept_away(tmp_path):
    with landing(tmp_path, waits=never):
        pass
    (tmp_path / ".arriving" / "0123").write_text("half")
    with landing(tmp_path, waits=never):
        assert on_its_way(tmp_path) == []


@contextlib.contextmanager
def files_of_at_most(size):
    """As if the disk were full; the process may write no file beyond this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_an_error_that_leaves_nothing(tmp_path):
    with files_of_at_most(1000), pytest.raises(Unavailable) as caught:
        land(tmp_path, "a.csv", bytes(2000))
    assert caught.value.reason == "state"
    assert landed(tmp_path) == {}
    assert on_its_way(tmp_path) == []


def test_the_last_of_a_disk_is_left_to_others(tmp_path, monkeypatch):
    free = os.statvfs(tmp_path)
    spare = free.f_bavail * free.f_frsize + (1 << 30)
    monkeypatch.setattr(module, "_SPARE", spare)
    with pytest.raises(Unavailable):
        land(tmp_path, "a.csv", b"a")


def test_whoever_lands_files_has_the_directory_for_itself(tmp_path):
    with landing(tmp_path, waits=never):
        with pytest.raises(Unavailable) as caught, landing(tmp_path, waits=never):
            pass
        assert caught.value.reason == "busy"
        waited = threading.Event()
        landing_too = threading.Event()

        def waits() -> bool:
            waited.set()
            return True

        def wait() -> None:
            with landing(tmp_path, waits=waits):
                landing_too.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert waited.wait(5)
        assert not landing_too.is_set()
    thread.join(5)
    assert landing_too.is_set()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    with landing(tmp_path, waits=never) as place:
        (tmp_path / ".arriving" / "lock").unlink()
        (tmp_path / ".arriving").rmdir()
        with pytest.raises(Unavailable), place.part():
            pass
