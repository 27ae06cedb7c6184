"""The rules of the life of policy once more, on PostgreSQL: the very same tests."""

import pytest

from tests.parts.stores import new_database
from tests.policy_store import office_at
from tests.spec.policies.test_policy_drafts import *  # noqa: F403 - pytest runs what is named here
from tests.spec.policies.test_policy_lifecycle import *  # noqa: F403 - as above
from tests.spec.policies.test_policy_reminders import *  # noqa: F403 - as above

pytestmark = pytest.mark.parts


@pytest.fixture
async def office(postgres):
    """An administration of policy on a database of its own."""
    async with office_at(await new_database(postgres)) as opened:
        yield opened
