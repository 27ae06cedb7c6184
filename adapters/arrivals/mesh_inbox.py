"""What one visit to a MESH mailbox takes, what it leaves, and why.

A message is acknowledged, and so gone from the mailbox, only once its file is on
disk under its name. Killed in between, it is fetched again and put where it lies.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.arrivals.landing import Landing, landing
from adapters.arrivals.ledger import Ledger, Taken
from adapters.arrivals.mesh import (
    Gone,
    Mailbox,
    Message,
    context_of,
    see_that_we_are_let_in,
)
from adapters.arrivals.naming import name_of
from adapters.arrivals.settings import Mesh
from adapters.arrivals.visiting import Visit, stoppable
from adapters.errors import Unavailable, Unreadable
from adapters.surroundings import Surroundings

_LISTED: Final = 10_000
_BROKEN_S: Final = 3600.0  # before a message that cannot be taken is tried again
_GREETED_S: Final = 20 * 3600.0  # MESH asks to be greeted every 24 hours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broken:
    """A message that cannot be taken, why, and until when it is let lie."""

    error: Unreadable
    until: float


class MeshInbox:
    """Visits one mailbox; remembers between visits what in it is not for us."""

    def __init__(
        self, settings: Mesh, *, into: Path, surroundings: Surroundings
    ) -> None:
        self._settings = settings
        self._into = into
        self._surroundings = surroundings
        # A message never changes, so that each is looked at once.
        self._others: set[str] = set()
        self._reports: set[str] = set()
        self._broken: dict[str, _Broken] = {}
        self._greeted: float | None = None

    async def visit(self) -> Visit:
        """Takes what there is of our workflows; see `visiting.Way`."""
        settings, secret = self._settings, self._surroundings.secret
        context = await context_of(settings, secret)

        def work(stop: threading.Event) -> Visit:
            with (
                landing(self._into, waits=lambda: not stop.is_set()) as place,
                Mailbox(settings, secret, context=context, stop=stop) as mailbox,
            ):
                return self._visit(mailbox, place)

        try:
            return await stoppable(work)
        except Unavailable as error:
            if error.reason == "cut":
                await see_that_we_are_let_in(settings, context)
            raise

    def _visit(self, mailbox: Mailbox, place: Landing) -> Visit:
        ledger = Ledger.open(self._surroundings.state / "arrivals.jsonl")
        self._greet(mailbox)
        listed = mailbox.listed(_LISTED)
        self._look_at(frozenset(listed))
        taken = 0
        for message in listed:
            if taken >= self._settings.visit_files:
                return self._visited(taken, again_s=0.0)
            if ledger.get(message) is None:
                taken += self._take(message, mailbox, place=place, ledger=ledger)
            if ledger.get(message) is not None:
                mailbox.acknowledge(message)
        ledger.keep_only(frozenset(listed))
        return self._visited(taken)

    def _greet(self, mailbox: Mailbox) -> None:
        now = time.monotonic()
        if self._greeted is None or now - self._greeted > _GREETED_S:
            mailbox.greet()
            self._greeted = now

    def _look_at(self, listed: frozenset[str]) -> None:
        """Forgets what is not in the mailbox any more, or is to be tried again."""
        self._others &= listed
        self._reports &= listed
        self._broken = {
            message: broken
            for message, broken in self._broken.items()
            if message in listed and broken.until > time.monotonic()
        }

    def _visited(self, taken: int, again_s: float | None = None) -> Visit:
        return Visit(
            taken=taken,
            refused=next((each.error for each in self._broken.values()), None),
            reports=len(self._reports),
            again_s=again_s,
        )

    def _take(
        self, message: str, mailbox: Mailbox, *, place: Landing, ledger: Ledger
    ) -> bool:
        """Whether a message was taken; only what spoils all the rest is raised."""
        known = self._others | self._reports | self._broken.keys()
        if message in known:
            return False
        try:
            with mailbox.opened(message) as opened:
                if opened.is_report:
                    self._reports.add(message)
                elif opened.workflow not in self._settings.workflows:
                    self._others.add(message)
                else:
                    self._land(message, opened, place=place, ledger=ledger)
                    return True
        except Gone:
            pass
        except Unreadable as error:
            until = time.monotonic() + _BROKEN_S
            self._broken[message] = _Broken(error=error, until=until)
        return False

    def _land(
        self, message: str, opened: Message, *, place: Landing, ledger: Ledger
    ) -> None:
        if opened.is_encrypted:
            text = "a message is encrypted. Have it sent in clear, within MESH."
            raise Unreadable("unreadable", text)
        unique = self._settings.names != "sender"
        name = name_of(opened.file_name, message, self._settings, unique=unique)
        if not name:
            text = "no name of a message's file fits what the source reads: see pattern"
            raise Unreadable("unreadable", text)
        now = self._surroundings.now()
        modified = min(opened.accepted or now, now)
        with place.part() as part:
            for block in opened.body:
                part.write(block)
            place.keep(part, name, modified=modified)
            taken = Taken(
                size=part.size,
                modified=modified.timestamp(),
                sha256=part.sha256,
                stored=name,
            )
            ledger.note(message, taken)
