"""What one visit to an SFTP inbox takes, what it leaves, and why."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.arrivals.inflating import too_large
from adapters.arrivals.landing import Landing, Part, landing
from adapters.arrivals.ledger import Ledger, Taken
from adapters.arrivals.manifest import MANIFEST_BYTES, promised
from adapters.arrivals.settings import Sftp
from adapters.arrivals.sftp import Changed, Listed, Listing, Server, connected
from adapters.arrivals.visiting import Visit, stoppable, to_the_end
from adapters.errors import AdapterError, Refused, Unreadable
from adapters.surroundings import Surroundings

# How many times settle_s a file may take to settle before that is said, and at least.
_PATIENCE: Final = 10
_PATIENCE_S: Final = 600.0


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A file that was not taken yet: since when it is there, and is as it is."""

    listed: Listed
    there: float
    as_it_is: float


class SftpInbox:
    """Visits one inbox; remembers between visits what has still to settle."""

    def __init__(
        self, settings: Sftp, *, into: Path, surroundings: Surroundings
    ) -> None:
        self._settings = settings
        self._into = into
        self._surroundings = surroundings
        self._waiting: dict[str, _Waiting] = {}
        # Of files that are not what their manifest promises: as long as neither is
        # another, they are not fetched again to see the same.
        self._broken: dict[str, tuple[Listed, str]] = {}

    async def visit(self) -> Visit:
        """Takes what is ready; see `visiting.Way`."""
        path = self._surroundings.state / "arrivals.jsonl"
        with ExitStack() as held:
            place = await stoppable(
                lambda stop: held.enter_context(
                    landing(self._into, waits=lambda: not stop.is_set())
                )
            )
            ledger = await asyncio.to_thread(Ledger.open, path)
            async with connected(self._settings, self._surroundings.secret) as server:
                listing = await server.listing()
                now = asyncio.get_running_loop().time()
                wanted = self._wanted(listing)
                self._look_at(wanted, ledger, now)
                visited = _Round(
                    settings=self._settings,
                    server=server,
                    place=place,
                    ledger=ledger,
                    now=self._surroundings.now(),
                    ready={n for n in wanted if self._is_ready(n, listing, now)},
                    broken=self._broken,
                )
                await visited.tidy(listing)
                await visited.take(wanted)
        return self._judged(visited, now)

    def _wanted(self, listing: Listing) -> dict[str, Listed]:
        settings = self._settings
        return {n: each for n, each in listing.files.items() if settings.takes(n)}

    def _look_at(self, wanted: dict[str, Listed], ledger: Ledger, now: float) -> None:
        """Brings up to date what is waited for."""
        was, self._waiting = self._waiting, {}
        for name, listed in wanted.items():
            if is_taken(listed, ledger):
                continue
            found = was.get(name) or _Waiting(listed=listed, there=now, as_it_is=now)
            if found.listed != listed:
                found = _Waiting(listed=listed, there=found.there, as_it_is=now)
            self._waiting[name] = found
        self._broken = {n: b for n, b in self._broken.items() if n in wanted}

    def _is_ready(self, name: str, listing: Listing, now: float) -> bool:
        """Whether nobody writes the file any more."""
        waiting = self._waiting.get(name)
        if waiting is None:
            return True
        if self._settings.marker is not None:
            return name + self._settings.marker in listing.files
        return now - waiting.as_it_is >= self._settings.settle_s

    def _judged(self, visited: "_Round", now: float) -> Visit:
        for name in visited.taken:
            self._waiting.pop(name, None)
        refused = visited.refused
        patience = max(_PATIENCE * self._settings.settle_s, _PATIENCE_S)
        if any(now - each.there > patience for each in self._waiting.values()):
            message = (
                "a file in the inbox is still being written, or what says that it is "
                "whole has not come. Ask its sender."
            )
            refused = refused or Unreadable("incomplete", message)
        again_s = None
        if visited.is_cut_short:
            again_s = 0.0
        elif self._waiting and refused is None:
            again_s = max(self._settings.settle_s, 1.0)
        return Visit(taken=len(visited.taken), refused=refused, again_s=again_s)


