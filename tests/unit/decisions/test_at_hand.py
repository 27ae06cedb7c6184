"""A past decision is explained by the set it names, wherever that is kept."""

from gateway.decisions.at_hand import set_at_hand
from tests.houses import policy_of
from tests.policy_store import A, R, agreed, agreement, author, office_at, rule
from tests.stores import migrated
from tests.trails import sqlite_url

CURRENT = policy_of(["Z9A01"])


async def test_the_set_in_force_is_at_hand_without_a_store(tmp_path):
    async with migrated(sqlite_url(tmp_path)) as database:
        found = await set_at_hand(CURRENT.version, current=CURRENT, database=database)
        other = await set_at_hand("sha256:aa", current=CURRENT, database=database)
    assert found is CURRENT
    assert other is None


async def test_a_set_that_was_in_force_is_at_hand_for_good(tmp_path):
    async with office_at(sqlite_url(tmp_path)) as office:
        await agreed(office.admin, agreement(), author(R))
        before = (await office.admin.active()).set_version
        await agreed(office.admin, rule(A), author(A))
        after = (await office.admin.active()).set_version
        assert before != after
        found = await set_at_hand(before, current=CURRENT, database=office.database)
    assert found is not None
    assert found.version == before


async def test_a_set_that_was_tampered_with_is_not_believed(tmp_path, capsys):
    async with office_at(sqlite_url(tmp_path)) as office:
        await agreed(office.admin, agreement(), author(R))
        version = (await office.admin.active()).set_version
        await office.tamper("UPDATE policy_set SET digest = 'sha256:00'")
        found = await set_at_hand(version, current=CURRENT, database=office.database)
    assert found is None
    assert "policy_set_invalid" in capsys.readouterr().out


async def test_a_set_of_another_engine_is_not_ours_to_decide_by(tmp_path):
    async with office_at(sqlite_url(tmp_path)) as office:
        await agreed(office.admin, agreement(), author(R))
        version = (await office.admin.active()).set_version
        await office.tamper("UPDATE policy_set SET engine = '0'")
        found = await set_at_hand(version, current=CURRENT, database=office.database)
    assert found is None


async def test_without_its_store_a_decision_is_told_as_recorded(tmp_path):
    async with migrated(sqlite_url(tmp_path)) as database:
        await database.transact(
            lambda store: store.exec_driver_sql("ALTER TABLE policy_set RENAME TO x")
        )
        assert (
            await set_at_hand("sha256:aa", current=CURRENT, database=database) is None
        )
