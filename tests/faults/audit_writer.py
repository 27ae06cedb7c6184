"""A process that appends without end and says which records it was told are durable.

Run by test_audit_kill.py, which kills it.
"""

import asyncio
import sys
from pathlib import Path

from tests.trails import intent, sqlite_url, trail_at


async def caller(trail, name):
    n = 0
    while True:
        n += 1
        entry = await trail.append(intent(f"{name}.{n}"))
        # One write each, so that a line is whole or not there.
        sys.stdout.write(f"{entry.n} {name}.{n}\n")
        sys.stdout.flush()


async def main(folder, name):
    trail = trail_at(sqlite_url(Path(folder)), write_s=30)
    await trail.start("0.1.0")
    await asyncio.gather(*(caller(trail, f"{name}.{each}") for each in range(25)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
