"""The life of policy: the one way in which a document, or the set in force, changes.

Every change is read, decided and written under one number that all of them move on,
together with its audit record: two that meet are never both done on what one saw.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from sqlalchemy.engine import Connection

from gateway.access.requester import Requester
from gateway.audit.records import Change
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.policy import transitions
from gateway.policy.approvals import Yes, person_of
from gateway.policy.edit import (
    GATEWAY,
    Edit,
    Removal,
    edit_of,
    made,
    published,
    write,
)
from gateway.policy.kept import Head, Stale, Tampered, read_snapshot
from gateway.policy.occasion import Known, Occasion, Snapshot, Stored
from gateway.policy.sets import (
    KeptSet,
    KeptTurns,
    Turn,
    kept_turns,
    read_set,
    recent_turns,
    turns_at,
)
from gateway.policy.states import Kind, Version
from gateway.problems import RequestError
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from gateway.store.idempotency import Keyed, made_by
from policies.analysis.replay import Recorded
from policies.canonical import canonical_json
from policies.clauses import Agreement, LocalRule
from policies.documents import as_data

# So often a change is tried again because another came between; each reads anew.
_TRIES: Final = 20

_T = TypeVar("_T")
Act = Callable[[Occasion], Sequence[Version] | Removal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of a list, and after which it goes on; None: it ends here."""

    items: tuple[Stored, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Which version is to come back, and the caller's name for the request."""

    version: int
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What of a gateway a change of policy touches or needs.

    `follow` is told of a new set, so that this replica decides the next request by
    it; `recorded` gives the decisions that a draft is tried on.
    """

    known: Known = Known()  # noqa: RUF009 - frozen, and the same for all
    follow: Callable[[], Awaitable[None]] | None = None
    recorded: Callable[[], Awaitable[Sequence[Recorded]]] | None = None


class PolicyAdmin:
    """Agreements and local rules, each seen and changed for one's own organisation.

    Refusals are RequestError: not-permitted without the scope; not-found for what is
    another's; policy-unavailable and audit-unavailable where nothing can be done.
    Whatever takes an `if_match` refuses with precondition-required without it, and
    with precondition-failed if it names no version as it is now.
    """

    def __init__(
        self,
        database: Database,
        trail: Trail,
        clock: Clock,
        *,
        around: Around | None = None,
    ) -> None:
        self._database = database
        self._trail = trail
        self._clock = clock
        self._around = around or Around()

    async def start(self) -> None:
        """See to it that a set is in force: at first one that grants nothing.

        A set of another engine or vocabulary is put in force again under ours, and
        one that is not what the documents come to is put right.
        """
        for _ in range(_TRIES):
            edit = await self._beginning()
            if edit is None:
                return
            try:
                await self._trail.change(partial(write, edit))
            except Stale:
                continue  # another replica began at the same time
            return

    async def create(
        self,
        kind: Kind,
        document: Agreement | LocalRule,
        *,
        actor: Requester,
        key: str | None = None,
    ) -> Stored:
        """A new draft: of a new document, or the next version of one.

        RequestError document-invalid, conflict, idempotency-mismatch.
        """
        actor.require("policy:write")
        sent = {"create": kind, "document": as_data(document)}
        return await self._changed(
            actor,
            "create",
            lambda on: (transitions.created(on, document),),
            keyed=self._keyed(actor, key, sent),
        )

    async def rollback(
        self,
        kind: Kind,
        identity: str,
        *,
        actor: Requester,
        if_match: str | None,
        to: Earlier,
    ) -> Stored:
        """An earlier version's text as a new draft; as `create`."""
        actor.require("policy:write")
        sent = {"rollback": kind, "id": identity, "version": to.version}

        def act(on: Occasion) -> Sequence[Version]:
            version = on.meant(kind, identity, if_match)
            return (transitions.rolled_back(on, version, to.version),)

        keyed = self._keyed(actor, to.key, sent)
        return await self._changed(actor, "rollback", act, keyed=keyed)

    async def replace(
        self,
        kind: Kind,
        identity: str,
        document: Agreement | LocalRule,
        *,
        actor: Requester,
        if_match: str | None,
    ) -> Stored:
        """A draft with another text. RequestError document-invalid, conflict."""
        actor.require("policy:write")

        def act(on: Occasion) -> Sequence[Version]:
            draft = on.meant(kind, identity, if_match)
            return (transitions.replaced(on, draft, document),)

        return await self._changed(actor, "replace", act)

    async def delete(
        self, kind: Kind, identity: str, *, actor: Requester, if_match: str | None
    ) -> None:
        """A draft is gone. RequestError in-use for what was ever submitted."""
        actor.require("policy:write")

        def act(on: Occasion) -> Removal:
            draft = on.meant(kind, identity, if_match)
            return Removal(version=transitions.deleted(on, draft))

        await self._done(actor, "delete", act)

    async def submit(
        self, kind: Kind, identity: str, *, actor: Requester, if_match: str | None
    ) -> Stored:
        """A draft offered to its parties. RequestError gate-failed, conflict."""
        actor.require("policy:write")
        known = await self.known()

        def act(on: Occasion) -> Sequence[Version]:
            draft = on.meant(kind, identity, if_match)
            return (transitions.submitted(replace(on, known=known), draft),)

        return await self._changed(actor, "submit", act)

    async def approve(
        self,
        kind: Kind,
        identity: str,
        *,
        actor: Requester,
        if_match: str | None,
        yes: Yes,
    ) -> Stored:
        """A version with the actor's signature. RequestError conflict."""
        actor.require("policy:approve")

        def act(on: Occasion) -> Sequence[Version]:
            return (transitions.signed(on, on.meant(kind, identity, if_match), yes),)

        return await self._changed(actor, "approve", act)

    async def reject(
        self, kind: Kind, identity: str, *, actor: Requester, if_match: str | None
    ) -> Stored:
        """A submitted version that a party will not have. RequestError conflict."""
        actor.require("policy:approve")

        def act(on: Occasion) -> Sequence[Version]:
            return (transitions.rejected(on, on.meant(kind, identity, if_match)),)

        return await self._changed(actor, "reject", act)

    async def suspend(
        self,
        kind: Kind,
        identity: str,
        *,
        actor: Requester,
        if_match: str | None,
        yes: Yes | None = None,
    ) -> Stored:
        """The actor's organisation's own clauses at rest. RequestError conflict."""
        actor.require("policy:approve")

        def act(on: Occasion) -> Sequence[Version]:
            version = on.meant(kind, identity, if_match)
            return transitions.suspended(on, version, yes or Yes())

        return await self._changed(actor, "suspend", act)

    async def resume(
        self,
        kind: Kind,
        identity: str,
        *,
        actor: Requester,
        if_match: str | None,
        yes: Yes | None = None,
    ) -> Stored:
        """They count again, once enough people said so. RequestError conflict."""
        actor.require("policy:approve")

        def act(on: Occasion) -> Sequence[Version]:
            version = on.meant(kind, identity, if_match)
            return transitions.resumed(on, version, yes or Yes())

        return await self._changed(actor, "resume", act)

    async def read(
        self,
        kind: Kind,
        identity: str,
        *,
        actor: Requester,
        version: int | None = None,
    ) -> Stored:
        """A version, by default the newest that the actor may see."""
        on = await self._reading(actor)
        return on.stored(on.found(kind, identity, version))

    async def versions(
        self, kind: Kind, identity: str, *, actor: Requester
    ) -> list[Stored]:
        """Every version that the actor may see, the newest first."""
        on = await self._reading(actor)
        return [on.stored(each) for each in reversed(on.held(kind, identity))]

    async def listed(
        self, kind: Kind, *, actor: Requester, cursor: str | None, limit: int
    ) -> Page:
        """The newest version of each document, by id; after the id that is a cursor."""
        on = await self._reading(actor)
        found = [each for each in on.newest(kind) if cursor is None or each.id > cursor]
        page = found[:limit]
        return Page(
            items=tuple(on.stored(each) for each in page),
            next=page[-1].id if len(found) > limit else None,
        )

    async def known(self) -> Known:
        """What the gate is to know, with the decisions that were recorded lately."""
        if self._around.recorded is None:
            return self._around.known
        recorded = await self._around.recorded()
        return replace(self._around.known, recorded=tuple(recorded))

    async def occasion(self, actor: Requester) -> Occasion:
        """The documents as they are now, for an analysis that writes nothing."""
        return Occasion(
            snapshot=await self.snapshot(),
            actor=actor,
            now=self._clock.now(),
            known=await self.known(),
        )

    async def snapshot(self) -> Snapshot:
        """All documents of this moment, whoever may see them."""
        return await self._read(read_snapshot)

    async def sets(self, *, before: int | None = None, limit: int = 50) -> list[Turn]:
        """The turns of sets, the newest first; of a lower sequence than `before`."""
        return await self._read(partial(recent_turns, before=before, limit=limit))

    async def active(self) -> Turn:
        """The turn of the set in force now."""
        now = self._clock.now()
        turns = await self._read(partial(turns_at, now=now))
        if not turns:
            raise RequestError("policy-unavailable")
        return turns[0]

    async def set(self, version: str) -> KeptSet:
        """A set that is or was in force, by its version. RequestError not-found."""
        found = await self._read(partial(read_set, version=version))
        if found is None:
            raise RequestError("not-found")
        return found

    async def _beginning(self) -> Edit | None:
        """What a start must write, None if there is a set and it is one of ours."""
        seen = await self._read(partial(_at_start, now=self._clock.now()))
        if seen is None:
            return None
        snapshot, now = seen.snapshot, seen.now
        sets = await asyncio.to_thread(published, seen.kept, snapshot.versions, now)
        if not sets:
            return None
        return Edit(
            seen=Head(revision=snapshot.revision, sequence=snapshot.sequence),
            now=now,
            record=Change(
                actor=GATEWAY,
                action="publish",
                object="set",
                policy=sets[0].version,
                sequence=snapshot.sequence + 1,
            ),
            sets=sets,
        )

    async def _changed(
        self, actor: Requester, action: str, act: Act, *, keyed: Keyed | None = None
    ) -> Stored:
        """What became of the version that the act was done to, or made before."""
        done = await self._done(actor, action, act, keyed=keyed)
        if isinstance(done, Edit):
            assert done.stored is not None  # noqa: S101 - only a removal shows nothing
            return done.stored
        on = Occasion(
            snapshot=await self.snapshot(), actor=actor, now=self._clock.now()
        )
        for version in on.snapshot.versions.get(done.partition("@")[0], ()):
            if version.organisation == actor.organisation and made(version) == done:
                return on.stored(version)
        raise RequestError("not-found")  # it was made, and then changed or deleted

    async def _done(
        self, actor: Requester, action: str, act: Act, *, keyed: Keyed | None = None
    ) -> Edit | str:
        """Do it to what is there now, anew where another change came between.

        The change as written; or the id and version that the same request has made.
        """
        for _ in range(_TRIES):
            now = self._clock.now()
            seen, before = await self._read(partial(_seen, keyed=keyed, now=now))
            if before is not None:
                return before
            on = Occasion(snapshot=seen.snapshot, actor=actor, now=seen.now)
            deciding = partial(_decided, on, action, act, kept=seen.kept, keyed=keyed)
            edit = await asyncio.to_thread(deciding)
            try:
                await self._trail.change(partial(write, edit))
            except Stale:
                continue
            if edit.sets and self._around.follow is not None:
                await self._around.follow()
            return edit
        message = "Others change policy all the time just now. Try again."
        raise RequestError("conflict", message)

    async def _reading(self, actor: Requester) -> Occasion:
        actor.require("policy:read")
        snapshot = await self.snapshot()
        return Occasion(snapshot=snapshot, actor=actor, now=self._clock.now())

    async def _read(self, work: Callable[[Connection], _T]) -> _T:
        try:
            return await self._database.read(work)
        except (*FAILURES, Tampered):
            raise RequestError("policy-unavailable") from None

    def _keyed(
        self, actor: Requester, key: str | None, sent: Mapping[str, object]
    ) -> Keyed | None:
        if key is None:
            return None
        return Keyed(
            caller=f"{actor.client_id}|{person_of(actor)}|{actor.organisation}",
            key=key,
            request=self._trail.request_of(canonical_json(sent).encode()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The documents of one moment, the turns that were kept beside them, and when.

    `now` is never before the newest change: one clock behind another puts nothing
    before what it follows.
    """

    snapshot: Snapshot
    kept: KeptTurns | None
    now: datetime


def _look(connection: Connection, now: datetime) -> _Seen:
    snapshot = read_snapshot(connection)
    changed = (v.changed_at for held in snapshot.versions.values() for v in held)
    now = max([now, *changed])
    return _Seen(snapshot=snapshot, kept=kept_turns(connection, now), now=now)


def _at_start(connection: Connection, *, now: datetime) -> _Seen | None:
    """What a start has to compare; None where it is to leave everything as it is.

    A set that is not whole stays: whoever has it in force says so.
    """
    seen = _look(connection, now)
    turns = turns_at(connection, now)
    try:
        held = read_set(connection, turns[0].set_version) if turns else None
    except Tampered:
        return None
    if turns and held is None:
        return None
    is_ours = held is not None and held.is_of_this_engine
    return seen if is_ours else replace(seen, kept=None)


def _seen(
    connection: Connection, *, keyed: Keyed | None, now: datetime
) -> tuple[_Seen, str | None]:
    """The documents of one moment, and what the same request has made already."""
    before = None if keyed is None else made_by(connection, keyed, now)
    return _look(connection, now), before


def _decided(
    on: Occasion, action: str, act: Act, *, kept: KeptTurns | None, keyed: Keyed | None
) -> Edit:
    return edit_of(on, action, act(on), kept=kept, keyed=keyed)