def is_taken(listed: Listed, ledger: Ledger) -> bool:
    """Whether the file was taken as it is now."""
    taken = ledger.get(listed.name)
    return taken is not None and listed.is_like(taken.size, taken.modified)


@dataclass(slots=True, kw_only=True)
class _Round:
    """The files of one visit, one after the other."""

    settings: Sftp
    server: Server
    place: Landing
    ledger: Ledger
    now: datetime
    ready: set[str]
    broken: dict[str, tuple[Listed, str]]
    taken: list[str] = field(default_factory=list)
    refused: AdapterError | None = None
    is_cut_short: bool = False

    async def tidy(self, listing: Listing) -> None:
        """Finishes what a process that died had begun to put away."""
        for name, listed in listing.aside.items():
            try:
                if is_taken(listed, self.ledger):
                    await self.server.finish(listed)
                else:
                    await self.server.put_back(name)
            except Changed:
                continue
            except (Refused, Unreadable) as error:
                self.refused = error

    async def take(self, wanted: dict[str, Listed]) -> None:
        """Takes what is ready: oldest first, and manifests after what they promise."""
        await to_the_end(lambda: self.ledger.keep_only(frozenset(wanted)))
        promises = await self._promises(wanted)
        digests = {name: d for each in promises.values() for name, d in each.items()}
        for listed in sorted(wanted.values(), key=self._turn):
            if len(self.taken) >= self.settings.visit_files:
                self.is_cut_short = True
                return
            pending = [wanted[n] for n in promises.get(listed.name, {}) if n in wanted]
            if listed.name in self.ready and all(map(self._has, pending)):
                await self._one(listed, digests.get(listed.name))

    def _turn(self, listed: Listed) -> tuple[bool, int, str]:
        return self.settings.is_manifest(listed.name), listed.modified, listed.name

    def _has(self, listed: Listed) -> bool:
        return is_taken(listed, self.ledger)

    async def _promises(self, wanted: dict[str, Listed]) -> dict[str, dict[str, str]]:
        """What each manifest that is not taken yet says, by its name."""
        found = {}
        for listed in wanted.values():
            if not self.settings.is_manifest(listed.name) or self._has(listed):
                continue
            try:
                found[listed.name] = promised(
                    await self.server.whole(listed, MANIFEST_BYTES)
                )
            except Changed:
                self.ready.discard(listed.name)
            except (Refused, Unreadable) as error:
                self.ready.discard(listed.name)
                self.refused = error
        return found

    async def _one(self, listed: Listed, digest: str | None) -> None:
        """Takes one file, or notes why not; only what spoils all the rest is raised."""
        try:
            if not self._has(listed):
                await self._fetch(listed, digest)
                self.taken.append(listed.name)
            if self.settings.after != "leave":
                await self.server.put_away(listed)
                if self.settings.marker is not None:
                    await self.server.remove(listed.name + self.settings.marker)
        except Changed:
            return  # it is looked at again at the next visit
        except (Refused, Unreadable) as error:
            self.refused = error

    async def _fetch(self, listed: Listed, digest: str | None) -> None:
        if listed.size > self.settings.file_bytes:
            raise too_large()
        if digest is not None and self.broken.get(listed.name) == (listed, digest):
            raise _not_as_promised()
        with self.place.part() as part:
            await self.server.fetch(listed, part.write)
            if digest is not None and part.sha256 != digest:
                self.broken[listed.name] = (listed, digest)
                raise _not_as_promised()
            await to_the_end(lambda: self._keep(listed, part))

    def _keep(self, listed: Listed, part: Part) -> None:
        modified = min(datetime.fromtimestamp(listed.modified, UTC), self.now)
        self.place.keep(part, listed.name, modified=modified)
        taken = Taken(
            size=listed.size,
            modified=listed.modified,
            sha256=part.sha256,
            stored=listed.name,
        )
        self.ledger.note(listed.name, taken)


def _not_as_promised() -> Unreadable:
    message = (
        "a file in the inbox is not what its manifest promises. Have both sent again."
    )
    return Unreadable("incomplete", message)
