"""Files arrive in a source's directory, by the way its source file names."""

import asyncio
from pathlib import Path

from adapters.arrivals.settings import ArrivalSettings, Directory, Mesh, Sftp
from adapters.arrivals.state import ArrivalState
from adapters.arrivals.visiting import Rounds, Way
from adapters.arrivals.watching import Changed, Watch
from adapters.surroundings import Surroundings


async def arriving(
    settings: ArrivalSettings,
    *,
    into: Path,
    surroundings: Surroundings,
    changed: Changed,
    state: ArrivalState | None = None,
) -> None:
    """Until cancelled: brings new files into `into`, each whole or not at all.

    `changed` is called once at the start, if the directory is there, and after each
    change of its files. Raises nothing of its own: what goes wrong is noted in
    `state`, whose caveats the source's answers carry, and tried again.
    """
    watch = Watch(into, poll_s=settings.poll_s, changed=changed)
    if isinstance(settings, Directory):
        await watch.run()
        return
    rounds = Rounds(
        every_s=settings.every_s,
        visit_s=settings.visit_s,
        state=state or ArrivalState(),
        now=surroundings.now,
        arrived=watch.look,
    )
    # What it imports takes longer than the event loop may be held up.
    way = await asyncio.to_thread(
        way_of, settings, into=into, surroundings=surroundings
    )
    async with asyncio.TaskGroup() as together:
        together.create_task(watch.run())
        together.create_task(rounds.run(way))


def way_of(settings: Sftp | Mesh, *, into: Path, surroundings: Surroundings) -> Way:
    """The inbox that the settings name. Nothing is connected to yet."""
    if not settings.take:
        settings = settings.model_copy(update={"take": ("*",)})
    if isinstance(settings, Sftp):
        from adapters.arrivals.sftp_inbox import (  # noqa: PLC0415 - slow to import
            SftpInbox,
        )

        return SftpInbox(settings, into=into, surroundings=surroundings)
    from adapters.arrivals.mesh_inbox import (  # noqa: PLC0415 - it needs the extra
        MeshInbox,
    )

    return MeshInbox(settings, into=into, surroundings=surroundings)
