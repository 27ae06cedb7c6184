"""The set that a past decision was made under, where it can still be had."""

import asyncio
from functools import partial

from gateway.alarms import raise_alarm
from gateway.policy.kept import Tampered
from gateway.policy.sets import read_set
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from policies.compile import PolicySet


async def set_at_hand(
    version: str, *, current: PolicySet, database: Database
) -> PolicySet | None:
    """The set of that version: the one in force, or one that the store has kept.

    None if it was of files that have changed, or of another engine, and where the
    store cannot tell: then what was recorded is all there is to tell.
    """
    if current.version == version:
        return current
    try:
        kept = await database.read(partial(read_set, version=version))
        if kept is None or not kept.is_of_this_engine:
            return None
        return await asyncio.to_thread(kept.compiled)
    except Tampered:
        raise_alarm("policy_set_invalid", source="store")
        return None
    except FAILURES:
        return None
