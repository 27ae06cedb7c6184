"""A process that changes policy without end and says what it was told is done.

Run by test_policy_kill.py, which kills it.
"""

import asyncio
import sys
from pathlib import Path

from tests.policy_store import A, Office, R, agreed, agreement, author, clause
from tests.trails import sqlite_url


async def main(folder):
    office = Office(url=sqlite_url(Path(folder)))
    await office.trail.start("0.1.0")
    await office.admin.start()
    number = 0
    while True:
        number += 1
        document = agreement(
            clause(why=f"Reason {number}"), providers=(A,), recipients=(R,)
        )
        stored = await agreed(office.admin, document, author(A))
        # One write each, so that a line is whole or not there.
        sys.stdout.write(f"{stored.version}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
