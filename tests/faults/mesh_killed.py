"""Takes what a mailbox holds, and stops at a moment where it is to be killed.

Called with where things are, as JSON; says on a line of its own when it is there.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from adapters.arrivals import landing, ledger, mesh
from adapters.arrivals.mesh_inbox import MeshInbox
from adapters.arrivals.settings import Mesh
from tests.inboxes import knowing


def stop(*_args, **_given) -> None:
    print("there", flush=True)  # noqa: T201 - its parent reads it
    time.sleep(600)


MOMENTS = {
    "written, not yet named": (landing.Landing, "keep"),
    "named, not yet noted": (ledger.Ledger, "note"),
    "noted, not yet acknowledged": (mesh.Mailbox, "acknowledge"),
}


def main() -> None:
    """Never ends by itself, but where there is nothing to take."""
    said = json.loads(sys.argv[1])
    owner, name = MOMENTS[said["moment"]]
    setattr(owner, name, stop)
    folder = Path(said["folder"])
    way = MeshInbox(
        Mesh.model_validate(said["settings"]),
        into=folder / "drops",
        surroundings=knowing(folder, said["secrets"]),
    )
    asyncio.run(way.visit())


if __name__ == "__main__":
    main()
