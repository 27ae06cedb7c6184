"""The keys of a site: made once, renewed with overlap, told apart by fingerprint."""

import json
import stat

import pytest
from typer.testing import CliRunner

from adapters.site.fingerprint import fingerprint
from adapters.site.keys import own_keys, pinned_keys
from gateway import cli

SITE = "z9b02-site"


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "keys"


def enrolled(keys):
    ran = run("site", "enrol", SITE, "--into", keys)
    assert ran.exit_code == 0
    return ran.stdout


def own(keys):
    return own_keys((keys / "private.jwks").read_text("ascii"))


def handed(keys, name="public.jwks"):
    return pinned_keys((keys / name).read_text("ascii"))


def test_keys_are_made_for_their_owner_alone(keys):
    told = enrolled(keys)
    for name in ("private.jwks", "public.jwks"):
        assert stat.S_IMODE((keys / name).stat().st_mode) == 0o600
    assert set(own(keys).signing) == set(handed(keys).signing)
    assert fingerprint(SITE, handed(keys)) in told
    secret = json.loads((keys / "private.jwks").read_text())["keys"][0]["d"]
    assert secret not in told
    assert handed(keys).signs.kid in told
    assert sorted(each.name for each in keys.iterdir()) == [
        "private.jwks",
        "public.jwks",
    ]


@pytest.mark.parametrize("command", [("enrol", SITE), ("keys",)])
@pytest.mark.parametrize("name", ["private.jwks", "public.jwks"])
def test_keys_are_never_written_over(keys, name, command):
    keys.mkdir()
    (keys / name).write_text("mine")
    ran = run("site", *command, "--into", keys)
    assert (ran.exit_code, "never written over" in ran.stderr) == (2, True)
    assert [each.name for each in keys.iterdir()] == [name]
    assert (keys / name).read_text() == "mine"


@pytest.mark.parametrize("command", [("enrol", SITE), ("keys",)])
def test_a_place_that_holds_no_keys_is_said_in_a_line(tmp_path, command):
    (tmp_path / "file").write_text("")
    ran = run("site", *command, "--into", tmp_path / "file" / "keys")
    assert (ran.exit_code, ran.stderr.count("\n")) == (2, 1)


def test_a_rotation_signs_with_the_old_keys_until_it_is_finished(keys):
    enrolled(keys)
    old = handed(keys)
    ran = run("site", "rotate", SITE, "--into", keys)
    new = handed(keys, "next-public.jwks")
    assert fingerprint(SITE, new) in ran.stdout
    assert own(keys).signs.kid == old.signs.kid
    assert set(own(keys).sealing) == set(old.sealing) | set(new.sealing)
    ran = run("site", "rotate", SITE, "--into", keys, "--finish")
    assert ran.exit_code == 0
    assert own(keys).signs.kid == new.signs.kid
    assert own(keys).seals.kid == new.seals.kid
    assert set(own(keys).sealing) == set(old.sealing) | set(new.sealing)
    assert set(handed(keys).signing) == set(new.signing)
    assert stat.S_IMODE((keys / "private.jwks").stat().st_mode) == 0o600


def test_a_second_rotation_lets_go_of_the_oldest_keys(keys):
    enrolled(keys)
    oldest = handed(keys)
    for _ in range(2):
        assert run("site", "rotate", SITE, "--into", keys).exit_code == 0
        assert run("site", "rotate", SITE, "--into", keys, "--finish").exit_code == 0
    assert len(own(keys).signing) == len(own(keys).sealing) == 2
    assert not set(own(keys).signing) & set(oldest.signing)


def test_a_rotation_cut_short_is_finished_by_finishing_again(keys):
    enrolled(keys)
    run("site", "rotate", SITE, "--into", keys)
    left = (keys / "next-public.jwks").read_text()
    run("site", "rotate", SITE, "--into", keys, "--finish")
    signs = own(keys).signs.kid
    (keys / "next-public.jwks").write_text(left)  # as if it had not been renamed
    assert run("site", "rotate", SITE, "--into", keys, "--finish").exit_code == 0
    assert own(keys).signs.kid == signs


def test_a_rotation_that_cannot_be_is_refused(keys):
    def refused(*more):
        ran = run("site", "rotate", SITE, "--into", keys, *more)
        assert ran.exit_code == 2
        return ran.stderr

    assert "cannot be read" in refused()
    keys.mkdir()
    (keys / "private.jwks").write_text("{}")
    assert "must list its keys" in refused()
    (keys / "private.jwks").unlink()
    enrolled(keys)
    assert "no keys are being renewed" in refused("--finish")
    run("site", "rotate", SITE, "--into", keys)
    assert "have it confirmed" in refused()
    (keys / "next-public.jwks").write_text("{}")
    assert "holds no public keys" in refused("--finish")
    run("site", "enrol", SITE, "--into", keys / "others")
    other = (keys / "others" / "public.jwks").read_text()
    (keys / "next-public.jwks").write_text(other)
    assert "not of the keys beside it" in refused("--finish")


def test_a_fingerprint_is_told_of_public_keys_alone(keys, tmp_path):
    enrolled(keys)
    ran = run("site", "fingerprint", SITE, keys / "public.jwks")
    assert ran.stdout.strip() == fingerprint(SITE, handed(keys))
    ran = run("site", "fingerprint", SITE, keys / "private.jwks")
    assert (ran.exit_code, "holds a private key" in ran.stderr) == (2, True)
    ran = run("site", "fingerprint", SITE, tmp_path / "none.jwks")
    assert (ran.exit_code, "cannot be read" in ran.stderr) == (2, True)
