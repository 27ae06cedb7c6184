"""A change of policy ready to be written: rows, sets in their turn, and its record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Connection

from gateway.access.requester import Requester
from gateway.audit.records import Actor, Change
from gateway.policy.composition import Composition, Versions, timetable, with_version
from gateway.policy.kept import Head, move_head, remove_version, spelt, write_version
from gateway.policy.occasion import Occasion, Stored, shown
from gateway.policy.sets import KeptTurns, Published, write_sets
from gateway.policy.states import Version
from gateway.problems import FieldError, RequestError
from gateway.store.idempotency import Keyed, remember
from policies.errors import Invalid

# Who did what nobody asked for: the first set of a store, a reminder.
GATEWAY: Final = Actor(
    issuer="throughline",
    subject="gateway",
    client_id="gateway",
    organisation="gateway",
    role="gateway",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A version that is to be gone."""

    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Everything that one change writes, made from what was read at `seen`."""

    seen: Head
    now: datetime
    record: Change
    versions: tuple[Version, ...] = ()
    removed: Version | None = None
    sets: tuple[Published, ...] = ()
    keyed: Keyed | None = field(default=None, repr=False)
    stored: Stored | None = None  # what the act was done to, as it is then shown


def edit_of(
    on: Occasion,
    action: str,
    done: Sequence[Version] | Removal,
    *,
    kept: KeptTurns | None,
    keyed: Keyed | None = None,
) -> Edit:
    """What an act is to write. RequestError gate-failed if the set would be too large.

    `kept`: the turns of sets as the store had them beside the snapshot.
    Takes time: run it beside the event loop.
    """
    before = on.snapshot.versions
    versions = () if isinstance(done, Removal) else tuple(done)
    removed = done.version if isinstance(done, Removal) else None
    after = _applied(before, versions)
    sets = published(kept, after, on.now)
    about = removed or max(versions, key=lambda each: each.version)
    stored = None if removed else shown(about, after[about.id], on.now)
    return Edit(
        seen=Head(revision=on.snapshot.revision, sequence=on.snapshot.sequence),
        now=on.now,
        record=Change(
            actor=actor_of(on.actor),
            action=action,
            object=about.kind,
            document=about.id,
            version=about.version,
            hash=about.hash,
            state=None if stored is None else stored.state,
            policy=sets[0].version if sets else None,
            sequence=on.snapshot.sequence + 1 if sets else None,
        ),
        versions=versions,
        removed=removed,
        sets=sets,
        keyed=keyed,
        stored=stored,
    )


def published(
    kept: KeptTurns | None, after: Versions, now: datetime
) -> tuple[Published, ...]:
    """The sets that are to be in force, now and later; none if they already are.

    Compared with what is kept, not with what would have been: whatever was once lost
    comes back with the next change. Kept None: in any case.
    """
    wanted = timetable(after, now)
    if kept == tuple(
        (None if begins is None else spelt(begins), composition.digest)
        for begins, composition in wanted
    ):
        return ()
    return tuple(
        Published(
            version=_compiled_version(composition),
            composition=composition,
            effective_at=begins,
        )
        for begins, composition in wanted
    )


def write(edit: Edit, connection: Connection) -> tuple[None, Change]:
    """Write it all. Stale if anything was changed since it was read."""
    move_head(connection, edit.seen, edit.seen.sequence + len(edit.sets))
    if edit.removed is not None:
        remove_version(connection, edit.removed)
    for version in edit.versions:
        write_version(connection, version)
    if edit.sets:
        write_sets(connection, edit.sets, after=edit.seen.sequence, now=edit.now)
    if edit.keyed is not None:
        remember(connection, edit.keyed, made(edit.versions[-1]), now=edit.now)
    return None, edit.record


def made(version: Version) -> str:
    """What a request made, as its key remembers it: the exact text too.

    The number of a draft that was deleted is given again, perhaps to another's.
    """
    return f"{version.id}@{version.version}@{version.hash}"


def actor_of(requester: Requester) -> Actor:
    """Whoever acts, as the trail names them."""
    return Actor(
        issuer=requester.issuer,
        subject=requester.subject,
        client_id=requester.client_id,
        organisation=requester.organisation,
        role=requester.role,
    )


def _applied(
    before: Versions, versions: Sequence[Version]
) -> Mapping[str, Sequence[Version]]:
    after = before
    for version in versions:
        after = with_version(after, version)
    return after


def _compiled_version(composition: Composition) -> str:
    try:
        return composition.compiled().version
    except Invalid as error:
        fault = FieldError(pointer="", code="too-large", message=error.message)
        raise RequestError("gate-failed", error.message, errors=(fault,)) from None
