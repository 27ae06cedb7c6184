"""`throughline policy …` on a gateway's own store, which it only reads."""

import asyncio
import json

import pytest

from gateway.policy_files.opened import Desk
from gateway.settings import load_settings
from tests import configuration
from tests.filing import run, write
from tests.policy_store import NOW, A, agreement, author, office_at
from tests.unit.decisions.test_entries import decided, written

STORE = configuration.changed("[policy]", '[policy]\nsource = "store"')


@pytest.fixture
def config(tmp_path):
    return configuration.write(tmp_path, STORE)


def url_of(config):
    return load_settings(config, {}).database_url()


async def published(config):
    async with office_at(url_of(config)) as office:
        await office.agreed(agreement(), author(A))


def test_the_set_in_force_is_compared_with_files(config, tmp_path):
    asyncio.run(published(config))
    empty = write(tmp_path, "none.yaml", "")
    ran = run("diff", config, empty, "--json", "--at", NOW.isoformat())
    assert ran.exit_code == 1
    found = json.loads(ran.stdout)["changes"]
    assert {each["kind"] for each in found} == {"newly_refused"}
    assert run("diff", config, config, "--at", NOW.isoformat()).exit_code == 0


def test_lint_looks_at_files_alone(config):
    ran = run("lint", "--config", config)
    assert ran.exit_code == 2
    assert "policy is kept in the store here. Name files" in ran.stderr


def test_the_stores_own_last_decisions_are_replayed(config, tmp_path):
    asyncio.run(written(url_of(config), decided(0), decided(1)))
    asyncio.run(published(config))
    before = {path.name for path in tmp_path.iterdir()}
    ran = run("replay", "--config", config, "--json", "--last", "5")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["replayed"] == 2
    assert before >= {each.name for each in tmp_path.iterdir()} - {
        *("throughline.db-wal", "throughline.db-shm"),
    }


def test_a_store_without_decisions_is_an_error(config):
    asyncio.run(published(config))
    ran = run("replay", "--config", config)
    assert ran.exit_code == 2
    assert "the store holds no recorded decision yet" in ran.stderr


def test_a_store_without_policy_is_an_error(config):
    asyncio.run(written(url_of(config)))
    ran = run("export", config, "--as", "cedar")
    assert ran.exit_code == 2
    assert "the store holds no policy yet" in ran.stderr


def test_a_store_that_is_not_there_is_not_made(config, tmp_path):
    ran = run("export", config, "--as", "cedar")
    assert ran.exit_code == 2
    assert "the store is not there yet" in ran.stderr
    assert not (tmp_path / "throughline.db").exists()


def test_a_store_of_something_else_is_an_error(config, tmp_path):
    (tmp_path / "throughline.db").write_bytes(b"not a database, but as long as one")
    ran = run("export", config, "--as", "cedar")
    assert ran.exit_code == 2
    assert "the store cannot be read" in ran.stderr


@pytest.mark.parametrize(
    "statement", ["UPDATE policy_set SET digest = 'sha256:0'", "DELETE FROM policy_set"]
)
def test_a_set_that_was_tampered_with_is_not_shown(config, statement):
    async def spoil():
        async with office_at(url_of(config)) as office:
            await office.agreed(agreement(), author(A))
            await office.tamper(statement)

    asyncio.run(spoil())
    ran = run("export", config, "--as", "cedar")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "tampered" in ran.stderr


def test_a_desk_does_not_show_its_environment():
    desk = Desk(now=NOW, environ={"SECRET": "hunter2"})
    assert "hunter2" not in repr(desk)
